"""Secrets at rest."""

from __future__ import annotations

import base64
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lockstep.errors import LockstepError
from lockstep.vault import Secret, Vault, open_vault, parse_key

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()
CANARY = "canary-7f3a"


def vault_of(key: str) -> Vault:
    return Vault(parse_key(key, where="the test"))


def test_sealed_secret_opens_with_the_same_purpose_and_name() -> None:
    envelope = vault_of(KEY).seal(Secret("zoë's token"), purpose="token", name="documo")

    assert vault_of(KEY).open(envelope, purpose="token", name="documo").reveal() == "zoë's token"
    assert b"token" not in envelope


@pytest.mark.parametrize(("purpose", "name"), [("token", "other"), ("password", "documo"), ("tokendocumo", "")])
def test_envelope_that_was_moved_to_another_row_does_not_open(purpose: str, name: str) -> None:
    envelope = vault_of(KEY).seal(Secret("t"), purpose="token", name="documo")

    with pytest.raises(LockstepError, match="cannot be decrypted"):
        vault_of(KEY).open(envelope, purpose=purpose, name=name)


@pytest.mark.parametrize("position", [0, 3, 12, 25, -1])
def test_envelope_with_one_changed_bit_does_not_open(position: int) -> None:
    envelope = bytearray(vault_of(KEY).seal(Secret("token"), purpose="token", name="documo"))
    envelope[position] ^= 1

    with pytest.raises(LockstepError):
        vault_of(KEY).open(bytes(envelope), purpose="token", name="documo")


def test_wrong_key_is_named_as_the_cause() -> None:
    envelope = vault_of(KEY).seal(Secret("t"), purpose="token", name="documo")

    with pytest.raises(LockstepError) as refused:
        vault_of(OTHER_KEY).open(envelope, purpose="token", name="documo")

    assert "encrypted with key" in refused.value.why
    assert "LOCKSTEP_KEY" in refused.value.next_step


def test_older_key_still_opens_and_the_new_one_seals() -> None:
    old, both = vault_of(KEY), Vault(parse_key(OTHER_KEY, where=""), parse_key(KEY, where=""))
    envelope = old.seal(Secret("t"), purpose="token", name="documo")

    assert both.open(envelope, purpose="token", name="documo").reveal() == "t"
    with pytest.raises(LockstepError):
        old.open(both.seal(Secret("t"), purpose="token", name="documo"), purpose="token", name="documo")


def test_same_text_is_sealed_differently_each_time() -> None:
    vault = vault_of(KEY)

    assert vault.seal(Secret("t"), purpose="p", name="n") != vault.seal(Secret("t"), purpose="p", name="n")


def test_fingerprint_depends_on_key_purpose_and_text() -> None:
    fingerprint = vault_of(KEY).fingerprint("lee@contoso.com", purpose="person")

    assert fingerprint == vault_of(KEY).fingerprint("lee@contoso.com", purpose="person")
    assert fingerprint != vault_of(OTHER_KEY).fingerprint("lee@contoso.com", purpose="person")
    assert fingerprint != vault_of(KEY).fingerprint("lee@contoso.com", purpose="account")


def test_key_is_made_at_first_start_private_and_stays(tmp_path: Path) -> None:
    envelope = open_vault(tmp_path).seal(Secret("t"), purpose="p", name="n")

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert open_vault(tmp_path).open(envelope, purpose="p", name="n").reveal() == "t"
    assert os.listdir(tmp_path) == ["key"]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: open_vault(tmp_path), range(8)))

    assert len({vault.fingerprint("x", purpose="p") for vault in vaults}) == 1


def test_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_vault(tmp_path)
    (tmp_path / "key").chmod(0o640)

    with pytest.raises(LockstepError, match="is readable by other users"):
        open_vault(tmp_path)


@pytest.mark.parametrize("text", ["", CANARY, base64.b64encode(b"short").decode(), "zz" * 32])
def test_malformed_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(LockstepError) as refused:
        parse_key(text, where="LOCKSTEP_KEY")

    assert "copy of the key" in refused.value.next_step
    assert not text or text not in str(refused.value)


def test_secret_shows_itself_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r %s", secret, [secret], {"a": secret})

    shown = f"{secret} {secret!r} {secret!s} {secret:>9} {vars(type(secret)).get('text')}" + caplog.text
    assert CANARY not in shown
    assert secret.reveal() == CANARY


def test_vault_and_its_keys_do_not_show_the_key() -> None:
    shown = repr(vault_of(KEY)) + repr(parse_key(KEY, where="")) + str(vars(vault_of(KEY)))

    assert KEY not in shown
    assert repr(bytes(range(32))) not in shown
