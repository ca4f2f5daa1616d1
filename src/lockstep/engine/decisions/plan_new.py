"""Plan for an object without an account: create one, or link a matching one.

An account is created only after the application was searched for a match. If several accounts match, or the matching account belongs to
another object, the plan is a refusal, so that an administrator can decide.
"""

from __future__ import annotations

from dataclasses import replace

from lockstep.engine.decisions.drafting import difference, differs, flag_is_off, mapped_for, may, turns_on
from lockstep.engine.decisions.mapping import TakenValues, held_values
from lockstep.engine.decisions.matching import ManyMatches, Match, NoMatch, OneMatch, OtherCaseMatch, TakenMatch
from lockstep.engine.decisions.prepare import PreparedObject
from lockstep.engine.decisions.steps import matching_step
from lockstep.engine.decisions.unique_values import all_taken, unique_steps
from lockstep.engine.plans import BlockedBy, Draft, MappedAccount, Step
from lockstep.engine.records import Action, Change, LinkState, Reason

UNDER_WAY = "AccountUnderWay"


def plan_new(prepared: PreparedObject, match: Match | None, taken: TakenValues | None) -> Draft:
    """Plan to create or link an account, or refuse with a reason. Raises ValueError if *match* is needed but missing."""
    if prepared.query_problem is not None:
        return Draft(Action.REFUSE, (prepared.query_problem,))
    if not prepared.queries:
        return _unmatchable(prepared)
    match match:
        case None:
            raise ValueError("a plan for an unlinked object needs the result of matching")
        case NoMatch():
            return _create(prepared, match, taken)
        case OneMatch():
            return _link(prepared, match)
        case ManyMatches():
            reason, blocked = _too_many(prepared, match), None
        case OtherCaseMatch():
            reason, blocked = _other_case(prepared, match), None
        case TakenMatch():
            reason, blocked = _taken(match), _blocked_by(match)
    return Draft(Action.REFUSE, (reason,), steps=(matching_step(match, prepared.queries),), blocked_by=blocked)


def refused(mapped: MappedAccount) -> Draft | None:
    """Return None if the object can be mapped. Otherwise, return a draft that refuses the object. If a mapping excludes the object on
    purpose, the draft skips the object instead, because that is not a failure.
    """
    if mapped.problem is None:
        return None
    action = Action.SKIP if mapped.is_excluded else Action.REFUSE
    return Draft(action, (mapped.problem,))


def _create(prepared: PreparedObject, match: NoMatch, taken: TakenValues | None) -> Draft:
    step: tuple[Step, ...] = (matching_step(match, prepared.queries),)
    if not may(prepared, "create"):
        return Draft(Action.SKIP, (flag_is_off(prepared, "create", outcome="Would be created"),), steps=step)
    if taken and (reason := all_taken(prepared, taken)) is not None:
        return Draft(Action.REFUSE, (reason,), steps=step)
    mapped = mapped_for(prepared, creating=True, taken=taken)
    if (draft := refused(mapped)) is not None:
        return draft
    changes = tuple(
        Change(path, None, value, redacted=path in mapped.redacted) for path, value in mapped.values.items()
    )
    if taken:
        step += unique_steps(prepared, mapped.values, taken)
    # The scope reasons say why the person gets an account; the reason of the intent says only that there is none yet.
    reasons = prepared.scope.reasons
    return Draft(Action.CREATE, reasons, LinkState.LIVE, mapped=mapped, changes=changes, steps=step)


def _link(prepared: PreparedObject, match: OneMatch) -> Draft:
    assert prepared.mapping is not None  # noqa: S101
    account = match.account
    mapped = mapped_for(prepared, creating=False)
    if (draft := refused(mapped)) is not None:
        return draft
    differing = difference(prepared, mapped, held_values(prepared.mapping, account.resource))
    changes = differing.changes
    found = _found(match)
    linked = Draft(
        Action.LINK,
        (found,),
        LinkState.LIVE,
        account.id,
        link_to=account,
        matched_by=match.query.attribute,
        steps=(matching_step(match, prepared.queries),),
        takes_over_from=match.left_by,
        claims_anothers=match.is_strangers,
    )
    if changes and not may(prepared, "update"):
        return replace(linked, reasons=(found, flag_is_off(prepared, "update", outcome="Would be updated")))
    if not changes:
        reasons = (found, *differing.reasons)
        return replace(linked, reasons=reasons, mapped=mapped, withheld=differing.withheld)
    action = Action.ENABLE if turns_on(changes) else Action.UPDATE
    return replace(linked, action=action, reasons=(found, differs(changes)), mapped=mapped, changes=changes)


def _found(match: OneMatch) -> Reason:
    account, attribute = match.account, match.query.attribute
    details = {"attribute": attribute, "targetId": account.id}
    text = f'The account "{account.display}" ({account.id}) has the same {attribute}.'
    if not match.left_by:
        return Reason("Matched", text, details)
    text += f' It belonged to "{match.left_by}", who has been deleted'
    text += " and had another employee id." if match.is_strangers else ", and is taken over."
    return Reason("Rehired", text, {**details, "formerOwner": match.left_by})


def _unmatchable(prepared: PreparedObject) -> Draft:
    assert prepared.mapping is not None  # noqa: S101
    attributes = prepared.mapping.matching
    if not attributes:
        text = f'The mapping "{prepared.mapping.name}" has no matching attribute, so no one can be matched in the application.'
        return Draft(
            Action.REFUSE, (Reason("NoMatchingAttribute", text, {"gate": "match"}, "Use one mapping for matching."),)
        )
    names = ", ".join(mapping.target for mapping in attributes)
    text = f"No value to match by: {names} {'are' if len(attributes) > 1 else 'is'} empty for this object."
    remedy = "Would be considered if the object had a value for it."
    return Draft(Action.SKIP, (Reason("ImportSkipped", text, {"gate": "match", "attributes": names}, remedy),))


def _too_many(prepared: PreparedObject, match: ManyMatches) -> Reason:
    ids = [account.id for account in match.accounts]
    return Reason(
        "DuplicateTargetEntries",
        f"{len(ids)} accounts match on {match.query.attribute}: {', '.join(ids[:10])}.",
        {"candidates": ", ".join(ids[:10]), "attribute": match.query.attribute},
        f"Choose one: lockstep links {prepared.configuration.app_name} --user {prepared.obj.display} --choose {ids[0]}",
    )


def _other_case(prepared: PreparedObject, match: OtherCaseMatch) -> Reason:
    account, attribute = match.account, match.query.attribute
    return Reason(
        "DuplicateTargetEntries",
        f'The account "{account.display}" ({account.id}) has the same {attribute} except for upper and lower case, so it may belong to '
        "somebody else.",
        {"candidates": account.id, "attribute": attribute},
        f"Correct {attribute} on one side. If the account belongs to this person: lockstep links {prepared.configuration.app_name} "
        f"--user {prepared.obj.display} --choose {account.id}",
    )


def _blocked_by(match: TakenMatch) -> BlockedBy | None:
    if match.is_under_way:
        return BlockedBy.ACCOUNT_UNDER_WAY
    return BlockedBy.FORMER_OWNER if match.is_leaving else None


def _taken(match: TakenMatch) -> Reason:
    if match.is_under_way:
        return Reason(
            UNDER_WAY,
            f"The account {match.account.id} has the same {match.query.attribute}, but it is being linked to another object.",
            {"targetId": match.account.id, "attribute": match.query.attribute},
            f"Nothing to do: Lockstep retries shortly. If this persists, two objects have the same {match.query.attribute}.",
        )
    if match.is_leaving:
        text = f"The account {match.account.id} has the same {match.query.attribute}, "
        text += f'but "{match.by}", who has been deleted, still holds it.'
        return Reason(
            "FormerOwnerLeaving",
            text,
            {"targetId": match.account.id, "linkedTo": match.by, "attribute": match.query.attribute},
            "Nothing to do: Lockstep retries shortly. "
            "If this persists, check whether the former owner's deactivation is held for approval.",
        )
    return Reason(
        "DuplicateSourceEntries",
        f'The account {match.account.id} has the same {match.query.attribute}, but belongs to "{match.by}".',
        {"targetId": match.account.id, "linkedTo": match.by, "attribute": match.query.attribute},
        f"Change {match.query.attribute} for one of the two, or unlink the account from the other.",
    )
