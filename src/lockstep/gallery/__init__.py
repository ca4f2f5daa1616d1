"""The application gallery: known applications are data, not code."""
