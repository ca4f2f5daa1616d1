"""Run commands against a server on another machine: contexts, sign-in, the connection, and which commands can run this way."""
