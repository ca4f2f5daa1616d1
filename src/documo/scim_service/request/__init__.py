"""One SCIM exchange: reading the request, its conditions, the response."""
