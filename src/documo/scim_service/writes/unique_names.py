"""Which attribute no two resources of a type may share: one text per type, kept in a column with a unique index."""

from __future__ import annotations

from functools import lru_cache

from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute


@lru_cache(maxsize=256)
def unique_attribute(definition: ResourceDefinition) -> Attribute | None:
    """The attribute that no two resources of this type may share, or None."""
    return next((a for a in definition.schema.attributes if a.uniqueness != "none" and a.type == "string"), None)
