"""The applications' side: the one HTTP client for all that leaves, SCIM over it, and the ways to try a connection out."""
