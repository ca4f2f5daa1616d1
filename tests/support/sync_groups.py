"""A world with one group, Sales: who is in it, who should be, and what the application has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid5

from lockstep.engine.records import ObjectKind
from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import transaction
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import CONFIG, NAMESPACE, USERS, World, person_id

SALES = str(uuid5(NAMESPACE, "Sales"))
GROUPS = {
    "name": "Groups",
    "source": "Group",
    "attributes": [
        {"target": "displayName", "source": "displayName", "match": 1},
        {"target": "members", "source": "members"},
    ],
}
WITH_GROUPS = {**CONFIG, "mappings": [USERS, GROUPS]}
NOT_OUT = {"title": "In", "all": [{"attribute": "department", "operator": "NOT EQUALS", "value": "Out"}]}
EVERYTHING = {
    **CONFIG,
    "mappings": [{**USERS, "scopingFilters": [NOT_OUT]}, GROUPS],
    "limits": {"concurrency": 100},
    "deletions": {"threshold": None, "thresholdPercent": None, "onSourceDeleted": "delete"},
    "guards": {"percent": None, "emptiedAttributes": None, "privilegeGrants": None},
}


async def add_group(world: World, members: Sequence[int]) -> None:
    async with transaction(world.pool) as connection:
        await connection.execute(
            "insert into grp (id, source, anchor, display_name, attributes) values (%s, 'admin', 'Sales', 'Sales', %s::jsonb)",
            (SALES, '{"displayName": "Sales"}'),
        )
        await connection.execute(
            "insert into assignment (app, principal_kind, principal_id) values (%s, 'Group', %s)", (world.app, SALES)
        )
    await set_members(world, added=members)


async def set_members(world: World, *, added: Sequence[int] = (), removed: Sequence[int] = ()) -> None:
    changed = [person_id(number) for number in (*added, *removed)]
    async with transaction(world.pool) as connection:
        await connection.execute(
            "insert into member (group_id, member_id, member_kind) select %s, unnest(%s::uuid[]), 'User'",
            (SALES, [person_id(number) for number in added]),
        )
        await connection.execute(
            "delete from member where group_id = %s and member_id = any(%s::uuid[])",
            (SALES, [person_id(number) for number in removed]),
        )
        await connection.execute(
            """insert into dirty_member (job, group_id, member_id) select job.id, %s, unnest(%s::uuid[]) from job
            where exists (select from link where kind = 'Group') on conflict do nothing""",
            (SALES, changed),
        )
        await connection.execute(
            "select mark_dirty(id, 'Group', %s::uuid[], 5::smallint, 'members') from job where started", ([SALES],)
        )


async def members_of(world: World, target: ModelTarget) -> set[str]:
    """The user names of the group's members in the application."""
    (held,) = target.members.values()
    return {target.accounts[ObjectKind.USER][one]["userName"][6:11] for one in held}


def named(*numbers: int) -> set[str]:
    return {f"{number:05}" for number in numbers}


def refusing(target: ModelTarget, *numbers: int, status: int = 400) -> None:
    """Make the application refuse every chunk that contains one of these members."""
    work = target.change_members

    async def change_members(group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str) -> Answer:
        names = {target.accounts[ObjectKind.USER][one]["userName"][6:11] for one in add}
        if names & named(*numbers):
            target.requests["members"] += 1
            verdict = {404: Verdict.GONE, 409: Verdict.CONFLICT}.get(status, Verdict.REFUSED)
            return answered(verdict, status=status, code="InvalidValue", detail="no such member")
        return await work(group_id, add=add, remove=remove, operation_id=operation_id)

    target.change_members = change_members  # type: ignore[method-assign]


async def delete_person(world: World, number: int) -> None:
    async with transaction(world.pool) as connection:
        await connection.execute("update person set deleted_at = now() where id = %s", (person_id(number),))
        await connection.execute(
            "select mark_dirty(id, 'User', %s::uuid[], 1::smallint, 'deleted') from job where started",
            ([person_id(number)],),
        )


async def should_have(world: World) -> list[tuple[Any, ...]]:
    """The name and id of everybody who should have an active account."""
    return await world.rows(
        """select lower(user_principal_name), id::text from person
        where deleted_at is null and account_enabled and attributes ->> 'department' = 'In'
            and exists (select from effective_assignment as held
                where held.app = %s and held.kind = 'User' and held.object_id = person.id)""",
        world.app,
    )


async def wanted_members(world: World) -> set[str]:
    rows = await world.rows(
        """select link.target_id from member join link on link.kind = 'User' and link.source_id = member.member_id
        where member.group_id = %s and link.state in ('live', 'disabled')""",
        SALES,
    )
    return {row[0] for row in rows}


async def group_account(world: World) -> str:
    return str(await world.value("select target_id from link where kind = 'Group' and state = 'live'"))
