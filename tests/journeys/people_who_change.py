"""Change people while processes are killed: they leave, come back, are renamed, hired again, and change their groups."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lockstep.actions import assignments, groups, people
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.directory.people import PersonWrite, with_attributes, write_people
from tests.journeys.test_kill_nine import context_of

OUTSIDE = "Outside"  # the department that the scoping filter excludes
FILTER: dict[str, Any] = {
    "title": "Not outside", "all": [{"attribute": "department", "operator": "NOT EQUALS", "value": OUTSIDE}],
}  # fmt: skip
GROUPS = tuple(f"Team {number}" for number in range(4))
LOSSES = frozenset({"disable", "unassign", "delete", "move out", "hire again"})
CHANGES = (
    "disable", "disable", "enable", "rename", "rename", "unassign", "assign", "delete", "restore", "purge",
    "hire again", "hire again", "move out", "move in", "add member", "add member", "remove member",
)  # fmt: skip


@dataclass(slots=True)
class Crowd:
    """The people by user principal name, and how often each event happened. *most_losses*: as many as the guards allow."""

    there: list[str]
    chance: random.Random
    most_losses: int
    gone: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)


async def keep_changing(data: Path, crowd: Crowd) -> None:
    """Change people at random moments until cancelled. PostgreSQL may be down at any time."""
    while True:
        with contextlib.suppress(Exception):  # of a killed database: the directory shows whether the change happened
            async with context_of(data) as context:
                while True:
                    await something_happens(context, crowd)
                    await asyncio.sleep(crowd.chance.uniform(0.0, 0.1))
        await asyncio.sleep(0.2)


async def something_happens(context: Context, crowd: Crowd, events: Sequence[str] = CHANGES) -> None:
    """One of *events*, at random. It is counted only if it changed the directory: to disable somebody who is disabled is no event."""
    chance = crowd.chance
    what = chance.choice(events)
    name = chance.choice(crowd.there)
    if what in LOSSES and sum(crowd.told[loss] for loss in LOSSES) >= crowd.most_losses:
        return
    match what:
        case "disable" | "enable":
            is_enabled = what == "enable"
            if (await people.show_person(context, name)).person.account_enabled == is_enabled:
                return
            await people.set_enabled(context, [name], is_enabled=is_enabled)
        case "rename":
            new = f"renamed{chance.randrange(10**9)}@contoso.test"
            crowd.there.append(new)
            crowd.there.remove(name)
            await people.set_person(context, name, {"userPrincipalName": new})
        case "unassign":
            await assignments.unassign(context, "documo", users=[name])
        case "assign":
            if not await assignments.assign(context, "documo", users=[name]):
                return
        case "delete":
            crowd.there.remove(name)
            crowd.gone.append(name)
            await people.delete(context, [name])
        case "restore" | "purge" if not crowd.gone:
            return
        case "restore":
            name = crowd.gone.pop()
            crowd.there.append(name)
            await people.restore(context, [name])
        case "purge":
            await people.purge(context, [crowd.gone.pop(0)])
        case "hire again":
            await hire_again(context, name, crowd)
        case "move out" if name in crowd.outside:
            return
        case "move out":
            crowd.outside.append(name)
            await people.set_person(context, name, {"department": OUTSIDE})
        case "move in" if not crowd.outside:
            return
        case "move in":
            await people.set_person(context, crowd.outside.pop(), {"department": "Sales"})
        case "add member":
            if await groups.change_members(context, chance.choice(GROUPS), add=[name]) == (0, 0):
                return
        case "remove member":
            if not await remove_somebody(context, chance.choice(GROUPS), chance):
                return
    crowd.told[what] += 1


async def hire_again(context: Context, name: str, crowd: Crowd) -> None:
    """Delete *name* (half of the time also purge it) and create another person with that name, at once or a little later."""
    former = (await people.delete(context, [name]))[0]
    if crowd.chance.random() < 0.5:
        await asyncio.sleep(crowd.chance.uniform(0, 0.5))
    if crowd.chance.random() < 0.5:
        await people.purge(context, [name])
        await asyncio.sleep(crowd.chance.choice((0, 0.5)))
    new = with_attributes(former, {"accountEnabled": True, "department": "Sales"})
    key = str(uuid.UUID(int=crowd.chance.getrandbits(128), version=4))
    async with context.changing() as edit:
        await write_people(edit, [PersonWrite(replace(new, id=key, anchor=key, deleted_at=None))])
    await assignments.assign(context, "documo", users=[name])


async def remove_somebody(context: Context, group: str, chance: random.Random) -> bool:
    """Whether the group had a member to remove."""
    members: Sequence[dict[str, Any]] = (await groups.show_group(context, group)).members
    if not members:
        return False
    async with context.reading() as connection:
        person = await find_person(connection, str(chance.choice(members)["id"]))
    return await groups.change_members(context, group, remove=[person.user_principal_name]) != (0, 0)
