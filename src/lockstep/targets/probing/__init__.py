"""Probes of an application: can it be reached, does it speak SCIM, which attributes does it have?"""
