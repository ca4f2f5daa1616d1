"""One SCIM exchange: reading the request, conditions, the answer."""
