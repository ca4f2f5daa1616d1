"""SQL by noun. Every function takes the connection it works on, so that the caller decides where the transaction ends."""
