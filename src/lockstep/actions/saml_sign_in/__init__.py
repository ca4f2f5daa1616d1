"""SAML sign-in of people to applications: requests, responses, metadata and single logout."""
