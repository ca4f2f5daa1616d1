"""Let an administrator manage their own passkeys. A passkey can be used in place of a code; the authenticator app and the recovery codes
stay valid.
"""

from __future__ import annotations

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.passkey_proofs import (
    PasskeyAnswer,
    PasskeyQuestion,
    new_challenge,
    sealed_challenge,
    use_challenge,
)
from lockstep.actions.second_factor import recent_caller
from lockstep.actions.sessions import caller_or_refusal
from lockstep.errors import conflict, invalid, not_found
from lockstep.storage import administrators, audit_log
from lockstep.storage import passkeys as store
from lockstep.storage.passkeys import PasskeyRow as PasskeyRow

RP_NAME = "Lockstep"
MOST = 10  # of one administrator
_LONGEST_NAME = 100


@open_to_all
async def list_passkeys(context: Context, secret: str) -> list[PasskeyRow]:
    """Return the passkeys of the administrator with the session *secret*."""
    caller = await caller_or_refusal(context, secret)
    async with context.recording() as connection:
        return await store.list_passkeys(connection, caller.actor.administrator)


@open_to_all
async def begin_passkey(context: Context, secret: str, page: PasskeyAnswer) -> PasskeyQuestion:
    """Return the options with which the browser at *page* creates a passkey. Raises StepUpRequired, and LockstepError if the administrator
    has no authenticator app.
    """
    caller = await recent_caller(context, secret)
    own = caller.actor.administrator
    async with context.recording() as connection:
        found = await administrators.read_administrator(connection, own)
        known = await store.list_passkeys(connection, own)
    if found is None or not found.has_second_factor:
        raise conflict(
            "Set up an authenticator app first",
            why="Its recovery codes let you sign in if you lose the device with the passkey",
            next_step="Set up an authenticator app, then add a passkey",
        )
    if len(known) >= MOST:
        raise conflict(f"You already have {MOST} passkeys", next_step="Remove one first")
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    challenge = new_challenge()
    options = generate_registration_options(
        rp_id=page.host,
        rp_name=RP_NAME,
        user_id=own.encode(),
        user_name=caller.email,
        user_display_name=caller.display_name or caller.email,
        challenge=challenge,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
    )
    return PasskeyQuestion(options_to_json(options), sealed_challenge(context, challenge, administrator=own))


@open_to_all
async def add_passkey(context: Context, secret: str, given: PasskeyAnswer, *, name: str) -> None:
    """Store the passkey that the browser created. Raises StepUpRequired, and LockstepError if the passkey does not answer the challenge
    that `begin_passkey` returned.
    """
    caller = await recent_caller(context, secret)
    own, now = caller.actor.administrator, context.now()
    async with context.recording() as connection:
        challenge = await use_challenge(context, connection, given.seal, administrator=own)
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
    shown = name.strip()[:_LONGEST_NAME] or "Passkey"
    async with context.recording() as connection:
        is_new = await store.insert_passkey(
            connection,
            own,
            name=shown,
            host=given.host,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            now=now,
        )
        if is_new:
            await audit_log.append(
                connection, actor=caller.email, activity="Add passkey", target=caller.email, after={"name": shown}
            )
    if not is_new:
        raise conflict("This passkey is already stored", next_step="Use another device")


@open_to_all
async def remove_passkey(context: Context, secret: str, passkey: str) -> None:
    """Remove the caller's own passkey with the id *passkey*. Raises StepUpRequired, and LockstepError if the passkey does not exist."""
    caller = await recent_caller(context, secret)
    async with context.recording() as connection:
        if not await store.delete_passkey(connection, caller.actor.administrator, passkey):
            raise not_found("This passkey does not exist")
        await audit_log.append(connection, actor=caller.email, activity="Remove passkey", target=caller.email)
