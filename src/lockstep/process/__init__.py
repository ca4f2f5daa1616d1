"""Concerns of the whole process: memory management and bug reports."""
