"""An LDAP client for sign-ins: find one entry, and bind as that entry. Independent of Lockstep's people."""
