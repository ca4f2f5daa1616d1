"""The tasks of a worker, and the process that runs them."""
