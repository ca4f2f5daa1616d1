"""Compute the parts that every plan needs: mapped values, current values, drift, and the finished plan with its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from operator import attrgetter

from lockstep.engine.decisions.diff import changes_between, same_value
from lockstep.engine.decisions.gone import next_search
from lockstep.engine.decisions.intent import IntentKind
from lockstep.engine.decisions.kept import ValueDifference, reasons_to_write
from lockstep.engine.decisions.mapping import DISABLING, TakenValues, held_values, map_account
from lockstep.engine.decisions.matching import match_queries
from lockstep.engine.decisions.prepare import Observed, PreparedObject
from lockstep.engine.decisions.source_record import IS_SOFT_DELETED
from lockstep.engine.decisions.steps import decision_step, import_step, reference_steps, scoping_step
from lockstep.engine.expressions import ExpressionError
from lockstep.engine.plans import NOT_MAPPED, Draft, MappedAccount, Plan
from lockstep.engine.records import Account, Action, Change, LinkState, Reason, Value, Values
from lockstep.engine.rules.conditions import earliest, next_day
from lockstep.engine.rules.mappings import Drift, ObjectMapping
from lockstep.engine.rules.operators import is_empty, text_of
from lockstep.wording import counted

# No application returns these, so the value that we wrote last counts as the current one.
UNREADABLE = frozenset({"password"})
_DRAFTED = tuple(one.name for one in fields(Draft))  # computed once, because `fields` is slow
_values_of = attrgetter(*_DRAFTED)


def as_plan(prepared: PreparedObject, draft: Draft) -> Plan:
    """Turn *draft* into a complete plan, with all its steps and reasons."""
    obj, mapped = prepared.obj, draft.mapped
    reasons = draft.reasons + tuple(reason for reason in prepared.intent.reasons if reason not in draft.reasons)
    drafted = dict(zip(_DRAFTED, _values_of(draft), strict=True))
    drafted["reasons"] = reasons
    drafted["steps"] = (
        import_step(obj),
        scoping_step(prepared.scope),
        *draft.steps,
        *reference_steps(mapped.missing_references),
        decision_step(draft.action, reasons[0], draft.changes),
    )
    drafted["target_id"] = _target_id(prepared, draft)
    drafted["link_state"] = draft.link_state or (prepared.link.state if prepared.link else None)
    drafted["cause"] = draft.cause or prepared.intent.cause
    return Plan(
        **drafted,
        kind=obj.kind,
        source_id=obj.id,
        display=obj.display,
        review_at=earliest(prepared.intent.review_at, _today(prepared), _next_search(prepared, draft)),
        grants=_grants(draft.changes, prepared.mapping),
        empties=any(is_empty(change.new) for change in draft.changes),
        renames=_renames(draft, prepared.mapping),
        claims_privileged=_claims_privileged(prepared, draft),
    )


def mapped_for(prepared: PreparedObject, *, creating: bool, taken: TakenValues | None = None) -> MappedAccount:
    """Map the desired account. If access should end, only the mappings that decide about access are used, so that a failure in another
    mapping cannot prevent the loss of access.
    """
    assert prepared.mapping is not None  # noqa: S101  # an intent that maps implies a mapping
    return map_account(
        prepared.obj,
        prepared.mapping,
        configuration=prepared.configuration,
        moment=prepared.moment,
        creating=creating,
        is_soft_deleted=prepared.record[IS_SOFT_DELETED] == "True",
        generated=prepared.link.generated if prepared.link and prepared.is_linked else {},
        account_ids=prepared.account_ids,
        taken=taken,
        record=prepared.record,
        only=None if prepared.intent.kind is IntentKind.PROVISION else DISABLING,
    )


def held_by(prepared: PreparedObject, observed: Observed) -> Values:
    """Return the current values of the linked account. These are the values that were read and, because a read never returns the password,
    the last agreed password. If the account was not read, return the values that both sides last agreed on.
    """
    assert prepared.mapping is not None  # noqa: S101
    base = prepared.link.base if prepared.link else {}
    if isinstance(observed, Account):
        read = held_values(prepared.mapping, observed.resource)
        return {**read, **{path: base[path] for path in UNREADABLE & base.keys()}}
    return base


def difference(
    prepared: PreparedObject, mapped: MappedAccount, held: Values, *, is_read: bool = False
) -> ValueDifference:
    """Return the changes to write, and the differences that are not written. *is_read* is true if *held* was just read from the
    application.
    """
    assert prepared.mapping is not None  # noqa: S101
    changes = changes_between(mapped.values, held, cleared=mapped.cleared, mapping=prepared.mapping)
    answers = prepared.link.answers if prepared.link is not None and prepared.is_linked else {}
    unkept = prepared.configuration.unkept.get(prepared.obj.kind, frozenset())
    drift: tuple[Reason, ...] = ()
    if is_read and changes:
        changes, drift = _without_drift(prepared, changes)
    if not changes or not (answers or unkept):
        return ValueDifference(changes, drift=drift)
    found = reasons_to_write(changes, answers, unkept, prepared.mapping)
    return replace(found, drift=drift, app_name=prepared.configuration.app_name)


def names_that_follow(prepared: PreparedObject, observed: Observed) -> tuple[Change, ...]:
    """Return the changes that replace outdated matching values of a disabled account. Someone else may have received the old values.

    If a matching value cannot be evaluated, nothing is changed: such a failure must not prevent the loss of access.
    """
    assert prepared.mapping is not None  # noqa: S101
    wanted = {
        one.target
        for one in prepared.mapping.matching
        if not one.only_creates and not one.is_generated and one.dependencies.isdisjoint(DISABLING)
    }
    try:
        queries = match_queries(
            prepared.obj,
            prepared.mapping,
            prepared.configuration,
            moment=prepared.moment,
            record=prepared.record,
        )
    except ExpressionError:
        return ()
    names = {one.attribute: one.value for one in queries if one.attribute in wanted}
    base = prepared.link.base if prepared.link else {}
    return tuple(
        change
        for change in changes_between(names, held_by(prepared, observed), cleared=(), mapping=prepared.mapping)
        # A value that only the application changed is drift, not a new name of the person.
        if not same_value(base.get(change.path), change.new, prepared.mapping.by_target[change.path])
    )


def _without_drift(
    prepared: PreparedObject, changes: tuple[Change, ...]
) -> tuple[tuple[Change, ...], tuple[Reason, ...]]:
    """If the drift rule of a mapping is to report or adopt drift, remove from *changes* those changes of this mapping that would only undo
    drift. Return the remaining changes, and the reasons for the drift to be reported.
    """
    assert prepared.mapping is not None  # noqa: S101
    base = prepared.link.base if prepared.link and prepared.link.state is LinkState.LIVE else {}
    kept: list[Change] = []
    reasons: list[Reason] = []
    for change in changes:
        mapping = prepared.mapping.by_target[change.path]
        ours = change.path in base and same_value(base[change.path], change.new, mapping)
        if mapping.drift is Drift.ENFORCE or not ours:
            kept.append(change)
            continue
        if mapping.drift is Drift.ADOPT:
            continue  # the application's value stands until the person's value changes: nothing to report
        shown = "[Redact]" if change.redacted else text_of(change.old)
        text = (
            f"{change.path} was changed in the application to {shown!r};"
            " by the drift rule of this mapping, the difference is reported and not corrected."
        )
        reasons.append(Reason("Drift", text, {"attribute": change.path, "drift": mapping.drift.value}))
    return tuple(kept), tuple(reasons)


def turns_on(changes: tuple[Change, ...]) -> bool:
    """Whether the changes enable a disabled account."""
    return any(
        change.path == "active" and text_of(change.new).lower() == "true" and text_of(change.old).lower() == "false"
        for change in changes
    )


def differs(changes: tuple[Change, ...]) -> Reason:
    names = ", ".join(change.path for change in changes)
    count = len(changes)
    text = f"{counted(count, 'attribute')} differ: {names}." if count > 1 else f"{names} differs."
    return Reason("Changed", text, {"attributes": names})


def flag_is_off(prepared: PreparedObject, action: str, *, outcome: str) -> Reason:
    """Return the reason why nothing is written: *action* is disabled for this mapping. *outcome* is what would happen otherwise."""
    name = prepared.mapping.name if prepared.mapping else ""
    return Reason(
        "EntrySynchronizationSkipped",
        f'The mapping "{name}" does not {action} accounts.',
        {"gate": "actions", "action": action},
        f"{outcome} if {action.capitalize()} were enabled in the target object actions.",
    )


def not_written(draft: Draft) -> Draft:
    """Turn *draft* into a skip that stores no desired hash. With a hash, a change that was never written would count as agreed."""
    return replace(draft, action=Action.SKIP, mapped=NOT_MAPPED)


def may(prepared: PreparedObject, action: str) -> bool:
    return prepared.mapping is not None and action in prepared.mapping.actions


def _today(prepared: PreparedObject) -> datetime | None:
    """Return the next midnight UTC, when today's date changes, if a value depends on that date. Otherwise return None."""
    if prepared.mapping is None or prepared.intent.kind is not IntentKind.PROVISION:
        return None
    return next_day(prepared.moment) if prepared.mapping.depends_on_today else None


def _next_search(prepared: PreparedObject, draft: Draft) -> datetime | None:
    """Return when to look again for an account that is gone. Returns None if the person should have an account: matching then finds the
    account, so no separate search is needed.
    """
    if draft.gone_at is None or prepared.intent.kind is IntentKind.PROVISION:
        return None
    return next_search(draft.gone_at, prepared.moment)


def _target_id(prepared: PreparedObject, draft: Draft) -> str:
    if draft.target_id or draft.action is Action.CREATE or prepared.link is None or not prepared.is_linked:
        return draft.target_id
    return prepared.link.target_id


def _grants(changes: tuple[Change, ...], mapping: ObjectMapping | None) -> tuple[str, ...]:
    """The privileges that *changes* grant, as phrases for a sentence."""
    given: list[str] = []
    for change in changes:
        privileges = mapping.privileges.get(change.path, {}) if mapping else {}
        if privileges and not privileges_in(privileges, change.old):
            given += [privilege_phrase(change.path, privilege) for privilege in privileges_in(privileges, change.new)]
    return tuple(dict.fromkeys(given))


def _renames(draft: Draft, mapping: ObjectMapping | None) -> tuple[str, ...]:
    """Return the matching attributes whose values the draft changes on an existing account. After the change, searches for the old values
    no longer find that account.
    """
    if mapping is None or draft.action is Action.CREATE:
        return ()
    matching = {attribute.target for attribute in mapping.matching}
    return tuple(change.path for change in draft.changes if change.path in matching and not is_empty(change.old))


def _claims_privileged(prepared: PreparedObject, draft: Draft) -> bool:
    """Whether the plan links an existing account that has privileges in an attribute in which the object should have none."""
    if draft.link_to is None or prepared.mapping is None or prepared.is_linked:
        return False
    guarded = {path: privileges for path, privileges in prepared.mapping.privileges.items() if privileges}
    if not guarded:
        return False
    held = held_values(prepared.mapping, draft.link_to.resource)
    desired = mapped_for(prepared, creating=False).values
    return any(
        privileges_in(privileges, held.get(path)) and not privileges_in(privileges, desired.get(path))
        for path, privileges in guarded.items()
    )


def privilege_phrase(path: str, privilege: str) -> str:
    """Return a phrase for the value *privilege* of the attribute at *path*, such as "the role Admin"."""
    noun = "role" if path.casefold().startswith("roles") else f"{path} value"
    return f"the {noun} {privilege}"


def privileges_in(privileges: Mapping[str, str], value: Value) -> list[str]:
    """Return the privileged values in *value*. Letter case makes no difference, because applications ignore it (Admin, admin)."""
    return [privileges[text] for text in dict.fromkeys(_texts(value)) if text in privileges]


def _texts(value: Value) -> Iterator[str]:
    """Yield every string in *value*, case-folded. A role may be a string, an element with a value, or a list of them."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield text_of(value).casefold()
