"""Actions by name, for callers outside this process: which ones may be called, and how arguments and results are transferred."""
