"""SAML sign-in of people to applications: requests, answers, metadata, single logout."""
