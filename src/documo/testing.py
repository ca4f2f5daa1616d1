"""A temporary Documo for testing SCIM clients, as a pytest fixture and as a context manager.

In `conftest.py`: `pytest_plugins = ["documo.testing"]`. A test then calls the fixture `documo_sandbox` once for each server that it
needs. Each server is a separate process with its own database, and ends with the test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant of the sandbox: the address of its SCIM service and the key of its administrator."""

    base_url: str
    token: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running Documo. *base_url* and *token* belong to the first tenant. *data* is the folder for `documo requests --data`."""

    base_url: str
    token: str
    profile: str
    pid: int
    tenants: tuple[Tenant, ...]
    data: str = ""


StartSandbox = Callable[..., Sandbox]


@contextmanager
def sandbox(
    *,
    profile: str = "lenient",
    rate: int = 0,
    users: int = 0,
    tenants: int = 1,
    faults: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    with_admin: bool = False,
) -> Iterator[Sandbox]:
    """Run a Documo during the block.

    *users* is the number of users with which each tenant starts; *with_admin* adds the owner of the tenant's key. *rate* is the limit in
    requests per second for each tenant (0 for no limit). *faults* are the rules of a faults file. Raises RuntimeError, with the sandbox's
    stderr, if the sandbox does not start.
    """
    with tempfile.TemporaryDirectory(prefix="documo-faults-") as folder:
        command = [
            str(Path(sys.executable).with_name("documo")), "sandbox", "--profile", profile, "--rate", str(rate),
            "--users", str(users), "--tenants", str(tenants), "--seed", str(seed),
        ]  # fmt: skip
        if with_admin:
            command.append("--with-admin")
        if faults:
            file = Path(folder) / "faults.yaml"
            file.write_text(json.dumps({"faults": list(faults)}))  # JSON is YAML
            command += ["--faults", str(file)]
        said = Path(folder) / "stderr"  # an unread pipe would fill up and block the sandbox
        with (
            said.open("w") as stderr,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
        ):
            try:
                yield _ready(process, said)
            finally:
                _end(process)


@pytest.fixture
def documo_sandbox() -> Iterator[StartSandbox]:
    """Return a function that takes the arguments of `sandbox` and starts a sandbox. All sandboxes end with the test."""
    with ExitStack() as stack:
        yield lambda **wanted: stack.enter_context(sandbox(**wanted))


def _ready(process: subprocess.Popen[str], said: Path) -> Sandbox:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        process.wait()
        raise RuntimeError(f"The sandbox did not start: {said.read_text().strip()}")
    told = json.loads(line)
    tenants = tuple(Tenant(one["base_url"], one["token"], one["account"]) for one in told["tenants"])
    return Sandbox(told["base_url"], told["token"], told["profile"], told["pid"], tenants, told["data"])


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
