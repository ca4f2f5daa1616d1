"""Check any SCIM server with the requests that Entra and Okta send.

Every check creates the resources that it needs. All of them are deleted at the end.
"""
