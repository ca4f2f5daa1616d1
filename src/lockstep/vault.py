"""Encrypt secrets with AES-256-GCM before they reach the database, and wrap secrets in memory so that they cannot be printed by accident.

The purpose and owner of a secret are authenticated with it, so a ciphertext that is moved to another row cannot be opened.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lockstep.errors import CHECK_READING, Kind, LockstepError, invalid
from lockstep.wording import counted

KEY_BYTES = 32
FORM = b"\x01"
KEY_ID_BYTES = 8
NONCE_BYTES = 12
NEXT_KEY = "key.next"  # the new key, while the key is being replaced
SECRET_UNREADABLE = "SecretUnreadable"  # noqa: S105  # the code of an error


class Secret:
    """A secret text. Only `reveal()` returns the text; the printed form of this object is `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _form: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled: reveal() it where it is needed")


@dataclass(frozen=True, slots=True, repr=False)
class VaultKey:
    """The key of one installation, and the id by which envelopes refer to it."""

    material: bytes
    id: bytes

    def __repr__(self) -> str:
        return f"VaultKey({self.id.hex()}, ***)"


class Vault:
    """Encrypts secrets with the first of its keys, and decrypts them with any of its keys, so that keys can be rotated."""

    def __init__(self, key: VaultKey, *older: VaultKey) -> None:
        self._key = key
        self._keys = {known.id: known for known in (*older, key)}

    def __repr__(self) -> str:
        return f"Vault({self._key.id.hex()})"

    @property
    def key_id(self) -> bytes:
        """The id of the current key, which seals new secrets."""
        return self._key.id

    def seal(self, secret: Secret, *, purpose: str, name: str) -> bytes:
        """Seal *secret* in an envelope that opens only with the same *purpose* and *name*."""
        head = FORM + self._key.id + secrets.token_bytes(NONCE_BYTES)
        cipher = AESGCM(_derive(self._key, b"seal"))
        return head + cipher.encrypt(head[-NONCE_BYTES:], secret.reveal().encode(), _bound(head, purpose, name))

    def open(self, envelope: bytes, *, purpose: str, name: str, shown: str = "") -> Secret:
        """Return the secret in *envelope*. Raises LockstepError if its key is unknown, or if the envelope was moved or modified.

        If *name* is an id, pass a readable name as *shown*, such as the display name of an application. Errors then show *shown* instead of
        *name*.
        """
        envelope = bytes(envelope)
        head, sealed = envelope[: 1 + KEY_ID_BYTES + NONCE_BYTES], envelope[1 + KEY_ID_BYTES + NONCE_BYTES :]
        key = self._keys.get(_key_id_in(envelope))
        if head[:1] != FORM or len(sealed) < 16:
            raise _unreadable(purpose, shown or name, "The stored value is not a valid encrypted secret")
        if key is None:
            raise _unreadable(
                purpose,
                shown or name,
                f"It was encrypted with key {_key_id_in(envelope).hex()}, but the current key is {self._key.id.hex()}",
                next_step='Start Lockstep with the previous key (LOCKSTEP_KEY, or the file "key" in the data folder). '
                f"Or enter the token again: lockstep creds set {shown or 'APP'} --token-stdin",
            )
        try:
            text = AESGCM(_derive(key, b"seal")).decrypt(head[-NONCE_BYTES:], sealed, _bound(head, purpose, name))
        except InvalidTag:
            raise _unreadable(purpose, shown or name, "It was modified, or it belongs to another object") from None
        return Secret(text.decode())

    def sealed_again(self, envelope: bytes, *, purpose: str, name: str) -> bytes | None:
        """Seal the secret in *envelope* again with the current key. Return None if *envelope* is already sealed with this key.

        Raises LockstepError if *envelope* cannot be opened.
        """
        if _key_id_in(envelope) == self._key.id:
            return None
        return self.seal(self.open(envelope, purpose=purpose, name=name), purpose=purpose, name=name)

    def fingerprint(self, text: str, *, purpose: str) -> bytes:
        """Return a keyed hash of 32 bytes. Without the key, the text cannot be found by guessing."""
        key = _derive(self._key, b"fingerprint")
        return hmac.digest(key, purpose.encode() + b"\0" + text.encode(), "sha256")


def _key_id_in(envelope: bytes) -> bytes:
    return envelope[1 : 1 + KEY_ID_BYTES]


def open_vault(data: Path, *, key: Secret | None = None, older_key: Secret | None = None, sealed: int = 0) -> Vault:
    """Open the vault with *key*, or with the key in `<data>/key`, which is created if missing. Secrets sealed with *older_key* can be
    opened too.

    *sealed* is the number of stored secrets. If it is not 0, a missing key is an error, because a new key could not open these secrets.
    Raises LockstepError for a malformed key, or for a key file that others can read.
    """
    if key is None and sealed and not (data / "key").exists():
        raise LockstepError(
            Kind.FORBIDDEN,
            f"The key file {data / 'key'} is missing, and {counted(sealed, 'stored secret token')} can be decrypted only with it",
            next_step="Put your copy of the key back, or set LOCKSTEP_KEY. If it is lost: lockstep key new",
            code="KeyMissing",
        )
    current = parse_key(key.reveal(), where="LOCKSTEP_KEY") if key else _read_or_make_key(data / "key")
    older = [parse_key(older_key.reveal(), where="LOCKSTEP_KEY_OLDER")] if older_key else []
    return Vault(current, *older)


def open_vault_for_new_key(data: Path, *, older_key: Secret | None = None) -> Vault:
    """Open the vault in order to replace the key in `<data>/key`. The returned vault seals with the new key in `<data>/key.next`, which is
    created if missing.

    The new key is on disk before anything is sealed with it. If the replacement is interrupted, the next call continues with the same new
    key. Raises LockstepError for a missing or malformed key.
    """
    current = _read_key(data / "key")
    make_key_file(data / NEXT_KEY)
    _flush_folder(data)
    older = [parse_key(older_key.reveal(), where="LOCKSTEP_KEY_OLDER")] if older_key else []
    return Vault(_read_key(data / NEXT_KEY), current, *older)


def discard_new_key(data: Path) -> None:
    """Remove `<data>/key.next`. Call this only if nothing was sealed with that key."""
    (data / NEXT_KEY).unlink(missing_ok=True)
    _flush_folder(data)


def put_new_key(data: Path) -> Path:
    """Make `<data>/key.next` the current key. Returns the file to which the former key was moved. Older backups need the former key."""
    former = data / f"key.{_read_key(data / 'key').id.hex()}"
    if not former.exists():
        os.link(data / "key", former)
    (data / NEXT_KEY).replace(data / "key")
    _flush_folder(data)
    return former


def parse_key(text: str, *, where: str) -> VaultKey:
    """Parse a key in base64 or hexadecimal. Raises LockstepError, whose text contains the origin of the key (*where*) but not the key."""
    text = text.strip()
    try:
        material = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        material = b""
    if len(material) != KEY_BYTES:
        raise invalid(
            f"{where} is not a valid key of {KEY_BYTES} bytes",
            next_step="Use your backup copy of the key. A different key cannot decrypt the stored secrets",
        )
    return VaultKey(material, hashlib.sha256(b"lockstep key id\0" + material).digest()[:KEY_ID_BYTES])


def throwaway_vault() -> Vault:
    """Return a vault with a throw-away key, for work that neither seals nor opens secrets."""
    return Vault(VaultKey(secrets.token_bytes(KEY_BYTES), bytes(KEY_ID_BYTES)))


def make_key_file(path: Path) -> None:
    """Create a file with a random key at *path* unless the file exists. If several processes start together, exactly one creates it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, half = tempfile.mkstemp(prefix=".key-", dir=path.parent)  # created with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(half, path)
    except FileExistsError:
        pass  # another process was quicker: use its key
    finally:
        Path(half).unlink()


def _flush_folder(folder: Path) -> None:
    """Flush the folder to disk, so that the names of new files in it survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_or_make_key(path: Path) -> VaultKey:
    make_key_file(path)
    return _read_key(path)


def _read_key(path: Path) -> VaultKey:
    try:
        mode, text = path.stat().st_mode, path.read_text()
    except (OSError, UnicodeDecodeError) as refused:
        why = refused.strerror if isinstance(refused, OSError) else "It is not valid UTF-8 text"
        raise invalid(f"The key file {path} cannot be read", why=why or "", next_step=CHECK_READING) from None
    if mode & 0o077:
        raise LockstepError(
            Kind.FORBIDDEN,
            f"The key file {path} is readable by other users",
            next_step=f"Restrict it: chmod 600 {path}  (and change the key if others may have seen it)",
        )
    return parse_key(text, where=f"The key file {path}")


def _derive(key: VaultKey, use: bytes) -> bytes:
    # One key per use. The material is random, so a single HMAC suffices for derivation (RFC 5869, section 3.3).
    return hmac.digest(key.material, b"lockstep\0" + use, "sha256")


def _bound(head: bytes, purpose: str, name: str) -> bytes:
    purpose_bytes = purpose.encode()
    return head + len(purpose_bytes).to_bytes(4, "big") + purpose_bytes + name.encode()


def _unreadable(purpose: str, name: str, why: str, *, next_step: str = "") -> LockstepError:
    return LockstepError(
        Kind.FORBIDDEN,
        f"The stored secret {purpose} of {name} cannot be decrypted",
        why=why,
        next_step=next_step or f"Enter the token again: lockstep creds set {name} --token-stdin",
        code=SECRET_UNREADABLE,
    )
