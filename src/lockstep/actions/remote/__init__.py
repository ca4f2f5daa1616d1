"""Actions by name, for callers that are not in this process: which ones may be called, and how arguments and results travel."""
