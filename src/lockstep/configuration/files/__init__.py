"""Configuration files in YAML: read, write with comments, compare."""
