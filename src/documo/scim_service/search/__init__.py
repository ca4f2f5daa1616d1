"""Filters, order and pages as SQL."""
