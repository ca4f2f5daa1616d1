"""The provisioning settings of an application, as people see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lockstep.engine.rules.configuration import MOST_CREATES_PER_REQUEST, NotificationDelivery
from lockstep.engine.rules.policies import Guards
from lockstep.sync.drain.members import CHUNK
from lockstep.sync.services import Job


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The present settings. *version* is the version of the configuration that contains them."""

    app: str
    mode: str
    status: str
    scope: str
    notification_email: str
    email_on_failure: bool
    notification_delivery: NotificationDelivery
    interval: timedelta | None
    nested_groups: bool
    deletion_threshold: int | None
    deletion_percent: int | None
    guards: Guards
    members_per_patch: int
    creates_per_request: int
    version: int
    mail_is_sent: bool = False  # a mail server is set up


def view_of(job: Job) -> SettingsView:
    """Return the settings of the job. Settings that are not set have their defaults."""
    settings = job.configuration.settings
    return SettingsView(
        app=job.row.app_name,
        mode=settings.mode or "automatic",
        status=job.row.status,
        scope=job.configuration.scope.value,
        notification_email=settings.notification_email or "",
        email_on_failure=bool(settings.email_on_failure),
        notification_delivery=settings.notification_delivery or NotificationDelivery.IMMEDIATE,
        interval=settings.interval,
        nested_groups=job.configuration.nested_groups,
        deletion_threshold=job.configuration.deletions.threshold,
        deletion_percent=job.configuration.deletions.threshold_percent,
        guards=job.configuration.guards,
        members_per_patch=job.configuration.limits.members_per_patch or CHUNK,
        creates_per_request=job.configuration.limits.creates_per_request or MOST_CREATES_PER_REQUEST,
        version=job.row.config_version,
    )
