"""Documo's SQL, one module per noun. This package makes all queries, but no decisions."""
