"""The word for the state of an application's provisioning. Pages, API and command line all use this vocabulary."""

from __future__ import annotations

from enum import StrEnum

from lockstep.actions.status import JobStatus
from lockstep.engine.decisions.headline import Standing


class StatusLabel(StrEnum):
    """The labels that people read. Programs should compare `Standing` instead."""

    NOT_CONFIGURED = "Not configured"
    SIGN_ON_ONLY = "Single sign-on only"
    READY = "Ready to start"
    INITIAL_CYCLE = "Initial cycle running"
    INCREMENTAL_CYCLE = "Incremental cycle running"
    APPLYING_PREVIEW = "Applying a preview"
    HEALTHY = "Healthy - idle"
    HEALTHY_WITH_FAILURES = "Healthy with failures"
    SLOWED = "Slowed by the app"
    HELD = "Waiting for your approval"
    QUARANTINE = "Quarantine"
    PAUSED = "Paused"
    NO_WORKER = "No worker is running"


_LABELS = {
    Standing.SIGN_ON_ONLY: StatusLabel.SIGN_ON_ONLY,
    Standing.PAUSED: StatusLabel.PAUSED,
    Standing.STOPPED: StatusLabel.QUARANTINE,
    Standing.SLOWED: StatusLabel.QUARANTINE,
    Standing.NO_WORKER: StatusLabel.NO_WORKER,
    Standing.NO_ANSWER: StatusLabel.SLOWED,
    Standing.HELD: StatusLabel.HELD,
    Standing.MAYBE_CREATED: StatusLabel.HEALTHY_WITH_FAILURES,
    Standing.FAILING: StatusLabel.HEALTHY_WITH_FAILURES,
    Standing.REJECTED: StatusLabel.HEALTHY_WITH_FAILURES,
    Standing.FIRST_CYCLE: StatusLabel.READY,
    Standing.WAITING: StatusLabel.INCREMENTAL_CYCLE,
    Standing.IN_STEP: StatusLabel.HEALTHY,
}


def label_of(status: JobStatus) -> StatusLabel:
    """Return the word for *status*."""
    standing = status.headline.standing
    if standing is Standing.NOT_SWITCHED_ON:
        return StatusLabel.READY if status.has_credentials else StatusLabel.NOT_CONFIGURED
    if standing is Standing.RUNNING:
        if status.running is not None and status.running.preview is not None:
            return StatusLabel.APPLYING_PREVIEW
        is_first = status.running is not None and status.running.kind == "initial"
        return StatusLabel.INITIAL_CYCLE if is_first else StatusLabel.INCREMENTAL_CYCLE
    return _LABELS[standing]
