"""Export a configuration as a synchronization schema of Entra with the same meaning. If it was imported from such a schema, parts that
Lockstep does not use are exported unchanged. Pure.
"""

from __future__ import annotations

from typing import Any

from lockstep.configuration.document.strict_json import ConfigurationError
from lockstep.configuration.entra.clauses import (
    UnsupportedClause,
    attribute_to_entra,
    filter_to_entra,
)
from lockstep.configuration.entra.kept_parts import give_back
from lockstep.configuration.entra.schema import outer_fields
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import AttributeMapping, ObjectMapping


def export_schema(configuration: JobConfiguration) -> dict[str, Any]:
    """Export the schema in Entra's form. Raises ConfigurationError if a filter uses something that Entra does not have."""
    extra = configuration.extra
    left = {str(mapping.extra.get("id", "")) or f"new {i}": mapping for i, mapping in enumerate(configuration.objects)}
    rules = []
    for kept in extra.get("rules") or [{"rule": _own_rule(), "objectMappings": []}]:
        mappings = []
        for place in kept["objectMappings"]:
            if "kept" in place:
                mappings.append(place["kept"])
            elif (mapping := left.pop(str(place["id"]), None)) is not None:
                mappings.append(_object_to_entra(mapping))
        rules.append({**kept["rule"], "objectMappings": mappings})
    rules[0]["objectMappings"] += [_object_to_entra(mapping) for mapping in left.values()]
    return {**(extra.get("schema") or {"directories": []}), "synchronizationRules": rules}


def _object_to_entra(mapping: ObjectMapping) -> dict[str, Any]:
    extra = mapping.extra
    attributes = [_give_attribute_back(attribute) for attribute in mapping.attributes]
    for unmapped in extra.get("unmapped") or []:
        attributes.insert(unmapped["index"], unmapped["kept"])
    result = give_back(outer_fields(mapping), extra.get("kept") or {})
    kept_scope = extra.get("scope")
    groups = [_give_filter_back(mapping, index) for index in range(len(mapping.scoping_filters))]
    if not groups and kept_scope is not None:
        groups = kept_scope.get("unread") or []
    if groups or (kept_scope or {}).get("rest") is not None:
        result["scope"] = {**((kept_scope or {}).get("rest") or {}), "groups": groups}
    elif kept_scope is None:
        result["scope"] = None
    elif "whole" in kept_scope:
        result["scope"] = kept_scope["whole"]
    return {**result, "attributeMappings": attributes}


def _give_attribute_back(mapping: AttributeMapping) -> dict[str, Any]:
    return give_back(attribute_to_entra(mapping), mapping.extra)


def _give_filter_back(mapping: ObjectMapping, index: int) -> dict[str, Any]:
    scoping = mapping.scoping_filters[index]
    try:
        return give_back(filter_to_entra(scoping), scoping.extra)
    except UnsupportedClause as error:
        place = f"{mapping.name}: scoping filter {scoping.title!r}"
        raise ConfigurationError(place, f"{error}; it cannot be exported") from None


def _own_rule() -> dict[str, Any]:
    return {"editable": True, "id": "", "name": "Lockstep", "priority": 1, "sourceDirectoryName": "Microsoft Entra ID"}
