"""A mail client: build a message, and hand it to a mail server. Independent of applications and administrators."""
