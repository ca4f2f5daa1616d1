"""The single sign-on settings of applications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json


@dataclass(frozen=True, slots=True)
class SignOnRow:
    """The stored settings of one application. *pairwise_salt* is the salt of pairwise subject identifiers; it is never shown."""

    app: str
    config: Mapping[str, Any]
    pairwise_salt: bytes
    changed_at: datetime
    changed_by: str


async def read_sign_on(connection: Connection, app: str) -> SignOnRow | None:
    return (await read_sign_ons(connection, [app])).get(app)


async def read_sign_ons(connection: Connection, apps: Sequence[str]) -> dict[str, SignOnRow]:
    """Return the stored settings of *apps*, by application. Applications without stored settings, which have the defaults, are absent."""
    async with connection.cursor(row_factory=class_row(SignOnRow)) as cursor:
        await cursor.execute(
            """select app::text, config, pairwise_salt, changed_at, changed_by from application_sso
            where app = any(%s::uuid[])""",
            (list(apps),),
        )
        return {row.app: row for row in await cursor.fetchall()}


async def signing_on(connection: Connection, apps: Sequence[str]) -> frozenset[str]:
    """Return the applications in *apps* that have a single sign-on method."""
    cursor = await connection.execute(
        "select app::text from application_sso where app = any(%s::uuid[]) and config ->> 'mode' <> 'disabled'",
        (list(apps),),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def save_sign_on(connection: Connection, app: str, config: Mapping[str, Any], *, salt: bytes, actor: str) -> None:
    """Store the settings. *salt* is used only if the application has none yet."""
    await connection.execute(
        """insert into application_sso (app, config, pairwise_salt, changed_by) values (%s, %s::jsonb, %s, %s)
        on conflict (app) do update set config = excluded.config, changed_at = now(), changed_by = excluded.changed_by""",
        (app, as_json(dict(config)), salt, actor),
    )
