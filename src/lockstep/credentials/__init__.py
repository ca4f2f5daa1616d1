"""Passwords, secrets and limits on sign-in attempts, for both products."""
