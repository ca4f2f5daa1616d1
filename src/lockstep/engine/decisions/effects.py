"""Predict what a change of configuration or assignments would do to people, counted in the same way as the guards count.

Each object is planned twice without asking the application: with the present state and with the changed one. An effect that occurs in
both plans is not caused by the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from lockstep.engine.decisions.diff import same_value
from lockstep.engine.decisions.matching import NO_MATCH
from lockstep.engine.decisions.plan import make_plan, prepare
from lockstep.engine.expressions.check import ROLES
from lockstep.engine.moment import Moment
from lockstep.engine.plans import NOT_MAPPED, Plan
from lockstep.engine.records import Action, Link, LinkState, SourceObject
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import ObjectMapping
from lockstep.engine.rules.operators import is_empty


class Effect(StrEnum):
    """One effect of a plan on its person or group."""

    LOSES_ACCESS = "losesAccess"  # the account is disabled, switched off or deleted
    RELEASED = "released"  # the account is left unchanged and no longer managed
    GAINS_PRIVILEGE = "gainsPrivilege"
    RENAMED = "renamed"  # a matching value changes
    LOSES_VALUE = "losesValue"
    KEEPS_ROLE = "keepsRole"  # a role that the person loses stays in the account
    FAILS = "fails"  # the object cannot be decided or mapped
    GETS_ACCOUNT = "getsAccount"


def predicted_plan(
    obj: SourceObject,
    link: Link | None,
    configuration: JobConfiguration,
    moment: Moment,
    account_ids: Mapping[str, str] | None = None,
) -> Plan:
    """Make the plan of one object without asking the application: the last agreed values count as the current ones, and matching finds no
    account.
    """
    prepared = replace(prepare(obj, link, configuration, moment, account_ids), must_look=False)
    return make_plan(prepared, match=NO_MATCH)


def effects_of(plan: Plan, link: Link | None) -> dict[Effect, str]:
    """Return the effects of *plan*, each with a description. Most plans have none."""
    found: dict[Effect, str] = {}
    if plan.ends_access:
        found[Effect.LOSES_ACCESS] = plan.action.value
    if plan.action is Action.RELEASE and link is not None and link.state is LinkState.LIVE:
        found[Effect.RELEASED] = ""
    if plan.action.writes and plan.grants:
        found[Effect.GAINS_PRIVILEGE] = " and ".join(plan.grants)
    if plan.action.writes and plan.renames:
        found[Effect.RENAMED] = " and ".join(plan.renames)
    if plan.action.writes and plan.empties:
        found[Effect.LOSES_VALUE] = ""
    if plan.action is Action.REFUSE:
        found[Effect.FAILS] = plan.reason.text
    if plan.action is Action.CREATE:
        found[Effect.GETS_ACCOUNT] = ""
    return found


def keeps_role(plan: Plan, link: Link, mapping: ObjectMapping) -> bool:
    """Whether the account of *link* has another role than the mapping gives, and *plan* leaves that role in the account.

    A mapping that produces no value leaves the value in the account unless it clears empty values. A mapping that only adds roles never
    removes one.
    """
    if link.state is not LinkState.LIVE or plan.link_state is not LinkState.LIVE or plan.mapped is NOT_MAPPED:
        return False
    left = {**link.base, **{change.path: change.new for change in plan.changes}}
    return any(
        not is_empty(left.get(one.target)) and not same_value(plan.mapped.values.get(one.target), left[one.target], one)
        for one in mapping.flowing
        if ROLES in one.dependencies
    )


def caused(after: Mapping[Effect, str], before: Iterable[Effect]) -> dict[Effect, str]:
    """Return the effects in *after* that are not in *before*."""
    known = set(before)
    return {effect: words for effect, words in after.items() if effect not in known}
