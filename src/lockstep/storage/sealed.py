"""The columns that hold sealed secrets, and how each is bound to its row.

A new column of sealed secrets must be added to the list in this module. Otherwise its secrets would be lost when the key is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column with envelopes of the vault. *bound_to* is the SQL expression for the name that each envelope is bound to."""

    table: str
    column: str
    purpose: str
    bound_to: str


SEALED_COLUMNS = (
    SealedColumn("credential", "secret", "secretToken", "app::text"),
    SealedColumn("administrator", "second_factor", "second factor", "id::text"),
    SealedColumn("person_credential", "second_factor", "second factor of a person", "person::text"),
    SealedColumn("single_sign_on", "secret", "client secret", "'single sign-on'"),
    SealedColumn("signing_certificate", "private_key", "SAML signing key", "app::text || ' ' || thumbprint"),
    SealedColumn("openid_key", "private_key", "OpenID Connect signing key", "kid"),
    SealedColumn("ldap_directory", "secret", "password for LDAP", "'directory'"),
    SealedColumn("mail_server", "secret", "mail password", "'mail server'"),
    SealedColumn("webhook", "address", "webhook address", "'webhook'"),
    SealedColumn("webhook", "secret", "webhook secret", "'webhook'"),
    SealedColumn("api_answer", "body", "api answer", "key"),
)


async def replace_envelopes(
    connection: Connection, one: SealedColumn, replaced: Callable[[bytes, str], bytes | None]
) -> int:
    """Replace each envelope of the column with the result of *replaced(envelope, name)*. If the result is None, the envelope is kept.
    Returns how many were replaced.
    """
    table, column = sql.Identifier(one.table), sql.Identifier(one.column)
    name = sql.SQL(one.bound_to)
    cursor = await connection.execute(
        sql.SQL("select ctid::text, {}, {} from {} where {} is not null for update").format(column, name, table, column)
    )
    written = 0
    for place, envelope, bound_to in await cursor.fetchall():
        new = replaced(bytes(envelope), bound_to)
        if new is not None:
            await connection.execute(
                sql.SQL("update {} set {} = %s where ctid = %s::tid").format(table, column), (new, place)
            )
            written += 1
    return written


async def is_key_used(connection: Connection, key_id: bytes) -> bool:
    """Whether any stored envelope was sealed with the key that has this id. An envelope contains the id after its first byte."""
    for one in SEALED_COLUMNS:
        statement = sql.SQL("select exists (select from {} where substr({}, 2, %s) = %s)")
        cursor = await connection.execute(
            statement.format(sql.Identifier(one.table), sql.Identifier(one.column)), (len(key_id), key_id)
        )
        if (await only_row(cursor))[0]:
            return True
    return False


async def other_clients(connection: Connection) -> int:
    """Return the number of database connections of other Lockstep programs. The application names of these connections begin with
    `lockstep` and differ from that of *connection*.
    """
    cursor = await connection.execute(
        """select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
        and application_name <> current_setting('application_name') and application_name like 'lockstep%'"""
    )
    return int((await only_row(cursor))[0])
