"""Documo's SCIM 2.0 service (RFC 7643, 7644, 9865): HTTP in, pure decisions from `lockstep.scim`, one SQL statement, HTTP out.

The tenant comes from the credential alone; addresses in responses come from configuration alone.
"""
