"""The sub-attributes that a complex value must still have after a PATCH."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.scim.errors import ScimError
from lockstep.scim.operations import patch_body, read_operations
from lockstep.scim.patch import apply_patch
from lockstep.scim.registry import ResourceDefinition, default_registry

URN = "urn:x:Badge"
SCHEMA = {
    "id": URN,
    "attributes": [
        {
            "name": "badge",
            "type": "complex",
            "subAttributes": [{"name": "number", "required": True}, {"name": "colour"}],
        }
    ],
}


@pytest.fixture(scope="module")
def user() -> ResourceDefinition:
    return default_registry().with_extension("User", SCHEMA).resource("User")


def patched(user: ResourceDefinition, before: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    return apply_patch({"userName": "a", **before}, read_operations(patch_body(list(operations))), user).resource


def test_required_part_of_a_new_value_must_be_there(user: ResourceDefinition) -> None:
    with pytest.raises(ScimError, match=r"urn:x:Badge:badge.number is required"):
        patched(user, {}, {"op": "add", "path": f"{URN}:badge", "value": {"colour": "red"}})


def test_part_may_come_in_a_later_operation(user: ResourceDefinition) -> None:
    after = patched(
        user,
        {},
        {"op": "add", "path": f"{URN}:badge.colour", "value": "red"},
        {"op": "add", "path": f"{URN}:badge.number", "value": "7"},
    )

    assert after[URN]["badge"] == {"colour": "red", "number": "7"}


def test_what_was_stored_before_does_not_keep_other_changes_out(user: ResourceDefinition) -> None:
    before = {URN: {"badge": {"colour": "red"}}}

    assert patched(user, before, {"op": "add", "path": "title", "value": "Head"})["title"] == "Head"
