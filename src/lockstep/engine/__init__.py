"""Decisions. Pure: same input, same answer, with reasons."""
