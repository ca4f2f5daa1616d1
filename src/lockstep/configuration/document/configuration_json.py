"""Read and write a configuration in the JSON shape of the `provisioning` part of an application's file.

Reading compiles everything, so a configuration that was read can always be evaluated. Errors name the place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.configuration.document.mapping_json import mapping_from_json, mapping_to_json
from lockstep.configuration.document.strict_json import Part
from lockstep.engine.records import AppRole, ObjectKind
from lockstep.engine.rules.configuration import (
    MOST_CREATES_PER_REQUEST,
    JobConfiguration,
    JobSettings,
    Limits,
    NotificationDelivery,
    Scope,
    StartPolicy,
)
from lockstep.engine.rules.durations import print_duration
from lockstep.engine.rules.policies import DeletionPolicy, Guards, OnLeaving, OnLost
from lockstep.engine.rules.target_attributes import TargetAttribute

AttributeLists = Mapping[ObjectKind, Sequence[TargetAttribute]]


def configuration_from_json(
    value: Mapping[str, Any],
    *,
    version: int,
    roles: Sequence[AppRole] = (),
    attributes: AttributeLists | None = None,
) -> JobConfiguration:
    """Compile a configuration. *roles* must be in the order of precedence. *attributes* are the application's attribute lists.

    Raises ConfigurationError with the place of the first error.
    """
    part = Part(value)
    lists = attributes or {}
    configuration = JobConfiguration(
        version=version,
        scope=part.word("scope", Scope, Scope.ASSIGNED),
        objects=part.read_each("mappings", lambda mapping: mapping_from_json(mapping, lists)),
        deletions=_deletions(part.part("deletions")),
        guards=_guards(part.part("guards")),
        limits=_limits(part.part("limits")),
        start=_start(part),
        roles=tuple(roles),
        nested_groups=part.boolean("nestedGroups", default=False),
        default_domain=part.text("defaultDomain") or None,
        settings=_settings(part),
        extra=part.raw("x-entra") or {},
    )
    part.done()
    return configuration


def configuration_to_json(configuration: JobConfiguration) -> dict[str, Any]:
    """Write the form that `configuration_from_json` reads. Default values are left out, except those that people expect to see in the
    file.
    """
    start = configuration.start
    found: dict[str, Any] = {
        **_settings_to_json(configuration.settings),
        "scope": configuration.scope.value,
        "deletions": _deletions_to_json(configuration.deletions),
        "guards": _guards_to_json(configuration.guards),
        "limits": _limits_to_json(configuration.limits),
        "startDate": {"attribute": start.attribute, "leadTime": print_duration(start.lead)} if start else None,
        "nestedGroups": configuration.nested_groups or None,
        "defaultDomain": configuration.default_domain,
        "mappings": [mapping_to_json(mapping) for mapping in configuration.objects],
        "x-entra": dict(configuration.extra),
    }
    return {key: value for key, value in found.items() if value not in (None, {})}


def _deletions(part: Part) -> DeletionPolicy:
    default = DeletionPolicy()
    policy = DeletionPolicy(
        threshold=_optional(part, "threshold", default.threshold, least=1),
        threshold_percent=_optional(part, "thresholdPercent", default.threshold_percent, least=1, most=100),
        percent_from=part.number("percentFrom", default.percent_from, least=1),
        on_out_of_scope=part.word("onOutOfScope", OnLeaving, default.on_out_of_scope),
        on_source_disabled=part.word("onSourceDisabled", OnLeaving, default.on_source_disabled),
        on_source_deleted=part.word("onSourceDeleted", OnLeaving, default.on_source_deleted),
        on_purged=part.word("onPurged", OnLeaving, default.on_purged),
        delete_after=None if part.says_null("deleteAfter") else part.duration("deleteAfter", default.delete_after),
        delete_after_purge=part.boolean("deleteAfterPurge", default=default.delete_after_purge),
        on_lost=part.word("onLost", OnLost, default.on_lost),
    )
    part.done()
    return policy


def _deletions_to_json(policy: DeletionPolicy) -> dict[str, Any]:
    default = DeletionPolicy()
    always = {
        "threshold": policy.threshold,
        "thresholdPercent": policy.threshold_percent,
        "onOutOfScope": policy.on_out_of_scope.value,
        "onSourceDeleted": policy.on_source_deleted.value,
        "deleteAfter": print_duration(policy.delete_after) if policy.delete_after is not None else None,
    }
    seldom = {
        "percentFrom": (policy.percent_from, default.percent_from),
        "onSourceDisabled": (policy.on_source_disabled.value, default.on_source_disabled.value),
        "onPurged": (policy.on_purged.value, default.on_purged.value),
        "deleteAfterPurge": (policy.delete_after_purge, default.delete_after_purge),
        "onLost": (policy.on_lost.value, default.on_lost.value),
    }
    return always | {key: value for key, (value, usual) in seldom.items() if value != usual}


def _guards(part: Part) -> Guards:
    default = Guards()
    guards = Guards(
        privilege_grants=_optional(part, "privilegeGrants", default.privilege_grants, least=1),
        emptied_attributes=_optional(part, "emptiedAttributes", default.emptied_attributes, least=1),
        matching_values=_optional(part, "matchingValues", default.matching_values, least=1),
        percent=_optional(part, "percent", default.percent, least=1, most=100),
    )
    part.done()
    return guards


def _guards_to_json(guards: Guards) -> dict[str, Any] | None:
    if guards == Guards():
        return None
    return {
        "privilegeGrants": guards.privilege_grants,
        "emptiedAttributes": guards.emptied_attributes,
        "matchingValues": guards.matching_values,
        "percent": guards.percent,
    }


def _optional(part: Part, key: str, default: int | None, *, least: int, most: int = 2**31) -> int | None:
    """Read the limit that *key* contains: a number, or null if the limit is switched off."""
    if part.says_null(key):
        return None
    return part.number(key, default or 0, least=least, most=most) if key in part else default


def _limits(part: Part) -> Limits:
    rate = part.raw("requestsPerSecond")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 100_000):
        raise part.error("requestsPerSecond", "must be a number greater than 0")
    limits = Limits(
        requests_per_second=rate,
        concurrency=part.number("concurrency", 1, least=1, most=1_000) if "concurrency" in part else None,
        max_retries=part.number("maxRetries", 0, most=100) if "maxRetries" in part else None,
        members_per_patch=part.number("membersPerPatch", 1, least=1, most=1_000) if "membersPerPatch" in part else None,
        creates_per_request=part.number("createsPerRequest", 1, least=1, most=MOST_CREATES_PER_REQUEST)
        if "createsPerRequest" in part
        else None,
    )
    part.done()
    return limits


def _limits_to_json(limits: Limits) -> dict[str, Any]:
    found = {
        "requestsPerSecond": limits.requests_per_second,
        "concurrency": limits.concurrency,
        "maxRetries": limits.max_retries,
        "membersPerPatch": limits.members_per_patch,
        "createsPerRequest": limits.creates_per_request,
    }
    return {key: value for key, value in found.items() if value is not None}


def _start(part: Part) -> StartPolicy | None:
    if "startDate" not in part:
        return None
    inner = part.part("startDate")
    default = StartPolicy("")
    policy = StartPolicy(
        inner.text("attribute", required=True), inner.duration("leadTime", default.lead) or default.lead
    )
    inner.done()
    return policy


def _settings(part: Part) -> JobSettings:
    schedule = part.part("schedule")
    settings = JobSettings(
        mode=part.text("mode") or None,
        status=_on_or_off(part),
        interval=schedule.duration("interval", None),
        jitter=schedule.duration("jitter", None),
        notification_email=part.text("notificationEmail") or None,
        email_on_failure=part.boolean("emailOnFailure", default=False) if "emailOnFailure" in part else None,
        notification_delivery=part.word("notificationDelivery", NotificationDelivery, NotificationDelivery.IMMEDIATE)
        if "notificationDelivery" in part
        else None,
    )
    schedule.done()
    return settings


def _on_or_off(part: Part) -> str | None:
    value = part.raw("status")
    if isinstance(value, bool):
        # YAML 1.1 readers parse an unquoted on or off as a truth value.
        return "on" if value else "off"
    if value not in (None, "on", "off"):
        raise part.error("status", 'must be on or off (quoted in YAML: "on")')
    return None if value is None else str(value)


def _settings_to_json(settings: JobSettings) -> dict[str, Any]:
    schedule = {
        key: print_duration(value)
        for key, value in (("interval", settings.interval), ("jitter", settings.jitter))
        if value is not None
    }
    return {
        "mode": settings.mode,
        "status": settings.status,
        "schedule": schedule,
        "notificationEmail": settings.notification_email,
        "emailOnFailure": settings.email_on_failure,
        "notificationDelivery": settings.notification_delivery.value if settings.notification_delivery else None,
    }
