"""Choose values that nobody has (SelectUniqueValue): ask what the application holds, and claim the choice before anything is sent.

The application cannot know of the account that another worker is about to make, so its answer alone is not enough: a choice counts only
once it is claimed. A preview passes over what others have claimed and claims nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lockstep.engine.decisions.mapping import TakenValues
from lockstep.engine.decisions.matching import folded
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.unique_values import unique_candidates
from lockstep.engine.records import ObjectKind
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage import value_claims
from lockstep.storage.value_claims import ValueClaim

IsInUse = Callable[[str, str], Awaitable[bool]]  # (attribute, value) -> whether an account of the application has it


class Claims(Protocol):
    """Where chosen values are claimed, so that other objects cannot take them."""

    async def take(self, kind: ObjectKind, claims: Sequence[ValueClaim]) -> set[ValueClaim]:
        """Return the claims that are granted."""
        ...


@dataclass(frozen=True, slots=True)
class StoredClaims:
    """Claims for callers that will write: every later caller, on any machine, finds the value taken."""

    pool: Pool
    job: str

    async def take(self, kind: ObjectKind, claims: Sequence[ValueClaim]) -> set[ValueClaim]:
        async with self.pool.connection() as connection:
            return await value_claims.claim_values(connection, self.job, kind.value, claims)


@dataclass(frozen=True, slots=True)
class ImaginedClaims:
    """Claims for a preview: respected among the objects that it shows, and written nowhere."""

    pool: Pool
    job: str
    granted: dict[tuple[str, str], str] = field(default_factory=dict)

    async def take(self, kind: ObjectKind, claims: Sequence[ValueClaim]) -> set[ValueClaim]:
        async with self.pool.connection() as connection:
            others = await value_claims.claimed_by_others(connection, self.job, kind.value, claims)
        taken = set()
        for claim in claims:
            if (
                claim not in others
                and self.granted.setdefault((claim.attribute, claim.value), claim.source_id) == claim.source_id
            ):
                taken.add(claim)
        return taken


@dataclass(slots=True)
class Wish:
    """One attribute of one object that is to get a value of its own. *left* are the candidates that were not tried yet."""

    source_id: str
    attribute: str
    candidates: tuple[str, ...]
    left: list[str]
    chosen: str | None = None


def wishes_of(prepared: PreparedObject, refused: Iterable[Mapping[str, object]] = ()) -> list[Wish]:
    """The values to choose for one object. *refused*: what the application rejected as taken when it was sent.

    Some accounts no search shows, so what was refused comes last; but it comes, for the refusal may have meant another attribute.
    """
    by_attribute: dict[str, list[str]] = {}
    for query in unique_candidates(prepared):
        by_attribute.setdefault(query.attribute, []).append(query.value)
    wishes = []
    for attribute, candidates in by_attribute.items():
        known = {values.get(attribute) for values in refused}
        left = sorted(candidates, key=lambda value: value in known)
        wishes.append(Wish(prepared.obj.id, attribute, tuple(candidates), left))
    return wishes


async def choose(kind: ObjectKind, wishes: Sequence[Wish], claims: Claims, is_in_use: IsInUse) -> None:
    """Settle *wishes*: each gets the first value that no account has and that nobody else claims, or none."""
    waiting = list(wishes)
    while waiting:
        asked: dict[ValueClaim, Wish] = {}
        values: set[tuple[str, str]] = set()
        for wish in waiting:
            claim = await _next_free(wish, values, is_in_use)
            if claim is not None:
                asked[claim] = wish
                values.add((claim.attribute, claim.value))
        granted = await claims.take(kind, list(asked)) if asked else set()
        for claim, wish in asked.items():
            value = wish.left.pop(0)
            if claim in granted:
                wish.chosen = value
        waiting = [wish for claim, wish in asked.items() if claim not in granted]


async def _next_free(wish: Wish, values: set[tuple[str, str]], is_in_use: IsInUse) -> ValueClaim | None:
    while wish.left:
        value = folded(wish.attribute, wish.left[0])
        if (wish.attribute, value) not in values and not await is_in_use(wish.attribute, wish.left[0]):
            return ValueClaim(wish.attribute, value, wish.source_id)
        wish.left.pop(0)
    return None


def taken_by(wishes: Iterable[Wish]) -> TakenValues:
    """What the engine sees for one object: every candidate except the chosen one is taken."""
    return {wish.attribute: frozenset(wish.candidates) - {wish.chosen} for wish in wishes}


async def refused_lately(connection: Connection, job: str, prepared: PreparedObject) -> Sequence[Mapping[str, object]]:
    """What this object's creates wanted to write when the application said that a value is taken."""
    source_id = prepared.obj.id
    found = await value_claims.refused_lately(connection, job, prepared.obj.kind.value, [source_id])
    return found.get(source_id, ())
