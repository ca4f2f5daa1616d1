"""`documo sso set` and `documo sso options` change what the page *Setup SAML* changes."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from documo.access.sso.providers import SamlSetup
from documo.cli import sso
from documo.cli.main import run
from tests.support.reused_databases import ReusedDatabase
from tests.support.saml_provider import ENTITY_ID, Provider, key_named

Command = Callable[..., str]


@pytest.fixture
def command(
    reused_documo_database: ReusedDatabase, data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:  # fmt: skip
    """Run a command on an account; returns what it says."""
    monkeypatch.setenv("DOCUMO_DATABASE_URL", reused_documo_database.database.conninfo)

    def run_here(*arguments: str, code: int = 0) -> str:
        ended, said = run([*arguments, "--data", str(data_folder)]), capsys.readouterr()
        assert ended == code, said.err
        return said.err if code else said.out

    run_here("accounts", "create", "Contoso", "--admin", "ada@contoso.example")
    return run_here


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    file = tmp_path / "idp.xml"
    file.write_bytes(Provider("http://documo.test").metadata())
    return file


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_commands_have_an_option_for_every_field_of_the_page() -> None:
    options = {parameter.name for command in (sso.set_, sso.options_) for parameter in command.params}

    assert {one.name for one in dataclasses.fields(SamlSetup)} - {"certificates"} <= options
    assert "certificate" in options


def test_settings_are_given_one_by_one_and_the_others_stay(command: Command, metadata: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "next.pem"
    certificate.write_text(key_named("next").certificate.pem)

    command("sso", "set", "--metadata", str(metadata), "--email-domain", "contoso.example", "--identity-field", "mail")
    command("sso", "options", "--create-members", "--default-role", "viewer", "--no-unsolicited")
    command("sso", "options", "--allow-sha1", "--allow-rsa15", "--sign-requests", "--post-requests")
    command("sso", "set", "--certificate", str(certificate))
    shown = orjson.loads(command("sso", "show", "-o", "json"))

    assert (shown["entity_id"], shown["email_domain"], shown["identity_field"]) == (
        ENTITY_ID,
        "contoso.example",
        "mail",
    )
    assert (shown["create_members"], shown["default_role"], shown["unsolicited"]) == (True, "Viewer", False)
    assert [shown[name] for name in ("allow_sha1", "allow_rsa15", "sign_requests", "post_requests")] == [True] * 4
    assert "No option was given" in command("sso", "options", code=64)
    assert shown["certificates"].startswith(key_named("next").certificate.thumbprint)


def test_metadata_that_is_read_again_changes_no_setting_that_it_does_not_contain(
    command: Command, metadata: Path
) -> None:
    command("sso", "set", "--metadata", str(metadata), "--email-domain", "contoso.example", "--identity-field", "mail")
    command("sso", "options", "--create-members", "--default-role", "viewer", "--no-unsolicited", "--allow-sha1")
    before = orjson.loads(command("sso", "show", "-o", "json"))

    command("sso", "set", "--metadata", str(metadata))

    assert orjson.loads(command("sso", "show", "-o", "json")) == before
    assert (before["email_domain"], before["create_members"]) == ("contoso.example", True)


def test_empty_identity_field_is_the_name_id_again(command: Command, metadata: Path) -> None:
    command("sso", "set", "--metadata", str(metadata), "--identity-field", "mail")

    command("sso", "set", "--identity-field", "")

    assert orjson.loads(command("sso", "show", "-o", "json"))["identity_field"] == "Name ID"


def test_metadata_is_read_at_its_address_which_is_kept_for_every_day(
    command: Command, metadata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(metadata.parent) as origin:
        monkeypatch.setenv("DOCUMO_OUTBOUND_ALLOW", origin)
        said = command("sso", "set", "--metadata-url", f"{origin}/idp.xml", "-o", "json")
        missing = command("sso", "set", "--metadata-url", f"{origin}/none.xml", code=69)
        both = command("sso", "set", "--metadata", str(metadata), "--metadata-url", f"{origin}/idp.xml", code=64)

    shown = orjson.loads(said)
    assert (shown["entity_id"], shown["metadata_url"]) == (ENTITY_ID, f"{origin}/idp.xml")
    assert "responded with 404" in missing
    assert "Give either --metadata or --metadata-url" in both


def test_address_of_the_metadata_is_dropped_with_its_provider(
    command: Command, metadata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.xml"
    other.write_bytes(Provider("http://documo.test", "https://other.example/").metadata())
    with serving(metadata.parent) as origin:
        monkeypatch.setenv("DOCUMO_OUTBOUND_ALLOW", origin)
        command("sso", "set", "--metadata-url", f"{origin}/idp.xml")
    same = orjson.loads(command("sso", "set", "--metadata", str(metadata), "-o", "json"))
    changed = orjson.loads(command("sso", "set", "--metadata", str(other), "-o", "json"))

    assert same["metadata_url"] == f"{origin}/idp.xml"
    assert (changed["entity_id"], changed["metadata_url"]) == ("https://other.example/", "")
