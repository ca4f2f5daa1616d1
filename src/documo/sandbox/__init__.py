"""A temporary Documo for testing a client, with fault injection."""
