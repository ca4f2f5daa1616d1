"""Entra's synchronization schema, read and written."""
