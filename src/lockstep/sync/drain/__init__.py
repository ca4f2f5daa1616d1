"""Claims dirty objects and brings each to its outcome."""
