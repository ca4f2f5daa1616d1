"""Import a synchronization schema that Entra exported.

Parts that Lockstep does not use are kept and exported again (`schema_export`). Parts that Lockstep cannot execute are reported, never
silently dropped. A filter that cannot be evaluated disables its mapping, because a wrong guess at its meaning could end access or give
access to strangers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lockstep.configuration.document.configuration_json import configuration_from_json
from lockstep.configuration.document.filter_json import filter_from_json
from lockstep.configuration.document.mapping_json import attribute_from_json, attribute_to_json
from lockstep.configuration.document.strict_json import ConfigurationError, Part
from lockstep.configuration.entra.clauses import (
    UnsupportedClause,
    attribute_from_entra,
    attribute_to_entra,
    clause_from_entra,
    filter_to_entra,
    tree_differs,
)
from lockstep.configuration.entra.kept_parts import keep
from lockstep.configuration.entra.shape import check_shape, unwrapped
from lockstep.configuration.findings import Finding
from lockstep.configuration.source_names import (
    SourceAttributes,
    expression_in_known_case,
    in_known_case,
    is_known,
    unknown_in_expression,
    unknown_source_name,
)
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.mappings import ObjectMapping
from lockstep.engine.rules.target_attributes import TargetAttribute, says_more

ACTIONS = {"Add": "create", "Update": "update", "Delete": "delete"}
EXTRA = "x-entra"


@dataclass(slots=True)
class ImportedSchema:
    """The result of an import. *provisioning* is the input of `configuration_from_json`."""

    provisioning: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    source_names: SourceAttributes = field(default_factory=dict)

    def report(self, severity: str, place: str, message: str) -> None:
        self.findings.append(Finding(severity, place, message))

    @property
    def mapped(self) -> int:
        """The number of mapped attributes."""
        return sum(len(mapping["attributes"]) for mapping in self.provisioning["mappings"])


def import_schema(document: Any, source_names: SourceAttributes | None = None) -> ImportedSchema:
    """Import an exported schema. Raises ConfigurationError if *document* is not a synchronization schema.

    *source_names* are the attributes of the directory. Names that differ only in letter case are corrected; unknown names are reported.
    """
    schema = unwrapped(document)
    check_shape(schema)
    found = ImportedSchema({"mappings": []}, source_names=source_names or {})
    rules = []
    for index, rule in enumerate(schema["synchronizationRules"]):
        skeleton = {key: value for key, value in rule.items() if key != "objectMappings"}
        places: list[Any] = []
        for number, theirs in enumerate(rule.get("objectMappings") or []):
            place = f"synchronizationRules[{index}].objectMappings[{number}]"
            places.append(_object(found, theirs, place, _target_attributes(schema, rule, theirs)))
        rules.append({"rule": skeleton, "objectMappings": places})
    rest = {key: value for key, value in schema.items() if key != "synchronizationRules"}
    found.provisioning[EXTRA] = {"schema": rest, "rules": rules}
    return found


def _object(
    found: ImportedSchema, theirs: Mapping[str, Any], place: str, known: list[TargetAttribute]
) -> dict[str, Any]:
    """Convert one object mapping of Entra and add it to *found*. Returns an entry by which an export finds the mapping again. If Lockstep
    does not provision objects of this type, the entry contains the whole mapping of Entra.
    """
    try:
        kind = ObjectKind(str(theirs.get("sourceObjectName")).capitalize())
    except ValueError:
        found.report("kept", place, f"objects of type {theirs.get('sourceObjectName')!r} are not provisioned")
        return {"kept": theirs}
    mapping_id = str(len(found.provisioning["mappings"]))
    ours: dict[str, Any] = {
        "name": str(theirs.get("name") or f"Mapping {mapping_id}"),
        "source": kind.value,
        "target": str(theirs.get("targetObjectName") or ""),
        "enabled": bool(theirs.get("enabled", True)),
        "actions": _actions(theirs.get("flowTypes")),
        "scopingFilters": _filters(found, theirs.get("scope"), f"{place}.scope", kind),
    }
    if ours["scopingFilters"] is None:
        ours |= {"scopingFilters": [], "enabled": False}
    ours["attributes"], unmapped = _attributes(found, theirs.get("attributeMappings") or [], place, kind, known)
    matching = {attribute["target"] for attribute in ours["attributes"] if attribute.get("match")}
    # Entra's schema does not say which attributes are filterable, but those that Entra matches by must be.
    described = [replace(a, filterable=True) if a.name in matching else a for a in known]
    ours["attributeList"] = [
        attribute_to_json(a) for a in described if says_more(a, kind, is_matching=a.name in matching)
    ]
    _keep_the_rest(ours, theirs, mapping_id, unmapped)
    found.provisioning["mappings"].append(ours)
    return {"id": mapping_id}


def _keep_the_rest(ours: dict[str, Any], theirs: Mapping[str, Any], mapping_id: str, unmapped: list[Any]) -> None:
    """Attach to *ours* those parts of *theirs* that only an export needs. *ours* is the mapping in Lockstep's form, *theirs* the same
    mapping in Entra's form.
    """
    (mapping,) = configuration_from_json({"mappings": [ours]}, version=0).objects
    originals = [
        a for i, a in enumerate(theirs.get("attributeMappings") or []) if i not in {u["index"] for u in unmapped}
    ]
    for target, compiled, original in zip(ours["attributes"], mapping.attributes, originals, strict=True):
        if kept := keep(original, attribute_to_entra(compiled)):
            target[EXTRA] = kept
    groups = (theirs.get("scope") or {}).get("groups") or []
    for filter_json, scoping, original in zip(ours["scopingFilters"], mapping.scoping_filters, groups, strict=False):
        if kept := keep(original, filter_to_entra(scoping)):
            filter_json[EXTRA] = kept
    outside = {key: value for key, value in theirs.items() if key not in ("attributeMappings", "scope")}
    scope = {"whole": theirs["scope"]} if "scope" in theirs and not theirs["scope"] else {}
    if theirs.get("scope"):
        scope = {"rest": {k: v for k, v in theirs["scope"].items() if k != "groups"}}
        if groups and not ours["scopingFilters"]:
            scope["unread"] = groups
    ours[EXTRA] = {
        "id": mapping_id,
        "kept": keep(outside, outer_fields(mapping)),
        "scope": scope,
        "unmapped": unmapped,
    }


def outer_fields(mapping: ObjectMapping) -> dict[str, Any]:
    """Return the fields of an object mapping in Entra's form, without scope and attributes."""
    flow_types = [name for name, action in ACTIONS.items() if action in mapping.actions]
    return {
        "enabled": mapping.enabled,
        "flowTypes": ",".join(flow_types) or "None",
        "name": mapping.name,
        "sourceObjectName": mapping.source.value,
        "targetObjectName": mapping.target,
    }


def _actions(flow_types: Any) -> list[str]:
    names = flow_types if isinstance(flow_types, list) else str(flow_types or "").split(",")
    wanted = {str(name).strip() for name in names}
    return [action for name, action in ACTIONS.items() if name in wanted]


def _filters(found: ImportedSchema, scope: Any, place: str, kind: ObjectKind) -> list[dict[str, Any]] | None:
    """Convert the filters, or return None if one of them cannot be evaluated."""
    for name in ("inputFilterGroups", "categoryFilterGroups"):
        if scope and scope.get(name):
            found.report("kept", f"{place}.{name}", "kept, but not evaluated by Lockstep")
    filters = []
    for index, group in enumerate((scope or {}).get("groups") or []):
        where = f"{place}.groups[{index}]"
        try:
            clauses = [
                _in_known_case(found, clause_from_entra(theirs), "attribute", f"{where}.clauses[{number}]", kind)
                for number, theirs in enumerate(group.get("clauses") or [])
            ]
            ours = {"title": str(group.get("name") or f"Filter {index + 1}"), "all": clauses}
            filter_from_json(Part(ours))
        except (UnsupportedClause, ConfigurationError) as error:
            message = error.message if isinstance(error, ConfigurationError) else str(error)
            found.report("error", where, f"this filter cannot be evaluated, so the mapping is disabled: {message}")
            return None
        filters.append(ours)
    return filters


def _attributes(
    found: ImportedSchema, originals: list[Any], place: str, kind: ObjectKind, known: list[TargetAttribute]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    attributes: list[dict[str, Any]] = []
    unmapped: list[dict[str, Any]] = []
    for index, theirs in enumerate(originals):
        where = f"{place}.attributeMappings[{index}]"
        try:
            ours = attribute_from_entra(theirs)
            for key in ("source", "expression"):
                _in_known_case(found, ours, key, where, kind)
            # Read the mapping together with the earlier ones, so that a target that is mapped twice is detected.
            together = {"name": "check", "source": kind.value, "attributes": [*attributes, ours]}
            configuration_from_json({"mappings": [together]}, version=0)
        except (UnsupportedClause, ConfigurationError) as error:
            message = error.message if isinstance(error, ConfigurationError) else str(error)
            found.report("error", where, f"{theirs.get('targetAttributeName')} is not mapped: {message}")
            unmapped.append({"index": index, "kept": theirs})
            continue
        if theirs.get("flowBehavior") == "FlowAlways":
            found.report(
                "kept",
                f"{where}.flowBehavior",
                "FlowAlways is kept for export; with or without it, Lockstep writes every value that differs",
            )
        if tree_differs(theirs.get("source") or {}):
            found.report("warning", where, "the parsed tree differs from the text of the expression; the text is used")
        attributes.append(ours)
    return attributes, unmapped


def _in_known_case(
    found: ImportedSchema, ours: dict[str, Any], key: str, place: str, kind: ObjectKind
) -> dict[str, Any]:
    """Return *ours* with the attribute names under *key* spelled in the letter case of the directory. Reports corrected and unknown
    names.
    """
    known = found.source_names.get(kind)
    if known is None or key not in ours:
        return ours
    read = ours[key]
    if key == "expression":
        ours[key] = expression_in_known_case(read, known)
        unknown = [one.message for one in unknown_in_expression(ours[key], place, known)]
    else:
        ours[key] = in_known_case(read, known)
        unknown = [] if is_known(ours[key], known) else [unknown_source_name(ours[key], known)]
    if ours[key] != read:
        found.report("warning", place, f"{read} is read as {ours[key]}: attribute names are case-sensitive in Lockstep")
    for message in unknown:
        found.report("warning", place, f"{message} It is empty for everyone.")
    return ours


def _target_attributes(
    schema: Mapping[str, Any], rule: Mapping[str, Any], theirs: Mapping[str, Any]
) -> list[TargetAttribute]:
    """Return the attribute list of the target object. The schema has it under `directories`."""
    for directory in schema.get("directories") or []:
        if directory.get("name") != rule.get("targetDirectoryName"):
            continue
        for described in directory.get("objects") or []:
            if described.get("name") == theirs.get("targetObjectName"):
                return [a for a in map(_target_attribute, described.get("attributes") or []) if a]
    return []


def _target_attribute(theirs: Mapping[str, Any]) -> TargetAttribute | None:
    """Read one attribute description. Returns None if the attribute's name is not a path that mappings can write to."""
    described = {
        "name": str(theirs.get("name") or ""),
        "type": str(theirs.get("type") or "String"),
        "required": bool(theirs.get("required")),
        "caseExact": bool(theirs.get("caseExact", True)),
        "multiValued": bool(theirs.get("multivalued")),
    }
    try:
        return attribute_from_json(Part(described))
    except ConfigurationError:
        return None
