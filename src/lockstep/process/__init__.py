"""Concerns of the whole process: memory and the reporting of bugs."""
