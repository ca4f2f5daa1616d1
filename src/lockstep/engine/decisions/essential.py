"""Decide which attributes are essential for an account. A difference in an essential attribute is always written."""

from __future__ import annotations

from functools import lru_cache

from lockstep.engine.rules.mappings import AttributeMapping, attribute_of


def is_essential(mapping: AttributeMapping) -> bool:
    """Whether the attribute is essential: required, used for matching, `active`, or able to give privileges."""
    return (
        mapping.match > 0
        or mapping.attribute.required
        or is_switch(mapping)
        or bool(mapping.privileged)
        or is_role(mapping)
    )


def is_switch(mapping: AttributeMapping) -> bool:
    """Whether the target is `active`, under its short or full name."""
    return _names_a_switch(mapping.target)


def is_role(mapping: AttributeMapping) -> bool:
    return _names_a_role(mapping.target)


@lru_cache(maxsize=1024)
def _names_a_switch(target: str) -> bool:
    return target.rpartition(":")[2].casefold() == "active"


@lru_cache(maxsize=1024)
def _names_a_role(target: str) -> bool:
    return attribute_of(target).rpartition(":")[2] in ("roles", "entitlements")
