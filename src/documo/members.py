"""Members of an account, as administrators manage them. In Documo, a member is a SCIM User.

A member without a known role has the account's default role. Only Admins may own keys that provision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import psycopg

from documo.identifiers import new_id, read_id
from documo.store import member_search as search_table
from documo.store import members as table
from documo.store.database import Store
from documo.user_names import fault_of
from lockstep.errors import LockstepError, conflict, invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.wording import counted

ADMIN = "Admin"
DEFAULT_ROLES = (("Admin", "Admin"), ("Editor", "Editor"), ("Member", "Member"), ("Viewer", "Viewer"))
USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"


class TenantFacts(Protocol):
    """The facts about an account that the rules for its members need."""

    @property
    def id(self) -> int: ...
    @property
    def default_role(self) -> str: ...
    @property
    def seats(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class MemberSummary:
    """One member as shown in lists. *role* is the effective role."""

    id: str
    user_name: str
    name: str
    role: str
    active: bool
    source: str
    deleted_at: str | None


@dataclass(frozen=True, slots=True)
class ListedMember:
    """One member on a page of a list. *key* is the position after which the next page begins.

    *has_client* is true if an API key has written the member over SCIM; *managing_key* is the name of the first key that did.
    """

    id: str
    user_name: str
    name: str
    role: str
    active: bool
    source: str
    deleted_at: datetime | None
    key: str
    has_client: bool
    managing_key: str | None
    signed_in_at: datetime | None

    @property
    def is_managed(self) -> bool:
        """Whether provisioning manages the member."""
        return self.source == "scim" or self.has_client


async def create_local_member(
    connection: Connection, tenant_id: int, email: str, *, role: str, given_name: str = "", family_name: str = "",
    phone: str = "", is_user: bool = True,
) -> str:  # fmt: skip
    """Insert a member created in Documo itself, in the tenant's transaction. Returns the id.

    Unless *is_user* is true, the member can own keys but is hidden from SCIM. Raises LockstepError for an invalid e-mail address.
    """
    refuse_bad_email(email)
    name = {key: value for key, value in (("givenName", given_name), ("familyName", family_name)) if value}
    document: dict[str, Any] = {
        "schemas": [USER_URN],
        "userName": email,
        "active": True,
        "emails": [{"value": email, "type": "work", "primary": True}],
        "roles": [{"value": role, "primary": True}],
        **({"name": name} if name else {}),
        **({"phoneNumbers": [{"value": phone, "type": "work"}]} if phone else {}),
    }
    member_id = new_id()
    await table.insert_local(connection, tenant_id, member_id, document, role, kind="User" if is_user else "Operator")
    return member_id


def refuse_bad_email(email: str) -> None:
    """Raise LockstepError unless *email* can be the user name of a member."""
    if "@" not in email or len(email) > 320 or any(character.isspace() for character in email):
        raise invalid(f"{email[:80]!r} is not an e-mail address", next_step="Write it as name@example.com")
    fault = fault_of(email)
    if fault:
        raise invalid(f"{email[:80]!r} {fault}", next_step="Enter the name without it")


async def add_member(
    store: Store, tenant_id: int, email: str, *, role: str, given_name: str = "", family_name: str = "", phone: str = ""
) -> str:
    """Add a member by hand. Returns the id. Raises LockstepError if the email is invalid, the name is taken, no seat is free or the role is
    unknown.
    """
    try:
        async with store.tenant(tenant_id) as connection:
            known = await known_role(connection, tenant_id, role)
            member_id = await create_local_member(
                connection, tenant_id, email, role=known, given_name=given_name, family_name=family_name, phone=phone
            )
            await _refuse_beyond_seats(connection, tenant_id)
    except psycopg.errors.UniqueViolation:
        raise conflict(f"A member with the user name {email} already exists", next_step="documo members list") from None
    return member_id


async def find_members(
    store: Store, tenant: TenantFacts, *, search: str, only: str = "", role: str = "", source: str = "", after: str,
    most: int,
) -> list[ListedMember]:  # fmt: skip
    """Return at most *most* members in the order of their user names, after the position *after* (the *key* of the last listed member).

    *search* is a part of the user name or name. *only* is "" for the current members, "active", "inactive", or "deleted". *source* is
    "scim" for members that provisioning manages, "local" for the others.
    """
    async with store.tenant(tenant.id) as connection:
        rows = await search_table.searched_rows(
            connection, tenant.id, search=search, only=only, role=role, default_role=tenant.default_role,
            source=source, after=after, most=most,
        )  # fmt: skip
    return [ListedMember(**{**row, "role": row["role"] or tenant.default_role}) for row in rows]


async def list_members(
    store: Store, tenant_id: int, *, default_role: str, deleted: bool, after: str = "", most: int = 1_000
) -> list[MemberSummary]:
    """Return the current members or, if *deleted* is true, the soft-deleted members, in order of creation. Return at most *most*, after the
    member with the id *after*.

    Raises LockstepError if *after* is not an id.
    """
    if after and read_id(after) is None:
        raise invalid(f"{after[:80]!r} is not an id", next_step="Use the id of the last member that was listed")
    async with store.tenant(tenant_id) as connection:
        rows = await table.member_rows(connection, tenant_id, deleted=deleted, after=after, most=most)
    return [MemberSummary(**{**row, "role": row["role"] or default_role}) for row in rows]


async def set_role(store: Store, tenant: TenantFacts, who: str, role: str, *, force: bool = False) -> None:
    """Give a member a role. Raises LockstepError for an unknown member or role and, unless *force* is true, for the last Admin."""
    async with store.tenant(tenant.id) as connection:
        known = await known_role(connection, tenant.id, role)
        member_id = await _member_id(connection, tenant.id, who)
        if known != ADMIN and not force:
            await refuse_last_admin(connection, tenant, member_id, who)
        await table.set_role(connection, tenant.id, member_id, known)


async def disable(store: Store, tenant: TenantFacts, who: str, *, force: bool = False) -> int:
    """Disable a member and revoke the member's keys, in one transaction. Returns the number of keys revoked.

    Raises LockstepError for an unknown member and, unless *force* is true, for the last Admin.
    """
    async with store.tenant(tenant.id) as connection:
        member_id = await _member_id(connection, tenant.id, who)
        if not force:
            await refuse_last_admin(connection, tenant, member_id, who)
        await table.set_active(connection, tenant.id, member_id, active=False)
        return await table.end_keys(connection, tenant.id, [member_id])


async def enable(store: Store, tenant: TenantFacts, who: str) -> None:
    """Enable a member again. Also enables a member that a directory deleted and the account kept as deactivated. Revoked keys stay revoked.

    Raises LockstepError for an unknown member, if no seat is free, and if another member now has the member's name.
    """
    try:
        async with store.tenant(tenant.id) as connection:
            member_id = await _member_id(connection, tenant.id, who)
            await table.set_active(connection, tenant.id, member_id, active=True)
            await _refuse_beyond_seats(connection, tenant.id)
    except psycopg.errors.UniqueViolation:
        raise _name_is_taken(who) from None


async def show(store: Store, tenant: TenantFacts, who: str) -> dict[str, Any]:
    """Return all details of one member. Raises LockstepError for an unknown member."""
    async with store.tenant(tenant.id) as connection:
        member_id = await _member_id(connection, tenant.id, who)
        row = await table.member_row(connection, tenant.id, member_id)
    return {**row, "role": row["role"] or tenant.default_role}


async def find_role(store: Store, tenant: TenantFacts, name: str) -> str:
    """Return the value of the role that `add_member` would give for *name*. Raises LockstepError if the role is unknown."""
    async with store.tenant(tenant.id) as connection:
        return await known_role(connection, tenant.id, name)


async def effective_role(store: Store, tenant: TenantFacts, who: str, *, deleted_within: int | None = None) -> str:
    """Return the effective role of a member or, with *deleted_within* (in days), of the member that `undelete` would restore.

    Returns "" for an unknown member.
    """
    async with store.tenant(tenant.id) as connection:
        if deleted_within is None:
            member_id = await table.find_member(connection, tenant.id, who)
        else:
            member_id = await table.find_deleted(connection, tenant.id, who, deleted_within)
        row = await table.member_row(connection, tenant.id, member_id) if member_id is not None else None
    return (row["role"] or tenant.default_role) if row else ""


async def undelete(store: Store, tenant_id: int, who: str, *, window_days: int) -> None:
    """Restore a soft-deleted member. Raises LockstepError if the undelete window has passed, the name is taken, or no seat is free."""
    try:
        async with store.tenant(tenant_id) as connection:
            member_id = await table.find_deleted(connection, tenant_id, who, window_days)
            if member_id is None:
                raise not_found(
                    f"No member {who[:200]!r} was deleted in the last {window_days} days",
                    next_step="documo members list --deleted",
                )
            await table.undelete(connection, tenant_id, member_id)
            if (await table.member_row(connection, tenant_id, member_id))["active"]:
                await _refuse_beyond_seats(connection, tenant_id)
    except psycopg.errors.UniqueViolation:
        raise _name_is_taken(who) from None


def _name_is_taken(who: str) -> LockstepError:
    return conflict(
        f"The user name of {who[:200]!r} now belongs to another member",
        next_step="Delete or rename the other member first",
    )


async def known_role(connection: Connection, tenant_id: int, role: str) -> str:
    """Return the value of the role whose value or display name is *role*. If there is none, raises LockstepError, which lists the roles."""
    roles = await table.roles(connection, tenant_id)
    found = match_role(role, roles)
    if found is None:
        raise invalid(f"There is no role {role[:80]!r}", next_step=f"Roles: {', '.join(value for value, _ in roles)}")
    return found


def match_role(name: str, roles: Sequence[tuple[str, str]]) -> str | None:
    """Return the value of the role whose value or display name is *name*, ignoring case, or None if there is no such role."""
    folded = name.casefold()
    by_value = next((value for value, _ in roles if value.casefold() == folded), None)
    return by_value or next((value for value, display in roles if display.casefold() == folded), None)


def role_of(document: Mapping[str, Any], roles: Sequence[tuple[str, str]]) -> str | None:
    """Return the effective role that a User document requests: its primary role, or its only role. Returns None if that role is unknown or
    absent.
    """
    given = [item for item in document.get("roles") or () if isinstance(item, dict) and item.get("value")]
    chosen = next((item for item in given if item.get("primary") is True), given[0] if len(given) == 1 else None)
    return match_role(str(chosen["value"]), roles) if chosen else None


async def _refuse_beyond_seats(connection: Connection, tenant_id: int) -> None:
    """Raise LockstepError if the account now has more active members than seats. The error rolls the transaction back."""
    seats, taken = await table.seats(connection, tenant_id)
    if seats is not None and taken > seats:
        raise conflict(
            f"No seat is free: the account has {counted(seats, 'seat')}",
            next_step="Deactivate another member, or ask Documo for more seats (documo accounts set NAME --seats NUMBER)",
        )


async def refuse_last_admin(connection: Connection, tenant: TenantFacts, member_id: str, who: str) -> None:
    """Raise LockstepError if *member_id* is the only active Admin. Concurrent calls wait until this transaction ends."""
    others = await table.active_admins(connection, tenant.id, ADMIN, tenant.default_role)
    if others == [member_id]:
        raise conflict(
            f"{who[:200]} is the only active Admin of the account: without an Admin, no one can provision or create keys",
            next_step="Make another member Admin first (on the command line: documo members set-role, or add --force)",
        )


async def _member_id(connection: Connection, tenant_id: int, who: str) -> str:
    member_id = await table.find_member(connection, tenant_id, who)
    if member_id is None:
        raise not_found(f"There is no member {who[:200]!r}", next_step="documo members list")
    return member_id
