"""If the application keeps refusing a write because another account has the same value, find the object that owns the other account."""

from __future__ import annotations

from lockstep.ports import Answer, TargetError, TargetReader, Verdict
from lockstep.storage import links
from lockstep.sync.drain.work import Write
from lockstep.sync.outcome.outcomes import MOST_LOOKS_AGAIN, Failure
from lockstep.sync.planning.accounts import known_queries
from lockstep.sync.services import Job, Services


def is_lasting(work: Write, answer: Answer) -> bool:
    """Whether *answer* is a conflict and the account of *work* has already been read again the maximum number of times."""
    return answer.verdict is Verdict.CONFLICT and work.claim.resume.rereads >= MOST_LOOKS_AGAIN


async def rival_of(services: Services, job: Job, work: Write, reader: TargetReader) -> Failure | None:
    """Return the failure to report if another object's account has one of the matching values of *work*. The object of *work* is tried
    again as soon as that account is released.

    Returns None if no linked account has such a value, or if the application cannot be searched.
    """
    prepared, plan = work.planned.prepared, work.planned.plan
    kind, own = prepared.obj.kind, plan.link_to.id if plan.link_to is not None else plan.target_id
    for query in prepared.queries or known_queries(prepared.mapping, plan.mapped.values):
        try:
            found = await reader.find(kind, query.attribute, query.value)
        except TargetError:
            return None
        async with services.pool.connection() as connection:
            held = await links.holders(connection, job.id, kind.value, [one.id for one in found if one.id != own])
        for account, holder in held.items():
            if holder.source_id != prepared.obj.id:
                by = holder.display or holder.source_id
                return Failure(
                    "DuplicateSourceEntries",
                    f'The account {account} has the same {query.attribute}, but belongs to "{by}".',
                    f"Change {query.attribute} for one of the two. Lockstep retries as soon as {by} no longer has this value.",
                    account=account,
                )
    return None
