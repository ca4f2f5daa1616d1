"""One-time links for setting a password. Setting a password ends every session of the member."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from documo.access.member_passwords import OF_MEMBERS
from documo.access.member_sign_in import MemberSession, begin_session, check_code, forget_failures
from documo.access.second_factor import has_second_factor
from documo.access.sso.providers import refuse_password
from documo.members import TenantFacts
from documo.store import members as members_table
from documo.store import sign_ins as table
from documo.store.actors import member_actor
from documo.store.database import SET_TENANT, Store
from documo.user_names import key_of
from lockstep.credentials import lockout
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.credentials.passwords import check_password
from lockstep.errors import LINK_ENDED, LockstepError, invalid, not_found
from lockstep.postgres.pool import Connection

LINK_LASTS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PasswordLink:
    """A link that sets a password once. The secret is available only here."""

    secret: str = field(repr=False)
    user_name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LinkOwner:
    """The member for whom a link was made."""

    tenant_id: int
    member_id: str
    user_name: str


async def password_link(store: Store, tenant: TenantFacts, who: str, *, created_by: str) -> PasswordLink:
    """Create a link with which the member can set a password. Earlier links of the member stop working.

    Raises LockstepError for an unknown or inactive member.
    """
    secret, expires_at = new_secret(), datetime.now(UTC) + LINK_LASTS
    async with store.tenant(tenant.id) as connection:
        member = await _active_member(connection, tenant.id, who)
        await table.save_link(
            connection, tenant.id, member.id, hash_of(secret), created_by=created_by, expires_at=expires_at
        )
    return PasswordLink(secret, member.user_name, expires_at)


async def set_password(store: Store, tenant: TenantFacts, who: str, password: str) -> None:
    """Set the password of a member and end all sessions of the member.

    Raises LockstepError for an unknown or inactive member, and for a password that does not meet the rules.
    """
    async with store.tenant(tenant.id) as connection:
        member = await _active_member(connection, tenant.id, who)
    check_password(password, member.user_name)
    digest = await OF_MEMBERS.hash_password(password)
    async with store.tenant(tenant.id) as connection:
        await table.set_password(connection, tenant.id, member.id, digest)
        await forget_failures(connection, key_of(member.user_name))


async def _active_member(connection: Connection, tenant_id: int, who: str) -> table.SignInMember:
    member_id = await members_table.find_member(connection, tenant_id, who)
    member = await table.read_member(connection, tenant_id, member_id) if member_id else None
    if member is None:
        raise not_found(f"There is no member {who[:200]!r}", next_step="documo members list")
    if not member.active:
        raise invalid(f"{member.user_name} is inactive and cannot sign in", next_step="Activate the member first")
    return member


async def owner_of_link(store: Store, secret: str) -> LinkOwner:
    """Return the member for whom the link was created. Raises LockstepError if the link has expired or was used, or if the member is
    inactive or deleted.
    """
    async with store.control() as connection:
        owner = await table.link_owner(connection, hash_of(secret), datetime.now(UTC))
        if owner is None:
            raise _link_used()
        await connection.execute(SET_TENANT, (str(owner[0]),))
        member = await table.read_member(connection, *owner)
    if member is None or not member.active:
        raise _link_used()
    return LinkOwner(*owner, member.user_name)


async def accept_link(
    store: Store, secret: str, password: str, *, code: str = "", device: str = "", address: str = ""
) -> MemberSession:
    """Set the password, begin a session and use up the link. The member's other sessions end.

    Raises LockstepError if the link has expired or was used, if the password does not meet the rules, or if the account enforces single
    sign-on.

    A link replaces only the password. A member with a second factor must also enter *code*: a missing code raises CodeRequired, and a wrong
    code raises LockstepError.
    """
    found = await owner_of_link(store, secret)
    check_password(password, found.user_name)
    owner = (found.tenant_id, found.member_id)
    name, now, used = key_of(found.user_name), datetime.now(UTC), ""
    if await has_second_factor(store, *owner):
        await lockout.admit(store.control, name, address=address, now=now)
        used = await check_code(store, *owner, code, name=name, device=device, address=address, now=now)
    digest = await OF_MEMBERS.hash_password(password)
    async with store.acting_as(member_actor(found.member_id, found.user_name)).control() as connection:
        if not await table.use_link(connection, hash_of(secret)):
            raise _link_used()
        await connection.execute(SET_TENANT, (str(owner[0]),))
        await refuse_password(connection, *owner)
        await table.set_password(connection, *owner, digest)
        await forget_failures(connection, name)
        return await begin_session(connection, *owner, device=device, address=address, now=now, code_used=used)


def _link_used() -> LockstepError:
    return not_found(
        "This link no longer works: it was used, was replaced by a newer one, or has expired",
        next_step="Ask an administrator of your account for a new one",
        code=LINK_ENDED,
    )
