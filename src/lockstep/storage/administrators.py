"""The administrators of Lockstep and their roles."""

# ruff: noqa: S608  # statements are built from constants of this module only
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row

_COLUMNS = """id::text, email, display_name, password_hash is not null as has_password, second_factor_confirmed as has_second_factor,
    is_enabled, created_at, created_by, last_sign_in_at, issuer is not null as is_federated,
    issuer is null or exists (select from single_sign_on where single_sign_on.issuer = administrator.issuer) as is_connected"""


@dataclass(frozen=True, slots=True)
class AdministratorRow:
    """One administrator, without secrets. *email* is in lower case.

    *is_federated* is true if the administrator signs in through a provider and has no password. *is_connected* is false if that provider is
    no longer the configured one.
    """

    id: str
    email: str
    display_name: str
    has_password: bool
    has_second_factor: bool
    is_enabled: bool
    created_at: datetime
    created_by: str
    last_sign_in_at: datetime | None
    is_federated: bool = False
    is_connected: bool = True

    @property
    def may_sign_in(self) -> bool:
        """Whether the sessions and tokens of the administrator work."""
        return self.is_enabled and self.is_connected


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role of an administrator. For the role of an application owner, *app* is the application."""

    role: str
    app: str | None = None
    app_name: str | None = None


async def read_administrator(connection: Connection, administrator: str) -> AdministratorRow | None:
    return await _one(connection, "id::text = %s", administrator)


async def find_administrator(connection: Connection, email: str) -> AdministratorRow | None:
    return await _one(connection, "email = %s", email.strip().lower())


async def find_identity(connection: Connection, issuer: str, subject: str) -> AdministratorRow | None:
    """Find the administrator whose subject at the provider *issuer* is *subject*."""
    async with connection.cursor(row_factory=class_row(AdministratorRow)) as cursor:
        await cursor.execute(
            f"select {_COLUMNS} from administrator where issuer = %s and subject = %s", (issuer, subject)
        )
        return await cursor.fetchone()


async def list_administrators(connection: Connection) -> list[AdministratorRow]:
    """Return all administrators, ordered by e-mail address."""
    async with connection.cursor(row_factory=class_row(AdministratorRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from administrator order by email")
        return await cursor.fetchall()


async def any_administrator(connection: Connection) -> bool:
    cursor = await connection.execute("select exists (select from administrator)")
    return bool((await only_row(cursor))[0])


async def any_of(connection: Connection, emails: Sequence[str]) -> bool:
    """Whether an administrator has one of *emails*, which are in lower case."""
    cursor = await connection.execute(
        "select exists (select from administrator where email = any(%s))", (list(emails),)
    )
    return bool((await only_row(cursor))[0])


async def insert_administrator(connection: Connection, email: str, *, display_name: str, actor: str) -> str:
    """Add an administrator without a password and return the id."""
    cursor = await connection.execute(
        "insert into administrator (email, display_name, created_by) values (%s, %s, %s) returning id::text",
        (email, display_name, actor),
    )
    return str((await only_row(cursor))[0])


async def insert_federated(
    connection: Connection, email: str, *, display_name: str, issuer: str, subject: str, actor: str
) -> str:
    """Add an administrator whose subject at the provider *issuer* is *subject*, and return the id."""
    cursor = await connection.execute(
        """insert into administrator (email, display_name, created_by, issuer, subject) values (%s, %s, %s, %s, %s)
        returning id::text""",
        (email, display_name, actor, issuer, subject),
    )
    return str((await only_row(cursor))[0])


async def federated_administrators(connection: Connection) -> list[str]:
    """Return the ids of all administrators who sign in through a provider."""
    cursor = await connection.execute("select id::text from administrator where issuer is not null")
    return [row[0] for row in await cursor.fetchall()]


async def delete_administrator(connection: Connection, administrator: str) -> None:
    """Delete the administrator, and their grants, sessions, tokens and links."""
    await connection.execute("delete from administrator where id = %s", (administrator,))


async def save_display_name(connection: Connection, administrator: str, display_name: str) -> None:
    await connection.execute("update administrator set display_name = %s where id = %s", (display_name, administrator))


async def save_email(connection: Connection, administrator: str, email: str) -> None:
    await connection.execute("update administrator set email = %s where id = %s", (email, administrator))


async def set_enabled(connection: Connection, administrator: str, *, is_enabled: bool) -> None:
    await connection.execute("update administrator set is_enabled = %s where id = %s", (is_enabled, administrator))


async def password_hash(connection: Connection, administrator: str) -> str | None:
    cursor = await connection.execute("select password_hash from administrator where id = %s", (administrator,))
    row = await cursor.fetchone()
    return row[0] if row else None


async def save_password_hash(connection: Connection, administrator: str, digest: str | None) -> None:
    await connection.execute("update administrator set password_hash = %s where id = %s", (digest, administrator))


async def note_sign_in(connection: Connection, administrator: str, at: datetime) -> None:
    await connection.execute("update administrator set last_sign_in_at = %s where id = %s", (at, administrator))


async def read_grants(connection: Connection, administrator: str) -> list[RoleGrant]:
    """Return the roles of an administrator."""
    return (await grants_of(connection, [administrator])).get(administrator, [])


async def grants_of(connection: Connection, administrators: Sequence[str]) -> dict[str, list[RoleGrant]]:
    """Return the roles of several administrators, by administrator id."""
    cursor = await connection.execute(
        """select role_grant.administrator::text, role_grant.role, application.id::text, application.name
        from role_grant left join application on application.id = role_grant.app
        where role_grant.administrator = any(%s::uuid[]) order by role_grant.role, application.name""",
        (list(administrators),),
    )
    found: dict[str, list[RoleGrant]] = {}
    for administrator, role, app, app_name in await cursor.fetchall():
        found.setdefault(administrator, []).append(RoleGrant(role, app, app_name))
    return found


async def owners_of(connection: Connection, apps: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the e-mail addresses of the enabled owners of each application, by application id. Applications without one are absent."""
    cursor = await connection.execute(
        """select role_grant.app::text, array_agg(administrator.email order by administrator.email)
        from role_grant join administrator on administrator.id = role_grant.administrator
        where role_grant.app = any(%s::uuid[]) and administrator.is_enabled group by role_grant.app""",
        (list(apps),),
    )
    return {app: tuple(emails) for app, emails in await cursor.fetchall()}


async def replace_grants(
    connection: Connection, administrator: str, grants: Sequence[RoleGrant], *, actor: str
) -> None:
    """Replace all roles of the administrator with *grants*."""
    await connection.execute("delete from role_grant where administrator = %s", (administrator,))
    for grant in grants:
        await connection.execute(
            "insert into role_grant (administrator, role, app, granted_by) values (%s, %s, %s, %s)",
            (administrator, grant.role, grant.app, actor),
        )


async def count_enabled(connection: Connection, role: str) -> int:
    """Count the enabled administrators with *role* who sign in without a provider."""
    cursor = await connection.execute(
        """select count(distinct administrator.id) from administrator
        join role_grant on role_grant.administrator = administrator.id where role_grant.role = %s and administrator.is_enabled
        and administrator.issuer is null""",
        (role,),
    )
    return int((await only_row(cursor))[0])


async def _one(connection: Connection, condition: str, value: str) -> AdministratorRow | None:
    async with connection.cursor(row_factory=class_row(AdministratorRow)) as cursor:
        await cursor.execute(f"select {_COLUMNS} from administrator where {condition}", (value,))
        return await cursor.fetchone()
