"""Plans for one object, from what was already read or by asking the application."""
