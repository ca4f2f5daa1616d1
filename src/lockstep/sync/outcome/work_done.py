"""Sum up a recorded batch for the charts: what was done, what failed, how long requests took and how long people waited. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lockstep.engine.durations import counted_lengths
from lockstep.storage.activity import WorkDone
from lockstep.storage.log_record import LogRecord
from lockstep.storage.resume import Stage
from lockstep.sync.outcome.outcomes import Outcome

_GAINS = frozenset({"created", "linked", "enabled"})
_LOSSES = frozenset({"disabled", "deleted"})


def work_done(ours: Sequence[Outcome], records: Sequence[LogRecord], ages: Mapping[int, float]) -> WorkDone:
    """Return the work of *ours*, whose log records are *records*. *ages* contains, for each attempt, the seconds since its object was
    marked.

    If a person was waiting for a date, the waiting time is not counted, because it says nothing about Lockstep.
    """
    counts: Counter[str] = Counter(one.counted for one in ours if one.counted)
    for one in ours:
        counts.update(one.more_counts)
    timed = [one for one in ours if one.claim.resume.stage is not Stage.SCHEDULED]
    return WorkDone(
        counts=counts,
        failures=Counter(one.error_code for one in records if one.status == "failure" and one.error_code),
        responses=counted_lengths(
            exchange.seconds for one in records for exchange in one.exchanges if not exchange.shares_request
        ),
        gained=counted_lengths(_ages(timed, _GAINS, ages)),
        lost=counted_lengths(_ages(timed, _LOSSES, ages)),
    )


def _ages(timed: Sequence[Outcome], names: frozenset[str], ages: Mapping[int, float]) -> list[float]:
    return [ages[one.claim.attempt] for one in timed if names & {one.counted, *one.more_counts}]
