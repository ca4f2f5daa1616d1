"""Plans for one object: from what was read, or by asking the application."""
