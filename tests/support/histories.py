"""Random histories: people change while responses are lost and workers die, and in the end every account is right."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lockstep.engine.records import ObjectKind
from lockstep.ports import Answer, Verdict
from lockstep.sync.drain.drain import drain_job
from lockstep.sync.drain.on_demand import push
from lockstep.sync.services import Services
from tests.support.crashes import Lossy, purge, rename, set_deleted, set_enabled, settle, touch
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_groups import EVERYTHING, add_group, group_account, set_members, should_have, wanted_members
from tests.support.sync_world import World, person_id, upn

PEOPLE = 10
PATIENCE = 120  # seconds for a drain to hang or to end on a machine that is busy with other tests


class History:
    """The history of one seed. Also keeps the directory's contents, to choose what can happen next."""

    events: tuple[str, ...] = (
        "rename", "surname", "off", "on", "assign", "unassign", "delete", "restore", "purge", "rehire", "out", "in",
        "join", "take", "member", "no member",
    )  # fmt: skip

    def __init__(self, world: World, lossy: Lossy, target: ModelTarget, seed: int) -> None:
        self.world, self.lossy, self.target = world, lossy, target
        self.chance = random.Random(seed)
        self.names = {number: upn(number) for number in range(PEOPLE)}  # of those who are not purged
        self.deleted: set[int] = set()
        self.members: set[int] = set()
        self.count = PEOPLE
        self.told: list[str] = []
        target.most_creates = 8 if seed % 2 else 1

    async def run(self) -> None:
        on_deleted = self.chance.choice(["disable", "delete"])
        deletions = {**EVERYTHING["deletions"], "onSourceDeleted": on_deleted}
        # With one sender, everything that waits to be created shares a request.
        limits = {"limits": {"concurrency": 1}} if self.target.most_creates > 1 else {}
        await self.world.configure({**EVERYTHING, "deletions": deletions, **limits})
        await self.world.add_people(range(PEOPLE), department="In")
        self.members = {0, 1, 2}
        await add_group(self.world, [0, 1, 2])
        await self.world.start()
        for _ in range(self.chance.randint(3, 6)):
            await self._disturbed_drain()
            for _ in range(self.chance.randint(1, 5)):
                await self._something_happens()
        self.lossy.loses = lambda verb, key: ""
        self.target.before = self.target.after = lambda verb, key: None
        await self._leases_end()
        clock = asyncio.create_task(time_flies(self.world))
        try:
            await settle(self.world, rounds=6)
        finally:
            clock.cancel()

    # -- what happens to people

    async def _something_happens(self) -> None:
        number = self.chance.choice(sorted(self.names))
        what = self.chance.choice(self.events)
        self.told.append(f"{what} {number}")
        world, taken = self.world, {name for one, name in self.names.items() if one not in self.deleted}
        match what:
            case "rename":
                await self._rename(number, f"name{self.chance.randrange(10**6)}@contoso.com")
            case "surname":
                await world.change([number], surname=f"Sur{self.chance.randrange(10**6)}")
            case "off" | "on":
                await set_enabled(world, [number], enabled=what == "on")
            case "assign":
                await world.assign([number])
            case "unassign":
                await world.unassign([number])
            case "delete":
                self.deleted.add(number)
                await set_deleted(world, [number])
            case "restore" if number in self.deleted and self.names[number] not in taken:
                self.deleted.discard(number)
                await set_deleted(world, [number], deleted=False)
            case "purge":
                await set_members(world, removed=[number])
                await purge(world, [number])
                del self.names[number]
                self.deleted.discard(number)
                self.members.discard(number)
            case "rehire" if number in self.deleted and self.names[number] not in taken:
                await self._join(self.names[number])
            case "out" | "in":
                await world.change([number], department="Out" if what == "out" else "In")
            case "join":
                await self._join(upn(self.count))
            case "take" if number not in self.deleted:
                old = self.names[number]
                await self._rename(number, f"name{self.chance.randrange(10**6)}@contoso.com")
                await self._join(old)
            case "member" if number not in self.members:
                self.members.add(number)
                await set_members(world, added=[number])
                await touch(world, [number])
            case "no member" if number in self.members:
                self.members.discard(number)
                await set_members(world, removed=[number])
                await touch(world, [number])

            case "follow" | "swap" if number not in self.deleted:
                await self._pass_name_on(number, is_swap=what == "swap")

    async def _pass_name_on(self, number: int, *, is_swap: bool) -> None:
        """Somebody else who has an account gets the name of *number*; in a swap *number* gets theirs."""
        others = sorted(self.names.keys() - self.deleted - {number})
        if not others:
            return
        other = self.chance.choice(others)
        old, others_old = self.names[number], self.names[other]
        await self._rename(number, f"name{self.chance.randrange(10**6)}@contoso.com")
        await self._rename(other, old)
        if is_swap and others_old not in self.names.values():
            await self._rename(number, others_old)

    async def _rename(self, number: int, name: str) -> None:
        self.names[number] = name
        await rename(self.world, {number: name})

    async def _join(self, name: str) -> None:
        number, self.count = self.count, self.count + 1
        await self.world.add_people([number], assigned=False, department="In")
        await self._rename(number, name)
        await self.world.assign([number])

    # -- what happens to Lockstep and the application

    async def _disturbed_drain(self) -> None:
        how = self.chance.choice(["crash", "crash", "faults", "both", "quiet"])
        self.told.append(how)
        if how in ("crash", "both"):
            self.lossy.loses = self._lose
        if how in ("faults", "both"):
            self.target.before, self.target.after = self._fault(early=True), self._fault(early=False)
        drain = asyncio.create_task(drain_job(self.world.services, self.world.drive, self.world.job))
        if how in ("crash", "both"):
            await self._hangs_or_ends(drain)
        else:
            await asyncio.wait([drain], timeout=self.chance.uniform(0.05, 0.6))
        await ended(drain)
        self.lossy.loses = lambda verb, key: ""
        self.target.before = self.target.after = lambda verb, key: None
        await self._leases_end()

    async def _hangs_or_ends(self, drain: asyncio.Task[None]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not drain.done() and not self.lossy.hanging:
                await asyncio.sleep(0.002)
        if not drain.done():
            await asyncio.wait([drain], timeout=self.chance.uniform(0, 0.1))

    def _lose(self, verb: str, key: str) -> str:
        draw = self.chance.random()
        return "after" if draw < 0.25 else "before" if draw < 0.4 else ""

    def _fault(self, *, early: bool) -> Callable[[str, str], Answer | None]:
        def fault(verb: str, key: str) -> Answer | None:
            draw = self.chance.random()
            if draw < 0.08:
                return answered(Verdict.AMBIGUOUS, status=500, code="InternalServerError")
            if early and draw < 0.1 and verb in ("update", "delete"):
                return answered(Verdict.GONE if verb == "update" else Verdict.DONE_ALREADY, status=404)
            if early and draw < 0.12:
                soon = timedelta(milliseconds=20)
                return answered(Verdict.THROTTLED, status=429 if draw < 0.11 else 503, wait=soon)
            return None

        return fault

    async def _leases_end(self, worker: Services | None = None) -> None:
        """The leases of a dead *worker*, or of all, count as expired."""
        await self.world.rows(
            "update dirty set lease_until = now() - interval '1 second' where %s::text is null or lease_owner = %s returning 1",
            worker.owner if worker is not None else None,
            worker.owner if worker is not None else None,
        )
        await self.world.rows("delete from target_state returning 1")

    # -- the law

    async def broken(self) -> list[str]:
        """The errors at the end; none if the law holds."""
        world, accounts = self.world, self.target.accounts[ObjectKind.USER]
        # Somebody else, who is disabled, has the name in the application: the write is refused until a person decides, and this is
        # reported.
        refused = await world.rows(
            "select source_id::text from dirty where last_error ->> 'code' = 'DuplicateSourceEntries'"
        )
        should = [row for row in await should_have(world) if (row[1],) not in refused]
        wrong = []
        links = dict(
            await world.rows(
                "select source_id::text, target_id from link where kind = 'User' and state in ('live', 'disabled')"
            )
        )
        # People who swap names keep their own accounts, with the old names.
        theirs = {links[key] for (key,) in refused if key in links}
        active = sorted(
            str(one["userName"]).lower() for key, one in accounts.items() if one["active"] is True and key not in theirs
        )
        wanted = sorted(name for name, _ in should)
        if active != wanted:
            extra, missing = Counter(active) - Counter(wanted), Counter(wanted) - Counter(active)
            wrong.append(f"active and should not be {sorted(extra)}, should be and are not {sorted(missing)}")
        if set(links.values()) != set(accounts):
            wrong.append(f"accounts {sorted(accounts)}, linked {sorted(links.values())}")
        named = {key: str(accounts[links[key]]["userName"]).lower() for _, key in should if links.get(key) in accounts}
        wrong += [f"{name} has {named.get(key)}" for name, key in should if named.get(key) != name]
        if opened := await world.value("select count(*) from operation where state in ('planned', 'ambiguous')"):
            wrong.append(f"{opened} operations are open")
        waiting = await world.rows("select source_id::text, last_error from dirty")
        wrong += [str(row) for row in waiting if (row[0],) not in refused]
        # The model takes members that it does not have; an application leaves them out.
        held = self.target.members.get(await group_account(world), set()) & accounts.keys()
        if held != await wanted_members(world):
            wrong.append(f"members {sorted(held)}, should be {sorted(await wanted_members(world))}")
        return wrong


class CrowdedHistory(History):
    """A history with two workers and with pushes, while people change: names pass from one account to another, and the application may
    allow a name twice.
    """

    events = (*History.events, "follow", "follow", "swap")

    def __init__(self, world: World, lossy: Lossy, target: ModelTarget, seed: int) -> None:
        super().__init__(world, lossy, target, seed)
        own = world.services
        other = Services(own.pool, own.vault, own.opener, own.wake, times=own.times)
        self._workers = (own, other)
        target.is_unique = self.chance.random() < 0.6

    async def _disturbed_drain(self) -> None:
        how = self.chance.choice(["crash", "faults", "both", "quiet"])
        self.told.append(f"two {how}")
        if how in ("crash", "both"):
            self.lossy.loses = self._lose
        if how in ("faults", "both"):
            self.target.before, self.target.after = self._fault(early=True), self._fault(early=False)
        self.target.seconds = self.chance.choice([0.0, 0.005, 0.03])
        tasks = [asyncio.create_task(drain_job(worker, self.world.drive, self.world.job)) for worker in self._workers]
        tasks += [asyncio.create_task(self._push(worker)) for worker in self._workers if self.chance.random() < 0.5]
        for _ in range(self.chance.randint(0, 4)):
            await asyncio.wait(tasks, timeout=self.chance.uniform(0, 0.1))
            await self._something_happens()
        first = self.chance.randrange(2)
        await asyncio.wait(tasks[first : first + 1], timeout=self.chance.uniform(0.05, 0.5))
        await ended(tasks[first])
        await self._leases_end(self._workers[first])  # the other one takes its objects over
        await asyncio.wait(tasks, timeout=self.chance.uniform(0.05, 0.5))
        for task in tasks:
            await ended(task)
        self.target.seconds = 0.0
        self.lossy.loses = lambda verb, key: ""
        self.target.before = self.target.after = lambda verb, key: None
        await self._leases_end()

    async def _push(self, worker: Services) -> None:
        numbers = self.chance.sample(sorted(self.names), 2)
        async with self.world.pool.connection() as connection:
            job = await worker.read_job(connection, self.world.job)
        ids = [person_id(number) for number in numbers]
        await push(worker, job, ObjectKind.USER, ids, initiated_by="test", busy_seconds=0.5)


async def broken_after(
    world: World, lossy: Lossy, target: ModelTarget, seed: int, kind: type[History] = History
) -> list[str]:
    """Run the history of *seed*. Returns the errors at its end, with the events that led to them."""
    history = kind(world, lossy, target, seed)
    await history.run()
    wrong = await history.broken()
    return [f"seed {seed}: {'; '.join(wrong)} after {', '.join(history.told)}"] if wrong else []


async def ended(drain: asyncio.Task[None]) -> None:
    """Cancel a drain repeatedly until it ends, because the code that it runs may swallow a cancellation."""
    while not drain.done():
        drain.cancel()
        await asyncio.wait([drain], timeout=2)
    await asyncio.gather(drain, return_exceptions=True)


async def time_flies(world: World) -> None:
    """Make everything that waits for a time due at once."""
    while True:
        await asyncio.sleep(0.1)
        if await world.rows(
            """update dirty set not_before = '-infinity'
            where not_before > now() and not_before < 'infinity' and lease_owner is null and failures = 0 returning 1"""
        ):
            for poked in world.services.drains.values():
                poked.set()


async def forget_everything(world: World) -> None:
    """Empty the database for the next history."""
    names: list[Any] = ["application", "job", "person", "grp", "member", "assignment", "link", "dirty", "dirty_member",
                        "operation", "cycle", "target_member", "provisioning_log", "target_state", "change"]  # fmt: skip
    there = await world.value(
        "select string_agg(format('%%I', tablename), ', ') from pg_tables where schemaname = 'public' and tablename = any(%s)",
        names,
    )
    async with world.pool.connection() as connection:
        # An open transaction of a killed drain would keep its locks.
        await connection.execute(
            """select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in transaction%'"""
        )
        await connection.execute(f"truncate {there} cascade")
