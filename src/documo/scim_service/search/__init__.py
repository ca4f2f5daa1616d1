"""Filters, sort order and pages as SQL."""
