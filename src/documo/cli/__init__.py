"""The `documo` command.

Data goes to stdout, everything else to stderr; a secret is shown once, at the moment it is made.
"""

from __future__ import annotations

from documo.cli.main import main

__all__ = ["main"]
