"""Read one linked account, and treat the account as gone only on proof.

A single 404 proves nothing: it may come from a proxy, a lagging replica or a fault. An account is gone if two reads, with a pause between
them, do not find it, and a search by its matching values does not find it either. The application must also still show some other account
that Lockstep manages. Otherwise the response may come from another tenant, or from an empty database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from lockstep.engine.decisions.matching import MatchQuery
from lockstep.engine.records import Account, ObjectKind, Values
from lockstep.engine.rules.mappings import ObjectMapping
from lockstep.engine.rules.operators import is_empty, text_of
from lockstep.ports import AccountReader, Answer, TargetError, Verdict
from lockstep.sync.services import SEARCH_LAG_SECONDS
from lockstep.wording import counted

# Returns a few random accounts of other objects, which the application should show.
Witnesses = Callable[[], Awaitable[Sequence[str]]]


async def read_account(
    reader: AccountReader,
    kind: ObjectKind,
    target_id: str,
    queries: Iterable[MatchQuery] = (),
    *,
    witnesses: Witnesses,
) -> Account | None:
    """Return the account, or None if it is proved to be gone. *queries* are searches that should find it.

    Raises TargetError if the application cannot be read, contradicts itself or shows none of the *witnesses*. If there is no other account
    that could be a witness, the account counts as gone without a witness.
    """
    account = await reader.get(kind, target_id)
    if account is not None:
        return account
    await asyncio.sleep(SEARCH_LAG_SECONDS)
    account = await reader.get(kind, target_id)
    if account is not None:
        return account
    for query in queries:
        if any(found.id == target_id for found in await reader.find(kind, query.attribute, query.value)):
            raise TargetError(_contradiction(target_id, query.attribute))
    others = await witnesses()
    for other in others:
        if await reader.get(kind, other) is not None:
            return None
    if others:
        raise TargetError(_not_recognised(target_id, len(others)))
    return None


def known_queries(mapping: ObjectMapping | None, base: Values) -> tuple[MatchQuery, ...]:
    """Return queries that find an account with the values in *base*."""
    if mapping is None:
        return ()
    return tuple(
        MatchQuery(one.target, text_of(base[one.target]), one.match)
        for one in mapping.matching
        if not is_empty(base.get(one.target))
    )


def _contradiction(target_id: str, attribute: str) -> Answer:
    return Answer(
        Verdict.AMBIGUOUS,
        code="InternalServerError",
        detail=f"The application reports that the account {target_id} does not exist, but still finds it by {attribute}",
        next_step="Nothing to do: Lockstep checks again. If this persists, report it to the vendor of the application.",
    )


def _not_recognised(target_id: str, others: int) -> Answer:
    return Answer(
        Verdict.AMBIGUOUS,
        code="InternalServerError",
        detail=f"The account {target_id} and {counted(others, 'other account')} that Lockstep manages are missing from the application, "
        "so it may be answering for another tenant, or it may have lost its data",
        next_step="Check the tenant URL, the token and the application's data. If the accounts were deleted on purpose: "
        "lockstep restart APP --reset links",
    )
