"""The objects whose accounts are disabled."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.postgres.pool import Connection


async def disabled(connection: Connection, job: str, *, besides: Sequence[str]) -> dict[str, list[str]]:
    """Return, by kind, the objects whose accounts are disabled. Objects with one of the marks in *besides* are left out."""
    cursor = await connection.execute(
        """select kind, array_agg(source_id::text order by source_id) from link where job = %s and state = 'disabled'
            and not exists (select from dirty where dirty.job = link.job and dirty.kind = link.kind
                and dirty.source_id = link.source_id and dirty.reasons && %s::text[])
        group by kind order by kind desc""",
        (job, list(besides)),
    )
    return dict(await cursor.fetchall())


async def disabled_last(connection: Connection, job: str, *, limit: int) -> dict[str, list[str]]:
    """Return, by kind, the *limit* objects whose accounts were disabled most recently. Objects that are already dirty are left out."""
    cursor = await connection.execute(
        """select kind, array_agg(source_id::text order by source_id) from (
            select link.kind, link.source_id from link
            join operation on operation.job = link.job and operation.kind = link.kind
                and operation.source_id = link.source_id and operation.target_id = link.target_id
                and operation.action = 'disable' and operation.state = 'confirmed'
            where link.job = %s and link.state = 'disabled'
                and not exists (select from dirty where dirty.job = link.job and dirty.kind = link.kind
                    and dirty.source_id = link.source_id)
            group by link.kind, link.source_id order by max(operation.planned_at) desc limit %s
        ) as newest group by kind order by kind desc""",
        (job, limit),
    )
    return dict(await cursor.fetchall())


async def allow_check(connection: Connection, job: str) -> None:
    """Let the next call of `begin_check` return True again."""
    await connection.execute("update job set leavers_checked = false where id = %s and leavers_checked", (job,))


async def begin_check(connection: Connection, job: str) -> bool:
    """Record that a check of the job's leavers begins, which locks the job. Returns False if a check has already begun since the last call
    of `allow_check`.
    """
    cursor = await connection.execute(
        "update job set leavers_checked = true where id = %s and not leavers_checked", (job,)
    )
    return cursor.rowcount == 1
