"""The configuration of one job: whom it provisions, what flows where, and what happens to those who leave.

Everything is compiled once, when the configuration is read: a decision evaluates closures and never parses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from lockstep.engine.expressions import CompiledExpression, EvaluationContext, ExpressionError
from lockstep.engine.records import AppRole, ObjectKind, Value, Values
from lockstep.engine.rules.conditions import ScopingFilter
from lockstep.engine.rules.generated import depends_on_today, is_generated
from lockstep.engine.rules.policies import DeletionPolicy, Guards
from lockstep.engine.rules.secrecy import Fingerprint, names_a_secret
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute


class Scope(StrEnum):
    ASSIGNED = "assigned"
    ALL = "all"


class Apply(StrEnum):
    """When a mapping flows (Entra: flowType)."""

    ALWAYS = "always"
    CREATE_ONLY = "createOnly"  # ObjectAddOnly
    ATTRIBUTE_ADD_ONLY = "attributeAddOnly"  # only where the target has no value
    VALUE_ADD_ONLY = "valueAddOnly"  # adds values, takes none away and replaces none
    MULTI_VALUE_ADD_ONLY = "multiValueAddOnly"  # several values: adds; one value: as always


class Flow(StrEnum):
    """Entra's flowBehavior. Kept for round trips: decisions compare states, so both behave alike."""

    WHEN_CHANGED = "whenChanged"
    ALWAYS = "always"


class Drift(StrEnum):
    """What to do where the application holds something else than we wrote."""

    ENFORCE = "enforce"  # write ours again
    REPORT = "report"  # leave it, and say so, until the person's value changes
    ADOPT = "adopt"  # leave it without a word, until the person's value changes


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
    """The attribute is not touched; a default value is written where the target has none."""


MappingSource: TypeAlias = Direct | Constant | Expression | NoSource
QuickRead: TypeAlias = Callable[[Values, EvaluationContext, Mapping[str, str]], Value]
_TRUTH = {"True": True, "False": False}


@dataclass(frozen=True)
class AttributeMapping:
    """One attribute's flow. *match* is its matching precedence, 0 for none. *default* is written on create only."""

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
    privileged: tuple[str, ...] = ()  # values that give power in the application: granting them is guarded
    extra: Mapping[str, Any] = field(default_factory=dict)  # parts of an imported schema that we only keep
    fingerprint: Fingerprint | None = field(default=None, compare=False, repr=False)  # hashes what is kept of a secret

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
        """Whether no more than a hash is kept of the value: all that is redacted, but what accounts are searched by."""
        return self.is_redacted and self.match == 0

    @cached_property
    def is_generated(self) -> bool:
        """The value is made once and then kept with the link."""
        return isinstance(self.source, Expression) and is_generated(self.source.compiled)

    @cached_property
    def is_unique(self) -> bool:
        """The value is chosen so that nobody in the application has it, which makes sense only when an account is made."""
        return isinstance(self.source, Expression) and "SelectUniqueValue" in self.source.compiled.functions

    @cached_property
    def only_creates(self) -> bool:
        return self.apply is Apply.CREATE_ONLY or self.is_unique

    @cached_property
    def plain_source(self) -> str:
        """The source attribute where its text is copied as it is; "" where anything else may happen."""
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
        """An attribute without a value says nothing."""
        return self.default is None and not self.clear_when_empty

    @cached_property
    def quick_read(self) -> QuickRead | None:
        """Gives the value in the usual case, and None where more must be thought of; None itself where that is always so."""
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
        """The members of a group: never part of an account's values, they travel on their own."""
        return self.target == "members"


def _quick_text(compiled: CompiledExpression, *, is_truth: bool) -> QuickRead:
    evaluate = compiled.evaluate

    def read(record: Values, context: EvaluationContext, account_ids: Mapping[str, str]) -> Value:
        try:
            value = evaluate(record, context)
        except ExpressionError:
            return None  # evaluated again where the error is told
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
    """How one kind of object becomes a resource of the application."""

    name: str
    source: ObjectKind
    target: str
    enabled: bool = True
    actions: frozenset[str] = frozenset({"create", "update", "delete"})
    scoping_filters: tuple[ScopingFilter, ...] = ()
    attributes: tuple[AttributeMapping, ...] = ()
    attribute_list: tuple[
        TargetAttribute, ...
    ] = ()  # the application's attributes that are not as the SCIM schema says
    extra: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def by_target(self) -> Mapping[str, AttributeMapping]:
        return {mapping.target: mapping for mapping in self.attributes}

    @cached_property
    def powers(self) -> Mapping[str, Mapping[str, str]]:
        """By target: the privileged values of its attribute, folded. A value is one by whatever path it is written."""
        found: dict[str, dict[str, str]] = {}
        for one in self.attributes:
            found.setdefault(attribute_of(one.target), {}).update({power.casefold(): power for power in one.privileged})
        return {one.target: found[attribute_of(one.target)] for one in self.attributes}

    @cached_property
    def flowing(self) -> tuple[AttributeMapping, ...]:
        """The mappings of an account's own values: all but the members of a group."""
        return tuple(mapping for mapping in self.attributes if not mapping.is_members)

    @cached_property
    def flow(self) -> tuple[tuple[str, str, bool, QuickRead | None, AttributeMapping], ...]:
        """Each of *flowing* with all that a mapping run would otherwise find out anew for every person."""
        return tuple((m.target, m.plain_source, m.ignores_empty, m.quick_read, m) for m in self.flowing)

    @cached_property
    def secrets(self) -> tuple[AttributeMapping, ...]:
        """The mappings of whose values no more than a hash is kept."""
        return tuple(mapping for mapping in self.flowing if mapping.is_secret)

    @cached_property
    def labels(self) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        """Of each element of a multi-valued attribute (`emails[type eq "work"]`): what is the same for all, and what people give.

        Elements that have only one of the two are left out.
        """
        elements: dict[str, tuple[set[str], set[str]]] = {}
        for one in self.flowing:
            element, bracket, _ = one.target.rpartition("]")
            if bracket:
                elements.setdefault(element.casefold(), (set(), set()))[bool(one.dependencies)].add(one.target)
        return tuple((frozenset(same), frozenset(given)) for same, given in elements.values() if same and given)

    @cached_property
    def matching(self) -> tuple[AttributeMapping, ...]:
        """The mappings that accounts are found by, in the order of precedence."""
        return tuple(sorted((m for m in self.attributes if m.match > 0), key=lambda mapping: mapping.match))

    @cached_property
    def deactivation(self) -> AttributeMapping | None:
        """The mapping that switches an account off and on; None where the application cannot disable."""
        return self.by_target.get("active")

    @cached_property
    def depends_on_today(self) -> bool:
        """Whether a value may change with time alone."""
        expressions = (m.source.compiled for m in self.attributes if isinstance(m.source, Expression))
        return any(depends_on_today(compiled) for compiled in expressions)

    @property
    def has_members(self) -> bool:
        return any(mapping.is_members for mapping in self.attributes)


def attribute_of(target: str) -> str:
    """The attribute that *target* is a part of: `roles` of `roles[primary eq "True"].value`."""
    name = target.partition("[")[0].casefold()
    return name if name.startswith("urn:") else name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Limits:
    """The pace towards the application. None leaves it to the application's own description."""

    requests_per_second: float | None = None
    concurrency: int | None = None
    max_retries: int | None = None  # quick tries of what failed because the application was down or busy
    members_per_patch: int | None = None  # of a group, in one request; 1 for applications that take one at a time


@dataclass(frozen=True, slots=True)
class StartPolicy:
    """From when a person gets an account: *lead* before the date in *attribute*."""

    attribute: str
    lead: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Settings that a file may carry beside the rules. None: not said there."""

    mode: str | None = None
    status: str | None = None
    interval: timedelta | None = None
    jitter: timedelta | None = None
    notification_email: str | None = None
    email_on_failure: bool | None = None


@dataclass(frozen=True)
class JobConfiguration:
    """Everything that the decisions of one job read, pinned by *version*."""

    version: int
    scope: Scope = Scope.ASSIGNED
    objects: tuple[ObjectMapping, ...] = ()
    deletions: DeletionPolicy = field(default_factory=DeletionPolicy)
    guards: Guards = field(default_factory=Guards)
    limits: Limits = Limits()
    start: StartPolicy | None = None
    roles: tuple[AppRole, ...] = ()
    nested_groups: bool = False
    default_domain: str | None = None
    settings: JobSettings = JobSettings()
    extra: Mapping[str, Any] = field(default_factory=dict)
    app_name: str = "APP"  # as commands name the application
    unkept: Mapping[ObjectKind, frozenset[str]] = field(
        default_factory=dict
    )  # paths that the application does not keep

    @cached_property
    def _by_kind(self) -> Mapping[ObjectKind, ObjectMapping]:
        # The first enabled mapping of a kind decides; a disabled one still says what the kind would get.
        ordered = sorted(self.objects, key=lambda mapping: not mapping.enabled)
        return {mapping.source: mapping for mapping in reversed(ordered)}

    @cached_property
    def roles_by_id(self) -> Mapping[str, AppRole]:
        return {role.id: role for role in self.roles}

    def mapping_for(self, kind: ObjectKind) -> ObjectMapping | None:
        """The mapping of that kind of object, enabled or not; None where there is none."""
        return self._by_kind.get(kind)
