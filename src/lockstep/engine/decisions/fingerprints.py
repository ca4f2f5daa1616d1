"""Digest a plan, so that a plan made now can be compared with one that was previewed. Pure.

Equal digests mean the same action on the same account, with the same changes, for the same reasons. The digest ignores the wording of the
reasons, because a name in the text may change without any effect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

import orjson

from lockstep.engine.plans import Plan
from lockstep.engine.records import Change, Value
from lockstep.engine.rules.mappings import ObjectMapping


def fingerprint(plan: Plan, mapping: ObjectMapping | None) -> str:
    """Return the digest of *plan*: 64 hexadecimal digits.

    A secret value is represented by its keyed hash. Random values and timestamps are represented by the word "generated", because they
    differ in every plan of a new account. All other values, including chosen unique values, are represented by themselves.
    """
    fresh = {one.target for one in mapping.flowing if one.is_generated and not one.is_unique} if mapping else set()
    document = [
        plan.kind.value,
        plan.source_id,
        plan.action.value,
        plan.link_to.id if plan.link_to is not None else plan.target_id,
        plan.link_state,
        sorted((_change(one, plan.mapped.sealed, fresh) for one in plan.changes), key=lambda one: str(one[0])),
        [[reason.code, dict(reason.details)] for reason in plan.reasons],
    ]
    try:
        text = orjson.dumps(document, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # A lone surrogate or a number beyond 64 bits is not valid JSON, but must still be hashed.
        text = repr(document).encode("utf-8", "surrogatepass")
    return sha256(text).hexdigest()


def _change(change: Change, sealed: Mapping[str, Value], fresh: Collection[str]) -> list[Any]:
    if change.path in fresh and change.new is not None:
        return [change.path, change.old is None, "generated"]
    if change.redacted:
        return [change.path, change.old is None, "redacted", sealed.get(change.path, change.new)]
    return [change.path, change.old, change.new, list(change.added)]


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
