"""A process that uses a server, as the test sees it, and waiting for its effects."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any


@dataclass
class Holder:
    """A process that uses the server of a folder, and what it reported."""

    process: subprocess.Popen[str]

    def facts(self) -> dict[str, Any]:
        """Wait until it has the server."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process ended before it had the server"
        facts: dict[str, Any] = json.loads(line)
        return facts

    def leave(self) -> int:
        self.process.communicate("\n", timeout=30)
        return self.process.returncode
