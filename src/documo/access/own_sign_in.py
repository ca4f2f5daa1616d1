"""Sign-in settings that members can change themselves: the password and the sessions."""

from __future__ import annotations

from datetime import UTC, datetime

from documo.access.member_passwords import OF_MEMBERS
from documo.access.member_sign_in import MemberCaller, MemberSession, begin_session, forget_failures, inactive
from documo.access.sso.providers import refuse_password
from documo.identifiers import read_id
from documo.members import TenantFacts
from documo.store import members as members_table
from documo.store import sign_ins as table
from documo.store.database import Store
from documo.store.sign_ins import MemberSessionRow
from documo.user_names import key_of
from lockstep.credentials import lockout
from lockstep.credentials.passwords import check_password
from lockstep.errors import LockstepError, invalid, not_found


async def require_password(store: Store, caller: MemberCaller, password: str) -> None:
    """Raise LockstepError unless *password* is the caller's password. A wrong password counts as a failed sign-in of the caller."""
    name = key_of(caller.user_name)
    OF_MEMBERS.refuse_if_busy()
    await lockout.admit(store.control, name, address="", now=datetime.now(UTC))
    async with store.tenant(caller.tenant_id) as connection:
        member = await table.read_member(connection, caller.tenant_id, caller.member_id)
    digest = member.password_hash if member is not None else None
    if not await OF_MEMBERS.matches(password, digest):
        raise invalid("The current password is wrong", next_step="Enter it again", code="WrongPassword")
    async with store.tenant(caller.tenant_id) as connection:
        is_only = await forget_failures(connection, name)
    if not is_only:
        await lockout.forgiven(store.control, name, address="")


async def has_password(store: Store, caller: MemberCaller) -> bool:
    """Whether the caller has a password."""
    async with store.tenant(caller.tenant_id) as connection:
        member = await table.read_member(connection, caller.tenant_id, caller.member_id)
    return member is not None and member.password_hash is not None


async def change_password(
    store: Store, caller: MemberCaller, password: str, new_password: str, *, device: str, address: str
) -> MemberSession:
    """Replace the member's own password. All sessions end, and a new one begins in this browser.

    Raises LockstepError if the current password is wrong, if the new password does not meet the rules, if the account enforces single
    sign-on, or if the member was deactivated in the meantime.
    """
    check_password(new_password, caller.user_name)
    await require_password(store, caller, password)
    digest, now = await OF_MEMBERS.hash_password(new_password), datetime.now(UTC)
    async with store.tenant(caller.tenant_id) as connection:
        await refuse_password(connection, caller.tenant_id, caller.member_id)
        if not await table.may_still_sign_in(connection, caller.tenant_id, caller.member_id):
            raise inactive()
        await table.set_password(connection, caller.tenant_id, caller.member_id, digest)
        return await begin_session(
            connection, caller.tenant_id, caller.member_id, device=device, address=address, now=now
        )


async def sessions_of(store: Store, tenant: TenantFacts, who: str) -> list[MemberSessionRow]:
    """Return the sessions of a member, one for each browser, newest first. Raises LockstepError for an unknown member."""
    async with store.tenant(tenant.id) as connection:
        member_id = await members_table.find_member(connection, tenant.id, who)
        if member_id is None:
            raise _unknown(who)
        return await table.sessions_of(connection, tenant.id, member_id, now=datetime.now(UTC))


async def end_sessions(store: Store, tenant: TenantFacts, who: str, *, only: str | None = None) -> int:
    """End a member's session with the id *only*, or all sessions of the member if *only* is None. Returns the number of ended sessions.
    Raises LockstepError for an unknown member.
    """
    async with store.tenant(tenant.id) as connection:
        member_id = await members_table.find_member(connection, tenant.id, who)
        if member_id is None:
            raise _unknown(who)
        if only is not None and read_id(only) is None:
            return 0
        return await table.end_sessions(connection, tenant.id, member_id, only=only)


async def end_other_sessions(store: Store, caller: MemberCaller) -> None:
    """End the caller's sessions in all other browsers."""
    async with store.tenant(caller.tenant_id) as connection:
        await table.end_other_sessions(connection, caller.tenant_id, caller.member_id, caller.session)


def _unknown(who: str) -> LockstepError:
    return not_found(f"There is no member {who[:200]!r}", next_step="documo members list")
