"""SQL by noun. Every function takes the connection it works on, so that its caller decides the transaction."""
