"""The one client for outgoing requests, and the rules for where they may go. Used by both products."""
