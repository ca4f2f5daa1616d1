"""Configuration as JSON: reading strictly, writing back."""
