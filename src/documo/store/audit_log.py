"""SQL of the audit log. Triggers record changes (migration 0012). Sign-ins and downloads change no row, so they are recorded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class AccountAuditRow:
    """One entry. *key_name* is the name of the API key that made the change. It is None if the actor was not an API key, or if the key
    no longer exists.
    """

    seq: int
    at: datetime
    actor_kind: str
    actor_id: str | None
    actor_name: str
    key_name: str | None
    activity: str
    kind: str
    object_id: str
    object_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


_SELECT = (
    "select l.seq, l.at, l.actor_kind, l.actor_id::text, l.actor_name, k.name as key_name, l.activity, l.kind, l.object_id,"
    " l.object_name, l.before, l.after from audit_log l left join api_keys k on l.actor_kind = 'key' and k.id = l.actor_id"
    " where l.tenant_id = %(tenant)s"
)


async def rows(
    connection: Connection, tenant_id: int, *, below: int | None, most: int, actor: str, text: str, kind: str,
    activity: str, since: datetime | None, until: datetime | None,
) -> list[AccountAuditRow]:  # fmt: skip
    """Return the newest entries that are older than entry number *below*. *actor* is a part of the actor's name. *text* is a part of the
    object's name, or the object's id. Case is ignored in names.
    """
    cursor = connection.cursor(row_factory=class_row(AccountAuditRow))
    await cursor.execute(
        f"{_SELECT} and (%(below)s::bigint is null or l.seq < %(below)s)"  # constants
        " and (%(actor)s = '' or strpos(lower(coalesce(k.name, l.actor_name)), lower(%(actor)s)) > 0)"
        " and (%(text)s = '' or strpos(lower(l.object_name), lower(%(text)s)) > 0 or l.object_id = %(text)s)"
        " and (%(kind)s = '' or l.kind = %(kind)s) and (%(activity)s = '' or l.activity = %(activity)s)"
        " and (%(since)s::timestamptz is null or l.at >= %(since)s) and (%(until)s::timestamptz is null or l.at < %(until)s)"
        " order by l.seq desc limit %(most)s",
        {
            "tenant": tenant_id, "below": below, "actor": actor, "text": text, "kind": kind, "activity": activity,
            "since": since, "until": until, "most": most,
        },
    )  # fmt: skip
    return await cursor.fetchall()


async def entry(connection: Connection, tenant_id: int, seq: int) -> AccountAuditRow | None:
    cursor = connection.cursor(row_factory=class_row(AccountAuditRow))
    await cursor.execute(f"{_SELECT} and l.seq = %(seq)s", {"tenant": tenant_id, "seq": seq})
    return await cursor.fetchone()


async def remove_old(connection: Connection, tenant_id: int) -> None:
    """Remove entries that are older than the account's retention time."""
    await connection.execute(
        "delete from audit_log l using accounts a where a.id = l.tenant_id and l.tenant_id = %s"
        " and l.at < now() - make_interval(days => a.audit_days)",
        (tenant_id,),
    )


async def note_sign_in(connection: Connection, tenant_id: int, member_id: str, details: dict[str, str]) -> None:
    """Record that a member signed in. Must run in the tenant's transaction."""
    await connection.execute(
        "insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name, after)"
        " select tenant_id, 'member', id, document->>'userName', 'sign in', 'Sign-in', id::text, document->>'userName', %s"
        " from resources where tenant_id = %s and id = %s",
        (Jsonb(details), tenant_id, member_id),
    )


async def note(
    connection: Connection, tenant_id: int, *, activity: str, kind: str, object_id: str, object_name: str
) -> None:
    """Record what the transaction's actor did. Must run in the tenant's transaction."""
    await connection.execute(
        "insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name)"
        " select %s, a.actor ->> 'kind', (a.actor ->> 'id')::uuid, coalesce(a.actor ->> 'name', ''), %s, %s, %s, %s"
        " from (select audit_actor() as actor) a",
        (tenant_id, activity, kind, object_id, object_name),
    )


async def note_refused_sign_in(
    connection: Connection, members: Sequence[tuple[int, str]], name: str, details: dict[str, str], *, activity: str
) -> None:
    """Record a failed attempt to sign in. *members* are the (tenant, id) pairs of the members with the entered name. Works outside a
    tenant's transaction.

    The same statement runs if *members* is empty, and it never waits for the disk, so that its duration does not reveal whether the name
    exists.
    """
    await connection.execute("set local synchronous_commit = off")
    await connection.execute(
        "insert into audit_log (tenant_id, actor_kind, actor_name, activity, kind, object_id, object_name, after)"
        " select m.tenant_id, 'system', '', %s, 'Sign-in', m.id, %s, %s from unnest(%s::int[], %s::text[]) as m(tenant_id, id)",
        (activity, name, Jsonb(details), [one for one, _ in members], [one for _, one in members]),
    )
