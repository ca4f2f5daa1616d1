"""Convert values by target path (`emails[type eq "work"].value`) to a resource, and read the value at a target path from a
resource.

Values are converted to the type in the schema: "True" for a boolean attribute becomes true, and the id of a manager becomes
{"value": id}.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, ValuePath
from lockstep.scim.limits import CACHED_TEXT
from lockstep.scim.names import AttributePath
from lockstep.scim.paths import Path, parse_path
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute
from lockstep.scim.selections import element_described_by


class Missing(Enum):
    """The type of the marker for "no value", which is not the same as an empty string."""

    MISSING = "missing"


class Clear(Enum):
    """The type of the marker that removes the current value."""

    CLEAR = "clear"


MISSING: Final = Missing.MISSING
CLEAR: Final = Clear.CLEAR
_SIMPLE: Final = frozenset({str, bool, int, float})


class ResolvedPath(NamedTuple):
    """A target path with the spelling of the schema. *attribute* is None if no schema declares it."""

    path: Path
    attribute: Attribute | None
    leaf: Attribute | None

    @property
    def described(self) -> dict[str, Any] | None:
        """The sub-attributes that a value needs in order to match the filter of the path. This is None if the path has no filter, or if the
        filter describes no value.
        """
        if self.path.filter is None:
            return None
        if self.attribute is None:
            return _described_loosely(self.path.filter)
        return element_described_by(self.path.filter, self.attribute)


def resolve_path(text: str, definition: ResourceDefinition) -> ResolvedPath:
    """Parse a target path. Names get the spelling of the schema. Values in the filter get the type in the schema."""
    return _resolved_cached(text, definition) if len(text) <= CACHED_TEXT else _resolved(text, definition)


@lru_cache(maxsize=1024)
def _resolved_cached(text: str, definition: ResourceDefinition) -> ResolvedPath:
    return _resolved(text, definition)


def _resolved(text: str, definition: ResourceDefinition) -> ResolvedPath:
    path = parse_path(text, lenient=True)
    target = definition.find(path.name)
    if target is None or target.attribute is None:
        return ResolvedPath(path, None, None)
    selection = path.filter
    if selection is not None:
        selection = typed_filter(selection, target.attribute)
    declared = Path(target.attribute.name, target.sub.name if target.sub else "", target.urn, selection)
    return ResolvedPath(declared, target.attribute, target.leaf)


def to_resource(values: Mapping[str, Any], definition: ResourceDefinition) -> dict[str, Any]:
    """Build the body of a create from values by target path. A value of None, MISSING or CLEAR leaves its attribute out.

    The attributes of each extension, even of an undeclared one, are put in a separate object, and the URN is added to `schemas`.
    """
    resource: dict[str, Any] = {"schemas": [definition.schema.id]}
    for text, value in values.items():
        if value is None or value is MISSING or value is CLEAR:
            continue
        resolved = resolve_path(text, definition)
        container = resource
        urn = resolved.path.schema
        if urn and urn.lower() != definition.schema.id.lower():
            if urn not in resource:
                resource["schemas"].append(urn)
            container = resource.setdefault(urn, {})
        put_value(container, resolved, value)
    _mark_only_email(resource)
    return resource


def _mark_only_email(resource: Mapping[str, Any]) -> None:
    """If there is only one e-mail address, mark it as primary, as Microsoft Entra does. A value of `primary` from a mapping is kept."""
    emails = resource.get("emails")
    if isinstance(emails, list) and len(emails) == 1 and isinstance(emails[0], dict) and "value" in emails[0]:
        emails[0].setdefault("primary", True)


def read_path(resource: Mapping[str, Any], text: str) -> Any:
    """Return the value at a target path, or MISSING. Accepts the resource of any server: names in any letter case, and booleans as text.

    If the path has no filter and means a whole complex value, such as a manager, the sub-attribute `value` is returned if there is one.
    """
    path = parse_path(text, lenient=True)
    if path.is_plain:
        # Fast path for a simple value under its declared spelling. Everything else is read below.
        value = resource.get(path.attribute)
        if path.sub and value.__class__ is dict:
            value = value.get(path.sub)
        elif path.sub:
            value = None
        if value.__class__ in _SIMPLE:
            return value
    value = _attribute_value(resource, path)
    if path.filter is not None:
        elements = value if isinstance(value, list) else [value]
        value = next((e for e in elements if isinstance(e, dict) and loosely_matches(path.filter, e)), None)
    elif isinstance(value, list) and path.sub:
        primary = [e for e in value if isinstance(e, dict) and _get(e, "primary") is True]
        value = (primary or value or [None])[0]
    if path.sub:
        value = _get(value, path.sub) if isinstance(value, dict) else _bare(value, path.sub)
    elif isinstance(value, dict) and path.filter is None and _get(value, "value") is not None:
        value = _get(value, "value")
    return MISSING if value is None else value


def find_element(resource: Mapping[str, Any], path: Path) -> dict[str, Any] | None:
    """Return the first element of a multi-valued attribute that matches the filter of *path*, or None. Accepts resources of any server."""
    value = _attribute_value(resource, path)
    elements = value if isinstance(value, list) else [value]
    if path.filter is None:
        return None
    selection = path.filter
    return next((e for e in elements if isinstance(e, dict) and loosely_matches(selection, e)), None)


def typed_value(value: Any, attribute: Attribute | None) -> Any:
    """Convert *value* to the type in the schema. If that fails, return *value* unchanged, so that the server decides about it."""
    if attribute is None:
        return value
    if attribute.multi_valued:
        items = value if isinstance(value, list) else [value]
        return [_typed_single(item, attribute) for item in items]
    return _typed_single(value, attribute)


def typed_filter(selection: Filter, attribute: Attribute) -> Filter:
    """Return the filter with the names and types of the schema: `primary eq "True"` becomes `primary eq true`."""
    match selection:
        case Comparison(path, op, value):
            sub = attribute.sub(path.name)
            if sub is None:
                return selection
            return Comparison(AttributePath(sub.name), op, _typed_simple(value, sub))
        case Present(path):
            sub = attribute.sub(path.name)
            return Present(AttributePath(sub.name)) if sub else selection
        case And(terms):
            return And(tuple(typed_filter(term, attribute) for term in terms))
        case Or(terms):
            return Or(tuple(typed_filter(term, attribute) for term in terms))
        case Not(term):
            return Not(typed_filter(term, attribute))
        case _:
            return selection


def loosely_matches(selection: Filter, element: Mapping[str, Any]) -> bool:
    """Whether *element*, a value from any server, matches the filter *selection*. No schema is used: letter case and quotes around
    booleans are ignored.
    """
    match selection:
        case Comparison(path, "eq", value):
            return bool(_fold(_get(element, path.name)) == _fold(value))
        case Comparison(path, "ne", value):
            return bool(_fold(_get(element, path.name)) != _fold(value))
        case Present(path):
            return _get(element, path.name) is not None
        case And(terms):
            return all(loosely_matches(term, element) for term in terms)
        case Or(terms):
            return any(loosely_matches(term, element) for term in terms)
        case Not(term):
            return not loosely_matches(term, element)
        case Comparison() | ValuePath():
            return False


def put_value(container: dict[str, Any], resolved: ResolvedPath, value: Any) -> None:
    """Set the value at a target path in *container*, the object that contains the attribute. A missing element of a list is
    created.
    """
    path, attribute = resolved.path, resolved.attribute
    multi_valued = attribute.multi_valued if attribute else path.filter is not None
    typed = typed_value(value, resolved.leaf)
    if multi_valued and (path.filter is not None or path.sub):
        elements = container.setdefault(path.attribute, [])
        element = _element_for(elements, resolved)
        if path.sub:
            element[path.sub] = typed
        else:
            element.update(typed[0] if isinstance(typed, list) and typed and isinstance(typed[0], dict) else {})
    elif path.sub:
        container.setdefault(path.attribute, {})[path.sub] = typed
    else:
        container[path.attribute] = typed


def _element_for(elements: list[dict[str, Any]], resolved: ResolvedPath) -> dict[str, Any]:
    described = resolved.described or {}
    for element in elements:
        if all(_fold(element.get(name)) == _fold(wanted) for name, wanted in described.items()):
            return element
    element = dict(described)
    elements.append(element)
    return element


def _typed_single(value: Any, attribute: Attribute) -> Any:
    if not attribute.is_complex:
        return _typed_simple(value, attribute)
    if isinstance(value, dict):
        return {name: typed_value(item, attribute.sub(name)) for name, item in value.items()}
    sub = attribute.sub("value")
    return {"value": _typed_simple(value, sub)} if sub else value


def _typed_simple(value: Any, attribute: Attribute) -> Any:
    if attribute.type == "boolean" and isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if attribute.type in ("integer", "decimal") and isinstance(value, str):
        try:
            return int(value) if attribute.type == "integer" else float(value)
        except ValueError:
            return value
    if attribute.type in ("string", "reference", "dateTime", "binary") and isinstance(value, (bool, int, float)):
        return str(value)
    return value


def _described_loosely(selection: Filter) -> dict[str, Any] | None:
    comparisons = selection.terms if isinstance(selection, And) else (selection,)
    described: dict[str, Any] = {}
    for comparison in comparisons:
        if not isinstance(comparison, Comparison) or comparison.op != "eq":
            return None
        is_primary = comparison.path.name.lower() == "primary"
        described[comparison.path.name] = _boolean(comparison.value) if is_primary else comparison.value
    return described


def _boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(str(value).lower(), value)


def _attribute_value(resource: Mapping[str, Any], path: Path) -> Any:
    holder: Any = resource
    if path.schema:
        # The URN of the core schema in front of a name has no effect, because core attributes are at the top level.
        holder = _get(resource, path.schema) if ":core:" not in path.schema.lower() else resource
        if not isinstance(holder, dict):
            return _get(resource, f"{path.schema}:{path.attribute}")
    return _get(holder, path.attribute)


def _bare(value: Any, sub: str) -> Any:
    return value if sub.lower() == "value" and isinstance(value, str) else None


def _get(holder: Any, name: str) -> Any:
    if not isinstance(holder, Mapping):
        return None
    if name in holder:
        return holder[name]
    folded = name.lower()
    return next((value for key, value in holder.items() if key.lower() == folded), None)


def _fold(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.casefold() if isinstance(value, str) else value
