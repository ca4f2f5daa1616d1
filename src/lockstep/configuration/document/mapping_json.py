"""Read and write the mapping of one kind of object: its attributes and its attribute list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockstep.configuration.document.filter_json import filter_from_json, filter_to_json
from lockstep.configuration.document.strict_json import Part, unknown_word
from lockstep.engine.expressions import ExpressionError, compile_expression
from lockstep.engine.records import ObjectKind, Value
from lockstep.engine.rules.mappings import (
    Apply,
    AttributeMapping,
    Constant,
    Direct,
    Drift,
    Expression,
    Flow,
    MappingSource,
    NoSource,
    ObjectMapping,
)
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute, attribute_named, is_declared
from lockstep.scim.errors import ScimError
from lockstep.scim.paths import parse_path

ACTIONS = ("create", "update", "delete")
SOURCES = ("source", "constant", "expression")


def mapping_from_json(part: Part, known: Mapping[ObjectKind, Sequence[TargetAttribute]]) -> ObjectMapping:
    """Compile the mapping of one kind of object. Raises ConfigurationError."""
    kind = part.word("source", ObjectKind, ObjectKind.USER)
    own_list = part.read_each("attributeList", attribute_from_json)
    attribute_list = (*own_list, *known.get(kind, ()))
    mapping = ObjectMapping(
        name=part.text("name", required=True),
        source=kind,
        target=part.text("target") or f"urn:ietf:params:scim:schemas:core:2.0:{kind}",
        enabled=part.boolean("enabled", default=True),
        actions=_actions(part),
        scoping_filters=part.read_each("scopingFilters", filter_from_json),
        attributes=part.read_each("attributes", lambda inner: _attribute(inner, kind, attribute_list)),
        attribute_list=own_list,
        extra=part.raw("x-entra") or {},
    )
    part.done()
    _refuse_doubles(part, mapping)
    return mapping


def mapping_to_json(mapping: ObjectMapping) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": mapping.name,
        "source": mapping.source.value,
        "target": mapping.target,
        "enabled": mapping.enabled,
        "actions": [action for action in ACTIONS if action in mapping.actions],
        "scopingFilters": [filter_to_json(scoping) for scoping in mapping.scoping_filters],
        "attributes": [_attribute_to_json(attribute, mapping.source) for attribute in mapping.attributes],
        "attributeList": [attribute_to_json(attribute) for attribute in mapping.attribute_list],
        "x-entra": dict(mapping.extra),
    }
    return {key: value for key, value in found.items() if key == "actions" or value not in ([], {})}


def with_changes(known: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return *known*, the mapping of one attribute, with *changes* applied. Both have the form of an application's file.

    A change to None removes the key; a new source replaces the old one.
    """
    found = dict(known)
    if any(changes.get(key) is not None for key in SOURCES):
        for key in SOURCES:
            found.pop(key, None)
    found.update(changes)
    return {key: value for key, value in found.items() if value is not None}


def attribute_from_json(part: Part) -> TargetAttribute:
    """Read one entry of an attribute list. Raises ConfigurationError."""
    attribute = TargetAttribute(
        name=_target_path(part, "name"),
        type=part.word("type", AttributeType, AttributeType.STRING),
        required=part.boolean("required", default=False),
        case_exact=part.boolean("caseExact", default=True),
        filterable=part.boolean("filterable", default=False),
        multi_valued=part.boolean("multiValued", default=False),
    )
    part.done()
    return attribute


def attribute_facts(attribute: TargetAttribute) -> dict[str, Any]:
    """Return all declared properties of an attribute, with the keys of an application's file."""
    return {
        "name": attribute.name,
        "type": attribute.type.value,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "filterable": attribute.filterable,
        "multiValued": attribute.multi_valued,
    }


def attribute_to_json(attribute: TargetAttribute) -> dict[str, Any]:
    """Return the same as `attribute_facts`, but without flags that have their default value."""
    usual = attribute_facts(TargetAttribute(attribute.name))
    always = ("name", "type")
    return {key: value for key, value in attribute_facts(attribute).items() if key in always or value != usual[key]}


def _actions(part: Part) -> frozenset[str]:
    if part.raw("actions") is None:
        return frozenset(ACTIONS)
    actions = part.list("actions")
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            raise part.error(f"actions[{index}]", unknown_word(str(action), ACTIONS, "action"))
    return frozenset(actions)


def _attribute(part: Part, kind: ObjectKind, known: Sequence[TargetAttribute]) -> AttributeMapping:
    target = _target_path(part, "target")
    match = part.number("match", 0, most=1_000)
    drift = Drift.REPORT if target == "active" else Drift.ENFORCE
    source, apply = source_from_json(part), part.word("apply", Apply, Apply.ALWAYS)
    attribute = attribute_named(target, kind, known, is_matching=match > 0)
    if _means_several(source, apply) and not is_declared(target, kind, known):
        attribute = replace(attribute, multi_valued=True)
    mapping = AttributeMapping(
        target=target,
        source=source,
        attribute=attribute,
        default=_value(part, "default"),
        match=match,
        apply=apply,
        flow=part.word("flow", Flow, Flow.WHEN_CHANGED),
        clear_when_empty=part.boolean("clearWhenEmpty", default=False),
        redact=part.boolean("redact", default=False),
        drift=part.word("drift", Drift, drift),
        privileged=tuple(str(value) for value in part.list("privileged")),
        extra=part.raw("x-entra") or {},
    )
    part.done()
    if match and mapping.is_unique:
        raise part.error(
            "match",
            "SelectUniqueValue cannot be used for a matching attribute: it always returns a value that is not in use",
        )
    if match and isinstance(mapping.source, NoSource):
        raise part.error("match", "a matching attribute needs a source: source, constant or expression")
    return mapping


def _means_several(source: MappingSource, apply: Apply) -> bool:
    """Whether the mapping implies that its attribute is multi-valued. Used only if the attribute is not declared."""
    if apply is Apply.MULTI_VALUE_ADD_ONLY:
        return True
    return isinstance(source, Expression) and source.compiled.gives_several


def source_from_json(part: Part) -> MappingSource:
    """Read the source of a value from the key `source`, `constant` or `expression` of *part*. Returns NoSource if *part* has none of these
    keys. Raises ConfigurationError.
    """
    given = [key for key in SOURCES if key in part]
    if len(given) > 1:
        raise part.error(given[1], f"only one of source, constant and expression is allowed; {given[0]} is already set")
    if not given:
        return NoSource()
    if given == ["constant"]:
        return Constant(_value(part, "constant"))
    if given == ["source"]:
        name = part.text("source", required=True)
        return Direct(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    try:
        return Expression(compile_expression(part.text("expression", required=True)))
    except ExpressionError as error:
        raise part.error("expression", error.detail) from None


def source_to_json(source: MappingSource) -> dict[str, Any]:
    match source:
        case Direct(attribute):
            return {"source": attribute}
        case Constant(value):
            return {"constant": list(value) if isinstance(value, tuple) else value}
        case Expression(compiled):
            return {"expression": compiled.text}
        case NoSource():
            return {}


def _value(part: Part, key: str) -> Value:
    value = part.raw(key)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, list) and all(isinstance(item, str | bool | int) for item in value):
        return tuple(value)
    raise part.error(key, "must be text, a whole number, true, false or a list of those")


def _target_path(part: Part, key: str) -> str:
    text = part.text(key, required=True)
    if key == "target" and text.partition(".")[0].lower() in ("id", "meta"):
        raise part.error(key, f"{text} is managed by the application and cannot be written")
    try:
        parse_path(text, lenient=True)
    except ScimError as error:
        raise part.error(key, error.detail) from None
    return text


def _refuse_doubles(part: Part, mapping: ObjectMapping) -> None:
    seen: set[str] = set()
    for index, attribute in enumerate(mapping.attributes):
        if attribute.target.lower() in seen:
            message = f'"{attribute.target}" is mapped twice; an attribute can have only one mapping'
            raise part.error(f"attributes[{index}].target", message)
        seen.add(attribute.target.lower())


def _attribute_to_json(mapping: AttributeMapping, kind: ObjectKind) -> dict[str, Any]:
    found: dict[str, Any] = {"target": mapping.target, **source_to_json(mapping.source)}
    if mapping.default is not None:
        found["default"] = list(mapping.default) if isinstance(mapping.default, tuple) else mapping.default
    usual_drift = Drift.REPORT if mapping.target == "active" else Drift.ENFORCE
    seldom = {
        "match": (mapping.match, 0),
        "apply": (mapping.apply.value, Apply.ALWAYS.value),
        "flow": (mapping.flow.value, Flow.WHEN_CHANGED.value),
        "clearWhenEmpty": (mapping.clear_when_empty, False),
        "redact": (mapping.redact, False),
        "drift": (mapping.drift.value, usual_drift.value),
        "privileged": (list(mapping.privileged), []),
        "x-entra": (dict(mapping.extra), {}),
    }
    return found | {key: value for key, (value, usual) in seldom.items() if value != usual}
