"""Overviews of applications, the progress of their setup, and groups of failures, as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from lockstep.actions.failures import FailingApplication
from lockstep.actions.overview import AppOverview
from lockstep.actions.provisioning_pages import FailureGroup, ProvisioningOverview, SetupProgress, TimeLeft
from lockstep.actions.rows.times import iso


class FailureGroupJson(TypedDict):
    """People and groups that fail with the same error. *leavers* counts those who still have access that must end. *names* lists some of
    them.
    """

    code: str
    reason: str
    nextStep: str
    count: int
    leavers: int
    names: list[str]


class FailingApplicationJson(TypedDict):
    """*count* counts all people and groups that fail; *groups* has the largest group first."""

    application: str
    displayName: str
    count: int
    groups: list[FailureGroupJson]


class AppOverviewJson(TypedDict):
    """*state* is the state in one or two words, as the pages show it. *failures* counts failed changes of the last 24 hours. *owners* are
    e-mail addresses. *signsOn* is true if people sign in to the application through Lockstep.
    """

    application: str
    displayName: str
    state: str
    needsAttention: bool
    failures: int
    owners: list[str]
    signsOn: bool


class MappedKindJson(TypedDict):
    """*attributes* and *filters* count the mapped attributes and the scoping filters."""

    kind: str
    name: str
    isEnabled: bool
    attributes: int
    filters: int


class SetupJson(TypedDict):
    """The progress of an application's setup. *assigned* is the number of people in scope if the scope is `assigned`. *everybody* is the
    number of people in scope if the scope is `all`. People are counted only until provisioning is started for the first time; both numbers
    are 0 afterwards.
    """

    isConnected: bool
    isTested: bool
    isMapped: bool
    isPreviewed: bool
    isStarted: bool
    isOn: bool
    syncsAll: bool
    assigned: int
    everybody: int
    mappings: list[MappedKindJson]


class TimeLeftJson(TypedDict):
    """An estimate of the time that the running cycle still needs. *perSecond* is the number of objects per second so far."""

    shortestSeconds: float
    likelySeconds: float
    longestSeconds: float
    perSecond: float


class AppOverviewDetailsJson(AppOverviewJson):
    """*timeLeft* is null if no cycle is running, or if the cycle has not done enough for an estimate. *givesUpDateTime* is the time after
    which objects that fail in quarantine are no longer retried.
    """

    setup: SetupJson
    failureGroups: list[FailureGroupJson]
    timeLeft: TimeLeftJson | None
    givesUpDateTime: str | None


def failing_application_json(one: FailingApplication) -> FailingApplicationJson:
    return {
        "application": one.name,
        "displayName": one.display_name,
        "count": one.count,
        "groups": [_group(group) for group in one.groups],
    }


def app_overview_json(one: AppOverview) -> AppOverviewJson:
    return {
        "application": one.status.app,
        "displayName": one.status.display_name,
        "state": one.label.value,
        "needsAttention": one.needs_attention,
        "failures": one.failures,
        "owners": list(one.owners),
        "signsOn": one.signs_on,
    }


def app_overview_details_json(one: AppOverview, found: ProvisioningOverview) -> AppOverviewDetailsJson:
    return {
        **app_overview_json(one),
        "setup": _setup(found.setup),
        "failureGroups": [_group(group) for group in found.failures],
        "timeLeft": _time_left(found.time_left) if found.time_left else None,
        "givesUpDateTime": iso(found.gives_up_at),
    }


def _group(one: FailureGroup) -> FailureGroupJson:
    return {
        "code": one.code,
        "reason": one.reason,
        "nextStep": one.next_step,
        "count": one.count,
        "leavers": one.leavers,
        "names": list(one.names),
    }


def _setup(one: SetupProgress) -> SetupJson:
    return {
        "isConnected": one.is_connected,
        "isTested": one.is_tested,
        "isMapped": one.is_mapped,
        "isPreviewed": one.is_previewed,
        "isStarted": one.is_started,
        "isOn": one.is_on,
        "syncsAll": one.syncs_all,
        "assigned": one.assigned,
        "everybody": one.everybody,
        "mappings": [
            {
                "kind": each.kind,
                "name": each.name,
                "isEnabled": each.is_enabled,
                "attributes": each.attributes,
                "filters": each.filters,
            }
            for each in one.mappings
        ],
    }


def _time_left(one: TimeLeft) -> TimeLeftJson:
    return {
        "shortestSeconds": one.shortest.total_seconds(),
        "likelySeconds": one.likely.total_seconds(),
        "longestSeconds": one.longest.total_seconds(),
        "perSecond": one.per_second,
    }
