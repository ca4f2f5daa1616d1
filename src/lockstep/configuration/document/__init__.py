"""Configuration as JSON: read strictly and write back."""
