"""Claim dirty objects and process each of them to its outcome."""
