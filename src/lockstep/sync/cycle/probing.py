"""Ask an application that did not respond, with one request, whether it works again."""

from __future__ import annotations

from uuid import uuid4

from lockstep.engine.decisions.patience import RequestKind
from lockstep.engine.decisions.quarantine import QuarantineReason
from lockstep.engine.records import ObjectKind
from lockstep.errors import LockstepError
from lockstep.ports import Answer, TargetError, TargetReader, Verdict
from lockstep.storage import jobs, target_state
from lockstep.sync import application_health
from lockstep.sync.cycle.judging import is_attempt_due, is_held
from lockstep.sync.services import Job, Services

# No SCIM server answers a search like this, so something else answers at the tenant URL.
NO_SCIM = frozenset({Verdict.REFUSED, Verdict.CONFLICT, Verdict.STALE, Verdict.GONE})


async def may_go_on(services: Services, job: Job, target: TargetReader) -> bool:
    """Whether requests may be sent to the application: no pause is in force, no quarantine blocks everything, and a probe, if one is due,
    succeeds.

    An application that did not respond gets one probe before it gets work again.
    """
    quarantine = job.row.quarantine
    if is_held(quarantine) and not is_attempt_due(quarantine, services.now()):
        return False
    asked_at = services.clock.now()
    async with services.pool.connection() as connection:
        state = await target_state.read_state(connection, job.id)
    turns = services.turns(job)
    turns.learn(state, asked_at)
    if turns.quiet_seconds:
        return False
    if is_held(quarantine):
        if not await probe(services, job, target, in_quarantine=True):
            return False
        await application_health.lift_quarantine(services, job)
        turns.forget()
        return True
    last = job.row.last_probe_at
    is_fresh = last is not None and services.now() - last < services.times.probe_interval
    return (is_fresh and not state.is_slowed) or await probe(services, job, target)


async def probe(services: Services, job: Job, target: TargetReader, *, in_quarantine: bool = False) -> bool:
    """Search for a person who cannot exist. A working application answers with status 200 and an empty list.

    A response that is not a SCIM list quarantines the job at once, because another server answers at the tenant URL. No response or a
    server error starts a pause or, if *in_quarantine* is true, prolongs the quarantine. "Busy" always starts a pause. A successful probe
    says nothing about writes, so the failure count of writes is kept.
    """
    users = job.configuration.mapping_for(ObjectKind.USER)
    attribute = users.matching[0].target if users is not None and users.matching else "userName"
    await services.turns(job).wait()
    try:
        await target.find(ObjectKind.USER, attribute, str(uuid4()))
    except TargetError as failed:
        answer = failed.answer
        is_no_scim = answer.verdict in NO_SCIM or answer.is_not_scim
        if is_no_scim or (in_quarantine and answer.verdict is not Verdict.THROTTLED):
            await application_health.quarantine(services, job, QuarantineReason.EXCEPTION, answer)
        else:
            await application_health.notice(services, job, answer, RequestKind.PROBE)
        return False
    except LockstepError as refused:
        blocked = Answer(Verdict.BLOCKED, detail=refused.detail, next_step=refused.next_step)
        await application_health.notice(services, job, blocked, RequestKind.PROBE)
        return False
    await application_health.answered(services, job, RequestKind.PROBE)
    async with services.pool.connection() as connection:
        await jobs.note_probe(connection, job.id)
    return True
