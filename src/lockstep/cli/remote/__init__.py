"""Commands against a server on another machine: its address and token, the connection, and which commands that concerns."""
