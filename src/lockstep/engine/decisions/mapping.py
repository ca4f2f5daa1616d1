"""Map an object to the values that its account should have.

An empty source value is not "clear the attribute": by default it means "say nothing", and the account keeps what it has. A default value
is written on create only. Reading what an account holds is here as well, because both sides are per target path.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

import orjson

from lockstep.engine.decisions.source_record import IS_SOFT_DELETED, source_record
from lockstep.engine.expressions import DROP, SKIP_OBJECT, EvaluationContext, ExpressionError
from lockstep.engine.moment import Moment
from lockstep.engine.records import Reason, SourceObject, Value, Values
from lockstep.engine.rules.configuration import (
    AttributeMapping,
    Constant,
    Direct,
    Expression,
    JobConfiguration,
    NoSource,
    ObjectMapping,
)
from lockstep.engine.rules.generated import is_kept, label_of, reusable
from lockstep.engine.rules.operators import is_empty, text_of, whole_number
from lockstep.engine.rules.secrecy import sealed
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute
from lockstep.scim.target_values import MISSING, read_path

# By target path: the values that somebody else in the application has already.
Taken = Mapping[str, Collection[str]]

# Attributes that say whether a person may have access: mappings that read one of them carry a disabling.
DISABLING: Final = frozenset({IS_SOFT_DELETED, "accountEnabled"})
# Shared by everybody who is quite ordinary: making empty ones for each would take longer than two mappings.
_NO_VALUES: Final[Values] = MappingProxyType({})
_NO_NAMES: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Mapped:
    """The desired account. *problem* is why there is none, or why the object is left out.

    *values* has no empty ones; *cleared* are the paths that a mapping empties on purpose; *dropped* those that do not flow this time.
    """

    values: Values
    cleared: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    missing_references: tuple[tuple[str, str], ...] = ()
    generated: Values = field(default_factory=dict)
    redacted: frozenset[str] = frozenset()
    problem: Reason | None = None
    sealed: Values = field(default_factory=dict)  # the hashes of secret values

    @cached_property
    def digest(self) -> str:
        """Equal digests mean the same wish: there is nothing to compare."""
        return desired_hash({**self.values, **self.sealed} if self.sealed else self.values, self.cleared)


def map_account(
    obj: SourceObject,
    mapping: ObjectMapping,
    *,
    configuration: JobConfiguration,
    moment: Moment,
    creating: bool,
    is_soft_deleted: bool,
    generated: Values,
    account_ids: Mapping[str, str],
    taken: Taken | None = None,
    record: Values | None = None,
    only: frozenset[str] | None = None,
) -> Mapped:
    """Map *obj*. *account_ids* are the accounts of the objects it refers to, by directory id. Never raises for people's data.

    *generated* are random values made earlier, which stay. *only* limits it to mappings that read one of these attributes.
    """
    if record is None:
        record = source_record(obj, configuration, is_soft_deleted=is_soft_deleted)
    context = EvaluationContext(moment, (), configuration.default_domain)
    work: _Work | None = None  # made for whoever is not quite ordinary
    values: dict[str, Value] = {}
    read = record.get
    for target, plain_source, ignores_empty, quick_read, attribute in mapping.flow:
        # Most mappings give a text as it is, and most time would go into finding that out anew for every person.
        if only is not None:
            if attribute.dependencies.isdisjoint(only):
                continue
        elif plain_source:
            value = read(plain_source)
            if value.__class__ is str and value:
                values[target] = value
                continue
            if value is None and ignores_empty:
                continue
        elif quick_read is not None:
            value = quick_read(record, context, account_ids)
            if value is not None:
                values[target] = value
                continue
        if attribute.only_creates and not creating:
            continue
        if work is None:
            work = _Work(obj.id, record, context, generated, account_ids, creating, taken or {}, values)
        problem = work.add(attribute)
        if problem is not None:
            return Mapped({}, problem=problem, redacted=frozenset(work.redacted))
    for labels, given in mapping.labels:
        # An element that only constants would fill says nothing: {"type": "work", "primary": true} is no e-mail address.
        if values.keys().isdisjoint(given):
            for label in labels:
                values.pop(label, None)
    problem = _missing_required(mapping, values) if creating else None
    if work is None:
        return Mapped(values, _NO_NAMES, _NO_NAMES, (), _NO_VALUES, _NO_NAMES, problem, _NO_VALUES)
    return work.done(problem)


def desired_hash(values: Values, cleared: Collection[str] = ()) -> str:
    """A short digest of what an account should be: equal digests mean there is nothing to compare."""
    document = {**values, **dict.fromkeys(cleared)}
    try:
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Half a surrogate pair, or a number beyond 64 bits: no JSON, but still comparable.
        text = repr(sorted(document.items(), key=lambda item: item[0])).encode("utf-8", "surrogatepass")
    return sha256(text).hexdigest()[:32]


def held_values(mapping: ObjectMapping, resource: Mapping[str, Any]) -> Values:
    """What an account holds, by the target paths of the mapping; what it has not is left out."""
    found = ((attribute.target, read_path(resource, attribute.target)) for attribute in mapping.flowing)
    return {path: _frozen(value) for path, value in found if value is not MISSING}


def base_after(base: Values, desired: Values, cleared: Collection[str], returned: Values) -> Values:
    """What both sides agree on after a write was accepted: what was sent, overlaid with the mapped values that came back.

    Absent is not empty: an application that leaves an attribute out of its answer has not emptied it.
    """
    sent = {path: value for path, value in {**base, **desired}.items() if path not in cleared}
    return {**sent, **returned}


@dataclass(slots=True)
class _Work:
    """One mapping run: collects what flows."""

    owner: str
    record: Values
    context: EvaluationContext
    generated: Values
    account_ids: Mapping[str, str]
    creating: bool
    taken: Taken
    values: dict[str, Value]
    cleared: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    made: dict[str, Value] = field(default_factory=dict)
    redacted: list[str] = field(default_factory=list)
    sealed: dict[str, Value] = field(default_factory=dict)

    def add(self, mapping: AttributeMapping) -> Reason | None:
        """Evaluate one mapping. Returns the reason why the whole object cannot be mapped."""
        if mapping.is_redacted:
            self.redacted.append(mapping.target)
        try:
            value = self._evaluate(mapping)
        except ExpressionError as error:
            return _failed(mapping, error)
        if value is DROP:
            self.dropped.append(mapping.target)
            return None
        if value is SKIP_OBJECT:
            return Reason(
                "ImportSkipped", f"The mapping of {mapping.target} leaves this object out (IgnoreObjectFlow)."
            )
        if _holds_nothing(value):
            self._add_empty(mapping, value)
        elif mapping.is_reference:
            self._add_reference(mapping, value)
        else:
            self.values[mapping.target] = typed(value, mapping.attribute)
        if mapping.is_secret and mapping.target in self.values:
            self.sealed[mapping.target] = sealed(self.values[mapping.target], mapping)
        return None

    def _evaluate(self, mapping: AttributeMapping) -> Value:
        match mapping.source:
            case Direct(attribute):
                value = self.record.get(attribute)
                return None if _holds_nothing(value) else value
            case Constant(value):
                return value
            case NoSource():
                return mapping.default
            case Expression(compiled):
                if not mapping.is_generated:
                    return compiled.evaluate(self.record, self.context)
                # A unique value is chosen anew for every account: meanwhile somebody else may have the one of the last.
                if mapping.is_secret and is_kept(self.generated, mapping.target, compiled):
                    return DROP  # only the application knows it now
                value = None if mapping.is_unique else reusable(self.generated, mapping.target, compiled)
                if value is None:
                    taken = self.taken.get(mapping.target, ())
                    label = label_of(mapping.target, self.owner)
                    labelled = EvaluationContext(self.context.moment, taken, self.context.default_domain, label)
                    value = compiled.evaluate(self.record, labelled)
                if isinstance(value, str | int | tuple):
                    kept = sealed(value, mapping) if mapping.is_secret else value
                    self.made[mapping.target] = {"value": kept, "expression": compiled.text}
                return value

    def _add_empty(self, mapping: AttributeMapping, value: Value) -> None:
        if mapping.default is not None:
            # The default stands in for nothing: clearing on the next evaluation what the create wrote would be absurd.
            if self.creating or mapping.clear_when_empty:
                self.values[mapping.target] = typed(mapping.default, mapping.attribute)
        elif self.creating:
            return
        elif mapping.clear_when_empty or value is not None:
            # An expression that gives "" or an empty list says so on purpose; an attribute without a value says nothing.
            self.cleared.append(mapping.target)

    def _add_reference(self, mapping: AttributeMapping, value: Value) -> None:
        several = isinstance(value, tuple | list)
        wanted = [text_of(item) for item in (value if several else (value,)) if not is_empty(item)]
        found = [self.account_ids[other] for other in wanted if other in self.account_ids]
        self.missing.extend((mapping.target, other) for other in wanted if other not in self.account_ids)
        if found:
            self.values[mapping.target] = tuple(found) if several else found[0]

    def done(self, problem: Reason | None) -> Mapped:
        return Mapped(
            self.values,
            frozenset(self.cleared),
            frozenset(self.dropped),
            tuple(self.missing),
            self.made,
            frozenset(self.redacted),
            problem,
            self.sealed,
        )


def typed(value: Value, attribute: TargetAttribute) -> Value:
    """*value* in the type of the attribute; what does not convert stays as it is, for the application to judge."""
    if isinstance(value, tuple | list):
        items = tuple(typed(item, attribute) for item in value if not is_empty(item))
        return items if attribute.multi_valued or len(items) != 1 else items[0]
    if attribute.type is AttributeType.BOOLEAN and isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    if attribute.type is AttributeType.INTEGER and isinstance(value, str):
        number = whole_number(value)
        return value if number is None else number
    if attribute.type is AttributeType.STRING and isinstance(value, bool | int | float):
        return text_of(value)
    return value


def _holds_nothing(value: Value) -> bool:
    """Whether *value* is empty, or several values of which none is anything."""
    return is_empty(value) or (isinstance(value, tuple | list) and all(is_empty(item) for item in value))


def _missing_required(mapping: ObjectMapping, values: Values) -> Reason | None:
    names = [m.target for m in mapping.flowing if m.attribute.required and m.target not in values]
    if not names:
        return None
    which = " and ".join(names)
    return Reason(
        "MissingValues",
        f"{which} must have a value in the application, and the mapping gives none.",
        {"attributes": ", ".join(names)},
        f"Give the person a value for {which}, or the mapping a default value.",
    )


def _failed(mapping: AttributeMapping, error: ExpressionError) -> Reason:
    # A function quotes the value it cannot use; that of a redacted mapping must not be seen.
    detail = "its expression cannot be evaluated" if mapping.is_redacted else error.detail
    return Reason(
        "InvalidExpression",
        f"The mapping of {mapping.target} failed: {detail}",
        {"attribute": mapping.target, "position": str(error.position)},
        "Correct the expression, or the value that it cannot use.",
    )


def _frozen(value: Any) -> Value:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


__all__ = [
    "DISABLING",
    "Mapped",
    "Taken",
    "base_after",
    "desired_hash",
    "held_values",
    "map_account",
    "typed",
]
