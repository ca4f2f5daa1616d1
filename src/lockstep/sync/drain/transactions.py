"""The two transactions around the writes of a drain: a batch is journalled before it is sent, and its outcomes are recorded afterwards.

If the database refuses a batch because of one row, the objects of the batch are recorded one by one. Then only the object at fault fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from lockstep.storage import guarded_writes, journal, taking, target_state
from lockstep.storage.locks import lock_guarded_writes
from lockstep.storage.pipelines import pipelined
from lockstep.storage.target_state import TargetState
from lockstep.sync.drain import sending
from lockstep.sync.drain.guarding import Guard
from lockstep.sync.drain.work import Write
from lockstep.sync.outcome import giving_back, outcomes
from lockstep.sync.outcome.log_records import as_failure
from lockstep.sync.outcome.outcomes import Outcome, refused
from lockstep.sync.outcome.recorder import TakenMeanwhile, record, unrecordable
from lockstep.sync.services import Job, Services

TAKEN = "Another object was linked to the account"

# Called with the shared state of the application, and the monotonic time before that state was read.
Learn = Callable[[TargetState, float], None]


@dataclass(frozen=True, slots=True)
class JournalledBatch:
    """Three sets of operation ids. *journalled* are the writes that are now in the journal and may be sent. *too_late* are the writes whose
    account another object took first. *to_judge* are the writes that guards must judge again, because other workers have journalled guarded
    writes in the meantime.
    """

    journalled: frozenset[str]
    too_late: frozenset[str]
    to_judge: frozenset[str]


async def journal_batch(
    services: Services, job: Job, batch: Sequence[Write], guard: Guard, learn: Learn
) -> JournalledBatch:
    """Take the accounts that *batch* creates or links, and journal the writes of *batch*, which *guard* has let through. If the operation
    id of a write is in none of the results, that write has lost its lease.
    """
    entries = [sending.journal_entry(job.id, write) for write in batch]
    takings = [one for write in batch if (one := sending.taking(job.id, write)) is not None]
    asked_at = services.clock.now()
    guarded = [one.attempt for one in entries if guarded_writes.is_guarded(one)]
    async with pipelined(services.pool, plans_once=True) as connection:
        too_late: set[str] = set()
        to_judge: frozenset[str] = frozenset()
        if guarded:
            await lock_guarded_writes(connection, job.id)
            if outdated := await guard.outdated(connection, job, guarded):
                to_judge = frozenset(one.id for one in entries if one.attempt in outdated)
                entries = [one for one in entries if one.id not in to_judge]
                takings = [one for one in takings if one.id not in to_judge]
        if takings:
            too_late = await taking.lock(connection, job.id, takings, lag_seconds=services.times.search_lag_seconds)
        in_time = [one for one in entries if one.id not in too_late]
        journalled, state = await asyncio.gather(
            journal.write_entries(connection, job.id, in_time, owner=services.owner),
            target_state.read_state(connection, job.id),  # in the same round trip, because turns need a fresh state
        )
    learn(state, asked_at)
    return JournalledBatch(frozenset(journalled), frozenset(too_late), to_judge)


async def record_batch(services: Services, job: Job, batch: Sequence[Outcome], learn: Learn) -> Sequence[Outcome]:
    """Record *batch* and return the recorded outcomes. An outcome that has become impossible, because another object took the account, is
    replaced.
    """
    asked_at = services.clock.now()
    try:
        state = await record(services.pool, job, batch)
    except TakenMeanwhile as taken:
        moment = services.moment()
        replaced = [
            giving_back.after_rival(one.claim, None, TAKEN, moment=moment, requests=one.requests)
            if one.claim.attempt in taken.attempts
            else one
            for one in batch
        ]
        return await record_batch(services, job, replaced, learn)
    except (psycopg.errors.UniqueViolation, psycopg.DataError) as violated:
        if len(batch) > 1:
            return [recorded for one in batch for recorded in await record_batch(services, job, [one], learn)]
        # Another object was linked to the account in the meantime, or the response cannot be stored, so this object is refused.
        one = batch[0]
        failure = unrecordable(violated)
        logged = as_failure(one.log, failure) if one.log is not None else None
        settled, requests, moment = outcomes.unlinked(one), one.requests, services.moment()
        one = refused(one.claim, None, failure, moment=moment, settled=settled, log=logged, requests=requests)
        await record(services.pool, job, [one])
        return [one]
    learn(state, asked_at)
    return batch
