"""A throw-away Documo for testing a client, with fault injection."""
