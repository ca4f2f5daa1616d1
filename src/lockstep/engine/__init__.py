"""Decide what happens to accounts. Pure: the same input always gives the same decision, with its reasons."""
