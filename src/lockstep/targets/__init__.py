"""The applications' side: SCIM over the one HTTP client for outgoing requests, and the ways to test a connection."""
