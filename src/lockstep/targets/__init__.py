"""Adapters for applications: the SCIM target, and the ways to test a connection."""
