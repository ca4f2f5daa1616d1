"""Find source attributes that do not exist but occur in mappings and filters, and correct the letter case of known ones. Pure.

An unknown name is not a syntax error. It evaluates as empty for every object, so accounts may be disabled and values may be lost. A change
that introduces an unknown name is therefore refused, with a suggestion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from lockstep.configuration.document.strict_json import unknown_word
from lockstep.configuration.findings import Finding
from lockstep.engine.decisions.source_record import IS_SOFT_DELETED, OF_MANAGER
from lockstep.engine.expressions import ExpressionError, compile_expression
from lockstep.engine.expressions.tree import AttributeNode, walk
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.conditions import AllOf, AnyOf, Clause, Condition, ExpressionClause, MemberOf, NotThis
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import AttributeMapping, Direct, Expression, ObjectMapping

ROLES = "appRoleAssignments"
# Computed attributes and references. Every object has them, whatever its source.
ALWAYS_KNOWN = frozenset({"accountEnabled", "objectId", IS_SOFT_DELETED, ROLES, "manager", "members", "memberOf"})
_EXTENSIONS = ("extension_", f"{OF_MANAGER}extension_")

SourceAttributes = Mapping[ObjectKind, Collection[str]]


def unknown_source_names(configuration: JobConfiguration, sources: SourceAttributes) -> tuple[Finding, ...]:
    """Report every source attribute that a mapping reads, but that *sources* does not list for the mapping's kind of object. Kinds that are
    not in *sources* are not checked. The findings have the order of the configuration.
    """
    return tuple(
        finding
        for index, mapping in enumerate(configuration.objects)
        if mapping.source in sources
        for finding in unknown_in_mapping(mapping, f"mappings[{index}]", sources[mapping.source])
    )


def unknown_in_mapping(mapping: ObjectMapping, place: str, known: Collection[str]) -> Iterator[Finding]:
    for number, attribute in enumerate(mapping.attributes):
        yield from unknown_in_attribute(attribute, f"{place}.attributes[{number}]", known)
    for number, scoping in enumerate(mapping.scoping_filters):
        yield from unknown_in_condition(scoping.condition, f"{place}.scopingFilters[{number}]", known)


def unknown_in_attribute(mapping: AttributeMapping, place: str, known: Collection[str]) -> Iterator[Finding]:
    match mapping.source:
        case Direct(attribute) if not is_known(attribute, known):
            yield _finding(attribute, f"{place}.source", known)
        case Expression(compiled):
            yield from unknown_in_expression(compiled.text, f"{place}.expression", known)


def unknown_in_condition(condition: Condition, place: str, known: Collection[str]) -> Iterator[Finding]:
    match condition:
        case Clause(attribute):
            if not is_known(attribute, known):
                yield _finding(attribute, place, known)
        case MemberOf():
            return
        case ExpressionClause(compiled):
            yield from unknown_in_expression(compiled.text, f"{place}.expression", known)
        case NotThis(part):
            yield from unknown_in_condition(part, place, known)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from unknown_in_condition(part, place, known)


def unknown_in_expression(text: str, place: str, known: Collection[str]) -> Iterator[Finding]:
    """Report the unknown names of an expression with their positions. Reports nothing if the expression does not compile."""
    try:
        tree = compile_expression(text).tree
    except ExpressionError:
        return
    for node in walk(tree):
        if isinstance(node, AttributeNode) and not is_known(node.name, known):
            found = _finding(node.name, place, known)
            yield Finding(found.severity, place, f"{found.message} It is at character {node.position}.")


def is_known(name: str, known: Collection[str]) -> bool:
    """Whether *name* is in *known*, is a built-in attribute, or is an extension attribute, which need not be declared."""
    return name in known or name in ALWAYS_KNOWN or name.startswith(_EXTENSIONS)


def in_known_case(name: str, known: Collection[str]) -> str:
    """Return the known name that equals *name* except for letter case, or *name* itself if there is none."""
    if is_known(name, known):
        return name
    folded = name.lower()
    return next((one for one in (*ALWAYS_KNOWN, *known) if one.lower() == folded), name)


def expression_in_known_case(text: str, known: Collection[str]) -> str:
    """Return the expression *text* with its attributes in their known letter case. Returns it unchanged if it does not compile."""
    try:
        tree = compile_expression(text).tree
    except ExpressionError:
        return text
    nodes = [
        node for node in walk(tree) if isinstance(node, AttributeNode) and in_known_case(node.name, known) != node.name
    ]
    for node in sorted(nodes, key=lambda one: one.position, reverse=True):
        begin = text.index(node.name, node.position - 1)
        text = text[:begin] + in_known_case(node.name, known) + text[begin + len(node.name) :]
    return text


def unknown_source_name(name: str, known: Collection[str]) -> str:
    """Write a sentence about the unknown *name*, with a suggestion."""
    return unknown_word(name, sorted(ALWAYS_KNOWN.union(known)), "source attribute", lists_known=False)


def _finding(name: str, place: str, known: Collection[str]) -> Finding:
    return Finding("error", place, unknown_source_name(name, known))
