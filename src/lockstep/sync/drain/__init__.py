"""Claim dirty objects and bring each to its outcome."""
