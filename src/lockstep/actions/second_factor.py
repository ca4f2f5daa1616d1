"""An administrator's own second factor: add it, confirm it with a first code, remove it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockstep.actions.access import open_to_all
from lockstep.actions.callers import Caller
from lockstep.actions.context import Context
from lockstep.actions.lockout import admit, failed, succeeded
from lockstep.actions.permissions import StepUpRequired
from lockstep.actions.sessions import caller_or_refusal
from lockstep.actions.totp import PURPOSE, is_newest_code
from lockstep.credentials.issued_secrets import hash_of
from lockstep.credentials.one_time_codes import address_of_seed, in_groups, new_recovery_codes, new_seed
from lockstep.errors import conflict, invalid
from lockstep.storage import administrators, audit_log
from lockstep.storage import second_factors as store
from lockstep.vault import Secret

ISSUER = "Lockstep"


@dataclass(frozen=True, slots=True)
class NewSecondFactor:
    """The seed of an authenticator app. *seed* is shown to be typed, and *uri* contains the same seed and is shown as a QR code. Neither
    can be shown again.
    """

    seed: str = field(repr=False)
    uri: str = field(repr=False)


@open_to_all
async def has_second_factor(context: Context, secret: str) -> bool:
    """Whether the administrator with this session also needs a code to sign in."""
    caller = await caller_or_refusal(context, secret)
    async with context.recording() as connection:
        found = await administrators.read_administrator(connection, caller.actor.administrator)
    return found is not None and found.has_second_factor


@open_to_all
async def begin_second_factor(context: Context, secret: str) -> NewSecondFactor:
    """Create a TOTP seed for the administrator with this session. The second factor takes effect when a first code has been entered. Raises
    LockstepError if the administrator has a second factor already. Raises StepUpRequired if the password must be entered again first.
    """
    caller = await recent_caller(context, secret)
    seed = new_seed()
    async with context.recording() as connection:
        found = await administrators.read_administrator(connection, caller.actor.administrator)
        if found is None or found.has_second_factor:
            raise conflict("You already have a second factor", next_step="First remove the current one")
        sealed = context.vault.seal(Secret(seed), purpose=PURPOSE, name=found.id)
        await store.save_seed(connection, found.id, sealed)
    return NewSecondFactor(seed, address_of_seed(seed, name=caller.email, issuer=ISSUER))


@open_to_all
async def confirm_second_factor(context: Context, secret: str, code: str) -> list[str]:
    """Enable the second factor after a first code. Returns the recovery codes, which cannot be shown again.

    Raises LockstepError for a wrong code. Raises StepUpRequired if the password must be entered again first.
    """
    caller = await recent_caller(context, secret)
    await admit(context, caller.email)
    codes = new_recovery_codes()
    async with context.recording() as connection:
        found = await administrators.read_administrator(connection, caller.actor.administrator)
        is_due = found is not None and not found.has_second_factor
        is_right = is_due and await is_newest_code(context, connection, caller.actor.administrator, code)
        if is_right:
            await succeeded(connection, caller.email)
            await store.confirm(connection, caller.actor.administrator, map(hash_of, codes))
            await audit_log.append(connection, actor=caller.email, activity="Add second factor", target=caller.email)
    if not is_right:
        await failed(context, caller.email, who=caller.email)
        raise invalid("The code is wrong", next_step="Enter the code that the app currently shows")
    return [in_groups(code) for code in codes]


@open_to_all
async def remove_second_factor(context: Context, secret: str) -> None:
    """Remove the caller's own second factor with its recovery codes and passkeys. Raises StepUpRequired if the password must be entered
    again first.
    """
    caller = await recent_caller(context, secret)
    async with context.recording() as connection:
        await store.save_seed(connection, caller.actor.administrator, None)
        await audit_log.append(connection, actor=caller.email, activity="Remove second factor", target=caller.email)


async def recent_caller(context: Context, secret: str) -> Caller:
    """Return the administrator with this session. Raises LockstepError if the administrator signs in through an identity provider. Raises
    StepUpRequired if the password was not entered recently.
    """
    caller = await caller_or_refusal(context, secret)
    if caller.is_federated:
        raise conflict("You sign in through single sign-on", next_step="Set up the second factor at the provider")
    if not caller.actor.is_stepped_up:
        raise StepUpRequired(caller.email)
    return caller
