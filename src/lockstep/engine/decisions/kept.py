"""Remember whether an application kept, changed or dropped the values sent to it, and decide which differences are written.

These observations are stored with the link, so that the same value is not sent repeatedly. A change in the application or the source is
still detected. If two consecutive responses lack an attribute, the application does not keep the attribute, and a difference in it is no
longer written. This never applies to essential attributes: required ones, matching attributes, `active`, and attributes that give
privileges, such as roles.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from lockstep.engine.decisions.diff import same_value
from lockstep.engine.decisions.essential import is_essential
from lockstep.engine.decisions.mapping import held_values
from lockstep.engine.decisions.value_fates import NOT_KEPT, REWRITTEN, Fate, JudgedValue, _shows_level
from lockstep.engine.records import Account, Change, ObjectKind, Reason, Value
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import AttributeMapping, Expression, ObjectMapping
from lockstep.engine.rules.operators import is_empty

ENOUGH = 2  # consecutive responses

AnswersByPath = Mapping[str, Mapping[str, Any]]  # an `_entry` by target path


@dataclass(frozen=True, slots=True)
class Unkept:
    """An attribute that was missing from consecutive responses. *answers* counts these responses. *mapping* is the fingerprint of the
    attribute's mapping at that time.
    """

    kind: ObjectKind
    path: str
    mapping: str
    answers: int


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """The changes to write. The paths in *withheld* differ but are not written, because the application does not keep their values.

    The paths in *settled* still have the value that the application returned last time. *drift* gives the reasons for values that only the
    application changed and that the mapping's drift rule leaves unchanged.
    """

    changes: tuple[Change, ...] = ()
    withheld: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    drift: tuple[Reason, ...] = ()
    app_name: str = "APP"  # the application's name in commands

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons why differences are not written."""
        found = [*self.drift]
        if self.withheld:
            names = ", ".join(self.withheld)
            text = f"The application does not keep {names}, so the difference does not trigger a write."
            found.append(Reason(NOT_KEPT, text, {"attributes": names}, f"See: lockstep map lint {self.app_name}"))
        if self.settled:
            names = ", ".join(self.settled)
            text = (
                f"The application did not store {names} as sent, so Lockstep accepts the value that the application returned "
                "after the last write."
            )
            found.append(Reason(REWRITTEN, text, {"attributes": names}))
        return tuple(found)


def rule_of(mapping: AttributeMapping) -> str:
    """Return a fingerprint of the mapping's rule. When the rule changes, earlier observations about the attribute no longer apply."""
    source = mapping.source.text if isinstance(mapping.source, Expression) else repr(mapping.source)
    rule = (mapping.target, source, mapping.default, mapping.apply.value, mapping.match, mapping.clear_when_empty)
    return sha256(repr(rule).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def reasons_to_write(
    changes: Sequence[Change], answers: AnswersByPath, unkept: Collection[str], mapping: ObjectMapping
) -> ValueDifference:
    """Decide which of *changes* are reasons to send a request, and return the changes to write. If every change is settled or unkept (see
    `ValueDifference`), nothing is written.

    If another change justifies a request, the same request also sends the changes of unkept attributes. The response then shows whether the
    application keeps these attributes now.
    """
    settled = {
        one.path
        for one in changes
        if one.path not in unkept and _is_settled(one, answers.get(one.path), mapping.by_target[one.path])
    }
    is_worth_it = any(one.path not in unkept and one.path not in settled for one in changes)
    return ValueDifference(
        tuple(one for one in changes if one.path not in settled) if is_worth_it else (),
        () if is_worth_it else tuple(one.path for one in changes if one.path in unkept),
        tuple(one.path for one in changes if one.path in settled),
    )


def after_write(
    known: AnswersByPath,
    judged: Iterable[JudgedValue],
    unseen: Iterable[Change],
    changes: Iterable[Change],
    mapping: ObjectMapping,
) -> dict[str, Any]:
    """Return the answers that must be stored now that *changes* have been written.

    *unseen* are changes that the application showed neither after an earlier write nor in this response. The next read of the account shows
    whether the application kept them.
    """
    written = {change.path for change in changes}
    kept = {path: entry for path, entry in known.items() if path not in written}
    for one in judged:
        attribute = mapping.by_target[one.path]
        if one.fate is Fate.CHANGED:
            kept[one.path] = _entry(attribute, one.sent, one.answered, times=ENOUGH)
        elif one.fate is Fate.MISSING and not is_essential(attribute):
            before = known.get(one.path)
            times = before["times"] if before and _says(before, one.sent, one.answered, attribute) else 0
            kept[one.path] = _entry(attribute, one.sent, one.answered, times=times + 1)
    for change in unseen:
        attribute = mapping.by_target[change.path]
        if not is_essential(attribute) and not attribute.is_secret:
            kept[change.path] = _entry(attribute, change.new, change.old, times=1, awaited=True)
    return kept


def after_read(
    known: AnswersByPath, account: Account, mapping: ObjectMapping
) -> tuple[dict[str, Any], tuple[JudgedValue, ...]]:
    """Compare the entries of *known* with *account*, which was just read. Returns the entries that still apply, and judgements of the
    values that earlier responses did not show.
    """
    held = held_values(mapping, account.resource)
    kept: dict[str, Any] = {}
    judged: list[JudgedValue] = []
    for path, entry in known.items():
        attribute = mapping.by_target.get(path)
        if attribute is None:
            continue
        there = held.get(path)
        if is_empty(there) and not _shows_level(account.resource, path):
            kept[path] = entry
        elif same_value(there, entry["answered"], attribute):
            kept[path] = {**entry, "times": ENOUGH, "awaited": False} if entry["awaited"] else entry
            if entry["awaited"]:
                fate = Fate.MISSING if is_empty(there) else Fate.CHANGED
                judged.append(JudgedValue(path, fate, entry["sent"], there, attribute.is_redacted))
        elif entry["awaited"] and same_value(there, entry["sent"], attribute):
            judged.append(JudgedValue(path, Fate.KEPT, entry["sent"], there, attribute.is_redacted))
    return kept, tuple(judged)


def with_unkept(configuration: JobConfiguration, found: Iterable[Unkept]) -> JobConfiguration:
    """Return *configuration* with its `unkept` attributes, whose differences must no longer be written. These are the attributes in *found*
    that enough consecutive responses lacked, that are not essential, and whose mapping has not changed since.
    """
    by_kind: dict[ObjectKind, set[str]] = {}
    for one in found:
        if one.answers >= ENOUGH and (attribute := _still_mapped(one, configuration)) and not is_essential(attribute):
            by_kind.setdefault(one.kind, set()).add(one.path)
    if not by_kind:
        return configuration
    return replace(configuration, unkept={kind: frozenset(paths) for kind, paths in by_kind.items()})


def confirmed(found: Iterable[Unkept], configuration: JobConfiguration) -> list[Unkept]:
    """Return the entries of *found* whose attribute the application certainly does not keep: enough consecutive responses lacked the
    attribute, and the attribute's mapping has not changed since. Unlike `with_unkept`, this function includes essential attributes.
    """
    return [one for one in found if one.answers >= ENOUGH and _still_mapped(one, configuration) is not None]


def _is_settled(change: Change, entry: Mapping[str, Any] | None, mapping: AttributeMapping) -> bool:
    if entry is None or not (entry["times"] >= ENOUGH or entry["awaited"]):
        return False
    return _says(entry, change.new, change.old, mapping)


def _says(entry: Mapping[str, Any], sent: Value, answered: Value, mapping: AttributeMapping) -> bool:
    return (
        entry["mapping"] == rule_of(mapping)
        and same_value(sent, entry["sent"], mapping)
        and same_value(answered, entry["answered"], mapping)
    )


def _entry(
    mapping: AttributeMapping, sent: Value, answered: Value, *, times: int, awaited: bool = False
) -> dict[str, Any]:
    rule = rule_of(mapping)
    return {"sent": sent, "answered": answered, "times": times, "awaited": awaited, "mapping": rule}


def _still_mapped(one: Unkept, configuration: JobConfiguration) -> AttributeMapping | None:
    mapping = configuration.mapping_for(one.kind)
    attribute = mapping.by_target.get(one.path) if mapping is not None else None
    return attribute if attribute is not None and rule_of(attribute) == one.mapping else None
