"""`lockstep key rotate`: every stored secret is encrypted with the new key or none is, whenever it is interrupted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lockstep.errors import conflict
from lockstep.postgres.pool import Pool, open_pool
from lockstep.vault import make_key_file, parse_key
from tests.support.command_line import DocumoThere, Lockstep
from tests.support.serving_process import process


@pytest.fixture
def data(connected: Lockstep) -> Path:
    """The data folder of an installation with secrets of several kinds, each of a different length of life."""
    assert connected("sso", "address", "https://sso.contoso.test").code == 0
    assert connected("sso", "set", "documo", "--mode", "saml").code == 0
    assert connected("webhook", "set", "--url-stdin", stdin="https://hooks.contoso.test/secret\n").code == 0
    mail = ("--host", "mail.contoso.test", "--from", "l@contoso.test", "--user", "l", "--password-stdin")
    assert connected("mail", "set", *mail, stdin="a password\n").code == 0
    return Path(os.environ["LOCKSTEP_DATA"])


def test_stored_secrets_are_encrypted_with_a_new_key_and_the_former_key_opens_none(
    connected: Lockstep, documo: DocumoThere, data: Path
) -> None:
    former = (data / "key").read_bytes()

    done = connected("key", "rotate", "--yes", "-o", "json")

    assert done.json["encryptedAgain"] == 4 and (data / "key").read_bytes() != former
    kept = Path(done.json["formerKey"])
    assert kept.read_bytes() == former and kept.stat().st_mode & 0o077 == 0 and not (data / "key.next").exists()
    assert connected("creds", "test", "documo").code == 0
    assert "the key decrypts every stored token and signing key" in connected("doctor").out
    assert connected("audit", "--query", "items[0].activity").out.strip() == "Encrypt secrets again"
    kept.replace(data / "key")
    assert "It was encrypted with key" in connected("doctor").out


def test_an_interrupted_replacement_goes_on_with_the_same_key_and_nothing_else_runs_until_then(
    connected: Lockstep, documo: DocumoThere, data: Path
) -> None:
    make_key_file(data / "key.next")  # interrupted before the transaction was committed
    new = (data / "key.next").read_bytes()

    refused = connected("status")
    first = connected("key", "rotate", "--yes", "-o", "json")
    (data / "key").rename(data / "key.next")  # interrupted after it was committed
    Path(first.json["formerKey"]).rename(data / "key")
    still = connected("creds", "test", "documo")
    second = connected("key", "rotate", "--yes", "-o", "json")

    assert (refused.code, still.code) == (7, 7) and "lockstep key rotate" in refused.err
    assert (first.json["encryptedAgain"], second.json["encryptedAgain"]) == (4, 0)
    assert (data / "key").read_bytes() == new
    assert connected("creds", "test", "documo").code == 0


def test_the_key_is_not_replaced_while_a_worker_runs_that_would_go_on_with_it(connected: Lockstep, data: Path) -> None:
    former = (data / "key").read_bytes()

    with process("lockstep", "worker", ready="Lockstep worker started"):
        refused = connected("key", "rotate", "--yes")

    assert refused.code == 7 and "Stop all servers, workers" in refused.err
    assert (data / "key").read_bytes() == former and sorted(data.glob("key*")) == [data / "key"]


def test_nothing_is_encrypted_again_if_one_secret_cannot_be_decrypted(connected: Lockstep, data: Path) -> None:
    mine, other = (data / "key").read_bytes(), data / "other" / "key"
    make_key_file(other)
    (data / "key").write_bytes(other.read_bytes())
    connected("webhook", "set", "--url-stdin", stdin="https://hooks.contoso.test/other\n")
    (data / "key").write_bytes(mine)

    refused = connected("key", "rotate", "--yes")

    assert refused.code == 4 and "webhook address" in refused.err and "lockstep doctor" in refused.err
    assert (data / "key").read_bytes() == mine and not (data / "key.next").exists()
    assert "the key decrypts every stored token and signing key" in connected("doctor").out


def test_a_replacement_that_was_interrupted_and_then_refused_leaves_the_folder_usable(
    connected: Lockstep, data: Path
) -> None:
    mine, other = (data / "key").read_bytes(), data / "other" / "key"
    make_key_file(other)
    (data / "key").write_bytes(other.read_bytes())
    connected("webhook", "set", "--url-stdin", stdin="https://hooks.contoso.test/other\n")
    (data / "key").write_bytes(mine)
    make_key_file(data / "key.next")  # interrupted before anything was encrypted with it

    refused = connected("key", "rotate", "--yes")

    assert refused.code == 4 and not (data / "key.next").exists()
    assert connected("webhook", "set", "--url-stdin", stdin="https://hooks.contoso.test/secret\n").code == 0
    assert connected("key", "rotate", "--yes").code == 0


def test_a_second_replacement_is_refused_and_leaves_the_new_key_of_the_first(
    connected: Lockstep, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        make_key_file(data / "key.next")  # by the first, which has the lock of the main process
        raise conflict("Another process is the main one")

    with monkeypatch.context() as patch:
        patch.setattr("lockstep.wiring.start_or_attach", refused)
        second = connected("key", "rotate", "--yes")

    assert second.code == 7 and (data / "key.next").exists()


def test_a_command_that_connects_while_the_replacement_begins_does_not_read_the_former_key(
    connected: Lockstep, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*given: Any, **named: Any) -> Pool:
        make_key_file(data / "key.next")
        return await open_pool(*given, **named)

    monkeypatch.setattr("lockstep.wiring.open_pool", late)
    refused = connected("status")

    assert refused.code == 7 and "lockstep key rotate" in refused.err


def test_secrets_are_encrypted_again_with_the_key_of_the_environment(
    connected: Lockstep, documo: DocumoThere, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = (data / "key").read_text().strip()
    monkeypatch.setenv("LOCKSTEP_KEY", "ab" * 32)
    monkeypatch.setenv("LOCKSTEP_KEY_OLDER", former)

    done = connected("key", "rotate", "--yes", "-o", "json")
    monkeypatch.delenv("LOCKSTEP_KEY_OLDER")

    assert json.loads(done.out)["encryptedAgain"] == 4 and done.json["formerKey"] is None
    assert connected("creds", "test", "documo").code == 0
    assert parse_key((data / "key").read_text(), where="the file").id == parse_key(former, where="the test").id
