"""Choose values that are not in use (SelectUniqueValue): search the application, and claim the choice before anything is sent.

The application cannot know about an account that another worker is about to create. A search is therefore not sufficient: a choice is final
only after it is claimed. A preview skips values that other objects have claimed, and claims nothing itself.
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

IsInUse = Callable[[str, str], Awaitable[bool]]  # (attribute, value) -> whether an account in the application has it


class Claims(Protocol):
    """Stores which object has claimed a value, so that other objects cannot take the value."""

    async def take(self, kind: ObjectKind, claims: Sequence[ValueClaim]) -> set[ValueClaim]:
        """Claim the values of *claims* for objects of *kind*. Returns the claims that were granted."""
        ...


@dataclass(frozen=True, slots=True)
class StoredClaims:
    """Claims for callers that will write. They are stored, so every later caller on any machine finds the value taken."""

    pool: Pool
    job: str

    async def take(self, kind: ObjectKind, claims: Sequence[ValueClaim]) -> set[ValueClaim]:
        async with self.pool.connection() as connection:
            return await value_claims.claim_values(connection, self.job, kind.value, claims)


@dataclass(frozen=True, slots=True)
class ImaginedClaims:
    """Claims of a preview. Only the objects of the preview see them, and they are never stored."""

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
class UniqueChoice:
    """An attribute of one object that needs a unique value. *left* are the candidates that were not tried yet."""

    source_id: str
    attribute: str
    candidates: tuple[str, ...]
    left: list[str]
    chosen: str | None = None


def choices_of(prepared: PreparedObject, refused: Iterable[Mapping[str, object]] = ()) -> list[UniqueChoice]:
    """Return the choices to make for one object. *refused* contains the values of each refused request to create the account. In each of
    these requests, another account had at least one of the values.

    The account that has a refused value may not appear in searches, so refused values are tried last. They are not excluded, because the
    refusal may have concerned another attribute.
    """
    by_attribute: dict[str, list[str]] = {}
    for query in unique_candidates(prepared):
        by_attribute.setdefault(query.attribute, []).append(query.value)
    choices = []
    for attribute, candidates in by_attribute.items():
        known = {values.get(attribute) for values in refused}
        left = sorted(candidates, key=lambda value: value in known)
        choices.append(UniqueChoice(prepared.obj.id, attribute, tuple(candidates), left))
    return choices


async def choose(kind: ObjectKind, choices: Sequence[UniqueChoice], claims: Claims, is_in_use: IsInUse) -> None:
    """Choose for each of *choices* the first value that no account has and no other object has claimed. If there is no such value, *chosen*
    stays None.
    """
    waiting = list(choices)
    while waiting:
        asked: dict[ValueClaim, UniqueChoice] = {}
        values: set[tuple[str, str]] = set()
        for choice in waiting:
            claim = await _next_free(choice, values, is_in_use)
            if claim is not None:
                asked[claim] = choice
                values.add((claim.attribute, claim.value))
        granted = await claims.take(kind, list(asked)) if asked else set()
        for claim, choice in asked.items():
            value = choice.left.pop(0)
            if claim in granted:
                choice.chosen = value
        waiting = [choice for claim, choice in asked.items() if claim not in granted]


async def _next_free(choice: UniqueChoice, values: set[tuple[str, str]], is_in_use: IsInUse) -> ValueClaim | None:
    while choice.left:
        value = folded(choice.attribute, choice.left[0])
        if (choice.attribute, value) not in values and not await is_in_use(choice.attribute, choice.left[0]):
            return ValueClaim(choice.attribute, value, choice.source_id)
        choice.left.pop(0)
    return None


def taken_by(choices: Iterable[UniqueChoice]) -> TakenValues:
    """Return the values that the engine must treat as taken: every candidate except the chosen one."""
    return {choice.attribute: frozenset(choice.candidates) - {choice.chosen} for choice in choices}


async def refused_lately(connection: Connection, job: str, prepared: PreparedObject) -> Sequence[Mapping[str, object]]:
    """Return values with which the application recently refused to create an account for this object, because another account had one of
    them.
    """
    source_id = prepared.obj.id
    found = await value_claims.refused_lately(connection, job, prepared.obj.kind.value, [source_id])
    return found.get(source_id, ())
