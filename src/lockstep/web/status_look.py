"""The look of a status on pages: word, tone and icon. The words come from `actions.status_labels`."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.actions.status import JobStatus
from lockstep.actions.status_labels import StatusLabel, label_of


@dataclass(frozen=True, slots=True)
class StatusLook:
    """A word with its tone (a class of the kit) and icon."""

    label: str
    tone: str
    icon: str


_LOOKS = {
    StatusLabel.NOT_CONFIGURED: ("neutral", "circle"),
    StatusLabel.SIGN_ON_ONLY: ("neutral", "lock"),
    StatusLabel.READY: ("neutral", "play"),
    StatusLabel.INITIAL_CYCLE: ("info", "ring"),
    StatusLabel.INCREMENTAL_CYCLE: ("info", "ring"),
    StatusLabel.APPLYING_PREVIEW: ("info", "ring"),
    StatusLabel.HEALTHY: ("ok", "check-circle"),
    StatusLabel.HEALTHY_WITH_FAILURES: ("warn", "warning"),
    StatusLabel.SLOWED: ("warn", "hourglass"),
    StatusLabel.HELD: ("quarantine", "hand"),
    StatusLabel.QUARANTINE: ("quarantine", "shield"),
    StatusLabel.PAUSED: ("neutral", "pause"),
    StatusLabel.NO_WORKER: ("error", "error"),
}


def look_of(status: JobStatus) -> StatusLook:
    """Return the word, tone and icon of an application's status."""
    return look_of_label(label_of(status))


def look_of_label(label: StatusLabel) -> StatusLook:
    return StatusLook(label.value, *_LOOKS[label])


# Results in the provisioning log: word, tone and icon.
RESULTS = {
    "success": StatusLook("Success", "ok", "check-circle"),
    "failure": StatusLook("Failure", "error", "error"),
    "skipped": StatusLook("Skipped", "neutral", "circle"),
    "warning": StatusLook("Warning", "warn", "warning"),
}


def result_look(status: str) -> StatusLook:
    """Return the word, tone and icon of a log record's status."""
    return RESULTS.get(status, StatusLook(status.capitalize(), "neutral", "circle"))
