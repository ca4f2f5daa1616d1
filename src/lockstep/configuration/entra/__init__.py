"""Import and export Entra's synchronization schema."""
