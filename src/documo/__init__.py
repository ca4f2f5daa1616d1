"""Documo: a document service whose customers provision their members through SCIM 2.0. In this repository it is the application to be
provisioned.
"""

__version__ = "0.1.0"
