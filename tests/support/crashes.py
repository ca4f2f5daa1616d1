"""Crashes between sending an operation and settling it, while people change.

`Lossy` stands between Lockstep and an application: writes happen (or do not), and their responses never arrive. A task that waits for such
a response is cancelled, like a worker that is killed with kill -9: it records nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from lockstep.engine.records import Account, Change, ObjectKind, Values
from lockstep.ports import Answer, NewAccount, Target, TargetPage, Verdict
from lockstep.postgres.pool import transaction
from lockstep.sync.drain.drain import drain_job
from tests.support.sync_world import World, person_id


class Lossy:
    """A target that loses the responses to writes. *loses* decides about each write: "before" loses the request itself, "after" only the
    response, "late" delays the response until `late` is set, and "" loses nothing.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.loses: Callable[[str, str], str] = lambda verb, key: ""
        self.hanging = 0
        self.moved = asyncio.Event()
        self.late = asyncio.Event()

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        return await self.target.find(kind, attribute, value)

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        return await self.target.get(kind, target_id)

    def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        return self.target.pages(kind)

    async def create(self, kind: ObjectKind, values: Values, *, operation_id: str) -> Answer:
        key = str(values.get("userName") or values.get("displayName"))
        return await self._lose("create", key, lambda: self.target.create(kind, values, operation_id=operation_id))

    async def create_many(self, kind: ObjectKind, creates: Sequence[NewAccount]) -> Sequence[Answer]:
        if len(creates) == 1 or await self.target.creates_at_once() == 1:
            return await asyncio.gather(
                *(self.create(kind, one.values, operation_id=one.operation_id) for one in creates)
            )
        unknown = [Answer(Verdict.AMBIGUOUS)] * len(creates)
        return await self._lose_all("bulk", str(len(creates)), lambda: self.target.create_many(kind, creates), unknown)

    async def update(
        self,
        kind: ObjectKind,
        target_id: str,
        changes: Sequence[Change],
        *,
        current: Account | None,
        etag: str,
        operation_id: str,
    ) -> Answer:
        return await self._lose(
            "update",
            target_id,
            lambda: self.target.update(kind, target_id, changes, current=current, etag=etag, operation_id=operation_id),
        )

    async def delete(self, kind: ObjectKind, target_id: str, *, etag: str, operation_id: str) -> Answer:
        return await self._lose(
            "delete", target_id, lambda: self.target.delete(kind, target_id, etag=etag, operation_id=operation_id)
        )

    async def change_members(
        self, group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str
    ) -> Answer:
        return await self._lose(
            "members",
            group_id,
            lambda: self.target.change_members(group_id, add=add, remove=remove, operation_id=operation_id),
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    async def _lose(self, verb: str, key: str, write: Callable[[], Awaitable[Answer]]) -> Answer:
        async def alone() -> Sequence[Answer]:
            return [await write()]

        (answer,) = await self._lose_all(verb, key, alone, [Answer(Verdict.AMBIGUOUS)])
        return answer

    async def _lose_all(
        self, verb: str, key: str, write: Callable[[], Awaitable[Sequence[Answer]]], unknown: Sequence[Answer]
    ) -> Sequence[Answer]:
        how = self.loses(verb, key)
        found = unknown
        if how != "before":
            found = await write()
            if not how:
                return found
        self.hanging += len(unknown)
        self.moved.set()
        try:
            await (self.late if how == "late" else asyncio.Event()).wait()
        finally:
            self.hanging -= len(unknown)
        return found


async def crash(world: World, target: Lossy, *, waiting: int) -> None:
    """Drain until *waiting* responses are lost, then die; the leases count as expired for the next worker."""
    dying = asyncio.create_task(drain_job(world.services, world.drive, world.job))
    async with asyncio.timeout(30):
        while target.hanging < waiting:
            target.moved.clear()
            await target.moved.wait()
    await _recorded(world, target)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    target.loses = lambda verb, key: ""
    await end_leases(world)
    await world.rows(
        "update operation set planned_at = planned_at - interval '1 minute' where state = 'planned' returning 1"
    )


async def _recorded(world: World, target: Lossy) -> None:
    """Wait until nothing is in progress except the requests that hang."""
    async with asyncio.timeout(20):
        while True:
            leased = await world.value("select count(*) from dirty where lease_until > now()")
            due = await world.value(
                "select count(*) from dirty where (lease_until is null or lease_until <= now()) and not_before <= now()"
            )
            if leased <= target.hanging and not due:
                return
            await asyncio.sleep(0.02)


async def end_leases(world: World) -> None:
    """Make all leases expire. The next claim takes their objects over."""
    await world.rows(
        "update dirty set lease_until = now() - interval '1 second' where lease_until is not null returning 1"
    )


async def settle(world: World, *, rounds: int = 4) -> None:
    """Drain, including failed objects, as if their next attempt were due."""
    for _ in range(rounds):
        await world.drain()
        if not await world.rows(
            "update dirty set not_before = '-infinity' where not_before < 'infinity' and failures > 0 returning 1"
        ):
            return


async def set_deleted(world: World, numbers: Sequence[int], *, deleted: bool = True) -> None:
    async with transaction(world.pool) as connection:
        await connection.execute(
            """update person set deleted_at = case when %s then now() end, version = nextval('object_version')
            where id = any(%s::uuid[])""",
            (deleted, [person_id(number) for number in numbers]),
        )
        await mark(world, connection, numbers)


async def purge(world: World, numbers: Sequence[int]) -> None:
    ids = [person_id(number) for number in numbers]
    async with transaction(world.pool) as connection:
        await mark(world, connection, numbers)
        await connection.execute("delete from member where member_id = any(%s::uuid[])", (ids,))
        await connection.execute("delete from assignment where principal_id = any(%s::uuid[])", (ids,))
        await connection.execute("delete from person where id = any(%s::uuid[])", (ids,))


async def mark(world: World, connection: Any, numbers: Sequence[int]) -> None:
    await connection.execute(
        "select mark_dirty(id, 'User', %s::uuid[], 1::smallint, 'changed') from job where id = %s",
        ([person_id(number) for number in numbers], world.job),
    )


async def set_enabled(world: World, numbers: Sequence[int], *, enabled: bool) -> None:
    async with transaction(world.pool) as connection:
        await connection.execute(
            """update person set account_enabled = %s, attributes = attributes || jsonb_build_object('accountEnabled', %s),
                version = nextval('object_version')
            where id = any(%s::uuid[])""",
            (enabled, enabled, [person_id(number) for number in numbers]),
        )
        await mark(world, connection, numbers)


async def rename(world: World, names: dict[int, str]) -> None:
    async with transaction(world.pool) as connection:
        for number, name in names.items():
            await connection.execute(
                """update person set user_principal_name = %s, version = nextval('object_version'),
                    attributes = attributes || jsonb_build_object('userPrincipalName', %s::text)
                where id = %s""",
                (name, name, person_id(number)),
            )
        await mark(world, connection, list(names))


async def touch(world: World, numbers: Sequence[int]) -> None:
    """Record that a person's groups changed, and with them perhaps the assignments."""
    async with transaction(world.pool) as connection:
        await mark(world, connection, numbers)
