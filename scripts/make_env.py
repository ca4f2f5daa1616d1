"""Build `.venv` in this checkout from pinned, hashed requirements: `make env` (running) or `make env-dev` (everything).

Requires only Python 3.11 or newer. uv is installed into the environment first, because it needs seconds where pip needs minutes.
Does nothing if the requirements have not changed. The scripts and styles of the pages are built last (`frontend.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from frontend import build_frontend

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
SETS = {"run": ["requirements.txt"], "dev": ["requirements-dev.txt"]}


def main(wanted: str) -> None:
    """Install the set *wanted* ("run" or "dev") into the environment; a larger set that is already there is kept."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the point is to say so where an older one is found
        sys.exit(
            f"Lockstep needs Python 3.11 or newer; this is {sys.version.split()[0]}. Run: make PYTHON=python3.11 {wanted}"
        )
    if not (is_current("dev") or (wanted == "run" and is_current("run"))):
        install(wanted)
    build_frontend(wanted)


def install(wanted: str) -> None:
    """Install the Python packages of the set *wanted*, and Lockstep itself."""
    if not (BIN / "uv").exists():
        create()
    for name in SETS[wanted]:
        run(
            str(BIN / "uv"),
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",  # other users cannot write compiled files later, and would pay at every command
            "--require-hashes",
            "--python",
            str(BIN / "python"),
            "-r",
            name,
        )
    run(str(BIN / "uv"), "pip", "install", "--quiet", "--no-deps", "--python", str(BIN / "python"), "--editable", ".")
    run(str(BIN / "python"), "-m", "compileall", "-q", "src")
    stamp(wanted).write_text(fingerprint(wanted))


def create() -> None:
    """Create the environment and install uv into it."""
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "This Python cannot create virtual environments"
            f" ({(made.stdout + made.stderr).strip().splitlines()[0]}).\nOn Debian or Ubuntu run: apt-get install python3-venv"
        )
    run(str(BIN / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements-env.txt")


def is_current(name: str) -> bool:
    return stamp(name).exists() and stamp(name).read_text() == fingerprint(name)


def stamp(name: str) -> Path:
    return VENV / f".lockstep-{name}"


def fingerprint(name: str) -> str:
    """A digest of everything that determines the contents of the environment."""
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for file in ["pyproject.toml", "requirements-env.txt", *SETS[name]]:
        digest.update((ROOT / file).read_bytes())
    return digest.hexdigest()


def run(*command: str) -> None:
    environment = {**os.environ, "UV_NO_PROGRESS": "1", "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy")}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        sys.exit(f"make env: this command failed with {done.returncode}: {' '.join(command)}")


if __name__ == "__main__":
    main(sys.argv[1])
