"""Passwords, secrets and limits of attempts, for both products."""
