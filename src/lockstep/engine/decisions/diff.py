"""Find the differences between the desired account and the one in the application.

The values of a multi-valued attribute are a set: their order never matters. "True" and true are equal. A change of letter case alone counts
only if the attribute is case-exact.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lockstep.engine.records import Change, Value, Values
from lockstep.engine.rules.mappings import Apply, AttributeMapping, NoSource, ObjectMapping
from lockstep.engine.rules.operators import is_empty
from lockstep.engine.rules.sealing import is_sealed, sealed
from lockstep.engine.rules.target_attributes import AttributeType


def changes_between(
    desired: Values, held: Values, *, cleared: Collection[str] = (), mapping: ObjectMapping
) -> tuple[Change, ...]:
    """Return the changes that turn the current values *held* into *desired* and clear the paths in *cleared*, in the order of the mapping.

    Paths that are in neither *desired* nor *cleared* stay unchanged. A change is left out if the flow type of its attribute forbids it.
    """
    changes: list[Change] = []
    for attribute in mapping.flowing:
        path = attribute.target
        old = held.get(path)
        if path in cleared:
            if not is_empty(old) and not _only_adds(attribute):
                changes.append(Change(path, old, None, attribute.is_redacted))
        elif path in desired:
            new = _to_write(desired[path], old, attribute)
            if not same_value(new, old, attribute):
                changes.append(Change(path, old, new, attribute.is_redacted, _added(old, new, attribute)))
    return tuple(changes)


def same_value(one: Value, other: Value, mapping: AttributeMapping) -> bool:
    """Whether two values of an attribute are equal."""
    if one is other or (one.__class__ is other.__class__ and not isinstance(one, tuple | dict) and one == other):
        return True
    if mapping.is_secret and (is_sealed(one) or is_sealed(other)):
        return bool(sealed(one, mapping) == sealed(other, mapping))
    return bool(_canonical(one, mapping) == _canonical(other, mapping))


def _to_write(new: Value, old: Value, mapping: AttributeMapping) -> Value:
    """Return the value to write under the mapping's flow type, or *old* if the flow type forbids the write."""
    if is_empty(old):
        return new
    if is_sealed(old) and mapping.apply is Apply.ALWAYS:
        return new
    if mapping.apply is Apply.ATTRIBUTE_ADD_ONLY or isinstance(mapping.source, NoSource):
        return old
    if not mapping.attribute.multi_valued:
        return old if mapping.apply is Apply.VALUE_ADD_ONLY else new
    return _union(old, new, mapping) if _only_adds(mapping) or _adds_roles(mapping) else new


def _added(old: Value, new: Value, mapping: AttributeMapping) -> tuple[Value, ...]:
    """If the mapping only adds elements, return the elements of *new* that *old* lacks. Otherwise *new* is the complete list, and () is
    returned.
    """
    if not mapping.attribute.multi_valued or not (_only_adds(mapping) or _adds_roles(mapping)):
        return ()
    known = {_key(item, mapping) for item in _items(old)}
    return tuple(item for item in _items(new) if _key(item, mapping) not in known)


def _only_adds(mapping: AttributeMapping) -> bool:
    return mapping.apply in (Apply.VALUE_ADD_ONLY, Apply.MULTI_VALUE_ADD_ONLY, Apply.ATTRIBUTE_ADD_ONLY)


def _adds_roles(mapping: AttributeMapping) -> bool:
    """Whether the mapping adds roles. AppRoleAssignmentsComplex adds to the current roles, AssertiveAppRoleAssignmentsComplex replaces
    them.
    """
    compiled = getattr(mapping.source, "compiled", None)
    return compiled is not None and "AppRoleAssignmentsComplex" in compiled.functions


def _union(old: Value, new: Value, mapping: AttributeMapping) -> Value:
    known = {_key(item, mapping) for item in _items(old)}
    return (*_items(old), *(item for item in _items(new) if _key(item, mapping) not in known))


def _canonical(value: Value, mapping: AttributeMapping) -> Any:
    if is_empty(value):
        return None
    if isinstance(value, tuple | list) or mapping.attribute.multi_valued:
        return frozenset(_key(item, mapping) for item in _items(value)) or None
    return _key(value, mapping)


def _items(value: Value) -> Iterable[Value]:
    if is_empty(value):
        return ()
    return value if isinstance(value, tuple | list) else (value,)


def _key(value: Value, mapping: AttributeMapping) -> Any:
    """Return a hashable key for comparing values. Different spellings of a truth value or number give the same key."""
    if isinstance(value, Mapping):
        # Servers add $ref and empty members, so compare only members with a value. An object with one value equals that value.
        inner = {key: item for key, item in value.items() if not is_empty(item) and key != "$ref" and item is not False}
        if set(inner) == {"value"}:
            return _key(inner["value"], mapping)
        return frozenset((key, _key(item, mapping)) for key, item in inner.items())
    if isinstance(value, tuple | list):
        return frozenset(_key(item, mapping) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if mapping.attribute.type is AttributeType.BOOLEAN or text in ("True", "False"):
        return text.lower()
    return text if mapping.attribute.case_exact else text.casefold()
