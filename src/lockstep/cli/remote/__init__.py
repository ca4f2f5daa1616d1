"""Run commands against a server on another machine: contexts, sign-in, the connection, and the list of commands that can run this way."""
