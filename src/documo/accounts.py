"""Accounts of Documo's customers. Each account is a tenant with its own members, keys, settings and schemas.

Every request reads accounts from a cache, which a database notification invalidates (see `tenants`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from documo.members import ADMIN, DEFAULT_ROLES, create_local_member, known_role
from documo.store import accounts as table
from documo.store.database import Store
from documo.store.members import active_admins
from documo.tenant_schemas import Custom, check_custom
from lockstep.errors import conflict, invalid, not_found

PROFILES = ("strict", "lenient", "entra", "okta", "onelogin", "jumpcloud", "google")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "profile": PROFILES,
    "restore_policy": ("restore", "conflict", "new"),
    "patch_answer": ("profile", "resource", "nothing"),
    "deprovision_action": ("delete", "deactivate"),
}


@dataclass(frozen=True, slots=True)
class TenantAccount:
    """One account as stored."""

    id: int
    name: str
    plan: str
    seats: int | None
    default_role: str
    profile: str
    restore_policy: str
    hold_names: bool
    undelete_days: int
    indirect_groups: bool
    patch_answer: str
    rate_per_second: int
    rate_burst: int
    audit_days: int
    api_enabled: bool
    scim_enabled: bool
    deprovision_action: str
    custom: Custom


SETTABLE = (
    "plan", "seats", "default_role", "profile", "restore_policy", "hold_names", "undelete_days", "indirect_groups",
    "patch_answer", "rate_per_second", "rate_burst", "audit_days", "api_enabled", "scim_enabled", "deprovision_action",
)  # fmt: skip


async def create_account(
    store: Store, name: str, *, admin: str, settings: Mapping[str, Any] | None = None, admin_is_user: bool = True
) -> TenantAccount:
    """Create an account with *admin* (an e-mail address) as its first member, with the role Admin. Raises LockstepError for a name that is
    invalid or taken, and for an invalid address or setting.

    Unless *admin_is_user* is true, the admin is hidden from SCIM, so the account looks empty to a client.
    """
    values = checked_settings(settings or {})
    if not name.strip() or len(name) > 200:
        raise invalid("An account needs a name of at most 200 characters")
    if name.strip().isdecimal():
        raise invalid(
            f"The account cannot be named {name.strip()}: it would be mistaken for the account with that number",
            next_step="Add a letter to the name",
        )
    try:
        async with store.control() as connection:
            tenant_id = await table.insert_account(connection, name.strip(), values)
            await connection.execute("select set_config('documo.tenant', %s, true)", (str(tenant_id),))
            await table.insert_roles(connection, tenant_id, DEFAULT_ROLES)
            await create_local_member(connection, tenant_id, admin, role=ADMIN, is_user=admin_is_user)
    except psycopg.errors.UniqueViolation:
        raise conflict(f"An account named {name!r} already exists", next_step="Choose another name") from None
    return await find_account(store, name.strip())


async def find_account(store: Store, name: str) -> TenantAccount:
    """Return the account with this name, ignoring case, or else the one with this number. Raises LockstepError if there is none.

    Use this only for a name that a person entered, because the name of one account may be the number of another. For a stored number, use
    `account_with_id`.
    """
    async with store.control() as connection:
        row = await table.account_row(connection, name)
    if row is None:
        raise not_found(f"There is no account {name[:200]!r}", next_step="documo accounts list")
    return account_of(row)


async def account_with_id(store: Store, tenant_id: int) -> TenantAccount:
    """Return the account with this number, even if another account has the number as its name. Raises LockstepError if there is none."""
    async with store.control() as connection:
        row = await table.account_with_id(connection, tenant_id)
    if row is None:
        raise not_found(f"There is no account with the number {tenant_id}", next_step="documo accounts list")
    return account_of(row)


async def list_accounts(store: Store) -> list[TenantAccount]:
    """Return all accounts, oldest first."""
    async with store.control() as connection:
        return [account_of(row) for row in await table.account_rows(connection)]


async def only_account(store: Store, name: str | None) -> TenantAccount:
    """Return the account called *name* or, without a name, the only account. Raises LockstepError if no account has the name. Without a
    name, raises it unless there is exactly one account.
    """
    if name:
        return await find_account(store, name)
    accounts = await list_accounts(store)
    if len(accounts) != 1:
        raise invalid(
            f"There are {len(accounts)} accounts, so you must name one" if accounts else "There are no accounts yet",
            next_step="Add --account NAME" if accounts else "documo accounts create NAME --admin EMAIL",
        )
    return accounts[0]


async def change_account(store: Store, name: str, settings: Mapping[str, Any]) -> TenantAccount:
    """Change settings of the account with this name or number. See `change_settings`."""
    return await change_settings(store, await find_account(store, name), settings)


async def change_settings(store: Store, account: TenantAccount, settings: Mapping[str, Any]) -> TenantAccount:
    """Change settings of the account: those in SETTABLE, and `custom`. Raises LockstepError for an invalid value, and for a default role
    that would leave the account without an Admin.
    """
    values = checked_settings(settings)
    if "default_role" in values:
        values["default_role"] = await _default_role(store, account, str(values["default_role"]))
    async with store.control() as connection:
        await table.update_account(connection, account.id, values)
    return await account_with_id(store, account.id)


async def _default_role(store: Store, account: TenantAccount, wanted: str) -> str:
    """Return the value of the role called *wanted*. Raises LockstepError if the role is unknown, or if the account would lose its last
    Admin.

    The account would lose its last Admin if *wanted* is not Admin, and every active Admin has the role Admin only because Admin is the
    present default role.
    """
    async with store.tenant(account.id) as connection:
        role = await known_role(connection, account.id, wanted)
        if (
            role != ADMIN
            and account.default_role == ADMIN
            and not await active_admins(connection, account.id, ADMIN, role)
        ):
            raise conflict(
                "The account would have no Admin: every Admin has that role only because it is the default. Nothing was changed",
                next_step="First give a member the role Admin directly (on the command line: documo members set-role)",
            )
    return role


async def account_with_members(store: Store, name: str) -> tuple[TenantAccount, int]:
    """Return the account and the number of its members. Raises LockstepError if there is no such account."""
    account = await find_account(store, name)
    async with store.tenant(account.id) as connection:
        return account, await table.member_count(connection, account.id)


async def seats_taken(store: Store, tenant_id: int) -> int:
    """Return the number of active members of the account."""
    async with store.tenant(tenant_id) as connection:
        return await table.active_member_count(connection, tenant_id)


async def delete_account(store: Store, account_id: int) -> None:
    """Delete an account and everything in it, in one transaction."""
    async with store.tenant(account_id) as connection:
        await table.delete_account(connection, account_id)


def checked_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as column values. Raises LockstepError, which names the invalid setting and the allowed values."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key == "custom":
            check_custom(value)
            values.update(value.columns())
            continue
        if key not in SETTABLE:
            raise invalid(f"{key} is not a setting of an account", next_step=f"Settings: {', '.join(SETTABLE)}")
        if key in CHOICES and value not in CHOICES[key]:
            raise invalid(f"{key} cannot be {value!r}", next_step=f"Choose one of: {', '.join(CHOICES[key])}")
        values[key] = value
    return values


def account_of(row: Mapping[str, Any]) -> TenantAccount:
    """Convert a row to an account."""
    plain = {key: row[key] for key in ("id", "name", *SETTABLE)}
    custom = Custom.of(row["custom_schemas"], row["custom_resource_types"], row["custom_extensions"])
    return TenantAccount(**plain, custom=custom)
