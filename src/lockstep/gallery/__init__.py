"""The application gallery. Known applications are data files, not code."""
