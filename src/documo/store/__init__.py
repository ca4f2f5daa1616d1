"""Documo's SQL, one module per noun. All queries are made here, and no decisions."""
