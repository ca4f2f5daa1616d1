"""The SCIM operations, one module each."""
