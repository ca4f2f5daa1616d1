"""A throw-away Documo for a client's tests, with faults on request."""
