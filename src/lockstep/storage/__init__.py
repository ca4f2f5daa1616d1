"""SQL, one module per noun. Every function gets the connection to use, so that the caller decides where the transaction ends."""
