"""Groups whose members cannot be verified after they were written, because the application does not show the members."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.postgres.pool import Connection

_LIVE = """from unverified_group join link on link.job = unverified_group.job and link.kind = 'Group'
    and link.source_id = unverified_group.group_id and link.state = 'live' """


async def note(connection: Connection, job: str, group: str) -> None:
    await connection.execute(
        "insert into unverified_group (job, group_id) values (%s, %s) on conflict do nothing", (job, group)
    )


async def end(connection: Connection, job: str, group: str) -> None:
    """Record that the application has shown members of *group*, so that the group counts as verifiable again."""
    await connection.execute("delete from unverified_group where job = %s and group_id = %s", (job, group))


async def count_groups(connection: Connection, jobs: Sequence[str]) -> dict[str, int]:
    """Count the groups of each of *jobs* that cannot be verified; jobs without such groups are absent."""
    cursor = await connection.execute(
        "select unverified_group.job, count(*) "
        + _LIVE
        + "where unverified_group.job = any(%s) group by unverified_group.job",
        (list(jobs),),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def groups_of(connection: Connection, job: str, member: str, *, limit: int) -> list[str]:
    """Return the names of up to *limit* groups that cannot be verified and contain *member*."""
    cursor = await connection.execute(
        "select link.display "  # noqa: S608
        + _LIVE
        + """where unverified_group.job = %(job)s and exists (select from target_member where target_member.job = unverified_group.job
            and target_member.group_id = unverified_group.group_id and target_member.member_id = %(member)s)
        order by link.display limit %(limit)s""",
        {"job": job, "member": member, "limit": limit},
    )
    return [str(row[0]) for row in await cursor.fetchall()]
