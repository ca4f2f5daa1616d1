"""The decisions for one object or one job, with their reasons. Pure."""
