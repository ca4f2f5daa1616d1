"""Documo's SQL, one module per noun. All queries are made here; no decisions are."""
