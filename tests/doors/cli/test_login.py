"""Signing in to a server from another machine: where the token is stored, who may read it, how it ends, and the message for
each failure.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pyotp
import pytest

from lockstep.actions import second_factor
from lockstep.actions.context import NOT_SIGNED_IN
from lockstep.actions.sign_in import accept_invitation, sign_in
from lockstep.cli.remote.contexts import contexts_file, read_contexts
from lockstep.settings import load_settings
from lockstep.wiring import open_house
from tests.support.command_line import Installation, Lockstep
from tests.support.served_api import serving_lockstep

PASSWORD = "a long password of Ada"


@pytest.fixture
def server(
    unassigned: Lockstep, installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """The address of a server, and a service token for it. Ada is an Auditor there."""
    link = unassigned("admins", "invite", "ada@contoso.test", "--role", "auditor", "--name", "Ada", "-o", "json").json
    given = {"DATABASE_URL": installation.lockstep.conninfo, "LOCKSTEP_DATA": str(installation.folder / "data")}

    async def accept() -> None:
        async with open_house(load_settings(given), main=False) as house:
            secret = str(link["path"] if "path" in link else link["link"]).rpartition("/")[2]
            await accept_invitation(house.context(NOT_SIGNED_IN), secret, "Ada", PASSWORD)

    asyncio.run(accept())
    with serving_lockstep(installation.lockstep, installation.folder / "data") as there:
        for variable in given:
            monkeypatch.delenv(variable)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        yield there


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Somebody at a terminal who answers the questions in order."""

    def answers(*texts: str) -> None:
        waiting = iter(texts)
        monkeypatch.setattr(click, "prompt", lambda *_, **__: next(waiting))
        monkeypatch.setattr("lockstep.cli.remote.login.is_terminal", lambda: True)

    return answers


def test_login_asks_for_the_code_of_a_second_factor(
    server: tuple[str, str], installation: Installation, unassigned: Lockstep, typing: Callable[..., None]
) -> None:
    codes: list[str] = []

    async def add_factor() -> None:
        given = {"DATABASE_URL": installation.lockstep.conninfo, "LOCKSTEP_DATA": str(installation.folder / "data")}
        async with open_house(load_settings(given), main=False) as house:
            context = house.context(NOT_SIGNED_IN)
            session = (await sign_in(context, "ada@contoso.test", PASSWORD)).session_secret
            new = await second_factor.begin_second_factor(context, session)
            app, now = pyotp.TOTP(new.seed), datetime.now(UTC)
            codes.extend(await second_factor.confirm_second_factor(context, session, app.at(now)))
            codes.insert(0, app.at(now + timedelta(seconds=30)))  # a code is valid once; the next one is valid already

    asyncio.run(add_factor())
    typing("ada@contoso.test", PASSWORD, "000000")
    wrong = unassigned("login", server[0], "--name", "there")
    typing("ada@contoso.test", PASSWORD, codes[0])
    right = unassigned("login", server[0], "--name", "there")

    assert wrong.code == 4 and right.code == 0
    assert unassigned("whoami", "-o", "json").json["email"] == "ada@contoso.test"
    assert codes[0] not in right.out + right.err


def test_login_makes_a_token_that_only_its_owner_can_read_and_logout_revokes_it(
    server: tuple[str, str], unassigned: Lockstep, typing: Callable[..., None]
) -> None:
    typing("ada@contoso.test", PASSWORD)

    assert unassigned("login", server[0], "--name", "there").code == 0

    assert stat.S_IMODE(contexts_file().stat().st_mode) == 0o600
    who = unassigned("whoami", "-o", "json").json
    assert (who["email"], who["roles"], who["context"], who["url"]) == (
        "ada@contoso.test",
        ["Auditor"],
        "there",
        server[0],
    )
    assert unassigned("people", "list", "-q").code == 0
    refused = unassigned("pause", "documo")
    assert refused.code == 4 and "is not allowed" in refused.err
    token = read_contexts().servers["there"].token.reveal()
    assert unassigned("logout").code == 0
    assert read_contexts().servers == {}
    again = unassigned("login", server[0], "--token-stdin", stdin=f"{token}\n")
    assert again.code == 4 and "expired or was revoked" in again.err


def test_wrong_password_stores_nothing(
    server: tuple[str, str], unassigned: Lockstep, typing: Callable[..., None]
) -> None:
    typing("ada@contoso.test", "another password")

    said = unassigned("login", server[0])

    assert said.code == 4 and "is wrong" in said.err
    assert not contexts_file().exists()


def test_without_a_terminal_login_says_how_to_pipe_a_token(server: tuple[str, str], unassigned: Lockstep) -> None:
    said = unassigned("login", server[0])

    assert said.code == 64 and "--token-stdin" in said.err


def test_context_decides_where_commands_work_and_the_others_say_so(
    server: tuple[str, str], unassigned: Lockstep
) -> None:
    assert unassigned("login", server[0], "--token-stdin", "--name", "there", stdin=f"{server[1]}\n").code == 0

    assert unassigned("apps", "list", "-q").out.strip()
    here = unassigned("--context", "local", "apps", "list")
    assert here.code == 5 and "no Lockstep data" in here.err
    refused = unassigned("backup", "file.backup")
    assert refused.code == 7 and "does not work with there" in refused.err and "--context local" in refused.err
    assert unassigned("context", "use", "local").code == 0
    assert "there" in unassigned("context", "list").out
    assert unassigned("--context", "thre", "status").code == 5


def test_tokens_that_others_can_read_are_refused(server: tuple[str, str], unassigned: Lockstep) -> None:
    unassigned("login", server[0], "--token-stdin", stdin=f"{server[1]}\n")
    contexts_file().chmod(0o644)

    said = unassigned("status")

    assert said.code == 7 and "chmod 600" in said.err


@pytest.mark.parametrize(
    ("url", "code", "word"),
    [
        ("http://lockstep.contoso.test", 64, "not encrypted"),
        ("http://127.0.0.1:9", 69, "Cannot reach"),
        ("ftp://x", 64, "not the address"),
    ],
)
def test_address_that_cannot_be_used_is_refused_before_a_password_is_typed(
    unassigned: Lockstep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, code: int, word: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    said = unassigned("login", url)

    assert said.code == code and word in said.err
