"""SQL of event streams and their waiting events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from documo.security_events import StreamEvent
from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream as shown in lists. *waiting* is the number of events not yet delivered."""

    id: str
    tenant_id: int
    name: str
    delivery: str
    url: str
    audience: str
    created_at: datetime
    delivered: int
    lost: int
    failures: int
    next_try_at: datetime | None
    last_error: str
    last_delivered_at: datetime | None
    waiting: int = 0


_COLUMNS = """s.id::text, s.tenant_id, s.name, s.delivery, s.url, s.audience, s.created_at, s.delivered, s.lost, s.failures,
    nullif(s.next_try_at, '-infinity') as next_try_at, s.last_error, s.last_delivered_at"""


async def insert(
    connection: Connection, tenant_id: int, *, name: str, delivery: str, url: str, audience: str
) -> StreamRow:
    cursor = connection.cursor(row_factory=class_row(StreamRow))
    await cursor.execute(
        f"insert into event_streams as s (tenant_id, name, delivery, url, audience) values (%s, %s, %s, %s, %s)"  # noqa: S608
        f" returning {_COLUMNS}",
        (tenant_id, name, delivery, url, audience),
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101  # the row just inserted
    return row


async def rows(connection: Connection, tenant_id: int) -> list[StreamRow]:
    cursor = connection.cursor(row_factory=class_row(StreamRow))
    await cursor.execute(
        f"select {_COLUMNS}, (select count(*) from stream_events e where e.stream_id = s.id) as waiting"  # noqa: S608
        " from event_streams s where s.tenant_id = %s order by s.created_at, s.id",
        (tenant_id,),
    )
    return await cursor.fetchall()


async def remove(connection: Connection, tenant_id: int, stream_id: str) -> bool:
    cursor = await connection.execute(
        "delete from event_streams where tenant_id = %s and id = %s", (tenant_id, stream_id)
    )
    return cursor.rowcount > 0


async def stream(connection: Connection, tenant_id: int, stream_id: str) -> StreamRow | None:
    cursor = connection.cursor(row_factory=class_row(StreamRow))
    await cursor.execute(
        f"select {_COLUMNS} from event_streams s where s.tenant_id = %s and s.id = %s",  # noqa: S608
        (tenant_id, stream_id),
    )
    return await cursor.fetchone()


async def due_for_delivery(connection: Connection) -> StreamRow | None:
    """Return a stream with events to send, locked until the transaction ends. Polled streams and streams that another process has locked
    are skipped.
    """
    cursor = connection.cursor(row_factory=class_row(StreamRow))
    await cursor.execute(
        f"select {_COLUMNS} from event_streams s"  # noqa: S608
        " where s.delivery <> 'poll' and s.next_try_at <= now() and exists (select from stream_events e where e.stream_id = s.id)"
        " order by s.next_try_at limit 1 for update skip locked"
    )
    return await cursor.fetchone()


async def waiting(connection: Connection, stream_id: str, *, limit: int) -> list[StreamEvent]:
    """Return at most *limit* waiting events of a stream, oldest first."""
    cursor = connection.cursor(row_factory=class_row(StreamEvent))
    await cursor.execute(
        "select seq, jti::text, at, txn, kind, resource_id::text, external_id, version, events"
        " from stream_events where stream_id = %s order by seq limit %s",
        (stream_id, limit),
    )
    return await cursor.fetchall()


async def acknowledge(connection: Connection, stream_id: str, jtis: Iterable[str]) -> int:
    """Delete the events that the receiver has acknowledged. Returns how many were deleted."""
    cursor = await connection.execute(
        "with taken as (delete from stream_events where stream_id = %s and jti = any(%s::uuid[]) returning 1)"
        " update event_streams set delivered = delivered + (select count(*) from taken), failures = 0, last_error = '',"
        " next_try_at = '-infinity', last_delivered_at = now() where id = %s and exists (select from taken) returning"
        " (select count(*) from taken)",
        (stream_id, list(jtis), stream_id),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def note_failure(connection: Connection, stream_id: str, error: str, *, wait: timedelta) -> None:
    await connection.execute(
        "update event_streams set failures = failures + 1, last_error = %s, next_try_at = now() + %s where id = %s",
        (error[:500], wait, stream_id),
    )


async def drop_refused(connection: Connection, stream_id: str, jti: str, *, most: int) -> bool:
    """Count a refusal of one event. After *most* refusals the event is dropped, so that the stream continues. Returns whether it was
    dropped.
    """
    await connection.execute(
        "update stream_events set refusals = refusals + 1 where stream_id = %s and jti = %s", (stream_id, jti)
    )
    cursor = await connection.execute(
        "with gone as (delete from stream_events where stream_id = %s and jti = %s and refusals >= %s returning 1)"
        " update event_streams set lost = lost + 1 where id = %s and exists (select from gone)",
        (stream_id, jti, most, stream_id),
    )
    return cursor.rowcount > 0


async def drop_old(connection: Connection, older_than: timedelta) -> Sequence[tuple[str, int]]:
    """Delete events older than *older_than*. Returns the affected streams and how many events each of them lost."""
    cursor = await connection.execute(
        "with gone as (delete from stream_events where at < now() - %s returning stream_id),"
        " counted as (select stream_id, count(*) as number from gone group by stream_id)"
        " update event_streams set lost = lost + counted.number from counted where id = counted.stream_id"
        " returning id::text, counted.number",
        (older_than,),
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]
