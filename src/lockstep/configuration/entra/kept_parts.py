"""Keep the parts of an imported document that Lockstep's model does not cover, so that an export returns them unchanged.

An export contains a kept value only if Lockstep's value is still the same as at the import. A kept value therefore never undoes an edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keep(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Return, for every key whose values in *theirs* and *ours* differ, both values. A value is absent if its side does not have
    the key.
    """
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
    """Undo `keep`: return *ours* with the values of the imported document put back.

    A value that was changed in Lockstep after the import is not replaced.
    """
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
