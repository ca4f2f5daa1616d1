"""*Copy as* on every page: a copied command runs, and a copied list has the rows of the page, with any filter."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from lockstep.actions.permissions import Permission
from tests.support.browser import EMAIL, Visitor, every_page
from tests.support.up_process import BIN, Up

pytestmark = pytest.mark.full
_WAY = re.compile(
    r'<pre tabindex="0" aria-label="((?:\w+: )?(?:Lockstep CLI|curl))" id="copy-as-\d+">(.*?)</pre>', re.S
)
# Somebody must still fill in a name, or decide to change something.
_CHANGES = re.compile(
    r" (add|add-member|create|set|delete|remove|restart|push|import|invite)\b|\b(EXPRESSION|APP|NAME)\b"
)
# No provider is set up, as the page says; and no token may have the scope to manage tokens.
REFUSED = {"/settings/sso", "/settings/tokens"}
AT_ONCE = 3  # a command mostly starts Python, which keeps a core busy


@pytest.fixture(scope="module")
def shell(up: Up) -> Mapping[str, str]:
    """The environment of a person who pastes: the program, its data and the token."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LOCKSTEP_DATA": str(up.data)}
    needed = [one.value for one in Permission if one.value.endswith(".read") or one is Permission.PEOPLE_SIGN_IN]
    scopes = [word for one in needed for word in ("--scope", one)]
    made = _run(f"lockstep token create pasted --owner {EMAIL} -o json {' '.join(scopes)}", environment)
    return {**environment, "TOKEN": json.loads(made.stdout)["token"]}


def _run(command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


async def _text(visitor: Visitor, path: str) -> str:
    return await (await visitor.page.request.get(visitor.origin + path)).text()


def _ways(text: str) -> dict[str, str]:
    return {name: html.unescape(command) for name, command in _WAY.findall(text)}


@pytest.mark.timeout(1200)  # a process for each command
async def test_everything_that_pages_copy_can_be_run(visitor: Visitor, shell: Mapping[str, str]) -> None:
    first_seen: dict[str, tuple[str, str]] = {}  # by command: the page and the way
    for path in await every_page(visitor):
        for name, command in _ways(await _text(visitor, path)).items():
            first_seen.setdefault(command, (path, name))
    at_once = asyncio.Semaphore(AT_ONCE)

    async def refusal(command: str, path: str, name: str) -> str | None:
        is_change = name.endswith("CLI") and _CHANGES.search(command)
        ending = " --help" if is_change else " -sS --fail" if name.endswith("curl") else ""
        async with at_once:
            done = await asyncio.to_thread(_run, command + ending, shell)
        # `status` answers with an exit code for the state, and without an error.
        is_refused = done.returncode and done.stderr and path not in REFUSED
        return f"{path}: {command}: {done.returncode} {done.stderr}" if is_refused else None

    answers = await asyncio.gather(*(refusal(command, *where) for command, where in first_seen.items()))

    refused = [one for one in answers if one is not None]
    assert not refused, "\n".join(refused)
    assert len(first_seen) > 60


FILTERED = [
    ("/users?search=berg", "id"),
    ("/users?search=o%27", "id"),
    ("/users?department=Sales", "id"),
    ("/users?source=contoso&search=kim", "id"),
    ("/users?show=disabled", "id"),
    ("/users?show=enabled&search=berg", "id"),
    ("/users?show=deleted", "id"),
    ("/groups?search=sales", "id"),
    ("/groups?show=deleted", "id"),
    ("/apps/documo/users-groups?search=sales", "principal"),
    ("/apps/documo/provisioning/links?state=live", "name"),
    ("/apps/documo/provisioning/links?state=lost", "name"),
    ("/apps/documo/provisioning/held?reason=privilege", "name"),
    ("/apps/documo/provisioning/held?search=haeun", "name"),
    ("/apps/documo/provisioning/held?show=rejected", "name"),
    ("/logs/provisioning?status=success&action=create&range=24h", "changeId"),
    ("/logs/provisioning?status=failure", "changeId"),
    ("/logs/audit?activity=import", "number"),
    ("/logs/audit?actor=ada&range=24h", "number"),
]


@pytest.mark.parametrize(("path", "key"), FILTERED, ids=[path for path, _ in FILTERED])
async def test_what_is_copied_from_a_filtered_list_has_its_rows(
    visitor: Visitor, shell: Mapping[str, str], path: str, key: str
) -> None:
    text = await _text(visitor, path)
    ways = _ways(text)
    rows = len(re.findall(r"<tr\b", "".join(re.findall(r"<tbody.*?</tbody>", text, re.S))))

    lists = {name: _items(command, shell) for name, command in ways.items()}

    assert lists, "neither way has this filter"
    for name, items in lists.items():
        assert len(items) == rows, f"{name}: {ways[name]}"
        assert [one[key] for one in items if html.escape(str(one[key])) not in text] == [], name


def _items(command: str, shell: Mapping[str, str]) -> list[dict[str, Any]]:
    done = _run(command + (" -sS --fail" if command.startswith("curl") else " -o json"), shell)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return found
