"""What is decided for one object or one job, with reasons. Pure."""
