"""Decide whether a job goes into quarantine, and when it is tried again there.

Refused credentials quarantine at once, whatever the counts. Failures of references (a manager or member without an account) are counted
apart: a missing manager must not trip it. Small jobs would never reach the large numbers, so they have a rule of their own. Failures
are compared with all objects of the job, not with those of one cycle, and however long it lasts a quarantine never switches a job off:
leavers would keep access for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lockstep.engine.decisions.patience import growing_pause
from lockstep.engine.moment import Moment

PROBE_FIRST = timedelta(minutes=5)
PROBE_LONGEST = timedelta(hours=1)
CYCLE = timedelta(minutes=40)
DAILY = timedelta(days=1)


class QuarantineReason(StrEnum):
    """Graph's names."""

    BASE_THRESHOLD = "EncounteredBaseEscrowThreshold"  # failures, references not counted
    TOTAL_THRESHOLD = "EncounteredTotalEscrowThreshold"  # failures, references counted
    PROPORTION = "EncounteredEscrowProportionThreshold"
    EXCEPTION = "EncounteredQuarantineException"  # credentials refused, or an endpoint that does not speak SCIM
    TOO_MANY_DELETES = "TooManyDeletes"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When failures are too many. *percent* counts from *least* failures on; the small-job rule below that many objects."""

    least: int = 5_000
    percent: int = 40
    most: int = 40_000
    most_with_references: int = 60_000
    small_job: int = 5_000
    small_job_least: int = 10


@dataclass(frozen=True, slots=True)
class Health:
    """How a job's objects stand. *successes* are linked and in order, *failures* those in escrow without *reference_failures*."""

    successes: int = 0
    failures: int = 0
    reference_failures: int = 0
    credentials_refused: bool = False
    endpoint_not_scim: bool = False
    too_many_deletes: bool = False


def decide_quarantine(counts: Health, thresholds: Thresholds | None = None) -> QuarantineReason | None:
    """Why the job goes into quarantine, or None."""
    limits = thresholds or Thresholds()
    if counts.credentials_refused or counts.endpoint_not_scim:
        return QuarantineReason.EXCEPTION
    if counts.too_many_deletes:
        return QuarantineReason.TOO_MANY_DELETES
    tried = counts.successes + counts.failures
    above_share = counts.failures * 100 > limits.percent * tried
    is_small = limits.small_job_least <= tried < limits.small_job
    if is_small and counts.failures * 100 >= limits.percent * tried:
        return QuarantineReason.PROPORTION
    if counts.failures > limits.most:
        return QuarantineReason.BASE_THRESHOLD
    if counts.failures + counts.reference_failures > limits.most_with_references:
        return QuarantineReason.TOTAL_THRESHOLD
    if counts.failures >= limits.least and above_share:
        return QuarantineReason.PROPORTION
    return None


def next_attempt(
    reason: QuarantineReason,
    series_count: int,
    moment: Moment,
    *,
    leavers_waiting: bool = False,
    needs_somebody: bool = True,
) -> datetime:
    """When the job is tried again. *series_count* is 1 for the first attempt in this quarantine.

    Counts: from 40 minutes, doubled each time, to once a day. Otherwise 5 minutes, doubled to 1 hour while leavers wait (a probe costs
    one request, and they keep access until it succeeds) or where it may pass by itself; to a day where it *needs somebody*: refused
    credentials are tried at once when new ones come.
    """
    tries = max(series_count, 1)
    if reason is QuarantineReason.EXCEPTION:
        longest = PROBE_LONGEST if leavers_waiting or not needs_somebody else DAILY
        return moment.now + growing_pause(tries, first=PROBE_FIRST, longest=longest)
    return moment.now + growing_pause(tries, first=CYCLE, longest=DAILY)


def holds_everything(reason: QuarantineReason) -> bool:
    """Whether leavers wait as well: only where nothing can be sent at all."""
    return reason is QuarantineReason.EXCEPTION
