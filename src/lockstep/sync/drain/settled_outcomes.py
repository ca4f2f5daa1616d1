"""Convert the settlement of open operations into the outcome that records it. Pure.

The outcome is recorded before the object is processed further. The next claim then plans the object from the updated records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from lockstep.engine.decisions.patience import growing_pause
from lockstep.engine.moment import Moment
from lockstep.engine.plans import Plan, Step, StepStatus, StepType
from lockstep.engine.records import Account, Action, Change, ObjectKind, Reason
from lockstep.storage.dirty import Claim, Due, Postponement
from lockstep.storage.log_record import LogRecord
from lockstep.storage.operations import OpenOperation
from lockstep.storage.resume import Resume, ShownError, Stage
from lockstep.sync.drain.settling import MAYBE_CREATED, Settlement
from lockstep.sync.outcome import giving_back, outcomes
from lockstep.sync.outcome.log_records import as_success, record_of
from lockstep.sync.outcome.outcomes import COUNTED, MOST_LOOKS_AGAIN, MOST_UNCERTAIN_LOOKS, Failure, Outcome
from lockstep.sync.planning.planner import PlanResult

STAYS_ACTIVE = Failure(
    "DuplicateAccount",
    "The application reports success, but a second account that was created for the same object stays active.",
    "Disable the account in the application. Find it: lockstep links --orphans",
)
SETTLED = "Settled"
FOUND = "The response was lost, but the application shows that the change was made."


def settled(
    claim: Claim, display: str, settlement: Settlement, *, moment: Moment, wait: timedelta, initiated_by: str
) -> Outcome:
    """Return the outcome to record. If operations are still open, the application is checked again: soon if waiting helps, otherwise when
    the retry list makes the object due.
    """
    problem = settlement.problem
    is_worn_out = claim.resume.looks >= MOST_UNCERTAIN_LOOKS and not settlement.may_still_arrive
    if settlement.waits and is_worn_out:
        problem = problem or Failure(MAYBE_CREATED, settlement.waits, "Nothing to do: Lockstep looks for it again.")
    ended, link = tuple(settlement.settled), settlement.changed_link
    if problem is not None:
        outcome = outcomes.refused(claim, None, problem, moment=moment, settled=ended, is_unsettled=True)
    elif settlement.waits:
        outcome = giving_back.look_again(claim, settlement.waits, after=wait, moment=moment, settled=ended, requests=0)
    else:
        outcome = giving_back.planned_next(claim, _planned_next(claim, settlement), settled=ended)
    return replace(
        outcome,
        link=link,
        takes_over=settlement.takes_over and link is not None,
        is_newly_linked=settlement.is_linked_now and link is not None,
        unsure_members=tuple(settlement.unsure),
        more_logs=tuple(_records(claim, display, settlement, initiated_by)),
        requests=settlement.requests,
    )


def with_settled_before(outcome: Outcome) -> Outcome:
    """Count an earlier operation of the object in *outcome*, if the response to that operation was lost but the operation turned out to
    have taken effect. If the present plan changes nothing, only the earlier operation is counted.
    """
    did = outcome.claim.resume.did
    if not did or not outcome.counted:
        return outcome
    if outcome.counted in (COUNTED[Action.NONE], COUNTED[Action.SKIP]):
        return replace(outcome, counted=did)
    return replace(outcome, more_counts={**outcome.more_counts, did: 1})


def with_next_steps(outcome: Outcome, planned: PlanResult, moment: Moment, first_wait: timedelta) -> Outcome:
    """Return the *outcome* of a write, extended by the next steps of the object: writing changed names after a disable, comparing the
    members of a group, and planning the object again after its second account was disabled.
    """
    outcome = outcomes.with_names(outcome)
    if outcome.is_done and planned.plan.names_follow:
        outcome = outcomes.with_names_due(outcome)
    if outcome.is_done and planned.has_members:
        outcome = outcomes.with_members_due(outcome)
    return object_next(outcome, planned, moment, first_wait)


def object_next(outcome: Outcome, planned: PlanResult, moment: Moment, first_wait: timedelta) -> Outcome:
    """Return *outcome*. If the write was to a second account of the object, the object itself is planned next.

    The first time, the object is planned at once; each further time, it is planned after a growing pause. After too many times, the object
    fails, because an application may report success and still leave the second account active.
    """
    if not planned.is_stray or not outcome.is_done:
        return outcome
    looks, rereads = outcome.claim.resume.looks, outcome.claim.resume.rereads
    if rereads >= MOST_LOOKS_AGAIN:
        return outcomes.refused(
            outcome.claim,
            None,
            STAYS_ACTIVE,
            moment=moment,
            settled=outcome.settled,
            is_unsettled=True,
            log=outcome.log,
            requests=outcome.requests,
        )
    pause = growing_pause(looks, first=first_wait)
    due = moment.now + pause if pause else Due.AT_ONCE
    resume, error = (
        Resume(Stage.SETTLED, looks=looks + 1, rereads=rereads + 1),
        ShownError(SETTLED, "It will be planned next"),
    )
    postponed = Postponement(outcome.claim, due, resume, error, keeps_cycle=True)
    return replace(outcome, counted="", more_counts={outcome.counted: 1}, postponed=postponed)


def _planned_next(claim: Claim, settlement: Settlement) -> Postponement:
    """Return a postponement that plans the object at once. The counter *looks* is kept, so that an object whose operations never succeed is
    not planned in an endless loop.
    """
    actions = [operation.action for operation, _ in settlement.done]
    did = next((COUNTED[action] for action in COUNTED if action.value in actions), "")
    before = claim.resume
    resume = Resume(
        Stage.SETTLED, looks=before.looks, rereads=before.rereads, did=did or before.did, members_due=before.members_due
    )
    error = ShownError(SETTLED, "The outcome of the previous request is known; the object will be planned next")
    return Postponement(claim, Due.AT_ONCE, resume, error, claim.failures, claim.first_failed_at, keeps_cycle=True)


def _records(claim: Claim, display: str, settlement: Settlement, initiated_by: str) -> Iterator[LogRecord]:
    for operation, account in settlement.done:
        plan = _as_plan(operation, display, account)
        record = record_of(
            plan, change_id=operation.id, cycle=claim.cycle, initiated_by=initiated_by, marks=claim.reasons
        )
        yield as_success(record)


def _as_plan(operation: OpenOperation, display: str, account: Account | None) -> Plan:
    step = Step("EntryExportUpdate", StepType.EXPORT, StepStatus.SUCCESS, FOUND)
    return Plan(
        kind=ObjectKind(operation.kind),
        source_id=operation.source_id,
        display=display,
        action=Action(operation.action),
        reasons=(Reason(SETTLED, FOUND),),
        target_id=account.id if account is not None else operation.target_id,
        link_to=account,
        changes=tuple(Change(path, None, value) for path, value in (operation.after or {}).items()),
        steps=(step,),
    )
