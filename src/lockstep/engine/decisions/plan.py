"""Make the plan for one object from scope, intent, mapping, matching and difference.

Planning is total: every input gives a plan, and an object that cannot be decided is refused with the reason. A linked account that has
vanished is not treated as "no match", because creating it again would hide a deletion.

    prepared = prepare(person, link, configuration, moment, account_ids)
    while (want := wanted(prepared, match=match, observed=observed)) is not NextQuestion.NOTHING: ask for it
    plan = make_plan(prepared, match=match, observed=observed)
"""

from __future__ import annotations

from dataclasses import replace

from lockstep.engine.decisions.drafting import as_plan
from lockstep.engine.decisions.intent import IntentKind
from lockstep.engine.decisions.mapping import TakenValues
from lockstep.engine.decisions.matching import Match
from lockstep.engine.decisions.plan_linked import (
    plan_delete,
    plan_disable,
    plan_lost,
    plan_provision,
    plan_release,
    tombstone,
)
from lockstep.engine.decisions.plan_new import plan_new
from lockstep.engine.decisions.prepare import (
    NOT_READ,
    NextQuestion,
    NotRead,
    Observed,
    PreparedObject,
    prepare,
    recreates,
    wanted,
)
from lockstep.engine.plans import Draft, Plan
from lockstep.engine.records import Account, Action, Link, LinkState

__all__ = ["NOT_READ", "NextQuestion", "NotRead", "Observed", "PreparedObject", "make_plan", "prepare", "wanted"]


def make_plan(
    prepared: PreparedObject,
    *,
    match: Match | None = None,
    observed: Observed = NOT_READ,
    taken: TakenValues | None = None,
) -> Plan:
    """Make the plan. *match* and *observed* are the answers to the questions from `wanted`. Raises ValueError if one of these answers is
    missing.

    *taken* contains, for each attribute that needs a unique value, the candidates that the plan must not use: all except the chosen one.
    """
    if wanted(prepared, match=match, observed=observed) is NextQuestion.LOOK:
        raise ValueError("a plan for this object needs the current values of its account")
    ended = prepared.link if prepared.link is not None and prepared.link.is_sought else None
    if isinstance(observed, Account):
        prepared = _found_again(prepared)
        if ended is not None:  # another object may have the account by now, so it is taken as if it were a new one
            draft = _draft(prepared, match, observed, taken)
            return as_plan(prepared, replace(draft, link_to=observed, matched_by=ended.matched_by))
    return as_plan(prepared, _draft(prepared, match, observed, taken))


def _draft(prepared: PreparedObject, match: Match | None, observed: Observed, taken: TakenValues | None) -> Draft:
    link = prepared.link if prepared.is_linked else None
    if link is None:
        if prepared.intent.kind is IntentKind.PROVISION:
            return plan_new(prepared, match, taken)
        return tombstone(prepared) if observed is None else Draft(Action.SKIP)
    match prepared.intent.kind:
        case IntentKind.PROVISION:
            return _provision(prepared, link, match, observed, taken)
        case IntentKind.DISABLE:
            return plan_disable(prepared, link, observed)
        case IntentKind.DELETE:
            return plan_delete(prepared, link, observed)
        case IntentKind.RELEASE:
            return plan_release(prepared, link)
        case _:
            return Draft(_left_alone(link), (), link.state, link.target_id)


def _found_again(prepared: PreparedObject) -> PreparedObject:
    """Return *prepared* with the account marked as live, if two conditions hold: the account counted as lost or gone but was found again,
    and its owner should not have an account. The leaver rules then apply to the account. In all other cases, return *prepared* unchanged.
    """
    link = prepared.link
    if link is None or not (link.is_sought or _is_lost_leaver(prepared, link)):
        return prepared
    live = replace(link, state=LinkState.LIVE, gone_at=None)
    return prepare(prepared.obj, live, prepared.configuration, prepared.moment, prepared.account_ids, look=True)


def _is_lost_leaver(prepared: PreparedObject, link: Link) -> bool:
    return link.state is LinkState.LOST and prepared.intent.kind is IntentKind.RELEASE


def _provision(
    prepared: PreparedObject,
    link: Link,
    match: Match | None,
    observed: Observed,
    taken: TakenValues | None,
) -> Draft:
    if observed is not None:
        return plan_provision(prepared, link, observed)
    return plan_new(prepared, match, taken) if recreates(prepared) else plan_lost(prepared, link)


def _left_alone(link: Link) -> Action:
    return Action.SKIP if link.state is LinkState.RELEASED else Action.NONE
