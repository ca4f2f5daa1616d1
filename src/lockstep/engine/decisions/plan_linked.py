"""Plan for an object with an account: update, enable, disable, delete or release the account.

Accounts are disabled through the mappings. If no mapping can disable the account of a person who leaves the scope, the account is deleted,
as in Entra. If no mapping can disable the account of a person who is only disabled, the account is left unchanged.
"""

from __future__ import annotations

from dataclasses import replace

from lockstep.engine.decisions.drafting import (
    difference,
    differs,
    flag_is_off,
    held_by,
    mapped_for,
    may,
    names_that_follow,
    not_written,
    turns_on,
)
from lockstep.engine.decisions.plan_new import refused
from lockstep.engine.decisions.prepare import NOT_READ, Observed, PreparedObject
from lockstep.engine.decisions.steps import linked_step
from lockstep.engine.plans import Draft
from lockstep.engine.records import Account, Action, Change, Link, LinkState, Reason
from lockstep.engine.rules.operators import text_of
from lockstep.engine.rules.policies import OnLost

IN_STEP = Reason("RedundantExport", "The account is up to date: nothing is written.")


def plan_provision(prepared: PreparedObject, link: Link, observed: Observed) -> Draft:
    """Plan to update a linked account that differs from the desired one, and to link it again if it was released or lost."""
    mapped = mapped_for(prepared, creating=False)
    if (draft := refused(mapped)) is not None:
        return draft
    step = (linked_step(link.target_id, looked=isinstance(observed, Account)),)
    draft = Draft(Action.NONE, (IN_STEP,), LinkState.LIVE, link.target_id, mapped=mapped, steps=step)
    is_settled = observed is NOT_READ and link.state is LinkState.LIVE
    # Nothing was read and the desired account has not changed, so do not keep overwriting what the application made of it.
    if is_settled and link.desired_hash == mapped.digest:
        return draft
    found = difference(prepared, mapped, held_by(prepared, observed), is_read=isinstance(observed, Account))
    changes = found.changes
    if link.state in (LinkState.RELEASED, LinkState.LOST) and isinstance(observed, Account):
        again = Reason("Matched", f"The account {link.target_id} was linked before and still exists.")
        draft = replace(draft, action=Action.LINK, reasons=(again,), link_to=observed)
    if not changes:
        if not found.reasons:
            return draft
        # Report what the application changed; the sentence "The account is up to date" would hide it.
        earlier = () if draft.reasons == (IN_STEP,) else draft.reasons
        is_drift = bool(found.drift) and not earlier
        reasons = (*earlier, *found.reasons)
        return replace(draft, reasons=reasons, withheld=found.withheld, reports_drift=is_drift)
    if not may(prepared, "update"):
        return not_written(replace(draft, reasons=(flag_is_off(prepared, "update", outcome="Would be updated"),)))
    action = Action.ENABLE if turns_on(changes) or link.state is LinkState.DISABLED else Action.UPDATE
    return replace(draft, action=action, changes=changes, reasons=(differs(changes), *found.drift))


def plan_disable(prepared: PreparedObject, link: Link, observed: Observed) -> Draft:
    """Plan to disable the account through the mappings."""
    assert prepared.mapping is not None  # noqa: S101
    if observed is None:
        return tombstone(prepared)
    if prepared.mapping.deactivation is None:
        return _without_switch(prepared, link)
    mapped = mapped_for(prepared, creating=False)
    if mapped.problem is not None:
        return Draft(Action.REFUSE, (mapped.problem,), link.state)
    step = (linked_step(link.target_id, looked=isinstance(observed, Account)),)
    is_off = text_of(mapped.values.get("active", "")).lower() == "false"
    changes = difference(prepared, mapped, held_by(prepared, observed)).changes
    state = LinkState.DISABLED if is_off else link.state
    draft = Draft(Action.NONE, (), state, link.target_id, mapped=mapped, steps=step)
    if not is_off:
        return replace(draft, action=Action.NONE, reasons=(_no_effect(prepared),))
    names = names_that_follow(prepared, observed) if may(prepared, "update") else ()
    if not changes and names:
        return _names_follow(prepared, draft, names)
    if not changes:
        already = Reason("RedundantExport", "The account is already disabled in the application.")
        return replace(draft, reasons=(*prepared.intent.reasons[:1], already))
    if not may(prepared, "update"):
        reason = flag_is_off(prepared, "update", outcome="Would be disabled")
        return not_written(replace(draft, link_state=link.state, reasons=(reason,)))
    # Names are updated in a separate write: a name that the application refuses must not prevent the loss of access.
    return replace(draft, action=Action.DISABLE, changes=changes, names_follow=bool(names))


def _names_follow(prepared: PreparedObject, draft: Draft, names: tuple[Change, ...]) -> Draft:
    """Plan to update the matching values of a disabled account, because another object may receive the old values for its own account."""
    paths = ", ".join(change.path for change in names)
    text = f"The account stays disabled, but gets the person's current {paths}, because someone else may need the old value."
    mapped = replace(draft.mapped, values={**draft.mapped.values, **{one.path: one.new for one in names}})
    reasons = (Reason("NameFollows", text, {"attributes": paths}), *prepared.intent.reasons[:1])
    return replace(draft, action=Action.UPDATE, changes=names, mapped=mapped, reasons=reasons)


def plan_delete(prepared: PreparedObject, link: Link, observed: Observed) -> Draft:
    """Plan to delete the account, or to disable it if deletions are switched off in the mapping."""
    if observed is None:
        return tombstone(prepared)
    if may(prepared, "delete"):
        return Draft(Action.DELETE, (), LinkState.TOMBSTONE, link.target_id)
    reason = flag_is_off(prepared, "delete", outcome="Would be deleted")
    if prepared.mapping is not None and prepared.mapping.deactivation is not None and link.state is LinkState.LIVE:
        draft = plan_disable(prepared, link, observed)
        return replace(draft, reasons=(*draft.reasons, *prepared.intent.reasons, reason))
    return Draft(Action.SKIP, (reason,), link.state, link.target_id)


def plan_lost(prepared: PreparedObject, link: Link) -> Draft:
    """Plan for a linked account that no longer exists although the person should have it."""
    text = f"The account {link.target_id}, linked to this person, is no longer in the application."
    if prepared.configuration.deletions.on_lost is OnLost.FORGET:
        reason = Reason("InvalidAnchor", f"{text} By policy the link is removed.")
        gone_at = prepared.moment.now
        return Draft(Action.RELEASE, (reason,), LinkState.TOMBSTONE, link.target_id, cause="lost", gone_at=gone_at)
    forget = f"lockstep links {prepared.configuration.app_name} --user {prepared.obj.display} --forget"
    next_step = f"Find out who deleted it. To create it again, forget the link: {forget}"
    reason = Reason("InvalidAnchor", text, {"targetId": link.target_id}, next_step)
    return Draft(Action.REFUSE, (reason,), LinkState.LOST, link.target_id, cause="lost")


def plan_release(prepared: PreparedObject, link: Link) -> Draft:
    """Plan to stop managing the account. The link is kept, so that the person is recognised on return."""
    if link.state is LinkState.LOST:
        return tombstone(prepared)
    reason = Reason("Released", "By policy the account is left unchanged and no longer managed.")
    reasons = (*prepared.intent.reasons[:1], reason)
    return Draft(Action.RELEASE, reasons, LinkState.RELEASED, link.target_id)


def tombstone(prepared: PreparedObject) -> Draft:
    """Plan to record that the account no longer exists. This is used for people who should not have an account."""
    text = (
        "The account is no longer in the application, and the person should not have one. "
        "Lockstep checks again later whether the account has reappeared."
    )
    link = prepared.link
    if link is None:
        return Draft(Action.SKIP)
    gone_at = (link.gone_at if link.is_sought else None) or prepared.moment.now
    action = Action.SKIP if link.is_sought else Action.RELEASE
    return Draft(action, (Reason("AlreadyGone", text),), LinkState.TOMBSTONE, link.target_id, gone_at=gone_at)


def _without_switch(prepared: PreparedObject, link: Link) -> Draft:
    why = "No mapping writes `active`, so the account cannot be disabled."
    if prepared.intent.cause == "disabled":
        reason = Reason("DisableNotMapped", f"{why} It is left unchanged.", {}, "Map `active` from IsSoftDeleted.")
        return Draft(Action.NONE, (reason,), link.state, link.target_id)
    if not may(prepared, "delete"):
        return Draft(
            Action.SKIP, (flag_is_off(prepared, "delete", outcome="Would be deleted"),), link.state, link.target_id
        )
    reasons = (*prepared.intent.reasons[:1], Reason("DisableNotMapped", f"{why} It is deleted instead."))
    return Draft(Action.DELETE, reasons, LinkState.TOMBSTONE, link.target_id)


def _no_effect(prepared: PreparedObject) -> Reason:
    return Reason(
        "DisableNotMapped",
        "The account should be disabled, but the mapping of `active` does not produce False.",
        {"attribute": "active"},
        'Map active as Switch([IsSoftDeleted], , "False", "True", "True", "False").',
    )
