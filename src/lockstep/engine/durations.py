"""Count durations by length, and find percentiles in the counts. Pure.

A length is a class of similar durations. Each power of ten has twenty lengths, so a percentile is exact to 6 percent. Unlike percentiles,
the counts of two periods can be added.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

_STEPS = 20  # for each power of ten
_SHORTEST_SECONDS = 0.001


def counted_lengths(seconds: Iterable[float]) -> dict[int, int]:
    """Count the durations *seconds* by length."""
    return dict(Counter(map(_length, seconds)))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the duration in seconds that is the percentile *share* (0 to 1), or None if there are no durations. With 0.95, for example,
    95% of the durations are at most that long.
    """
    wanted = share * sum(counts.values())
    so_far = 0
    for length in sorted(counts):
        so_far += counts[length]
        if so_far and so_far >= wanted:
            return float(_SHORTEST_SECONDS * 10 ** ((length - 0.5) / _STEPS))
    return None


def _length(seconds: float) -> int:
    return math.ceil(math.log10(max(seconds, _SHORTEST_SECONDS) / _SHORTEST_SECONDS) * _STEPS)
