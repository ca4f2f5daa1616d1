"""The LDAP directory that checks people's passwords. There is at most one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class LdapDirectory:
    """The address of the directory and the way to find a person's entry: search below *base_dn* by *attribute*, bound as *bind_dn*.
    *secret* is the sealed password of *bind_dn*.

    *login_attribute* is an attribute whose value people may enter instead of their user principal name; "" means that there is none.
    """

    url: str
    base_dn: str
    attribute: str
    bind_dn: str
    secret: bytes = field(repr=False)
    ca: str = ""
    starts_tls: bool = False
    login_attribute: str = ""
    changed_at: datetime | None = None
    changed_by: str = ""

    @property
    def version(self) -> str:
        """A string that is different after each change of these settings. A caller that changes the settings sends the string back. If it
        is outdated, somebody else made a change in the meantime, and the caller's change is refused.
        """
        return self.changed_at.isoformat() if self.changed_at is not None else ""


_READ = "select url, base_dn, attribute, bind_dn, secret, ca, starts_tls, login_attribute, changed_at, changed_by from ldap_directory"


async def read_directory(connection: Connection) -> LdapDirectory | None:
    return await _one(connection, _READ)


async def lock_directory(connection: Connection) -> LdapDirectory | None:
    """Read the directory in order to change it. Other changes wait until the transaction ends."""
    await connection.execute("lock table ldap_directory in share row exclusive mode")
    return await _one(connection, _READ)


async def _one(connection: Connection, statement: str) -> LdapDirectory | None:
    async with connection.cursor(row_factory=class_row(LdapDirectory)) as cursor:
        await cursor.execute(statement)
        return await cursor.fetchone()


async def save_directory(connection: Connection, row: LdapDirectory, *, actor: str) -> None:
    await connection.execute(
        """insert into ldap_directory (url, base_dn, attribute, bind_dn, secret, ca, starts_tls, login_attribute, changed_by)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (is_only) do update set url = excluded.url, base_dn = excluded.base_dn, attribute = excluded.attribute,
            bind_dn = excluded.bind_dn, secret = excluded.secret, ca = excluded.ca, starts_tls = excluded.starts_tls,
            login_attribute = excluded.login_attribute, changed_at = clock_timestamp(), changed_by = excluded.changed_by""",
        (
            row.url,
            row.base_dn,
            row.attribute,
            row.bind_dn,
            row.secret,
            row.ca,
            row.starts_tls,
            row.login_attribute,
            actor,
        ),
    )


async def delete_directory(connection: Connection) -> None:
    await connection.execute("delete from ldap_directory")
