"""The application gallery. Each known application is a data file, not code."""
