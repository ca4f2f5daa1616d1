"""Run an action for a caller on another machine. The response includes the messages of the action, and the names of applications whose
work waits because no worker is running.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from lockstep.actions.consequences import Consequences, foresee
from lockstep.actions.context import Context
from lockstep.actions.health import left_undone
from lockstep.actions.permissions import Permission
from lockstep.actions.remote.wire import Wire, wire_of
from lockstep.errors import conflict, invalid


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of an action. *said* contains the messages of the action. *undone* contains the names of the applications to which nothing
    is sent because no worker is running. *effects* contains the consequences if the action was only rehearsed.
    """

    result: Any
    said: Sequence[str] = ()
    undone: Sequence[str] = ()
    effects: Sequence[Consequences] = ()


@dataclass(slots=True)
class _Notes:
    said: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)


async def run_named(
    context: Context, name: str, told: Mapping[str, Any], *, shape: str = "", rehearses: bool = False
) -> Ran:
    """Run the action *name* with the arguments *told*. With *rehearses*, only determine its consequences. Raises the errors of the action.
    Also raises LockstepError if this version of Lockstep does not understand the call, or if the action yields a stream of items.
    """
    wire, notes = _understood(name, told, shape), _Notes()
    if wire.streams:
        raise invalid(f"{name} returns a stream of results", next_step="Send Accept: text/event-stream")
    given = await asyncio.to_thread(wire.received, told)  # large documents take seconds to check
    results: list[Any] = []

    async def work(inner: Context) -> None:
        results.append(await wire.action(inner, **given))

    noting = _noting(context, notes)
    effects: Sequence[Consequences] = ()
    if rehearses:
        effects = await foresee(noting, work)
    else:
        await work(noting)
    result = results[-1] if wire.exposed.tells else None
    return Ran(result, notes.said, await _undone(context, notes.touched), effects)


def stream_named(
    context: Context, name: str, told: Mapping[str, Any], *, shape: str = ""
) -> AsyncIterator[tuple[str, Any]]:
    """Yield the items of the action *name* as pairs: `("item", value)`, or `("said", text)` for a message. Raises LockstepError at once,
    before the first item, if this version of Lockstep does not understand the call.
    """
    wire = _understood(name, told, shape)
    if not wire.streams:
        raise invalid(f"{name} returns a single result, not a stream", next_step="Send Accept: application/json")
    return _items(context, wire, wire.received(told))


async def _items(context: Context, wire: Wire, given: Mapping[str, Any]) -> AsyncIterator[tuple[str, Any]]:
    notes = _Notes()
    async with aclosing(wire.action(_noting(context, notes), **given)) as items:
        async for item in items:
            while notes.said:
                yield "said", notes.said.pop(0)
            yield "item", item


def _understood(name: str, told: Mapping[str, Any], shape: str) -> Wire:
    wire = wire_of(name)
    if shape and shape != wire.shape:
        raise conflict(
            f"The command line and the server have incompatible versions of {name}",
            next_step="Install the server's version on your machine",
            code="AnotherVersion",
        )
    return wire


def _noting(context: Context, notes: _Notes) -> Context:
    async def wake(jobs: Collection[str]) -> None:
        notes.touched.update(jobs)
        await context.after_commit(jobs)

    return replace(context, say=notes.said.append, after_commit=wake)


async def _undone(context: Context, touched: Collection[str]) -> list[str]:
    actor = context.actor
    if not touched or Permission.APPLICATIONS_READ not in actor.permissions | actor.own_permissions:
        return []
    return await left_undone(context, touched)
