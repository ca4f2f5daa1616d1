"""Documo's SQL, by noun. Everything else in Documo asks here; nothing here decides."""
