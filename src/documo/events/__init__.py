"""Telling others of changes: streams, delivery, polling (RFC 8935, 8936)."""
