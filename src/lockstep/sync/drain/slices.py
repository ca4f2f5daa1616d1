"""Process a claimed slice: load all its data with a few queries, plan, and pass each object on.

Objects that do not need the application go straight to recording, writes go to the journal, and the other objects are first read from the
application.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.engine.decisions.intent import IntentKind
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.records import ObjectKind
from lockstep.storage import operations, target_index
from lockstep.storage.dirty import Claim
from lockstep.storage.pipelines import pipelined
from lockstep.sync.cycle import judging
from lockstep.sync.drain.guarding import Decisions
from lockstep.sync.drain.pipeline import Pipeline
from lockstep.sync.drain.work import Look, Settle
from lockstep.sync.outcome import giving_back
from lockstep.sync.outcome.giving_back import without_object
from lockstep.sync.planning import index_reader, planner
from lockstep.sync.planning.index_reader import SlicePages
from lockstep.sync.planning.planner import NotKnown, SliceFacts
from lockstep.sync.planning.unique_values import StoredClaims
from lockstep.sync.services import Job, Services

LOSES_ACCESS = frozenset({IntentKind.DISABLE, IntentKind.DELETE})


async def plan_slice(services: Services, job: Job, pipeline: Pipeline, claims: Sequence[Claim]) -> int:
    """Plan the objects of *claims*, and hand the plans to *pipeline*. Returns the number of objects whose account is read or written."""
    asking = 0
    for kind in (ObjectKind.USER, ObjectKind.GROUP):
        of_kind = [claim for claim in claims if claim.kind == kind]
        if of_kind:
            asking += await _plan_kind(services, job, pipeline, kind, of_kind)
            pipeline.no_more_writes()
    return asking


async def _plan_kind(
    services: Services, job: Job, pipeline: Pipeline, kind: ObjectKind, claims: Sequence[Claim]
) -> int:
    ids = [claim.source_id for claim in claims]
    moment = services.moment()
    async with pipelined(services.pool, plans_once=True) as connection:
        cycle = next((claim.cycle for claim in claims if claim.cycle is not None), None)
        index_of = await target_index.complete_kinds(connection, job.id, cycle=cycle)
        compared = [claim.source_id for claim in claims if claim.is_compared]
        known = await planner.load(connection, job, kind, ids, index_of=index_of, compared=compared)
        passing = [claim.source_id for claim in claims if claim.is_approved]
        approved = await operations.approved_among(connection, job.id, kind, passing) if passing else {}
        prepared: dict[str, PreparedObject] = {}
        for claim in claims:
            if claim.source_id in known.objects:
                try:
                    prepared[claim.source_id] = planner.prepare_one(
                        known, job, claim.source_id, moment, look=claim.wants_look
                    )
                except Exception:
                    pipeline.fault(claim)
        pages = await index_reader.read_index(connection, job, known, prepared.values(), cycle)
    claimed = StoredClaims(services.pool, job.id)
    pages = await index_reader.choose_values(job, known, prepared.values(), pages, claimed)
    asking = 0
    for claim in claims:
        if claim.source_id not in known.objects:
            pipeline.done(without_object(claim))
            continue
        decided_before = Decisions(
            known.held.get(claim.source_id), approved.get(claim.source_id), known.rejected.get(claim.source_id)
        )
        if decided_before:
            pipeline.note_decisions(claim, decided_before)
        if claim.source_id in prepared:
            asking += await _hand_on(pipeline, known, pages, claim, prepared[claim.source_id])
    return asking


async def _hand_on(
    pipeline: Pipeline, known: SliceFacts, pages: SlicePages, claim: Claim, prepared: PreparedObject
) -> int:
    due = judging.slowed_until(pipeline.job.row.quarantine, pipeline.services.now())
    if due is not None and prepared.intent.kind not in LOSES_ACCESS and not claim.is_on_demand:
        pipeline.done(giving_back.slowed(claim, due=due))
        return 0
    unsettled = tuple(known.open_operations.get(claim.source_id, ()))
    if unsettled:
        pipeline.look(Settle(claim, prepared, unsettled))
        return 1
    if claim.wants_look:
        pipeline.look(Look(claim, prepared, look=True))
        return 1
    try:
        planned = await pages.plan(prepared)
    except NotKnown:
        pipeline.look(Look(claim, prepared))
        return 1
    except Exception:
        pipeline.fault(claim)
        return 0
    await pipeline.sort_out(claim, planned)
    return int(planned.plan.action.writes)
