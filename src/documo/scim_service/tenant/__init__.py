"""The tenant behind a request, its schemas and its service."""
