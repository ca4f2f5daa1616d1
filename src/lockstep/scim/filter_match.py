"""Compile a filter to a predicate on a resource, according to the types and case rules of the resource's schema.

A multi-valued attribute matches if any of its values does. An attribute without a value matches only `ne` and `eq null`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, assert_never

from lockstep.scim.comparisons import ValueTest, comparison_test
from lockstep.scim.errors import invalid_filter
from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, ValuePath, parse_filter
from lockstep.scim.limits import CACHED_TEXT
from lockstep.scim.names import AttributePath
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute

Predicate = Callable[[Mapping[str, Any]], bool]


def compile_text(
    text: str, definition: ResourceDefinition, *, lenient: bool = False, undefined_is_absent: bool = False
) -> Predicate:
    """Parse and compile a filter. Compiled short filters are cached. Raises ScimError("invalidFilter")."""
    compiled = _text_cached if len(text) <= CACHED_TEXT else _compile_text
    return compiled(text, definition, lenient, undefined_is_absent)


@lru_cache(maxsize=1024)
def _text_cached(text: str, definition: ResourceDefinition, lenient: bool, undefined_is_absent: bool) -> Predicate:
    return _compile_text(text, definition, lenient, undefined_is_absent)


def _compile_text(text: str, definition: ResourceDefinition, lenient: bool, undefined_is_absent: bool) -> Predicate:
    tree = parse_filter(text, lenient=lenient)
    return compile_filter(tree, definition, lenient=lenient, undefined_is_absent=undefined_is_absent)


def compile_filter(
    filter: Filter, definition: ResourceDefinition, *, lenient: bool = False, undefined_is_absent: bool = False
) -> Predicate:
    """Return a predicate that tests whether a stored resource matches *filter*.

    *lenient* accepts `"True"` for a boolean and a number for a string. If the filter names an attribute that the resource type
    does not declare, ScimError("invalidFilter") is raised. With *undefined_is_absent* such an attribute counts as having no
    value, as a search over several resource types requires (RFC 7644, section 3.4.2.1).
    """

    def find(path: AttributePath) -> _Found | None:
        target = definition.find(path)
        if target is None or target.attribute is None:
            if undefined_is_absent:
                return None
            raise invalid_filter(f"{str(path)[:200]} is not an attribute of {definition.type.name}.")
        if target.attribute.returned == "never":
            raise invalid_filter(f"{target} is never returned, so you cannot filter by it.")
        steps = tuple(step for step in (target.urn, target.attribute.name) if step)
        return _Found(steps, target.attribute, target.sub)

    return _compile(filter, find, lenient)


def compile_element_filter(filter: Filter, attribute: Attribute, *, lenient: bool = False) -> Predicate:
    """Return a predicate that tests a single value of a multi-valued attribute against the filter in the brackets of a path.

    If the values of the attribute are simple, the name `value` in the filter stands for the value itself.
    """

    def find(path: AttributePath) -> _Found:
        if path.sub or path.schema:
            raise invalid_filter(f"{path} inside brackets must be a sub-attribute of {attribute.name}.")
        sub = attribute.sub(path.name) if attribute.is_complex else _simple_value(attribute, path.name)
        if sub is None:
            raise invalid_filter(f"{attribute.name} has no sub-attribute {path.name!r}.")
        return _Found((sub.name,), sub, None)

    predicate = _compile(filter, find, lenient)
    if attribute.is_complex:
        return lambda element: isinstance(element, dict) and predicate(element)
    return lambda element: predicate({"value": element})


class _Found(NamedTuple):
    steps: tuple[str, ...]
    attribute: Attribute
    sub: Attribute | None


_Find = Callable[[AttributePath], _Found | None]


def _compile(filter: Filter, find: _Find, lenient: bool) -> Predicate:
    match filter:
        case Comparison(path):
            found = find(path)
            return _compile_comparison(filter, found, lenient) if found else _never
        case Present(path):
            found = find(path)
            return _compile_present(found) if found else _never
        case And(terms):
            all_of = tuple(_compile(term, find, lenient) for term in terms)
            return lambda resource: all(term(resource) for term in all_of)
        case Or(terms):
            any_of = tuple(_compile(term, find, lenient) for term in terms)
            return lambda resource: any(term(resource) for term in any_of)
        case Not(term):
            inner = _compile(term, find, lenient)
            return lambda resource: not inner(resource)
        case ValuePath(path):
            found = find(path)
            return _compile_value_path(filter, found, lenient) if found else _never
        case _:
            assert_never(filter)


def _compile_comparison(comparison: Comparison, found: _Found, lenient: bool) -> Predicate:
    leaf, sub_name = _leaf(found, comparison)
    test = comparison_test(comparison, leaf, lenient=lenient)
    when_missing = (comparison.op == "ne") != (comparison.value is None)
    read = _reader(found.steps)
    if not found.attribute.multi_valued and sub_name is None and not leaf.multi_valued:
        return _single_test(found.steps, test, when_missing)

    def matches(resource: Mapping[str, Any]) -> bool:
        values = _leaves(read(resource), sub_name)
        return any(test(value) for value in values) if values else when_missing

    return matches


def _single_test(steps: tuple[str, ...], test: ValueTest, when_missing: bool) -> Predicate:
    if len(steps) == 1:
        name = steps[0]

        def matches_here(resource: Mapping[str, Any]) -> bool:
            value = resource.get(name)
            return when_missing if value is None else test(value)

        return matches_here
    read = _reader(steps)

    def matches(resource: Mapping[str, Any]) -> bool:
        value = read(resource)
        return when_missing if value is None else test(value)

    return matches


def _compile_present(found: _Found) -> Predicate:
    read = _reader(found.steps)
    sub_name = found.sub.name if found.sub else None

    def is_present(resource: Mapping[str, Any]) -> bool:
        # An empty string or object does not count as a value: "pr" requires a non-empty one.
        return any(value not in ("", [], {}) for value in _leaves(read(resource), sub_name))

    return is_present


def _compile_value_path(filter: ValuePath, found: _Found, lenient: bool) -> Predicate:
    attribute = found.attribute
    if found.sub is not None or not (attribute.is_complex or attribute.multi_valued):
        raise invalid_filter(f"{filter.path} has no sub-attributes, so it cannot be followed by brackets.")
    selected = compile_element_filter(filter.filter, attribute, lenient=lenient)
    read = _reader(found.steps)
    then = compile_element_filter(filter.then, attribute, lenient=lenient) if filter.then is not None else None

    def matches(resource: Mapping[str, Any]) -> bool:
        elements = _as_list(read(resource))
        return any(selected(element) and (then is None or then(element)) for element in elements)

    return matches


def _leaf(found: _Found, comparison: Comparison) -> tuple[Attribute, str | None]:
    if found.sub is not None:
        return found.sub, found.sub.name
    if not found.attribute.is_complex:
        return found.attribute, None
    # emails co "@" means emails.value (RFC 7644, section 3.4.2.2). Entra uses manager eq "id" in the same way.
    value = found.attribute.sub("value")
    if value is None:
        raise invalid_filter(
            f"{comparison.path} has sub-attributes: name the one to compare, as in {comparison.path}.x."
        )
    return value, value.name


def _simple_value(attribute: Attribute, name: str) -> Attribute | None:
    if name.lower() != "value":
        return None
    return Attribute("value", attribute.type, case_exact=attribute.case_exact)


def _reader(steps: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Any]:
    if len(steps) == 1:
        name = steps[0]
        return lambda resource: resource.get(name)
    urn, local = steps

    def read(resource: Mapping[str, Any]) -> Any:
        extension = resource.get(urn)
        return extension.get(local) if isinstance(extension, dict) else None

    return read


def _leaves(value: Any, sub_name: str | None) -> list[Any]:
    elements = _as_list(value)
    if sub_name is None:
        return elements
    subs = [element.get(sub_name) for element in elements if isinstance(element, dict)]
    return [item for sub in subs for item in _as_list(sub)]


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _never(resource: Mapping[str, Any]) -> bool:
    return False
