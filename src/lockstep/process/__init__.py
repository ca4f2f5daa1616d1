"""What concerns the process as a whole."""
