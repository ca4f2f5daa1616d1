"""What a change of configuration or of assignments would do to people: the same numbers that the guards count, before it is made.

Each object is planned in both worlds, as it is and as it would be, without the application; what it would have come to anyway is no
effect of the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from lockstep.engine.decisions.matching import NO_MATCH
from lockstep.engine.decisions.plan import make_plan, prepare
from lockstep.engine.moment import Moment
from lockstep.engine.records import Action, Link, LinkState, Plan, SourceObject
from lockstep.engine.rules.configuration import JobConfiguration


class Effect(StrEnum):
    """What a plan means for the one whom it is about."""

    LOSES_ACCESS = "losesAccess"  # the account is disabled, switched off or deleted
    RELEASED = "released"  # the account is left as it is and no longer managed
    GETS_POWER = "getsPower"
    RENAMED = "renamed"  # another value of what accounts are matched by
    LOSES_VALUE = "losesValue"
    FAILS = "fails"  # cannot be decided or mapped
    GETS_ACCOUNT = "getsAccount"


def foreseen(
    obj: SourceObject,
    link: Link | None,
    configuration: JobConfiguration,
    moment: Moment,
    account_ids: Mapping[str, str] | None = None,
) -> Plan:
    """The plan as far as it shows without the application: what was agreed last is what the account holds, and nothing matches."""
    prepared = replace(prepare(obj, link, configuration, moment, account_ids), must_look=False)
    return make_plan(prepared, match=NO_MATCH)


def effects_of(plan: Plan, link: Link | None) -> dict[Effect, str]:
    """What *plan* means; nothing for most."""
    found: dict[Effect, str] = {}
    if plan.ends_access:
        found[Effect.LOSES_ACCESS] = plan.action.value
    if plan.action is Action.RELEASE and link is not None and link.state is LinkState.LIVE:
        found[Effect.RELEASED] = ""
    if plan.action.writes and plan.grants:
        found[Effect.GETS_POWER] = " and ".join(plan.grants)
    if plan.action.writes and plan.renames:
        found[Effect.RENAMED] = " and ".join(plan.renames)
    if plan.action.writes and plan.empties:
        found[Effect.LOSES_VALUE] = ""
    if plan.action is Action.REFUSE:
        found[Effect.FAILS] = plan.reason.text
    if plan.action is Action.CREATE:
        found[Effect.GETS_ACCOUNT] = ""
    return found


def caused(after: Mapping[Effect, str], before: Iterable[Effect]) -> dict[Effect, str]:
    """Those of *after* that were not to come *before*."""
    known = set(before)
    return {effect: words for effect, words in after.items() if effect not in known}
