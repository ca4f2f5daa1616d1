"""Registration of passkeys, for administrators and people: the options with which the browser creates a passkey, and the check of the
browser's answer.

The caller of these functions must have checked that the owner has just entered the password.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.actions.context import Context
from lockstep.actions.passkey_proofs import (
    TO_ADD,
    PasskeyAnswer,
    PasskeyQuestion,
    new_challenge,
    sealed_challenge,
    use_challenge,
)
from lockstep.errors import conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log
from lockstep.storage import passkeys as store
from lockstep.storage.passkeys import PasskeyOwner

RP_NAME = "Lockstep"
MOST = 10  # of one owner
_LONGEST_NAME = 100


async def question_for_new(
    context: Context, owner: PasskeyOwner, page: PasskeyAnswer, *, user_name: str, display_name: str
) -> PasskeyQuestion:
    """Return the options with which the browser at *page* creates a passkey. Raises LockstepError if *owner* already has the maximum number
    of passkeys.
    """
    async with context.recording() as connection:
        known = await store.list_passkeys(connection, owner)
    if len(known) >= MOST:
        raise conflict(f"You already have {MOST} passkeys", next_step="Remove one first")
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    challenge = new_challenge()
    options = generate_registration_options(
        rp_id=page.host,
        rp_name=RP_NAME,
        user_id=owner.key.encode(),
        user_name=user_name,
        user_display_name=display_name or user_name,
        challenge=challenge,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
    )
    return PasskeyQuestion(options_to_json(options), sealed_challenge(context, challenge, owner, purpose=TO_ADD))


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that answered a challenge of `question_for_new`."""

    host: str
    credential_id: bytes
    public_key: bytes
    sign_count: int


async def checked_answer(context: Context, owner: PasskeyOwner, given: PasskeyAnswer) -> NewPasskey:
    """Return the passkey that the browser created. The challenge counts as used from now on. Raises LockstepError if the passkey does not
    answer a challenge of `question_for_new`.
    """
    async with context.recording() as connection:
        challenge = await use_challenge(context, connection, given.seal, owner, purpose=TO_ADD)
    if challenge is None:
        raise invalid(
            "The passkey was not added: it took too long, or the passkey already exists", next_step="Try again"
        )
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        verified = verify_registration_response(
            credential=given.answer,
            expected_challenge=challenge,
            expected_rp_id=given.host,
            expected_origin=given.origin,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError):
        raise invalid("The browser's response is not a passkey for this page", next_step="Try again") from None
    return NewPasskey(given.host, verified.credential_id, verified.credential_public_key, verified.sign_count)


async def store_new(
    context: Context, connection: Connection, owner: PasskeyOwner, new: NewPasskey, *, name: str, actor: str
) -> None:
    """Store *new* and note it in the audit log. Raises LockstepError if it is stored already."""
    shown = name_of_passkey(name)
    is_new = await store.insert_passkey(
        connection,
        owner,
        name=shown,
        host=new.host,
        credential_id=new.credential_id,
        public_key=new.public_key,
        sign_count=new.sign_count,
        now=context.now(),
    )
    if not is_new:
        raise conflict("This passkey is already stored", next_step="Use another device")
    await audit_log.append(connection, actor=actor, activity="Add passkey", target=actor, after={"name": shown})


def name_of_passkey(typed: str) -> str:
    return typed.strip()[:_LONGEST_NAME] or "Passkey"
