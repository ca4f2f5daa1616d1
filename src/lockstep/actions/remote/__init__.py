"""Actions that callers outside this process call by name: which actions they may call, and how arguments and results are transferred."""
