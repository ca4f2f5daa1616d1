"""The `documo` command.

Data is printed to stdout, everything else to stderr. A secret is shown once, when it is created.
"""

from __future__ import annotations

from documo.cli.main import main

__all__ = ["main"]
