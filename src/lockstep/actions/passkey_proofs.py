"""Challenges to passkeys and the answers to them (WebAuthn, level 3). A challenge is sealed, is valid for five minutes, and can be answered
once.

The library webauthn is imported inside the functions that use it, because it is slow to load and only servers use it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import orjson

from lockstep.actions.context import Context
from lockstep.credentials.issued_secrets import hash_of
from lockstep.errors import LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import identity_providers
from lockstep.storage import passkeys as store
from lockstep.storage.passkeys import PasskeyOwner
from lockstep.vault import Secret

VALID = timedelta(minutes=5)
TO_SIGN_IN, TO_ADD = "question to a passkey", "question for a new passkey"  # what a challenge may be used for
_CHALLENGE_BYTES = 32
_LONGEST_ANSWER = 20_000  # characters


@dataclass(frozen=True, slots=True)
class PasskeyQuestion:
    """A challenge for the browser. The page passes *options* to the browser as JSON, and sends *seal* back together with the answer."""

    options: str
    seal: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasskeyAnswer:
    """The data that the page at *origin* sent back. *answer* is empty if the passkey has not been asked yet."""

    origin: str
    seal: str = field(default="", repr=False)
    answer: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""


def new_challenge() -> bytes:
    return secrets.token_bytes(_CHALLENGE_BYTES)


def sealed_challenge(context: Context, challenge: bytes, owner: PasskeyOwner, *, purpose: str = TO_SIGN_IN) -> str:
    """Seal *challenge* for one owner and one purpose. The challenge can be used only by this owner and for this purpose."""
    content = orjson.dumps({"challenge": challenge.hex(), "at": context.now().timestamp()}).decode()
    return context.vault.seal(Secret(content), purpose=purpose, name=owner.key).hex()


async def use_challenge(
    context: Context, connection: Connection, seal: str, owner: PasskeyOwner, *, purpose: str = TO_SIGN_IN
) -> bytes | None:
    """Open *seal*, mark its challenge as used, and return the challenge. Returns None if the challenge belongs to another owner or purpose,
    is too old, or was used before.
    """
    try:
        content = context.vault.open(bytes.fromhex(seal), purpose=purpose, name=owner.key).reveal()
    except (ValueError, LockstepError):
        return None
    found, now = orjson.loads(content), context.now()
    expires_at = datetime.fromtimestamp(found["at"], UTC) + VALID
    if now >= expires_at:
        return None
    is_first = await identity_providers.use_answer(connection, hash_of(seal), now=now, expires_at=expires_at)
    return bytes.fromhex(found["challenge"]) if is_first else None


async def ask_passkey(context: Context, owner: PasskeyOwner, page: PasskeyAnswer | None) -> PasskeyQuestion | None:
    """Return a challenge for the passkeys that *owner* has for the host of *page*; None if *owner* has no passkey for that host."""
    if page is None:
        return None
    async with context.recording() as connection:
        known = [one for one in await store.list_passkeys(connection, owner) if one.host == page.host]
    if not known:
        return None
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    challenge = new_challenge()
    options = generate_authentication_options(
        rp_id=page.host,
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
    )
    return PasskeyQuestion(options_to_json(options), sealed_challenge(context, challenge, owner))


async def hosts_of_passkeys(context: Context, owner: PasskeyOwner) -> list[str]:
    """Return the hosts for which *owner* has passkeys, each once."""
    async with context.recording() as connection:
        return list(dict.fromkeys(one.host for one in await store.list_passkeys(connection, owner)))


async def is_passkey(
    context: Context, connection: Connection, owner: PasskeyOwner, given: PasskeyAnswer | None
) -> bool:
    """Whether *given* is a valid answer of one of the owner's passkeys to a challenge of Lockstep. The challenge can be used only once."""
    if given is None or not given.answer or len(given.answer) > _LONGEST_ANSWER:
        return False
    challenge = await use_challenge(context, connection, given.seal, owner)
    if challenge is None:
        return False
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    known = {one.credential_id: one for one in await store.list_passkeys(connection, owner)}
    try:
        credential = parse_authentication_credential_json(given.answer)
        row = known.get(credential.raw_id)
        if row is None or row.host != given.host:
            return False
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=row.host,
            expected_origin=given.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError):
        return False
    await store.note_used(connection, row.id, sign_count=verified.new_sign_count, now=context.now())
    return True
