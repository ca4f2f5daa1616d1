"""Configuration files in YAML: reading, writing with comments, comparing."""
