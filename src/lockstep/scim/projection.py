"""Select the attributes to return: by `attributes`, `excludedAttributes` and the `returned` of each attribute (RFC 7644, section
3.9).

`returned: never` overrides every request, and `returned: always` overrides every exclusion. `schemas` is derived from the
selected attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from lockstep.scim.errors import ScimError, invalid_value
from lockstep.scim.limits import CACHED_TEXT
from lockstep.scim.names import parse_name
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute

# False drops an attribute, True keeps all of it, and a set keeps those sub-attributes.
_Keep = Literal[False, True] | frozenset[str]

_NAME = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\[[^\]"]*|[^,\["])+|"')


class Projection:
    """A compiled selection of attributes. A store need not read an attribute that is not selected: for example, it need not read the
    members of a group if `wants("members")` is false.
    """

    def __init__(self, definition: ResourceDefinition, attributes: tuple[str, ...], excluded: tuple[str, ...]) -> None:
        if attributes and excluded:
            raise invalid_value("attributes and excludedAttributes cannot be combined: send only one of them.")
        self._definition = definition
        self._core = _choices(definition.attributes, definition, "", attributes, excluded)
        self._extensions = {
            schema.id: _choices(schema.attributes, definition, schema.id, attributes, excluded)
            for schema in definition.extensions.values()
        }

    def wants(self, name: str, urn: str = "") -> bool:
        """Whether at least a part of this attribute is returned."""
        attribute = self._definition.attribute(name, urn)
        choices = self._extensions.get(urn, {}) if urn else self._core
        return attribute is not None and choices.get(attribute.name, False) is not False

    def __call__(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Return the selected part of a stored resource, which is not modified."""
        core, definition = self._core, self._definition
        result: dict[str, Any] = {"schemas": [definition.schema.id]}
        for name, value in resource.items():
            keep = core.get(name)
            if keep is True:
                if name != "schemas":
                    result[name] = value
            elif keep:
                part = _part(value, keep)
                if part:
                    result[name] = part
            elif name in self._extensions:
                content = self._extension(name, value)
                if content:
                    result["schemas"].append(name)
                    result[name] = content
        return result

    def _extension(self, urn: str, value: Any) -> dict[str, Any]:
        choices = self._extensions[urn]
        result: dict[str, Any] = {}
        for name, item in value.items():
            keep = choices.get(name)
            part = item if keep is True else _part(item, keep) if keep else None
            if part is not None and part != {} and part != []:
                result[name] = part
        return result


def projection(
    definition: ResourceDefinition, *, attributes: tuple[str, ...] = (), excluded: tuple[str, ...] = ()
) -> Projection:
    """Compile a selection. Short selections are cached. Unknown names are ignored; malformed names raise
    ScimError("invalidValue").
    """
    if sum(map(len, attributes)) + sum(map(len, excluded)) > CACHED_TEXT:
        return Projection(definition, attributes, excluded)
    return _compiled(definition, attributes, excluded)


def attribute_names(value: Any) -> tuple[str, ...]:
    """Read attribute names from a query parameter ("a,b.c") or from the list in a search request."""
    # A comma inside the filter of a value path does not end a name.
    items = _NAME.findall(value) if isinstance(value, str) else value
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise invalid_value("attributes and excludedAttributes are lists of attribute names.")
    return tuple(item.strip() for item in items if item.strip())


@lru_cache(maxsize=256)
def _compiled(definition: ResourceDefinition, attributes: tuple[str, ...], excluded: tuple[str, ...]) -> Projection:
    return Projection(definition, attributes, excluded)


def _choices(
    declared: tuple[Attribute, ...],
    definition: ResourceDefinition,
    urn: str,
    attributes: tuple[str, ...],
    excluded: tuple[str, ...],
) -> dict[str, _Keep]:
    named = _named(definition, urn, attributes or excluded)
    choices: dict[str, _Keep] = {}
    for attribute in declared:
        subs = named.get(attribute.name, named.get("*"))
        if attributes:
            choices[attribute.name] = _requested(attribute, subs)
        else:
            choices[attribute.name] = _by_default(attribute, subs)
    return choices


def _requested(attribute: Attribute, subs: frozenset[str] | None) -> _Keep:
    if attribute.returned == "never":
        return False
    if subs is None:
        return attribute.returned == "always"
    if not subs:
        return _visible(attribute)
    return subs & _all_visible(attribute) | _always_names(attribute)


def _by_default(attribute: Attribute, excluded_subs: frozenset[str] | None) -> _Keep:
    if attribute.returned in ("never", "request"):
        return False
    if excluded_subs is None or attribute.returned == "always":
        return _visible(attribute)
    if not excluded_subs:
        return False
    kept = {s.name for s in attribute.sub_attributes if s.returned in ("always", "default")}
    return frozenset(kept - excluded_subs) | _always_names(attribute)


def _visible(attribute: Attribute) -> _Keep:
    if all(sub.returned in ("always", "default") for sub in attribute.sub_attributes):
        return True
    return frozenset(sub.name for sub in attribute.sub_attributes if sub.returned in ("always", "default"))


def _always_names(attribute: Attribute) -> frozenset[str]:
    return frozenset(sub.name for sub in attribute.sub_attributes if sub.returned == "always")


def _all_visible(attribute: Attribute) -> frozenset[str]:
    return frozenset(sub.name for sub in attribute.sub_attributes if sub.returned != "never")


def _named(definition: ResourceDefinition, urn: str, names: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Return a mapping from those attributes of the schema *urn* that occur in *names* to the set of their sub-attributes that occur in
    *names*.

    An empty set of sub-attributes means the whole attribute. The key "*" instead of an attribute means the whole extension.
    """
    found: dict[str, frozenset[str]] = {}
    for name in names:
        target = definition.find(parse_name(name, _unreadable))
        if target is None or target.urn != urn:
            continue
        if target.attribute is None:
            found["*"] = frozenset()
        elif target.sub is None:
            found[target.attribute.name] = frozenset()
        elif found.get(target.attribute.name) != frozenset():
            found[target.attribute.name] = found.get(target.attribute.name, frozenset()) | {target.sub.name}
    return found


def _unreadable(detail: str) -> ScimError:
    return invalid_value(f"attributes and excludedAttributes name attributes. {detail}")


def _part(value: Any, keep: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name in keep}
    if isinstance(value, list):
        parts = [_part(item, keep) if isinstance(item, dict) else item for item in value]
        return [part for part in parts if part != {}]
    return value
