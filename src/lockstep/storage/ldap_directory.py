"""The LDAP directory that checks people's passwords. There is at most one."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class LdapDirectory:
    """The address of the directory, and how to find a person's entry: search below *base_dn* by *attribute*, bound as *bind_dn*. *secret*
    is the sealed password of *bind_dn*.
    """

    url: str
    base_dn: str
    attribute: str
    bind_dn: str
    secret: bytes = field(repr=False)
    ca: str = ""


async def read_directory(connection: Connection) -> LdapDirectory | None:
    async with connection.cursor(row_factory=class_row(LdapDirectory)) as cursor:
        await cursor.execute("select url, base_dn, attribute, bind_dn, secret, ca from ldap_directory")
        return await cursor.fetchone()


async def save_directory(connection: Connection, row: LdapDirectory, *, actor: str) -> None:
    await connection.execute(
        """insert into ldap_directory (url, base_dn, attribute, bind_dn, secret, ca, changed_by) values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (is_only) do update set url = excluded.url, base_dn = excluded.base_dn, attribute = excluded.attribute,
            bind_dn = excluded.bind_dn, secret = excluded.secret, ca = excluded.ca, changed_at = now(), changed_by = excluded.changed_by""",
        (row.url, row.base_dn, row.attribute, row.bind_dn, row.secret, row.ca, actor),
    )


async def delete_directory(connection: Connection) -> None:
    await connection.execute("delete from ldap_directory")
