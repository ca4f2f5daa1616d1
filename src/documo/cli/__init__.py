"""The `documo` command.

Data goes to stdout, everything else to stderr; a secret is shown once, when it is created.
"""

from __future__ import annotations

from documo.cli.main import main

__all__ = ["main"]
