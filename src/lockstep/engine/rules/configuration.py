"""The configuration of one job: who is in scope, which values flow where, and what happens to leavers.

Everything is compiled once, when the configuration is read. Decisions evaluate closures and parse nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from lockstep.engine.records import AppRole, ObjectKind
from lockstep.engine.rules.mappings import ObjectMapping
from lockstep.engine.rules.policies import DeletionPolicy, Guards


class Scope(StrEnum):
    ASSIGNED = "assigned"
    ALL = "all"


class NotificationDelivery(StrEnum):
    """Whether notifications that are not urgent are mailed one by one, or together once a day."""

    IMMEDIATE = "immediate"
    DIGEST = "digest"


MOST_CREATES_PER_REQUEST = 100  # so that other work need not wait long for the answer to a bulk request


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the requests to the application. None means that the limit from the application's own description is used."""

    requests_per_second: float | None = None
    concurrency: int | None = None
    max_retries: int | None = None  # quick retries after the application was down or busy
    members_per_patch: int | None = None  # members of a group per request; 1 if the application takes one at a time
    creates_per_request: int | None = None  # accounts per bulk request; 1 if the application must not get bulk requests


@dataclass(frozen=True, slots=True)
class StartPolicy:
    """The time at which a person gets an account: *lead* before the date in *attribute*."""

    attribute: str
    lead: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Settings that a file may contain in addition to the rules. None means that the file does not contain the setting."""

    mode: str | None = None
    status: str | None = None
    interval: timedelta | None = None
    jitter: timedelta | None = None
    notification_email: str | None = None
    email_on_failure: bool | None = None
    notification_delivery: NotificationDelivery | None = None


@dataclass(frozen=True)
class JobConfiguration:
    """The data on which all decisions of one job depend. *version* identifies it."""

    version: int
    scope: Scope = Scope.ASSIGNED
    objects: tuple[ObjectMapping, ...] = ()
    deletions: DeletionPolicy = field(default_factory=DeletionPolicy)
    guards: Guards = field(default_factory=Guards)
    limits: Limits = Limits()
    start: StartPolicy | None = None
    roles: tuple[AppRole, ...] = ()
    nested_groups: bool = False
    default_domain: str | None = None
    settings: JobSettings = JobSettings()
    extra: Mapping[str, Any] = field(default_factory=dict)
    app_name: str = "APP"  # the application's name in commands
    # Target paths that the application does not keep.
    unkept: Mapping[ObjectKind, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def _by_kind(self) -> Mapping[ObjectKind, ObjectMapping]:
        # The first enabled mapping of a kind is used. A disabled one still shows which account that kind of object would get.
        ordered = sorted(self.objects, key=lambda mapping: not mapping.enabled)
        return {mapping.source: mapping for mapping in reversed(ordered)}

    @cached_property
    def roles_by_id(self) -> Mapping[str, AppRole]:
        return {role.id: role for role in self.roles}

    def mapping_for(self, kind: ObjectKind) -> ObjectMapping | None:
        """Return the mapping for *kind*, enabled or not, or None if there is none."""
        return self._by_kind.get(kind)
