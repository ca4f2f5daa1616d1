"""The mappings of one kind of object. Each mapping says which value flows into an attribute of the account, and when.

Properties that decisions read are computed on first use and then kept, because they are read again for every object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from lockstep.engine.expressions import CompiledExpression, EvaluationContext, ExpressionError
from lockstep.engine.records import ObjectKind, Value, Values
from lockstep.engine.rules.conditions import ScopingFilter
from lockstep.engine.rules.generated import depends_on_today, is_generated
from lockstep.engine.rules.secrecy import Fingerprint, names_a_secret
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute


class Apply(StrEnum):
    """The situations in which a mapping writes its value (flowType in Entra)."""

    ALWAYS = "always"
    CREATE_ONLY = "createOnly"  # ObjectAddOnly
    ATTRIBUTE_ADD_ONLY = "attributeAddOnly"  # only if the target has no value
    VALUE_ADD_ONLY = "valueAddOnly"  # adds values; removes and replaces none
    MULTI_VALUE_ADD_ONLY = "multiValueAddOnly"  # multi-valued: adds; single-valued: like ALWAYS


class Flow(StrEnum):
    """Entra's flowBehavior. It is stored only so that exports contain it. Decisions compare states, so both flow behaviors have the same
    effect.
    """

    WHEN_CHANGED = "whenChanged"
    ALWAYS = "always"


class Drift(StrEnum):
    """The response to a value that the application changed after Lockstep wrote it."""

    ENFORCE = "enforce"  # write our value again
    REPORT = "report"  # leave and report it until the person's value changes
    ADOPT = "adopt"  # leave it silently until the person's value changes


@dataclass(frozen=True, slots=True)
class Direct:
    attribute: str


@dataclass(frozen=True, slots=True)
class Constant:
    value: Value


@dataclass(frozen=True, slots=True)
class Expression:
    compiled: CompiledExpression

    @property
    def text(self) -> str:
        return self.compiled.text


@dataclass(frozen=True, slots=True)
class NoSource:
    """A mapping without a source. If the account has no value, the default value is written; otherwise the attribute is left unchanged."""


MappingSource: TypeAlias = Direct | Constant | Expression | NoSource


QuickRead: TypeAlias = Callable[[Values, EvaluationContext, Mapping[str, str]], Value]


_TRUTH = {"True": True, "False": False}


def value_of(source: MappingSource, record: Values, context: EvaluationContext) -> Value:
    """Return the value of *source* for an object, or None if there is none. Raises ExpressionError."""
    match source:
        case Direct(attribute):
            return record.get(attribute)
        case Constant(value):
            return value
        case Expression(compiled):
            return compiled.evaluate(record, context)
        case NoSource():
            return None


@dataclass(frozen=True)
class AttributeMapping:
    """The mapping of one attribute. *match* is the precedence of a matching attribute, or 0 for other attributes. *default* replaces an
    empty value when an account is created. If *clear_when_empty* is true, *default* also replaces an empty value in later updates.
    """

    target: str
    source: MappingSource
    attribute: TargetAttribute
    default: Value = None
    match: int = 0
    apply: Apply = Apply.ALWAYS
    flow: Flow = Flow.WHEN_CHANGED
    clear_when_empty: bool = False
    redact: bool = False
    drift: Drift = Drift.ENFORCE
    privileged: tuple[str, ...] = ()  # values that give privileges in the application; a guard limits granting them
    extra: Mapping[str, Any] = field(default_factory=dict)  # parts of an imported schema that we keep but do not use
    fingerprint: Fingerprint | None = field(default=None, compare=False, repr=False)  # hashes stored secrets

    @cached_property
    def dependencies(self) -> frozenset[str]:
        """The source attributes that can change the value."""
        match self.source:
            case Direct(attribute):
                return frozenset({attribute})
            case Expression(compiled):
                return compiled.attributes
            case _:
                return frozenset()

    @cached_property
    def is_redacted(self) -> bool:
        is_declared = self.redact or (isinstance(self.source, Expression) and self.source.compiled.is_redacted)
        return is_declared or names_a_secret(self.target)

    @cached_property
    def is_secret(self) -> bool:
        """Whether only a hash of the value is stored. True if the value is redacted and the attribute is not used for matching."""
        return self.is_redacted and self.match == 0

    @cached_property
    def is_generated(self) -> bool:
        """Whether the value is generated once and then kept with the link."""
        return isinstance(self.source, Expression) and is_generated(self.source.compiled)

    @cached_property
    def is_unique(self) -> bool:
        """Whether Lockstep chooses a value that is unique in the application. It does so only when an account is created."""
        return isinstance(self.source, Expression) and "SelectUniqueValue" in self.source.compiled.functions

    @cached_property
    def only_creates(self) -> bool:
        return self.apply is Apply.CREATE_ONLY or self.is_unique

    @cached_property
    def plain_source(self) -> str:
        """The source attribute if the mapping copies its text unchanged; otherwise ""."""
        is_plain = (
            isinstance(self.source, Direct)
            and self.attribute.type is AttributeType.STRING
            and not self.attribute.multi_valued
            and self.apply is not Apply.CREATE_ONLY
            and not self.is_redacted
        )
        return self.source.attribute if is_plain and isinstance(self.source, Direct) else ""

    @cached_property
    def ignores_empty(self) -> bool:
        """Whether an empty value is left unwritten. This is so unless the mapping has a default or clears the attribute."""
        return self.default is None and not self.clear_when_empty

    @cached_property
    def quick_read(self) -> QuickRead | None:
        """A quick reader for the usual case, or None if the mapping always needs the full evaluation.

        The reader returns None for a value that needs the full evaluation.
        """
        if self.attribute.multi_valued or self.is_redacted or self.is_generated or self.only_creates:
            return None
        match self.source, self.attribute.type:
            case Expression(compiled), AttributeType.STRING | AttributeType.BOOLEAN as kind:
                return _quick_text(compiled, is_truth=kind is AttributeType.BOOLEAN)
            case Direct(attribute), AttributeType.REFERENCE:
                return _quick_reference(attribute)
            case _:
                return None

    @cached_property
    def is_reference(self) -> bool:
        return self.attribute.type is AttributeType.REFERENCE

    @property
    def is_members(self) -> bool:
        """Whether the target is `members`. Members are written separately and are never part of an account's values."""
        return self.target == "members"


def _quick_text(compiled: CompiledExpression, *, is_truth: bool) -> QuickRead:
    evaluate = compiled.evaluate

    def read(record: Values, context: EvaluationContext, account_ids: Mapping[str, str]) -> Value:
        try:
            value = evaluate(record, context)
        except ExpressionError:
            return None  # the full evaluation repeats this and reports the error
        if value.__class__ is not str or not value:
            return None
        return _TRUTH.get(value) if is_truth else value

    return read


def _quick_reference(attribute: str) -> QuickRead:
    def read(record: Values, context: EvaluationContext, account_ids: Mapping[str, str]) -> Value:
        value = record.get(attribute)
        return account_ids.get(value) if value.__class__ is str else None

    return read


@dataclass(frozen=True)
class ObjectMapping:
    """The mapping of one kind of object to a resource of the application."""

    name: str
    source: ObjectKind
    target: str
    enabled: bool = True
    actions: frozenset[str] = frozenset({"create", "update", "delete"})
    scoping_filters: tuple[ScopingFilter, ...] = ()
    attributes: tuple[AttributeMapping, ...] = ()
    attribute_list: tuple[TargetAttribute, ...] = ()  # the application's attributes that deviate from the SCIM schema
    extra: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def by_target(self) -> Mapping[str, AttributeMapping]:
        return {mapping.target: mapping for mapping in self.attributes}

    @cached_property
    def privileges(self) -> Mapping[str, Mapping[str, str]]:
        """The privileged values, case-folded, by target path. All paths of one attribute have the same privileged values."""
        found: dict[str, dict[str, str]] = {}
        for one in self.attributes:
            found.setdefault(attribute_of(one.target), {}).update(
                {privilege.casefold(): privilege for privilege in one.privileged}
            )
        return {one.target: found[attribute_of(one.target)] for one in self.attributes}

    @cached_property
    def flowing(self) -> tuple[AttributeMapping, ...]:
        """The mappings of an account's own values: all mappings except that of a group's members."""
        return tuple(mapping for mapping in self.attributes if not mapping.is_members)

    @cached_property
    def flow(self) -> tuple[tuple[str, str, bool, QuickRead | None, AttributeMapping], ...]:
        """The mappings in *flowing*, with properties that would otherwise be computed again for every person."""
        return tuple((m.target, m.plain_source, m.ignores_empty, m.quick_read, m) for m in self.flowing)

    @cached_property
    def secrets(self) -> tuple[AttributeMapping, ...]:
        """The mappings for which only a hash of the value is stored."""
        return tuple(mapping for mapping in self.flowing if mapping.is_secret)

    @cached_property
    def labels(self) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        """One pair for each element of a multi-valued attribute, such as `emails[type eq "work"]`. The first part contains the targets in
        the element that are mapped to a constant. The second part contains the targets that are mapped from source attributes.

        Elements that have only one of these two kinds of targets are left out.
        """
        elements: dict[str, tuple[set[str], set[str]]] = {}
        for one in self.flowing:
            element, bracket, _ = one.target.rpartition("]")
            if bracket:
                elements.setdefault(element.casefold(), (set(), set()))[bool(one.dependencies)].add(one.target)
        return tuple((frozenset(same), frozenset(given)) for same, given in elements.values() if same and given)

    @cached_property
    def matching(self) -> tuple[AttributeMapping, ...]:
        """The mappings that accounts are matched by, in order of precedence."""
        return tuple(sorted((m for m in self.attributes if m.match > 0), key=lambda mapping: mapping.match))

    @cached_property
    def deactivation(self) -> AttributeMapping | None:
        """The mapping that switches an account off and on; None if the application cannot disable accounts."""
        return self.by_target.get("active")

    @cached_property
    def depends_on_today(self) -> bool:
        """Whether time alone can change a value."""
        expressions = (m.source.compiled for m in self.attributes if isinstance(m.source, Expression))
        return any(depends_on_today(compiled) for compiled in expressions)

    @property
    def has_members(self) -> bool:
        return any(mapping.is_members for mapping in self.attributes)


def attribute_of(target: str) -> str:
    """Return the attribute that the path *target* belongs to: `roles` for `roles[primary eq "True"].value`."""
    name = target.partition("[")[0].casefold()
    return name if name.startswith("urn:") else name.partition(".")[0]
