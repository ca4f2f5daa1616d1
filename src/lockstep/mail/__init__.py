"""Mail as a client: build a message, and hand it to a mail server. Knows no application and no administrator."""
