"""Check a configuration before it is used: find settings that cannot work, and probable mistakes.

Reading already refuses malformed settings. Lint finds settings that are well-formed but probably mistaken. It needs neither people's data
nor the application.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lockstep.configuration.document.configuration_json import AttributeLists
from lockstep.configuration.document.strict_json import unknown_word
from lockstep.configuration.findings import Finding
from lockstep.configuration.lint_privileges import PrivilegeCounts, check_privileges
from lockstep.configuration.lint_switch import check_switch
from lockstep.configuration.source_names import ROLES, SourceAttributes, unknown_in_attribute, unknown_in_condition
from lockstep.engine.decisions.source_record import IS_SOFT_DELETED
from lockstep.engine.expressions.check import Severity, check
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.conditions import AllOf, AnyOf, Clause, Condition, ExpressionClause, NotThis
from lockstep.engine.rules.configuration import JobConfiguration, Scope
from lockstep.engine.rules.mappings import Apply, AttributeMapping, Direct, Expression, ObjectMapping
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute


def lint(
    configuration: JobConfiguration,
    *,
    source_attributes: SourceAttributes | None = None,
    target_attributes: AttributeLists | None = None,
    given: PrivilegeCounts | None = None,
) -> tuple[Finding, ...]:
    """Return all findings in the order of the configuration. Checks against an attribute list are skipped if no list is given.

    *given* counts the privileged values that people in scope would get. Without it, only constants are checked for privileged values.
    """
    found: list[Finding] = []
    for index, mapping in enumerate(configuration.objects):
        if not mapping.enabled:
            continue
        place = f"mappings[{index}]"
        sources = None if source_attributes is None else source_attributes.get(mapping.source)
        targets = None if target_attributes is None else target_attributes.get(mapping.source)
        found += _object(mapping, place, configuration, targets)
        found += check_privileges(mapping, place, configuration, given if mapping.source is ObjectKind.USER else None)
        for number, attribute in enumerate(mapping.attributes):
            where = f"{place}.attributes[{number}]"
            found += _attribute(attribute, where, configuration)
            found += _target_name(attribute, where, targets)
            found += () if sources is None else unknown_in_attribute(attribute, where, sources)
            if isinstance(attribute.source, Expression):
                found += _expression(attribute.source.text, f"{where}.expression")
        for number, scoping in enumerate(mapping.scoping_filters):
            where = f"{place}.scopingFilters[{number}]"
            found += () if sources is None else unknown_in_condition(scoping.condition, where, sources)
            found += _condition(scoping.condition, where)
    return tuple(found)


def _object(
    mapping: ObjectMapping, place: str, configuration: JobConfiguration, targets: Collection[TargetAttribute] | None
) -> Iterator[Finding]:
    if not mapping.matching:
        message = "no mapping is used for matching, so no one can be matched and no one is created"
        yield Finding("error", place, message, "Mark a unique attribute, for example userName, with match: 1.")
    yield from check_switch(mapping, place)
    if configuration.deletions.on_purged.value == "delete" and "delete" not in mapping.actions:
        message = "Delete is not enabled, so accounts of purged people stay in the application, disabled"
        yield Finding("warning", f"{place}.actions", message)
    mapped = {attribute.target for attribute in mapping.attributes}
    for attribute in targets or ():
        if attribute.required and attribute.name not in mapped and attribute.name != "id":
            yield Finding("error", place, f"The application requires {attribute.name}, but no mapping writes it")


def _attribute(mapping: AttributeMapping, place: str, configuration: JobConfiguration) -> Iterator[Finding]:
    if mapping.match and not mapping.attribute.filterable:
        message = f"the application cannot filter by {mapping.target}, so matching by it fails"
        yield Finding("error", f"{place}.match", message)
    if mapping.match and mapping.apply is Apply.CREATE_ONLY:
        yield Finding(
            "warning",
            f"{place}.apply",
            "a matching attribute that is written only on creation becomes outdated after a rename",
        )
    if ROLES in mapping.dependencies and configuration.scope is Scope.ALL:
        message = "with the scope all, the attribute is written only for people who have a role"
        yield Finding("warning", place, message)
    if isinstance(mapping.source, Direct) and mapping.source.attribute == ROLES:
        message = "appRoleAssignments cannot be mapped directly"
        yield Finding("error", f"{place}.source", message, "Use SingleAppRoleAssignment([appRoleAssignments]).")
    if mapping.is_reference and not isinstance(mapping.source, Direct):
        message = f"{mapping.target} refers to another object; an expression cannot return an object"
        yield Finding("error", place, message, "Map it directly, for example from manager.")
    if mapping.attribute.type is AttributeType.BOOLEAN and mapping.default not in (None, True, False, "True", "False"):
        yield Finding("warning", f"{place}.default", f"{mapping.target} is boolean, but its default is not")


def _target_name(
    mapping: AttributeMapping, place: str, targets: Collection[TargetAttribute] | None
) -> Iterator[Finding]:
    if targets is not None and (names := [attribute.name for attribute in targets]) and mapping.target not in names:
        message = (
            f"{unknown_word(mapping.target, names, 'target attribute', lists_known=False)} (SchemaAttributeNotFound)"
        )
        yield Finding("warning", f"{place}.target", message)


def _expression(text: str, place: str) -> Iterator[Finding]:
    for found in check(text):
        if found.severity is Severity.INFORMATION:
            continue
        message = f"{found.message}, at character {found.position}"
        yield Finding(str(found.severity), place, message, found.suggestion)


def _condition(condition: Condition, place: str) -> Iterator[Finding]:
    match condition:
        case ExpressionClause(compiled):
            yield from _expression(compiled.text, f"{place}.expression")
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _condition(part, place)
        case NotThis(part):
            yield from _condition(part, place)
        case Clause(attribute):
            if attribute in (IS_SOFT_DELETED, ROLES):
                message = f"{attribute} is computed from the scope, so the scope cannot depend on it"
                yield Finding("error", place, message)
            if condition.operator.negative and not condition.operator.accepts_null:
                message = f"{condition.label}: an object without {attribute} fails this clause, even though the clause is negative"
                yield Finding(
                    "warning",
                    place,
                    message,
                    f"If objects without {attribute} should match too, add a second filter with {attribute} IS NULL.",
                )
