"""The stored secrets without their values: the owner of each secret, the person who set it, its expiry, and the key that encrypted it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row
from lockstep.storage.sealed import SEALED_COLUMNS


@dataclass(frozen=True, slots=True)
class StoredSecretRow:
    """A secret that somebody entered or created. *kind* is one of the words in `_LIST`.

    *app* is the name of the secret's application, or "". *owner* is the display name of that application, or the name, URL, host or origin
    of the server that the secret is for, or "" for Lockstep's own keys. *hint* is the shown part of the secret. *key_id* is the id of the
    key that encrypted it, or None if only its hash is stored.
    """

    kind: str
    app: str
    owner: str
    hint: str
    set_at: datetime | None
    set_by: str
    expires_at: datetime | None
    key_id: bytes | None


# The id of the key follows the first byte of an envelope.
_LIST = """
select case authentication when 'oauth2ClientCredentials' then 'clientSecret' when 'basic' then 'password' else 'secretToken' end as kind,
    name as app, display_name as owner, coalesce(last_four, '') as hint, set_at, coalesce(set_by, '') as set_by,
    null::timestamptz as expires_at, substr(secret, 2, 8) as key_id
from credential join application on application.id = app where secret is not null
union all select 'samlSigningKey', name, display_name, left(thumbprint, 8), signing_certificate.created_at, signing_certificate.created_by,
    not_after, substr(private_key, 2, 8)
from signing_certificate join application on application.id = app
union all select 'openidClientSecret', name, display_name, hint, client_secret.created_at, client_secret.created_by, expires_at, null
from client_secret join application on application.id = app
union all select 'openidSigningKey', '', '', left(kid, 8), created_at, created_by, null, substr(private_key, 2, 8) from openid_key
union all select 'administratorsClientSecret', '', name, '', changed_at, changed_by, null, substr(secret, 2, 8)
from single_sign_on where secret is not null
union all select 'ldapPassword', '', url, '', changed_at, changed_by, null, substr(secret, 2, 8) from ldap_directory
union all select 'mailPassword', '', host, '', changed_at, changed_by, null, substr(secret, 2, 8)
from mail_server where secret is not null
union all select 'webhookAddress', '', origin, '', changed_at, changed_by, null, substr(address, 2, 8) from webhook
union all select 'webhookSecret', '', origin, '', changed_at, changed_by, null, substr(secret, 2, 8)
from webhook where secret is not null
order by owner, app, kind, set_at"""


async def list_stored_secrets(connection: Connection) -> list[StoredSecretRow]:
    """Return the secrets, ordered by their owners."""
    async with connection.cursor(row_factory=class_row(StoredSecretRow)) as cursor:
        await cursor.execute(_LIST)
        return await cursor.fetchall()


async def count_encrypted(connection: Connection, key_id: bytes) -> tuple[int, int]:
    """Return how many values are stored encrypted, and how many of these are encrypted with a key other than *key_id*."""
    parts = [
        sql.SQL("select substr({column}, 2, 8) as key_id from {table} where {column} is not null").format(
            column=sql.Identifier(one.column), table=sql.Identifier(one.table)
        )
        for one in SEALED_COLUMNS
    ]
    statement = sql.SQL("select count(*), count(*) filter (where key_id <> %s) from ({}) as envelope").format(
        sql.SQL(" union all ").join(parts)
    )
    found = await only_row(await connection.execute(statement, (key_id,)))
    return int(found[0]), int(found[1])
