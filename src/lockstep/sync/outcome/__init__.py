"""The outcome of an object and its recording in one transaction."""
