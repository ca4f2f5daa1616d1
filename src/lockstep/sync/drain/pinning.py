"""While a preview is carried out, leave an object as it is if its plan differs from the previewed one. Pure.

An object that is left as it is keeps its dirty row. When the cycle has ended, for whatever reason, the object becomes due, and it is
written in the next cycle.
"""

from __future__ import annotations

from dataclasses import replace

from lockstep.engine.decisions.fingerprints import fingerprint
from lockstep.engine.records import Action
from lockstep.storage.dirty import Claim, Due, Postponement
from lockstep.storage.resume import ShownError
from lockstep.sync.outcome import outcomes
from lockstep.sync.outcome.giving_back import left_as_it_is
from lockstep.sync.outcome.outcomes import LEFT, Outcome
from lockstep.sync.planning.planner import PlanResult
from lockstep.sync.planning.shown_plans import shown_plan

_CHANGES_NOTHING = frozenset({Action.NONE, Action.SKIP, Action.REFUSE})
CHANGED = ShownError("ChangedSincePreview", "Planned differently than in the preview that is being applied")
MEMBERS = ShownError("NotPreviewed", "Its members are not part of the preview that is being applied")


def left(claim: Claim, planned: PlanResult) -> Outcome | None:
    """Return the outcome of an object that is left as it is, or None if the plan may be carried out. A preview never contains the members
    of a group, so a group whose members would be compared is left too.
    """
    plan = planned.plan
    if claim.pin is None:
        return None
    if plan.action in _CHANGES_NOTHING:
        if plan.action is not Action.NONE or not planned.has_members:
            return None
        counted = "" if claim.members_due else outcomes.COUNTED[Action.NONE]
        return left_as_it_is(claim, _until_the_end(claim, MEMBERS), counted=counted, requests=planned.requests)
    if fingerprint(plan, planned.prepared.mapping) == claim.pin.fingerprint:
        return None
    shown, postponed = shown_plan(planned, plan.reason), _until_the_end(claim, CHANGED)
    return outcomes.with_names(left_as_it_is(claim, postponed, counted=LEFT, requests=planned.requests, left=shown))


def _until_the_end(claim: Claim, why: ShownError) -> Postponement:
    resume = replace(claim.resume, is_left=True)
    return Postponement(claim, Due.NEVER, resume, why, claim.failures, claim.first_failed_at)
