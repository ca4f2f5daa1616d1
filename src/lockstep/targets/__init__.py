"""Adapters for applications: SCIM over the one HTTP client for outgoing requests, and the ways to test a connection."""
