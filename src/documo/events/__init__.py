"""Send changes to receivers: streams, delivery, polling (RFC 8935, 8936)."""
