"""Writes collected into batches, and the rules that hold for them."""
