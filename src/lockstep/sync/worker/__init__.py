"""Tasks and the process that runs them."""
