"""The unique attribute of a resource type: one text per type, stored in a column with a unique index."""

from __future__ import annotations

from functools import lru_cache

from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute


@lru_cache(maxsize=256)
def unique_attribute(definition: ResourceDefinition) -> Attribute | None:
    """The attribute whose value no two resources of this type may share, or None."""
    return next((a for a in definition.schema.attributes if a.uniqueness != "none" and a.type == "string"), None)
