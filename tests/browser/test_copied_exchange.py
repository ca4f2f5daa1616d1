"""*Copy as curl* beside an exchange of the provisioning log repeats the request once the token is set."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import DOCUMO_EMAIL, Visitor
from tests.support.up_process import BIN, Up

pytestmark = pytest.mark.full


@pytest.fixture
def name(up: Up) -> Iterator[str]:
    """A person whom Documo refuses, because it has no seat left; and a name that a shell must not take apart."""
    some = f"o'{secrets.token_hex(4)} $HOME"
    command(up, "documo", "accounts", "set", "Contoso", "--seats", "1")
    found = unassigned(up)
    command(up, "lockstep", "people", "set", found, f"givenName={some}")
    yield found
    command(up, "documo", "accounts", "set", "Contoso", "--seats", "0")
    command(up, "lockstep", "assign", "remove", "documo", "--user", found, "--yes")


def command(up: Up, program: str, *arguments: str, fails: bool = False) -> str:
    """The output of a command that is run with the data of *up*."""
    data = ["--data", str(up.data)]
    words = [
        str(BIN / program),
        *(data if program == "lockstep" else []),
        *arguments,
        *(data if program == "documo" else []),
    ]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout


def answered(copied: str, **environment: str) -> tuple[int, Any]:
    """The status and the JSON that a person gets who pastes the command."""
    clean = {name: value for name, value in os.environ.items() if name != "SCIM_TOKEN"}
    done = subprocess.run(
        ["sh", "-c", copied + " -sS -w '\n%{http_code}'"], capture_output=True, text=True, env={**clean, **environment}
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def unassigned(up: Up) -> str:
    people = json.loads(command(up, "lockstep", "people", "list", "--limit", "1000", "-o", "json"))["items"]
    there = command(up, "lockstep", "links", "documo", "--limit", "1000", "-o", "json")
    return next(
        str(one["userPrincipalName"])
        for one in people
        if one["userPrincipalName"] not in there and one["accountEnabled"]
    )


@pytest.mark.timeout(600)  # a process for each command
async def test_the_copied_exchange_repeats_the_request_once_the_token_is_set(
    visitor: Visitor, up: Up, name: str
) -> None:
    whose = ("--account", "Contoso", "--member", DOCUMO_EMAIL, "--name", "pasted")
    key = json.loads(command(up, "documo", "keys", "create", *whose, "-o", "json"))["key"]
    command(up, "lockstep", "assign", "documo", "--user", name, "--role", "Member")
    command(up, "lockstep", "push", "documo", name, fails=True)

    await visitor.go("/logs/provisioning?status=failure")
    await visitor.page.get_by_role("link", name=name).first.click()
    await visitor.page.get_by_role("link", name="HTTP exchange").click()
    await visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await visitor.page.get_by_role("button", name="Copy curl command").last.click()
    copied = await visitor.page.evaluate("() => navigator.clipboard.readText()")
    page = await visitor.page.content()
    without = answered(copied)
    refused = answered(copied, SCIM_TOKEN=key)
    command(up, "documo", "accounts", "set", "Contoso", "--seats", "0")
    made = answered(copied, SCIM_TOKEN=key)

    assert 'Authorization: Bearer $SCIM_TOKEN"' in copied and "Bearer dk_" not in page and key not in page
    assert without[0] == 401
    assert refused[0] == 402 and "seats" in refused[1]["detail"]
    assert (made[0], made[1]["userName"]) == (201, name) and made[1]["name"]["givenName"].endswith(" $HOME")
