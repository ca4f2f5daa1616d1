"""Keep what a foreign document says beyond our own view of it, so that it can be given back unchanged.

Theirs is given back only where ours is still what it was when theirs was read: an edit of ours is never undone by what was kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keep(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """For every key that differs: what they say, and what we said at that time. Nothing where both say the same."""
    kept: dict[str, Any] = {}
    for key in dict.fromkeys((*theirs, *ours)):
        if key in theirs and key in ours and theirs[key] == ours[key]:
            continue
        pair = {}
        if key in theirs:
            pair["theirs"] = theirs[key]
        if key in ours:
            pair["ours"] = ours[key]
        kept[key] = pair
    return kept


def give_back(ours: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """*ours* as they would say it: the inverse of `keep` where nothing of ours has changed."""
    result = dict(ours)
    for key, pair in kept.items():
        unchanged = (
            ours[key] == pair["ours"] if key in ours and "ours" in pair else key not in ours and "ours" not in pair
        )
        if not unchanged:
            continue
        if "theirs" in pair:
            result[key] = pair["theirs"]
        else:
            result.pop(key, None)
    return result
