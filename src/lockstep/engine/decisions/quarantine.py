"""Decide whether a job is quarantined, and when a quarantined job is tried again.

Refused credentials quarantine a job at once, regardless of the failure counts. Reference failures (a manager or member without an account)
are counted separately, so a missing manager does not lead to quarantine. Small jobs never reach the large thresholds and have a separate
rule. Failures are compared with all objects of the job, not with those of one cycle. A quarantine never switches the job off, however
long it lasts, because leavers would keep access.
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
    """Reasons for a quarantine, by their names in Microsoft Graph."""

    BASE_THRESHOLD = "EncounteredBaseEscrowThreshold"  # too many failures, not counting references
    TOTAL_THRESHOLD = "EncounteredTotalEscrowThreshold"  # too many failures, counting references
    PROPORTION = "EncounteredEscrowProportionThreshold"
    EXCEPTION = "EncounteredQuarantineException"  # refused credentials, or an endpoint that is not SCIM
    TOO_MANY_DELETES = "TooManyDeletes"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits above which a job has too many failures. *percent* applies only if there are at least *least* failures, except in small
    jobs.

    Small jobs are judged by *percent* alone, and reaching *percent* is then enough. A job is small if at least *small_job_least* and fewer
    than *small_job* of its objects are in step or have failed.
    """

    least: int = 5_000
    percent: int = 40
    most: int = 40_000
    most_with_references: int = 60_000
    small_job: int = 5_000
    small_job_least: int = 10


@dataclass(frozen=True, slots=True)
class Health:
    """The numbers of a job's objects by state. *successes* are linked and in step. *failures* are on the retry list because of their own
    account.

    *reference_failures* are counted separately: these objects have an account that is in step, but the application refuses a manager or
    member.
    """

    successes: int = 0
    failures: int = 0
    reference_failures: int = 0
    credentials_refused: bool = False
    endpoint_not_scim: bool = False
    too_many_deletes: bool = False


def decide_quarantine(counts: Health, thresholds: Thresholds | None = None) -> QuarantineReason | None:
    """Return the reason to quarantine the job, or None."""
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
    """Return when the job is tried again. *series_count* is 1 for the first attempt in this quarantine.

    After too many failures, the first wait is 40 minutes; after an EXCEPTION, it is 5 minutes. Each further wait is twice as long, up to a
    day.

    After an EXCEPTION, the longest wait is an hour instead of a day in two cases: leavers wait, because they keep access until a probe
    succeeds; or *needs_somebody* is false, because the problem may solve itself. New credentials are tried at once, without any wait.
    """
    tries = max(series_count, 1)
    if reason is QuarantineReason.EXCEPTION:
        longest = PROBE_LONGEST if leavers_waiting or not needs_somebody else DAILY
        return moment.now + growing_pause(tries, first=PROBE_FIRST, longest=longest)
    return moment.now + growing_pause(tries, first=CYCLE, longest=DAILY)


def holds_everything(reason: QuarantineReason) -> bool:
    """Whether leavers must wait too. This is true only if no request at all can be sent."""
    return reason is QuarantineReason.EXCEPTION


def effect_in_words(reason: QuarantineReason) -> str:
    """Return two sentences: what is still written while the job is in quarantine, and what this means for leavers."""
    if holds_everything(reason):
        return "Until the cause is corrected, Lockstep sends nothing to the application. People who leave keep their access there."
    return (
        "Until fewer objects fail, Lockstep writes less often. People who leave still lose their access without delay."
    )
