"""Documo's SCIM 2.0 service (RFC 7643, 7644, 9865). A request is decided by the pure functions of `lockstep.scim` and carried out by one
SQL statement.

The tenant is determined by the credential alone. Addresses in responses come from configuration alone.
"""
