"""Read from the database, for one object at a time, the owners of accounts and unique values that a plan asks about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lockstep.engine.decisions.mapping import TakenValues
from lockstep.engine.decisions.matching import are_different_people, match_key
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.postgres.pool import Pool
from lockstep.storage import links
from lockstep.storage.links import Holder
from lockstep.storage.under_way import Candidate, wanted_by_others
from lockstep.sync.planning.planner import Owners, PlanReader
from lockstep.sync.planning.unique_values import Claims, choices_of, choose, refused_lately, taken_by


@dataclass(frozen=True, slots=True)
class StoredOwnership:
    """Reads owners from the present state of the database, and claims chosen values through *claims*."""

    pool: Pool
    job: str
    claims: Claims

    async def owners(self, prepared: PreparedObject, accounts: Collection[str]) -> Owners:
        kind = prepared.obj.kind
        async with self.pool.connection() as connection:
            keys = tuple(match_key(self.job, kind, query) for query in prepared.queries)
            candidates = [Candidate(prepared.obj.id, account, keys) for account in accounts]
            # Read the journal before the links, so that an owner recorded in between shows up in at least one of them.
            under_way = {account for _, account in await wanted_by_others(connection, self.job, kind.value, candidates)}
            holders = await links.holders(connection, self.job, kind, accounts)
        return owners_from(prepared, holders, under_way)

    async def choose_values(self, prepared: PreparedObject, reader: PlanReader) -> TakenValues:
        """Choose for each unique mapping the first candidate that is free. Returns the candidates that were not chosen. The plan must treat
        all of them as taken.
        """
        kind = prepared.obj.kind
        async with self.pool.connection() as connection:
            choices = choices_of(prepared, await refused_lately(connection, self.job, prepared))

        async def is_in_use(attribute: str, value: str) -> bool:
            return bool(await reader.find(kind, attribute, value))

        await choose(kind, choices, self.claims, is_in_use)
        return taken_by(choices)

    async def witnesses(self, prepared: PreparedObject) -> Sequence[str]:
        return await witnesses_beside(prepared, self.pool, self.job)


async def witnesses_beside(prepared: PreparedObject, pool: Pool, job: str) -> Sequence[str]:
    """Return a few live accounts of other objects. If the application shows none of them, a missing account does not count as gone."""
    async with pool.connection() as connection:
        return await links.some_accounts(connection, job, prepared.obj.kind, besides=prepared.obj.id)


def owners_from(prepared: PreparedObject, holders: Mapping[str, Holder], under_way: Collection[str]) -> Owners:
    """Return the present and former owners of the accounts that were found. The object of *prepared* itself is not among them. *under_way*
    are the accounts that are being linked to another object.

    The result also has two sets of accounts: those whose present owner is deleted, and those whose former owner is known to be another
    person.
    """
    others = [holder for holder in holders.values() if holder.source_id != prepared.obj.id]
    return Owners(
        {one.target_id: one.display or one.source_id for one in others if not one.has_left},
        {one.target_id: one.display or one.source_id for one in others if one.has_left},
        frozenset(one.target_id for one in others if one.is_deleted and not one.has_left),
        frozenset(under_way),
        frozenset(
            one.target_id
            for one in others
            if one.has_left and are_different_people(one.employee_id, prepared.obj.attributes.get("employeeId"))
        ),
    )
