"""Documo: a document service whose customers provision their members through SCIM 2.0. The application side of provisioning."""

__version__ = "0.1.0"
