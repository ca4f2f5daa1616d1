"""The one client for requests that leave the house, and where they may go; used by both products."""
