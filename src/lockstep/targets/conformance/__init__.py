"""Check any SCIM server the way Entra and Okta would use it. Every check creates what it needs, and all of it is deleted at the end."""
