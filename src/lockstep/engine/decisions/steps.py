"""Write the lines of the provisioning log's *Steps* tab, in plain sentences.

The steps of a plan say what was found and decided. `export_step` adds the last line after the application has answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockstep.engine.decisions.matching import (
    ManyMatches,
    Match,
    MatchQuery,
    NoMatch,
    OneMatch,
    OtherCaseMatch,
    TakenMatch,
)
from lockstep.engine.decisions.scope import ScopeDecision
from lockstep.engine.plans import Plan, Step, StepStatus, StepType
from lockstep.engine.records import Action, Change, Lifecycle, Reason, SourceObject
from lockstep.wording import counted

REDACTED = "[Redact]"
_VERBS = {
    Action.CREATE: ("Add", "create"),
    Action.UPDATE: ("Update", "update"),
    Action.ENABLE: ("Update", "enable"),
    Action.DISABLE: ("Disable", "disable"),
    Action.DELETE: ("Delete", "delete"),
    Action.LINK: ("Link", "link"),
    Action.RELEASE: ("Release", "release"),
}


def import_step(obj: SourceObject) -> Step:
    state = {Lifecycle.SOFT_DELETED: ", which is deleted", Lifecycle.PURGED: ", which was purged"}.get(
        obj.lifecycle, ""
    )
    details = {"objectId": obj.id, "accountEnabled": str(obj.account_enabled)}
    return Step(
        "EntryImport",
        StepType.IMPORT,
        StepStatus.SUCCESS,
        f'Read {obj.kind} "{obj.display}" from the directory{state}.',
        details,
    )


def scoping_step(scope: ScopeDecision) -> Step:
    status = StepStatus.SUCCESS if scope.in_scope else StepStatus.SKIPPED
    return Step("EntrySynchronizationScoping", StepType.SCOPING, status, scope.reason.text, scope.details)


def matching_step(match: Match, queries: Sequence[MatchQuery]) -> Step:
    asked = {f"{query.precedence}": f"{query.attribute} eq {query.value}" for query in queries}
    match match:
        case OneMatch(account, query):
            text = f'Found the account "{account.display}" ({account.id}) by {query.attribute}.'
            return Step("EntryMatching", StepType.MATCHING, StepStatus.SUCCESS, text, asked | {"targetId": account.id})
        case ManyMatches(accounts, query):
            ids = ", ".join(account.id for account in accounts)
            text = f"Found {len(accounts)} accounts by {query.attribute}: {ids}."
            return Step("EntryMatching", StepType.MATCHING, StepStatus.FAILURE, text, asked)
        case OtherCaseMatch(account, query):
            text = f"Found the account {account.id} by {query.attribute}, whose value differs in upper and lower case."
            return Step("EntryMatching", StepType.MATCHING, StepStatus.FAILURE, text, asked)
        case TakenMatch(account, by, query):
            text = f'Found the account {account.id} by {query.attribute}, but the account belongs to "{by}".'
            return Step("EntryMatching", StepType.MATCHING, StepStatus.FAILURE, text, asked)
        case NoMatch():
            text = "No matching account was found in the application."
            return Step("EntryMatching", StepType.MATCHING, StepStatus.SUCCESS, text, asked)


def linked_step(target_id: str, *, looked: bool) -> Step:
    seen = " and read from the application" if looked else ""
    return Step(
        "EntryMatching",
        StepType.MATCHING,
        StepStatus.SUCCESS,
        f"The account {target_id} is linked{seen}.",
        {"targetId": target_id},
    )


def reference_steps(missing: Sequence[tuple[str, str]]) -> tuple[Step, ...]:
    return tuple(
        Step(
            "EntryReferenceResolution",
            StepType.REFERENCE_RESOLUTION,
            StepStatus.SKIPPED,
            f"{path} waits: the object it refers to ({missing_id}) has no account yet.",
            {"reason": "UnableToResolveReferenceAttributeValue", "attribute": path, "objectId": missing_id},
        )
        for path, missing_id in missing
    )


def decision_step(action: Action, reason: Reason, changes: Sequence[Change]) -> Step:
    """Return the line about the decision, with the values to be written. Redacted values are hidden."""
    written = {change.path: shown_value(change) for change in changes}
    if action in _VERBS:
        name, verb = _VERBS[action]
        count = f", {counted(len(changes), 'attribute')}" if changes else ""
        text = f"Decided to {verb} the account{count}. {reason.text}"
        return Step(f"EntrySynchronization{name}", StepType.PROCESSING, StepStatus.SUCCESS, text, written)
    status = {Action.REFUSE: StepStatus.FAILURE, Action.HELD: StepStatus.WARNING}.get(action, StepStatus.SKIPPED)
    details: Mapping[str, str] = {"SkipReason": reason.code, **reason.details}
    return Step("EntrySynchronizationSkip", StepType.PROCESSING, status, reason.text, details)


def export_step(plan: Plan, *, succeeded: bool, description: str, details: Mapping[str, str] | None = None) -> Step:
    """Return the line about the application's answer. The caller appends the line after the answer has arrived."""
    name = _VERBS.get(plan.action, ("Update", ""))[0]
    status = StepStatus.SUCCESS if succeeded else StepStatus.FAILURE
    return Step(f"EntryExport{name}", StepType.EXPORT, status, description, details or {})


def shown_value(change: Change) -> str:
    """Return the new value for the log, or "" if the value is cleared. A redacted value is hidden."""
    if change.redacted:
        return REDACTED
    return "" if change.new is None else _text(change.new)


def _text(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, Mapping):
        return str(value.get("value", dict(value)))
    return str(value)
