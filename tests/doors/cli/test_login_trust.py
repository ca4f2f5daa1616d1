"""The checks before signing in to a server (certificate, product, version), and other ways to sign in than a password."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import orjson
import pyotp
import pytest
from cryptography.hazmat.primitives import serialization

from lockstep.actions import second_factor
from lockstep.actions.context import NOT_SIGNED_IN
from lockstep.actions.sign_in import accept_invitation
from lockstep.cli.remote.contexts import Contexts, ServerContext, contexts_file, read_contexts, write_contexts
from lockstep.settings import load_settings
from lockstep.vault import Secret
from lockstep.wiring import open_house
from tests.support.command_line import Installation, Lockstep
from tests.support.gateway import gateway
from tests.support.served_api import serving_lockstep
from tests.support.target_servers import Authority

PASSWORD = "a long password of Ada"


@pytest.fixture
def server(
    unassigned: Lockstep, installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """The address of a server, and a service token for it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with serving_lockstep(installation.lockstep, installation.folder / "data") as there:
        for variable in ("DATABASE_URL", "LOCKSTEP_DATA"):
            monkeypatch.delenv(variable)
        yield there


def certificate_file(authority: Authority) -> str:
    file = authority.folder / "authority.pem"
    file.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    return str(file)


def authority_in(folder: Path) -> Authority:
    folder.mkdir()
    return Authority(folder)


def test_certificate_of_an_own_authority_is_trusted_by_its_file_and_by_every_command_after_login(
    server: tuple[str, str], unassigned: Lockstep, tmp_path: Path
) -> None:
    url, token = server
    ours, others = authority_in(tmp_path / "ours"), authority_in(tmp_path / "others")
    with gateway(url, tls=ours.serving()) as front:
        for trust in ([], ["--ca-file", certificate_file(others)]):
            refused = unassigned("login", front.url, "--token-stdin", *trust, stdin=f"{token}\n")
            assert refused.code == 69 and "authority that this machine does not trust" in refused.err, refused
            assert "--ca-file" in refused.err and "Traceback" not in refused.err
        assert not contexts_file().exists()

        trusted = ("--ca-file", certificate_file(ours))
        assert unassigned("login", front.url, "--token-stdin", *trusted, stdin=f"{token}\n").code == 0
        assert unassigned("people", "list", "-q").code == 0


@pytest.mark.parametrize(
    ("days", "name", "words"),
    [((-9, -1), "127.0.0.1", "has expired"), ((-1, 30), "lockstep.contoso.test", "is not for 127.0.0.1")],
    ids=["expired", "another name"],
)
def test_wrong_certificate_is_refused_although_its_authority_is_trusted(
    server: tuple[str, str], unassigned: Lockstep, tmp_path: Path, days: tuple[int, int], name: str, words: str
) -> None:
    ours = authority_in(tmp_path / "ours")
    with gateway(server[0], tls=ours.serving(days=days, name=name)) as front:
        trusted = ("--ca-file", certificate_file(ours))

        refused = unassigned("login", front.url, "--token-stdin", *trusted, stdin=f"{server[1]}\n")

    assert refused.code == 69 and words in refused.err, refused
    assert not contexts_file().exists()


def test_file_without_a_certificate_is_refused(server: tuple[str, str], unassigned: Lockstep, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")

    refused = unassigned(
        "login", server[0], "--token-stdin", "--ca-file", str(tmp_path / "empty.pem"), stdin=f"{server[1]}\n"
    )

    assert refused.code == 64 and "contains no readable certificate" in refused.err


def test_code_of_the_authenticator_app_is_asked_for_and_a_wrong_one_stores_nothing(
    server: tuple[str, str], unassigned: Lockstep, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as environment:
        installation.use(environment)
        link = unassigned(
            "admins", "invite", "ada@contoso.test", "--role", "auditor", "--name", "Ada", "-o", "json"
        ).json
    codes = asyncio.run(_enrolled(installation, str(link["path"] if "path" in link else link["link"])))
    asked: list[str] = []

    def typing(*texts: str) -> None:
        waiting = iter(texts)

        def answer(question: str, **_: object) -> str:
            asked.append(question)
            return next(waiting)

        monkeypatch.setattr(click, "prompt", answer)

    monkeypatch.setattr("lockstep.cli.remote.login.is_terminal", lambda: True)
    typing("ada@contoso.test", PASSWORD, "wrong")
    refused = unassigned("login", server[0])
    assert refused.code == 4 and "code is wrong" in refused.err
    assert not contexts_file().exists()

    typing("ada@contoso.test", PASSWORD, codes[0])
    assert unassigned("login", server[0]).code == 0
    assert asked[-1] == "Code of your authenticator app"
    assert unassigned("whoami", "-o", "json").json["email"] == "ada@contoso.test"


async def _enrolled(installation: Installation, link: str) -> list[str]:
    """Let Ada accept the invitation and set up an authenticator app; her recovery codes, which count like its codes."""
    given = {"DATABASE_URL": installation.lockstep.conninfo, "LOCKSTEP_DATA": str(installation.folder / "data")}
    async with open_house(load_settings(given), main=False) as house:
        context = house.context(NOT_SIGNED_IN)
        ada = await accept_invitation(context, link.rpartition("/")[2], "Ada", PASSWORD)
        new = await second_factor.begin_second_factor(context, ada.session_secret)
        code = pyotp.TOTP(new.seed).at(context.now())
        return await second_factor.confirm_second_factor(context, ada.session_secret, code)


def test_token_in_the_environment_signs_in_and_logout_leaves_it_valid(
    server: tuple[str, str], unassigned: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_TOKEN", server[1])

    assert unassigned("login", server[0]).code == 0
    assert unassigned("people", "list", "-q").code == 0
    said = unassigned("logout")
    assert said.code == 0 and "it stays valid" in said.out and read_contexts().servers == {}
    assert unassigned("login", server[0]).code == 0

    monkeypatch.setenv("LOCKSTEP_TOKEN", "a password")
    refused = unassigned("login", server[0])
    assert refused.code == 64 and "not a Lockstep access token" in refused.err and "a password" not in refused.err


def test_context_in_the_environment_decides_before_the_one_in_use_and_after_the_option(
    server: tuple[str, str], unassigned: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unassigned("login", server[0], "--token-stdin", "--name", "there", stdin=f"{server[1]}\n").code == 0

    def place(*options: str) -> str:
        return str(unassigned(*options, "whoami", "-o", "json").json["context"])

    assert place() == "there"
    monkeypatch.setenv("LOCKSTEP_CONTEXT", "local")
    assert place() == "local"
    assert place("--context", "there") == "there"
    monkeypatch.setenv("LOCKSTEP_CONTEXT", "thre")
    unknown = unassigned("whoami")
    assert unknown.code == 5 and 'Unknown context "thre"' in unknown.err and "there" in unknown.err


def test_whoami_on_this_machine_says_that_its_user_may_do_everything(
    unassigned: Lockstep, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    who = unassigned("whoami", "-o", "json").json

    assert (who["context"], who["url"]) == ("local", str(installation.folder / "data"))
    assert who["name"].endswith("(command line)") and "people.write" not in who["roles"] and who["permissions"]
    assert "may      everything" in unassigned("whoami").out


@contextmanager
def answering(status: int, kind: str, body: bytes, **headers: str) -> Iterator[str]:
    """The address of a program that gives one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as there:
        thread = threading.Thread(target=there.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{there.server_address[1]}"
        finally:
            there.shutdown()
            thread.join()


def problem(slug: str, **more: str) -> bytes:
    return orjson.dumps({"type": f"/problems/{slug}", "title": "x", "status": 400, "detail": "It is so.", **more})


@pytest.mark.parametrize(
    ("status", "body", "headers", "code", "words"),
    [
        (200, b"<h1>Welcome</h1>", {}, 64, "does not respond like a Lockstep server"),
        (404, b'{"error": "not found"}', {}, 64, "does not respond like a Lockstep server (HTTP status 404)"),
        (200, b"[]", {}, 64, "does not respond like a Lockstep server"),
        (
            302,
            b"",
            {"Location": "https://other.contoso.test/"},
            64,
            "redirects to another address: https://other.contoso",
        ),
        (404, problem("not-found"), {}, 7, "does not support remote commands"),
        (409, problem("new", kind="kindOfNextYear"), {}, 7, "It is so."),
        (409, problem("another-version", kind="conflict"), {}, 7, "Install the server's version"),
    ],
    ids=["page", "other API", "other JSON", "redirect", "older", "newer", "another version"],
)
def test_server_that_is_not_lockstep_or_another_version_is_told_clearly_before_a_password_is_typed(
    unassigned: Lockstep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    status: int, body: bytes, headers: dict[str, str], code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with answering(status, "application/json", body, **headers) as url:
        said = unassigned("login", url)

    assert said.code == code and words in said.err, said
    assert "Traceback" not in said.err and "report" not in said.err.lower()
    assert not contexts_file().exists()


def test_logout_from_a_server_that_is_gone_forgets_the_token_and_says_that_it_stays_valid(
    unassigned: Lockstep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    until = datetime.now(UTC) + timedelta(days=1)
    gone = ServerContext("there", "http://127.0.0.1:9", Secret("lockstep_pat_x"), "ada@contoso.test", until)
    write_contexts(Contexts().with_server(gone))

    said = unassigned("logout", "there")

    assert said.code == 69 and "deleted from this machine but not revoked" in said.err and "admin centre" in said.err
    assert read_contexts() == Contexts()
