"""Settings, mappings, scope and configuration files, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from typing_extensions import TypedDict

from lockstep.actions.configuration import ConfigurationPlan
from lockstep.actions.configuration_history import VersionRow
from lockstep.actions.consequences import Consequences
from lockstep.actions.mappings import ScopeCounts
from lockstep.actions.rows.plans import EffectJson, effects_json
from lockstep.actions.rows.times import iso_time
from lockstep.actions.settings_view import SettingsView
from lockstep.configuration.files.change import ConfigChange, Sign
from lockstep.configuration.findings import Finding
from lockstep.engine.decisions.scope import ScopeDecision
from lockstep.engine.plans import MappedAccount


class GuardsJson(TypedDict):
    privilegeGrants: int | None
    matchingValues: int | None
    emptiedAttributes: int | None
    percent: float | None


class SettingsJson(TypedDict):
    application: str
    mode: str
    status: str
    scope: str
    notificationEmail: str
    emailOnFailure: bool
    notificationDelivery: str
    mailIsSent: bool
    interval: str | None
    nestedGroups: bool
    deletionThreshold: int | None
    deletionThresholdPercent: int | None
    guards: GuardsJson
    membersPerPatch: int
    createsPerRequest: int
    version: int


class FindingJson(TypedDict):
    severity: str
    place: str
    message: str
    nextStep: str


class MappedValueJson(TypedDict):
    target: str
    value: Any
    note: str


class ClauseJson(TypedDict):
    clause: str
    passed: bool


class ScopeDecisionJson(TypedDict):
    name: str
    inScope: bool
    cause: str
    reason: str
    nextStep: str
    clauses: list[ClauseJson]


class ScopeCountsJson(TypedDict):
    application: str
    people: int
    inScope: int
    unassigned: int
    filtered: int
    leaving: int
    leavers: list[str]
    alreadyOut: int


class ChangeJson(TypedDict):
    sign: str
    document: str
    place: str
    old: Any
    new: Any
    kept: bool


class ConfigurationPlanJson(TypedDict):
    changes: list[ChangeJson]
    add: int
    change: int
    remove: int
    kept: int
    notes: list[str]
    effects: list[EffectJson]
    evaluatedAgain: Mapping[str, int]


class VersionJson(TypedDict):
    version: int
    at: str
    author: str
    activity: str
    comment: str


def settings_json(view: SettingsView, *, interval: str | None) -> SettingsJson:
    """Return the settings as JSON. *interval* is already written in the form that the command line or the API uses for durations."""
    return {
        "application": view.app,
        "mode": view.mode,
        "status": view.status,
        "scope": view.scope,
        "notificationEmail": view.notification_email,
        "emailOnFailure": view.email_on_failure,
        "notificationDelivery": view.notification_delivery.value,
        "mailIsSent": view.mail_is_sent,
        "interval": interval,
        "nestedGroups": view.nested_groups,
        "deletionThreshold": view.deletion_threshold,
        "deletionThresholdPercent": view.deletion_percent,
        "guards": {
            "privilegeGrants": view.guards.privilege_grants,
            "matchingValues": view.guards.matching_values,
            "emptiedAttributes": view.guards.emptied_attributes,
            "percent": view.guards.percent,
        },
        "membersPerPatch": view.members_per_patch,
        "createsPerRequest": view.creates_per_request,
        "version": view.version,
    }


def finding_json(one: Finding) -> FindingJson:
    return {"severity": one.severity, "place": one.place, "message": one.message, "nextStep": one.next_step}


def mapped_values_json(mapped: MappedAccount, targets: Sequence[str]) -> list[MappedValueJson]:
    """Return the value of each of *targets* in the same order. If an attribute has no value, the entry says why."""
    waiting = {target for target, _ in mapped.missing_references}
    return [
        {
            "target": target,
            "value": mapped.values.get(target),
            "note": "cleared" if target in mapped.cleared
            else "dropped" if target in mapped.dropped
            else "waits for another account" if target in waiting
            else "" if target in mapped.values else "nothing",
        }
        for target in targets
    ]  # fmt: skip


def scope_decision_json(name: str, decision: ScopeDecision) -> ScopeDecisionJson:
    judged = orjson.loads(decision.details.get("ScopeEvaluationResult", "{}"))
    return {
        "name": name,
        "inScope": decision.in_scope,
        "cause": decision.cause,
        "reason": decision.reason.text,
        "nextStep": decision.reason.next_step,
        "clauses": [{"clause": clause, "passed": passed} for clause, passed in judged.items()],
    }


def scope_counts_json(app: str, counts: ScopeCounts) -> ScopeCountsJson:
    return {
        "application": app,
        "people": counts.people,
        "inScope": counts.in_scope,
        "unassigned": counts.unassigned,
        "filtered": counts.filtered,
        "leaving": len(counts.leavers),
        "leavers": list(counts.leavers),
        "alreadyOut": counts.already_out,
    }


def change_json(change: ConfigChange) -> ChangeJson:
    return {
        "sign": change.sign.value,
        "document": change.document,
        "place": change.place,
        "old": change.old,
        "new": change.new,
        "kept": change.is_kept,
    }


def configuration_plan_json(found: ConfigurationPlan, effects: Sequence[Consequences]) -> ConfigurationPlanJson:
    def number(sign: Sign) -> int:
        return sum(change.sign is sign for change in found.effective)

    return {
        "changes": [change_json(change) for change in found.changes],
        "add": number(Sign.ADD),
        "change": number(Sign.CHANGE),
        "remove": number(Sign.REMOVE),
        "kept": len(found.changes) - len(found.effective),
        "notes": [f"{one.document.title}: {note}" for one in found.documents for note in one.notes],
        "effects": effects_json(effects),
        "evaluatedAgain": {one.document.name: one.looked_at_again for one in found.documents if one.looked_at_again},
    }


def version_json(one: VersionRow) -> VersionJson:
    return {
        "version": one.version,
        "at": iso_time(one.created_at),
        "author": one.author,
        "activity": one.activity,
        "comment": one.comment,
    }
