"""Decide on the held changes of a source: people who would leave because the source shrank, and people whose key may have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_source
from lockstep.actions.permissions import Permission
from lockstep.directory.groups import remove_members
from lockstep.directory.intake import delete_objects
from lockstep.errors import conflict, not_found
from lockstep.storage import person_keys, source_holds
from lockstep.storage.groups import Edge
from lockstep.storage.source_holds import RENAMING as RENAMING
from lockstep.storage.source_holds import HoldRow

_BATCH = 500


@dataclass(frozen=True, slots=True)
class SourceDecision:
    """The effect of a decision. *left* counts people, groups and memberships that left; *renamed* counts people with a new key."""

    left: int = 0
    kept: int = 0
    renamed: int = 0
    told_apart: int = 0  # people who were confirmed to be different people


@needs(Permission.DIRECTORY_READ)
async def who_is_held(context: Context, name: str, *, limit: int = 10_000) -> dict[str, list[str]]:
    """Return, for each kind of hold of a source, the names of the objects that the hold keeps back, at most *limit* names each."""
    async with context.reading() as connection:
        await find_source(connection, name)
        return {
            hold.kind: await source_holds.names_held(connection, hold.id, limit=limit)
            for hold in await source_holds.open_holds(connection, name)
        }


@needs(Permission.SOURCES_DECIDE)
async def confirm_hold(context: Context, name: str, *, shown: str) -> SourceDecision:
    """Remove the objects that the source no longer contains, and set the new key of renamed people, who keep their accounts.

    *shown* is the result of `mark_of` for the holds that the administrator saw. Raises LockstepError if other holds wait for a decision
    now, or if no holds were shown.
    """
    holds = await _holds(context, name)
    if mark_of(holds) != shown:
        happened = "has changed since it was shown" if shown else "was not shown to you"
        raise conflict(
            f"The pending decision for {name} {happened}",
            next_step=f"Review it, then decide: lockstep sources status {name}",
        )
    left = renamed = 0
    for hold in holds:
        if hold.kind == RENAMING:
            renamed += await _give_new_keys(context, hold)
            continue
        while some := await _let_some_leave(context, hold):
            left += some[1]
    await _decide(context, holds, "confirmed", left=left)
    return SourceDecision(left=left, renamed=renamed)


@needs(Permission.SOURCES_DECIDE)
async def reject_hold(context: Context, name: str) -> SourceDecision:
    """Reject the holds of the source *name*: keep the objects that the source no longer contains. The next import may hold them again. If a
    hold is about a new person who may be an existing person with a new key, the two count as different people from now on.
    """
    holds = await _holds(context, name)
    await _decide(context, holds, "rejected", left=0)
    return SourceDecision(
        kept=sum(hold.missing for hold in holds if hold.kind != RENAMING),
        told_apart=sum(hold.missing for hold in holds if hold.kind == RENAMING),
    )


def mark_of(holds: Sequence[HoldRow]) -> str:
    """Return a string that identifies these holds. It changes whenever the holds or their content change."""
    return " ".join(sorted(f"{hold.id}/{hold.generation}/{hold.missing}" for hold in holds))


async def _holds(context: Context, name: str) -> list[HoldRow]:
    async with context.reading() as connection:
        await find_source(connection, name)
        holds = await source_holds.open_holds(connection, name)
    if not holds:
        raise not_found(
            f"Nothing in {name} is waiting for a decision", next_step=f"See: lockstep sources status {name}"
        )
    return holds


async def _give_new_keys(context: Context, hold: HoldRow) -> int:
    async with context.changing() as edit:
        return await person_keys.give_new_keys(
            edit.connection, hold.source, await source_holds.held_renamings(edit.connection, hold.id)
        )


async def _let_some_leave(context: Context, hold: HoldRow) -> tuple[int, int] | None:
    """Remove a batch of the objects in *hold*. Returns the number of objects in the batch, and the number of those that were removed.
    Returns None if *hold* is empty.
    """
    async with context.changing() as edit:
        held = await source_holds.held_objects(edit.connection, hold.id, limit=_BATCH)
        if not held:
            return None
        if hold.kind == "Member":
            edges = [Edge(group, member, "User") for group, member in held if member]
            return len(held), await remove_members(edit, edges)
        return len(held), await delete_objects(edit, hold.kind, [one for one, _ in held])


async def _decide(context: Context, holds: Sequence[HoldRow], decision: str, *, left: int) -> None:
    async with context.changing() as edit:
        for hold in holds:
            await source_holds.decide_hold(edit.connection, hold.id, decision, actor=context.actor.name)
            after = {"decision": decision, "kind": hold.kind, "missing": hold.missing, "left": left}
            await audit(edit, "Decide on held source changes", hold.source, after=after)
