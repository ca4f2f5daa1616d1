"""The members that Lockstep last set for a provisioned group in the application, and the differences from the directory.

The cost of a comparison depends on the size of the change, not on the size of the group: usually only the members in dirty_member are
compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_rows, only_row


@dataclass(frozen=True, slots=True)
class MemberWrite:
    """One member to add to, or remove from, the application's group.

    A removal without *former_id* is not sent, because the account now belongs to another member. Only the record that this member is in the
    group is deleted.
    """

    member_id: str
    target_id: str
    is_added: bool
    display: str = ""
    former_id: str = ""  # the account recorded for the member, which is no longer that of any member


@dataclass(frozen=True, slots=True)
class UnsureMember:
    """A member whose account may or may not be in the application's group. Group and member are directory ids."""

    group: str
    member: str
    account: str


_FORMER = """coalesce((
    select held.target_id where held.target_id is distinct from wanted.target_id and not exists (
        select from link join member as other on other.member_id = link.source_id
        left join nested_group on nested_group.root = %(group)s and nested_group.group_id = other.group_id
        left join job on job.id = link.job and job.nested_groups
        where link.job = %(job)s and link.kind = 'User' and link.state in ('live', 'disabled')
            and link.target_id = held.target_id and not link.is_forgotten
            and (other.group_id = %(group)s or nested_group.root is not null and job.id is not null))
), '')"""
_DIFFERENCES = f"""
with wanted as (
    select one.member_id, link.target_id, link.display
    from members_for(%(job)s, %(group)s) as one (member_id)
    join link on link.job = %(job)s and link.kind = 'User' and link.source_id = one.member_id
        and link.state in ('live', 'disabled')
    where one.member_id > %(after)s
), held as (
    select member_id, target_id, is_sure from target_member
    where job = %(job)s and group_id = %(group)s and member_id > %(after)s
)
select coalesce(wanted.member_id, held.member_id)::text as member_id, coalesce(wanted.target_id, held.target_id),
    wanted.member_id is not null as is_added, coalesce(wanted.display, ''),
    {_FORMER}
from wanted full join held on held.member_id = wanted.member_id
where wanted.target_id is distinct from held.target_id or not held.is_sure
order by 1
limit %(limit)s
"""  # noqa: S608
_NOTED_DIFFERENCES = f"""
select noted.member_id::text, coalesce(wanted.target_id, held.target_id), wanted.target_id is not null as is_added,
    coalesce(wanted.display, ''), {_FORMER}
from dirty_member as noted
left join lateral (
    select link.target_id, link.display
    from members_for(%(job)s, %(group)s) as one (member_id)
    join link on link.job = %(job)s and link.kind = 'User' and link.source_id = one.member_id
        and link.state in ('live', 'disabled')
    where one.member_id = noted.member_id
) as wanted on true
left join target_member as held on held.job = noted.job and held.group_id = noted.group_id
    and held.member_id = noted.member_id
where noted.job = %(job)s and noted.group_id = %(group)s and noted.member_id > %(after)s
    and (wanted.target_id is distinct from held.target_id or not held.is_sure)
order by noted.member_id
limit %(limit)s
"""  # noqa: S608
FIRST = "00000000-0000-0000-0000-000000000000"


async def differences(
    connection: Connection, job: str, group: str, *, noted_only: bool, after: str = FIRST, limit: int = 10_000
) -> list[MemberWrite]:
    """Return the next members whose membership in the application's group may differ from the directory, in the order of their ids. If
    *noted_only* is true, only members in dirty_member are compared.
    """
    cursor = await connection.execute(
        _NOTED_DIFFERENCES if noted_only else _DIFFERENCES,
        {"job": job, "group": group, "after": after, "limit": limit},
    )
    return [MemberWrite(*row) for row in await cursor.fetchall()]


async def newest_note(connection: Connection, job: str, group: str) -> int:
    """Return the version of the newest entry in dirty_member. A read after this call covers all entries up to that version."""
    cursor = await connection.execute(
        "select coalesce(max(version), 0) from dirty_member where job = %s and group_id = %s", (job, group)
    )
    return int((await only_row(cursor))[0])


async def forget_notes(connection: Connection, job: str, group: str, *, up_to: int) -> None:
    await connection.execute(
        "delete from dirty_member where job = %s and group_id = %s and version <= %s", (job, group, up_to)
    )


async def forget_members(connection: Connection, job: str, groups: Sequence[str]) -> None:
    """Delete the recorded members of *groups*. These groups have been linked to other accounts, and the members of a former account say
    nothing about the members of the new one.
    """
    await connection.execute(
        "delete from target_member where job = %s and group_id = any(%s::uuid[])", (job, list(groups))
    )


async def hand_over(connection: Connection, job: str, former: str, new: str) -> None:
    """Record that the account of *former*, with its memberships, now belongs to *new*. The memberships are compared with the directory
    later.
    """
    await connection.execute(
        """with held as (
            delete from target_member where job = %(job)s and member_id = %(former)s returning group_id, target_id
        ), handed as (
            insert into target_member (job, group_id, member_id, target_id)
            select %(job)s, group_id, %(new)s, target_id from held
            on conflict (job, group_id, member_id) do update set target_id = excluded.target_id
        ), noted as (
            insert into dirty_member (job, group_id, member_id) select %(job)s, group_id, %(new)s from held
            on conflict (job, group_id, member_id) do update set version = nextval('dirty_version')
            returning group_id
        )
        select mark_dirty(%(job)s, 'Group', array_agg(group_id), 5::smallint, 'members') from noted having count(*) > 0""",
        {"job": job, "former": former, "new": new},
    )


async def note_accounts_of(connection: Connection, job: str, member: str) -> None:
    """Record that *member* no longer has an account that it had before. The groups in which the account is recorded are then compared
    again.

    The account is removed from each of these groups, unless it now belongs to another member of the group.
    """
    await connection.execute(
        """with noted as (
            insert into dirty_member (job, group_id, member_id)
            select job, group_id, member_id from target_member where job = %(job)s and member_id = %(member)s
            on conflict (job, group_id, member_id) do update set version = nextval('dirty_version')
            returning group_id
        )
        select mark_dirty(%(job)s, 'Group', array_agg(group_id), 5::smallint, 'members') from noted having count(*) > 0""",
        {"job": job, "member": member},
    )


async def note(connection: Connection, job: str, group: str, members: Sequence[str]) -> None:
    """Mark these members for comparison when the group is processed next."""
    await connection.execute(
        """insert into dirty_member (job, group_id, member_id) select %s, %s, unnest(%s::uuid[])
        on conflict (job, group_id, member_id) do update set version = nextval('dirty_version')""",
        (job, group, list(members)),
    )


async def apply_changes(connection: Connection, job: str, group: str, changes: Sequence[MemberWrite]) -> None:
    """Record the changes that the application accepted."""
    added = [one for one in changes if one.is_added]
    removed = [one.member_id for one in changes if not one.is_added]
    if added:
        await connection.execute(
            """insert into target_member (job, group_id, member_id, target_id)
            select %s, %s, unnest(%s::uuid[]), unnest(%s::text[])
            on conflict (job, group_id, member_id) do update set target_id = excluded.target_id, is_sure = true""",
            (job, group, [one.member_id for one in added], [one.target_id for one in added]),
        )
    if removed:
        await connection.execute(
            "delete from target_member where job = %s and group_id = %s and member_id = any(%s::uuid[])",
            (job, group, removed),
        )


async def hold_accounts(connection: Connection, job: str, changes: Sequence[MemberWrite]) -> list[str]:
    """Lock the accounts of the members that *changes* adds, until the transaction ends. Returns the members whose account no longer belongs
    to them; those accounts are not locked.

    Call this before locking any other row: transactions that record links lock the rows of links first and those of groups afterwards.
    """
    added = [{"member": one.member_id, "account": one.target_id} for one in changes if one.is_added]
    if not added:
        return []
    cursor = await connection.execute(
        """select source_id::text from link
        join jsonb_to_recordset(%s::jsonb) as given (member uuid, account text) on member = source_id and account = target_id
        where job = %s and kind = 'User' and state in ('live', 'disabled')
        order by source_id
        for share of link""",
        (as_rows(added), job),
    )
    theirs = {row[0] for row in await cursor.fetchall()}
    return [one["member"] for one in added if one["member"] not in theirs]


async def compare_again(connection: Connection, job: str, group: str, members: Sequence[str]) -> None:
    """Mark *members* for another comparison, and make the group due at once."""
    await note(connection, job, group, members)
    await connection.execute("select mark_dirty(%s, 'Group', array[%s]::uuid[], 5::smallint, 'members')", (job, group))


async def mark_unsure(connection: Connection, job: str, unsure: Sequence[UnsureMember]) -> None:
    """Record that it is unknown whether the application has these members. Members who belong to the group are sent again.

    Members who no longer belong to the group are removed, even though it is unknown whether the application ever added them.
    """
    await connection.execute(
        """with given as (
            select distinct on ("group", member) "group" as group_id, member as member_id, account
            from jsonb_to_recordset(%(rows)s::jsonb) as given ("group" uuid, member uuid, account text)
        ), noted as (
            insert into dirty_member (job, group_id, member_id) select %(job)s, group_id, member_id from given order by 2, 3
            on conflict (job, group_id, member_id) do update set version = nextval('dirty_version')
        )
        insert into target_member (job, group_id, member_id, target_id, is_sure)
        select %(job)s, group_id, member_id, account, false from given order by 2, 3
        on conflict (job, group_id, member_id) do update set is_sure = false""",
        {"job": job, "rows": as_rows(unsure)},
    )


async def held_members(connection: Connection, job: str, group: str, *, limit: int) -> list[tuple[str, str]]:
    """Return up to *limit* members of *group*, with their accounts. Only members that the application certainly accepted are returned."""
    cursor = await connection.execute(
        """select member_id::text, target_id from target_member where job = %s and group_id = %s and is_sure
        order by member_id limit %s""",
        (job, group, limit),
    )
    return [(member, account) for member, account in await cursor.fetchall()]


async def note_groups_of(connection: Connection, job: str, members: Sequence[str]) -> None:
    """Record that *members* gained or lost an account, so that their memberships in provisioned groups are compared again.

    If the account belonged to another person before, the groups of that person are compared too, because the application may still have
    the account in these groups.
    """
    await connection.execute(
        """with noted as (
            insert into dirty_member (job, group_id, member_id)
            select %(job)s, member.group_id, member.member_id
            from member join link on link.job = %(job)s and link.kind = 'Group' and link.source_id = member.group_id
                and link.state = 'live'
            where member.member_id = any(%(members)s::uuid[])
            union
            select %(job)s, nested_group.root, member.member_id
            from member join nested_group on nested_group.group_id = member.group_id
            join job on job.id = %(job)s and job.nested_groups
            join link on link.job = job.id and link.kind = 'Group' and link.source_id = nested_group.root
                and link.state = 'live'
            where member.member_id = any(%(members)s::uuid[])
            union
            select %(job)s, held.group_id, held.member_id
            from link join link as former on former.job = link.job and former.kind = 'User'
                and former.target_id = link.target_id and former.state = 'tombstone'
            join target_member as held on held.job = former.job and held.member_id = former.source_id
                and held.target_id = former.target_id
            where link.job = %(job)s and link.kind = 'User' and link.source_id = any(%(members)s::uuid[])
                and link.state in ('live', 'disabled')
            order by 1, 2, 3
            on conflict (job, group_id, member_id) do update set version = nextval('dirty_version')
            returning group_id
        )
        select mark_dirty(%(job)s, 'Group', array_agg(group_id), 5::smallint, 'members') from noted having count(*) > 0""",
        {"job": job, "members": list(members)},
    )
