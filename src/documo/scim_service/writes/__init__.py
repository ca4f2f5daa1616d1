"""Writes collected into batches, and the rules that apply to them."""
