"""LDAP as a client, as far as a sign-in needs it: find one entry, and bind as it. Knows no person of Lockstep."""
