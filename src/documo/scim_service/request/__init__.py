"""One SCIM request and its response: reading the request, checking its conditions, building the response."""
