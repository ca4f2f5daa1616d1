"""Map an object to the values that its account should have.

By default an empty source value does not clear the attribute: nothing is sent, and the account keeps its value. On create, a default value
replaces an empty value. On later writes, the default value is used only if the mapping clears empty attributes or has no source. This
module also reads the current values of an account; like the desired values, they are keyed by target path.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from lockstep.engine.decisions.source_record import IS_SOFT_DELETED, source_record
from lockstep.engine.expressions import DROP, SKIP_OBJECT, EvaluationContext, ExpressionError
from lockstep.engine.moment import Moment
from lockstep.engine.plans import MappedAccount
from lockstep.engine.records import Reason, SourceObject, Value, Values
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.generated import is_kept, label_of, reusable
from lockstep.engine.rules.mappings import AttributeMapping, Constant, Direct, Expression, NoSource, ObjectMapping
from lockstep.engine.rules.operators import is_empty, text_of, whole_number
from lockstep.engine.rules.sealing import sealed
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute
from lockstep.scim.target_values import MISSING, read_path

# By target path: the values that are already in use in the application.
TakenValues = Mapping[str, Collection[str]]

# Attributes that decide whether a person may have access. When an account is disabled, only the mappings that read one of them are applied.
DISABLING: Final = frozenset({IS_SOFT_DELETED, "accountEnabled"})
# Shared by all ordinary objects: creating empty mappings for each would take longer than evaluating two mappings.
_NO_VALUES: Final[Values] = MappingProxyType({})
_NO_NAMES: Final[frozenset[str]] = frozenset()


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
    taken: TakenValues | None = None,
    record: Values | None = None,
    only: frozenset[str] | None = None,
) -> MappedAccount:
    """Map *obj*. *account_ids* maps the directory ids of referenced objects to their accounts. Never raises, whatever data the person has.

    *generated* are values that were generated earlier and are used again. If *only* is given, only the mappings that read one of these
    attributes are used.
    """
    if record is None:
        record = source_record(obj, configuration, is_soft_deleted=is_soft_deleted)
    context = EvaluationContext(moment, (), configuration.default_domain)
    work: _Work | None = None  # created only for objects that leave the fast path
    values: dict[str, Value] = {}
    read = record.get
    for target, plain_source, ignores_empty, quick_read, attribute in mapping.flow:
        # Fast path: most mappings copy a string, and analysing each mapping again for every person would take most of the time.
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
            return MappedAccount({}, problem=problem, redacted=frozenset(work.redacted), is_excluded=work.is_excluded)
    return _complete(mapping, values, work, creating=creating)


def _complete(mapping: ObjectMapping, values: dict[str, Value], work: _Work | None, *, creating: bool) -> MappedAccount:
    """Finish a run over all mappings. Elements that contain only constant values are removed. If a required value is missing for a create,
    the result contains a problem.
    """
    for labels, given in mapping.labels:
        # Drop elements filled only by constants: {"type": "work", "primary": true} is not an e-mail address.
        if values.keys().isdisjoint(given):
            for label in labels:
                values.pop(label, None)
    problem = _missing_required(mapping, values) if creating else None
    if work is None:
        return MappedAccount(values, _NO_NAMES, _NO_NAMES, (), _NO_VALUES, _NO_NAMES, problem, _NO_VALUES)
    return work.done(problem)


def held_values(mapping: ObjectMapping, resource: Mapping[str, Any]) -> Values:
    """Return the current values of an account by target path. Paths without a value are left out."""
    found = ((attribute.target, read_path(resource, attribute.target)) for attribute in mapping.flowing)
    return {path: _frozen(value) for path, value in found if value is not MISSING}


def base_after(base: Values, desired: Values, cleared: Collection[str], returned: Values) -> Values:
    """Return the values that both sides agree on after a write was accepted. These are the values in the response. For attributes that the
    response omits, the sent values are used.

    An omitted attribute is not an empty one.
    """
    sent = {path: value for path, value in {**base, **desired}.items() if path not in cleared}
    return {**sent, **returned}


@dataclass(slots=True)
class _Work:
    """One run over the mappings. Collects the values that the mappings produce."""

    owner: str
    record: Values
    context: EvaluationContext
    generated: Values
    account_ids: Mapping[str, str]
    creating: bool
    taken: TakenValues
    values: dict[str, Value]
    cleared: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    made: dict[str, Value] = field(default_factory=dict)
    redacted: list[str] = field(default_factory=list)
    sealed: dict[str, Value] = field(default_factory=dict)
    is_excluded: bool = False

    def add(self, mapping: AttributeMapping) -> Reason | None:
        """Evaluate one mapping. Return a reason if the whole object cannot be mapped, otherwise None."""
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
            self.is_excluded = True
            return Reason("ImportSkipped", f"The mapping of {mapping.target} excludes this object (IgnoreObjectFlow).")
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
                if mapping.is_secret and is_kept(self.generated, mapping.target, compiled):
                    return DROP  # we kept only a hash; the application has the value
                # A unique value is chosen again for every new account: the earlier one may be in use by now.
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
            # The default replaces an empty value: the next evaluation must not clear what the create wrote.
            if self.creating or mapping.clear_when_empty:
                self.values[mapping.target] = typed(mapping.default, mapping.attribute)
        elif self.creating:
            return
        elif mapping.clear_when_empty or value is not None:
            # An expression that gives "" or an empty list clears on purpose; an attribute without a value does not.
            self.cleared.append(mapping.target)

    def _add_reference(self, mapping: AttributeMapping, value: Value) -> None:
        several = isinstance(value, tuple | list)
        wanted = [text_of(item) for item in (value if several else (value,)) if not is_empty(item)]
        found = [self.account_ids[other] for other in wanted if other in self.account_ids]
        self.missing.extend((mapping.target, other) for other in wanted if other not in self.account_ids)
        if found:
            self.values[mapping.target] = tuple(found) if several else found[0]

    def done(self, problem: Reason | None) -> MappedAccount:
        return MappedAccount(
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
    """Convert *value* to the type of the attribute; if that fails, return it unchanged and let the application judge it."""
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
    """Whether *value* is empty or consists only of empty values."""
    return is_empty(value) or (isinstance(value, tuple | list) and all(is_empty(item) for item in value))


def _missing_required(mapping: ObjectMapping, values: Values) -> Reason | None:
    names = [m.target for m in mapping.flowing if m.attribute.required and m.target not in values]
    if not names:
        return None
    which = " and ".join(names)
    return Reason(
        "MissingValues",
        f"The application requires {which}, but the mapping produces no value.",
        {"attributes": ", ".join(names)},
        f"Set the attribute for {which} in the directory, or give the mapping a default value.",
    )


def _failed(mapping: AttributeMapping, error: ExpressionError) -> Reason:
    # Error messages quote the offending value; for a redacted mapping it must stay hidden.
    detail = "its expression cannot be evaluated" if mapping.is_redacted else error.detail
    return Reason(
        "InvalidExpression",
        f"The mapping of {mapping.target} failed: {detail}",
        {"attribute": mapping.target, "position": str(error.position)},
        "Correct the expression, or the attribute value that it fails on.",
    )


def _frozen(value: Any) -> Value:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


__all__ = [
    "DISABLING",
    "TakenValues",
    "base_after",
    "held_values",
    "map_account",
    "typed",
]
