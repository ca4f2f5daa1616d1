"""Lockstep: automatic user provisioning. Keeps accounts in applications in step with a directory of people."""

__version__ = "0.1.0"
