"""The second factor of a member: a code of an authenticator app (TOTP, RFC 6238) or a recovery code, each accepted once.

Members add and remove their second factor with their own password. An Admin resets it for a member who has lost the device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from documo.members import TenantFacts
from documo.store import members as members_table
from documo.store import second_factors as table
from documo.store import sign_ins as sign_ins_table
from documo.store.database import Store
from lockstep.credentials.issued_secrets import hash_of
from lockstep.credentials.one_time_codes import (
    address_of_seed,
    as_entered,
    in_groups,
    matching_step,
    new_recovery_codes,
    new_seed,
)
from lockstep.errors import Kind, LockstepError, conflict, invalid, not_found
from lockstep.postgres.pool import Connection

ISSUER = "Documo"
CODE, RECOVERY_CODE = "code", "recovery code"


class CodeRequired(LockstepError):
    """Raised if the password is right and a code is needed as well. The page asks for the code and then signs in with both."""

    def __init__(self) -> None:
        super().__init__(
            Kind.UNAUTHORIZED,
            "Enter your password again and the code from your authenticator app",
            next_step="Without the device, enter one of your recovery codes",
            code="CodeRequired",
        )


@dataclass(frozen=True, slots=True)
class NewMemberSecondFactor:
    """The seed for the authenticator app: *uri* to show as a QR code, and the secret to type. Both are available only here."""

    seed: str = field(repr=False)
    uri: str = field(repr=False)


async def has_second_factor(store: Store, tenant_id: int, member_id: str) -> bool:
    """Whether the member needs a code to sign in."""
    async with store.tenant(tenant_id) as connection:
        return await table.is_confirmed(connection, tenant_id, member_id)


async def begin_second_factor(store: Store, tenant_id: int, member_id: str, *, account: str) -> NewMemberSecondFactor:
    """Create a seed, which takes effect when a code from it is entered. Raises LockstepError if the member already has a second factor."""
    seed = new_seed()
    async with store.tenant(tenant_id) as connection:
        member = await sign_ins_table.read_member(connection, tenant_id, member_id)
        if member is None or not await table.save_seed(connection, tenant_id, member_id, seed):
            raise conflict("You already have a second factor", next_step="First remove the current one")
    uri = address_of_seed(seed, name=f"{account}: {member.user_name}", issuer=ISSUER)
    return NewMemberSecondFactor(seed, uri)


async def confirm_second_factor(
    store: Store, tenant_id: int, member_id: str, code: str, *, session: str, now: datetime
) -> list[str]:
    """Enable the second factor after a first code. Returns the recovery codes, which are available only here.

    All sessions except *session* end, because they began without a second factor. Raises LockstepError for a wrong code, and if there is no
    unconfirmed seed.
    """
    codes = new_recovery_codes()
    async with store.tenant(tenant_id) as connection:
        found = await table.read_factor(connection, tenant_id, member_id)
        if found is None or found.is_confirmed:
            raise conflict("There is nothing to confirm", next_step="Set up the authenticator app again")
        if not await _is_newest_code(connection, tenant_id, member_id, found.seed, code.strip(), now=now):
            raise invalid("The code is wrong", next_step="Enter the code that the app currently shows")
        await table.confirm(connection, tenant_id, member_id, map(hash_of, codes))
        await sign_ins_table.end_other_sessions(connection, tenant_id, member_id, session)
    return [in_groups(code) for code in codes]


async def waiting_seed(store: Store, tenant_id: int, member_id: str, *, account: str) -> NewMemberSecondFactor | None:
    """Return the seed that is not confirmed yet, to show it again after a wrong code. Returns None if there is no such seed."""
    async with store.tenant(tenant_id) as connection:
        found = await table.read_factor(connection, tenant_id, member_id)
        member = await sign_ins_table.read_member(connection, tenant_id, member_id)
    if found is None or found.is_confirmed or member is None:
        return None
    return NewMemberSecondFactor(
        found.seed, address_of_seed(found.seed, name=f"{account}: {member.user_name}", issuer=ISSUER)
    )


async def remove_second_factor(store: Store, tenant_id: int, member_id: str, *, session: str) -> None:
    """Remove the member's own second factor and its recovery codes. All sessions except *session* end."""
    async with store.tenant(tenant_id) as connection:
        await table.remove(connection, tenant_id, member_id)
        await sign_ins_table.end_other_sessions(connection, tenant_id, member_id, session)


async def reset_second_factor(store: Store, tenant: TenantFacts, who: str) -> bool:
    """Remove the second factor of a member who lost it, and sign the member out everywhere. Returns whether the member had a second factor.

    Raises LockstepError for an unknown member.
    """
    async with store.tenant(tenant.id) as connection:
        member_id = await members_table.find_member(connection, tenant.id, who)
        if member_id is None:
            raise not_found(f"There is no member {who[:200]!r}", next_step="documo members list")
        removed = await table.remove(connection, tenant.id, member_id)
        await sign_ins_table.end_sessions(connection, tenant.id, member_id)
    return removed


async def use_code(connection: Connection, tenant_id: int, member_id: str, code: str, *, now: datetime) -> str:
    """Use up *code* and return its kind: CODE, RECOVERY_CODE, or "" if it is invalid or already used.

    Must run in the tenant's transaction.
    """
    found = await table.read_factor(connection, tenant_id, member_id)
    if found is None or not found.is_confirmed:
        return ""
    plain = as_entered(code)
    if await table.use_recovery_code(connection, tenant_id, member_id, hash_of(plain)):
        return RECOVERY_CODE
    return CODE if await _is_newest_code(connection, tenant_id, member_id, found.seed, plain, now=now) else ""


async def _is_newest_code(
    connection: Connection, tenant_id: int, member_id: str, seed: str, code: str, *, now: datetime
) -> bool:
    step = matching_step(seed, code, now)
    return step is not None and await table.use_step(connection, tenant_id, member_id, step)
