"""Every contract bites: a violation planted in a copy of the source turns it red, and the report names the planted line.

A green contract proves nothing by itself: it may name a room that was renamed, or omit the module that matters.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.source import nodes_of

ROOT = Path(__file__).resolve().parents[2]
PURE_ROOMS = (
    "src/lockstep/engine",
    "src/lockstep/scim",
    "src/lockstep/saml",
    "src/lockstep/openid",
    "src/lockstep/configuration",
)
# What the pure rooms may import from outside the product. Everything else is refused, harmful or not.
# fmt: off
PURE_IMPORTS = frozenset({
    "__future__", "base64", "binascii", "calendar", "collections", "contextlib", "copy", "dataclasses", "datetime", "difflib", "enum",
    "functools", "hashlib", "heapq", "ipaddress", "itertools", "math", "operator", "re", "string", "struct", "types", "typing",
    "unicodedata", "urllib.parse", "uuid",
    "jmespath", "orjson", "precis_i18n", "re2", "yaml",
})
# fmt: on
PURE_EXCEPTIONS = frozenset(
    {
        # The schemas of RFC 7643 lie beside the code and are read once, when the module is imported.
        ("src/lockstep/scim/registry.py", "importlib.resources"),
        # IDs and keys must be random; no other module of this room may ask for them.
        ("src/lockstep/saml/identifiers.py", "secrets"),
    }
)
# Libraries for what a single room is about.
ROOM_IMPORTS = {
    "src/lockstep/saml": frozenset({"cryptography", "lxml", "signxml", "zlib"}),
    "src/lockstep/openid": frozenset({"hmac", "joserfc"}),
}


@dataclass(frozen=True, slots=True)
class Plant:
    contract: str
    module: str
    imports: str

    @property
    def path(self) -> Path:
        return Path("src", *self.module.split(".")).with_suffix(".py")


IMPORTS = [
    # The layers.
    Plant("lockstep-layers", "lockstep.storage.planted_settings", "lockstep.settings"),
    Plant("lockstep-layers", "lockstep.engine.planted_storage", "lockstep.storage.people"),
    Plant("lockstep-layers", "lockstep.engine.planted_ports", "lockstep.ports"),
    Plant("lockstep-layers", "lockstep.scim.planted_engine", "lockstep.engine.records"),
    Plant("lockstep-layers", "lockstep.saml.planted_scim", "lockstep.scim.errors"),
    Plant("lockstep-layers", "lockstep.openid.planted_saml", "lockstep.saml.names"),
    Plant("lockstep-layers", "lockstep.directory.planted_sync", "lockstep.sync.outcome.outcomes"),
    Plant("lockstep-layers", "lockstep.sync.planted_actions", "lockstep.actions.context"),
    Plant("lockstep-layers", "lockstep.sync.planted_targets", "lockstep.targets.scim_target"),
    Plant("lockstep-layers", "lockstep.actions.planted_wiring", "lockstep.wiring"),
    Plant("lockstep-layers", "lockstep.postgres.planted_storage", "lockstep.storage.jobs"),
    Plant("lockstep-layers", "lockstep.sync.planted_serving", "lockstep.serving.server"),
    Plant("lockstep-layers", "lockstep.portal.planted_web", "lockstep.web.app"),
    Plant("sync-layers", "lockstep.sync.planning.planted_drain", "lockstep.sync.drain.drain"),
    Plant("documo-layers", "documo.store.planted_cli", "documo.cli.main"),
    Plant("documo-layers", "documo.store.planted_scim_service", "documo.scim_service.operations.create"),
    Plant("documo-layers", "documo.scim_service.planted_server", "documo.server"),
    # Doors.
    Plant("doors", "lockstep.cli.planted_storage", "lockstep.storage.people"),
    Plant("doors", "lockstep.cli.planted_sync", "lockstep.sync.drain.drain"),
    Plant("doors", "lockstep.cli.up.planted_directory", "lockstep.directory.intake"),
    Plant("doors", "lockstep.web.pages.planted_storage", "lockstep.storage.people"),
    Plant("doors", "lockstep.api.routes.planted_sync", "lockstep.sync.services"),
    Plant("doors", "lockstep.portal.planted_directory", "lockstep.directory.people"),
    Plant("light-worker", "lockstep.cli.worker", "jinja2"),
    # Packages that know nothing of each other.
    Plant("adapters", "lockstep.sources.planted_targets", "lockstep.targets.scim_target"),
    Plant("adapters", "lockstep.gallery.planted_sources", "lockstep.sources.registry"),
    Plant("documo-knows", "documo.store.planted_engine", "lockstep.engine.records"),
    Plant("documo-knows", "documo.cli.planted_api", "lockstep.api"),
    Plant("documo-knows", "documo.scim_service.planted_vault", "lockstep.vault"),
    Plant("lockstep-knows", "lockstep.gallery.planted_documo", "documo.roles"),
    Plant("lockstep-knows", "lockstep.cli.planted_documo", "documo.identifiers"),
    # The pure core, by module.
    Plant("pure-core", "lockstep.engine.planted_time", "time"),
    Plant("pure-core", "lockstep.engine.planted_sqlite", "sqlite3"),
    Plant("pure-core", "lockstep.engine.expressions.planted_random", "random"),
    Plant("pure-core", "lockstep.engine.planted_http", "http.client"),
    Plant("pure-core", "lockstep.scim.planted_psycopg", "psycopg"),
    Plant("pure-core", "lockstep.engine.planted_vault", "lockstep.vault"),
    Plant("pure-core", "lockstep.saml.planted_secrets", "secrets"),
    Plant("pure-core", "lockstep.openid.planted_time", "time"),
]
# The pure core, by function: the module may be imported, but these functions may not be used.
CALLS = {
    "now": "from datetime import UTC, datetime\n\nVALUE = datetime.now(UTC)\n",
    "now_by_module": "import datetime as dt\n\nVALUE = dt.datetime.now(dt.UTC)\n",
    "utcnow": "from datetime import datetime\n\nVALUE = datetime.utcnow()\n",
    "today": "from datetime import date\n\nVALUE = date.today()\n",
    "time": "import time\n\nVALUE = time.time()\n",
    "uuid4": "from uuid import uuid4\n\nVALUE = uuid4()\n",
    "uuid1": "import uuid\n\nVALUE = uuid.uuid1()\n",
    "random": "from random import random\n\nVALUE = random()\n",
    "secrets": "import secrets\n\nVALUE = secrets.token_hex()\n",
    "environ": "from os import environ\n\nVALUE = environ.get('HOME')\n",
    "getenv": "import os\n\nVALUE = os.getenv('HOME')\n",
    "socket": "import socket\n\nVALUE = socket.socket()\n",
    "urllib": "from urllib.request import urlopen\n\nVALUE = urlopen\n",
    "open": "VALUE = open('people.csv')\n",
    "path": "from pathlib import Path\n\nVALUE = Path('people.csv').read_text()\n",
    "sqlite": "import sqlite3\n\nVALUE = sqlite3.connect(':memory:')\n",
}
BANNED = {"TID251", "PTH123"}  # PTH123: `open`, refused in the whole product


def strange_imports(root: Path) -> list[str]:
    """Imports of the pure rooms that PURE_IMPORTS does not list."""
    found = []
    for room, file in [(name, file) for name in PURE_ROOMS for file in sorted((root / name).rglob("*.py"))]:
        own = ROOM_IMPORTS.get(room, frozenset())
        for node in nodes_of(file):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                if node.module in ("urllib", "importlib", "concurrent"):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [
                f"{name}: {module}"
                for module in names
                if not ({module, module.split(".")[0]} & (PURE_IMPORTS | own) or module.split(".")[0] == "lockstep")
                and ((name := str(file.relative_to(root))), module) not in PURE_EXCEPTIONS
            ]
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with every violation planted in it."""
    root = tmp_path_factory.mktemp("planted")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for product in ("lockstep", "documo"):
        (root / "src" / product / "attic.py").write_text('"""A room that stands in no layer."""\n')
    for plant in IMPORTS:
        (root / plant.path).write_text(f"import {plant.imports}\n")
    for room in PURE_ROOMS:
        for name, text in CALLS.items():
            (root / room / f"called_{name}.py").write_text(text)
    return root


@pytest.fixture(scope="module")
def report(copy: Path) -> dict[str, str]:
    """Import-linter's report on the copy: the section of each broken contract, by its id."""
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
            "--no-logo",
        ],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy / "src"), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    names = {one["name"]: one["id"] for one in contracts()}
    parts = re.split(r"^(.+)\n-{3,}\n", ran.stdout, flags=re.MULTILINE)
    return {names[head]: body for head, body in zip(parts[1::2], parts[2::2], strict=True) if head in names}


def contracts() -> list[dict[str, str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: list[dict[str, str]] = settings["tool"]["importlinter"]["contracts"]
    return found


@pytest.mark.parametrize("plant", IMPORTS, ids=lambda plant: f"{plant.contract}: {plant.module}")
def test_planted_import_breaks_its_contract(report: dict[str, str], plant: Plant) -> None:
    assert plant.contract in report, f"the contract {plant.contract} stayed green"
    assert plant.module in report[plant.contract]


@pytest.mark.parametrize("product", ["lockstep", "documo"])
def test_room_without_a_floor_breaks_the_layers(report: dict[str, str], product: str) -> None:
    assert f"{product}.attic" in report[f"{product}-layers"]


def test_every_contract_has_a_violation_planted() -> None:
    assert {one["id"] for one in contracts()} == {plant.contract for plant in IMPORTS}


def test_layers_have_no_exceptions() -> None:
    assert [one["id"] for one in contracts() if one["type"] == "layers" and "ignore_imports" in one] == []


def test_planted_call_in_a_pure_room_is_refused(copy: Path) -> None:
    ran = subprocess.run(
        [ROOT / ".venv/bin/ruff", "check", "--no-cache", "--output-format", "json", *PURE_ROOMS],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )

    refused = {str(Path(one["filename"]).relative_to(copy)) for one in json.loads(ran.stdout) if one["code"] in BANNED}

    assert {f"{room}/called_{name}.py" for room in PURE_ROOMS for name in CALLS} == {
        name for name in refused if "/called_" in name
    }


def test_pure_rooms_import_only_what_is_listed(copy: Path) -> None:
    assert strange_imports(ROOT) == []
    assert {
        "src/lockstep/engine/planted_sqlite.py: sqlite3",
        "src/lockstep/engine/planted_http.py: http.client",
    } <= set(strange_imports(copy))
