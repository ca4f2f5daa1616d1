"""Read, write, compare and check configurations. A configuration exists as JSON, as text that people type, and as a YAML file.

Pure. This package depends on `engine`, and `storage` depends on this package.
"""
