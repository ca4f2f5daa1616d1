"""Which references of an object wait for whom.

A reference to somebody without an account is left out, never sent as null, and written the moment the other has an account.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lockstep.engine.configuration import Direct, JobConfiguration, ObjectMapping
from lockstep.engine.operators import is_empty, text_of
from lockstep.engine.records import ObjectKind, SourceObject

MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The object *holder* has no value at *path* until *missing* has an account."""

    holder: str
    path: str
    missing: str


def reference_attributes(mapping: ObjectMapping) -> tuple[tuple[str, str], ...]:
    """(target path, source attribute) of every reference that is mapped, members of groups left out."""
    return tuple(
        (attribute.target, attribute.source.attribute)
        for attribute in mapping.flowing
        if attribute.is_reference and isinstance(attribute.source, Direct)
    )


def referred_to(obj: SourceObject, configuration: JobConfiguration) -> frozenset[str]:
    """The directory ids of the objects whose accounts are needed to map *obj*."""
    mapping = configuration.mapping_for(obj.kind)
    if mapping is None:
        return frozenset()
    values = (obj.references.get(source) or obj.attributes.get(source) for _, source in reference_attributes(mapping))
    return frozenset(text_of(item) for value in values for item in _items(value))


def waiting_for(holder: str, missing: Iterable[tuple[str, str]]) -> tuple[Waiting, ...]:
    """What a plan's missing references wait for."""
    return tuple(Waiting(holder, path, other) for path, other in missing)


def satisfied_by(waiting: Iterable[Waiting], accounts: Collection[str]) -> frozenset[str]:
    """The holders to look at again, now that *accounts* (directory ids) have accounts."""
    return frozenset(entry.holder for entry in waiting if entry.missing in accounts)


def maps_members(configuration: JobConfiguration) -> bool:
    """Whether members of groups are provisioned."""
    mapping = configuration.mapping_for(ObjectKind.GROUP)
    return mapping is not None and mapping.enabled and mapping.has_members


def _items(value: object) -> tuple[object, ...]:
    if is_empty(value):
        return ()
    return tuple(value) if isinstance(value, tuple | list) else (value,)
