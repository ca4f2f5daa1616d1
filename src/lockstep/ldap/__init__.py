"""LDAP as a client, as far as a sign-in needs it: find one entry, and bind as it. Independent of Lockstep's people."""
