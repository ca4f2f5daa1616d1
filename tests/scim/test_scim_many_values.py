"""Limits on the cost of one request: an attribute holds a limited number of values, and adding many is not quadratic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockstep.scim.element_changes import Elements
from lockstep.scim.errors import ScimError
from lockstep.scim.limits import MAX_VALUES
from lockstep.scim.operations import patch_body, read_operations
from lockstep.scim.patch import apply_patch
from lockstep.scim.registry import default_registry
from lockstep.scim.validate import validate_resource

DEFINITION = default_registry().resource("User")
BARE: dict[str, Any] = {"schemas": [DEFINITION.schema.id], "id": "1", "userName": "lee@x.example"}


def mails(count: int) -> list[dict[str, Any]]:
    return [{"value": f"a{number}@x.example", "type": "other"} for number in range(count)]


def patched(resource: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    return apply_patch(resource, read_operations(patch_body(operations)), DEFINITION).resource


class Counted(str):
    """A text that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__

    def casefold(self) -> str:
        return Counted(str.casefold(self))


@pytest.mark.parametrize("how", ["create", "add", "replace", "add one by one"])
def test_an_attribute_does_not_take_more_values_than_its_limit(how: str) -> None:
    def write(count: int) -> None:
        if how == "create":
            validate_resource({**BARE, "emails": mails(count)}, DEFINITION)
        elif how == "add one by one":
            patched(
                {**BARE, "emails": mails(count - 1)}, {"op": "add", "path": "emails", "value": {"value": "b@x.example"}}
            )
        else:
            patched(BARE, {"op": how, "path": "emails", "value": mails(count)})

    write(MAX_VALUES)
    with pytest.raises(ScimError, match=rf"emails would have {MAX_VALUES + 1} values; the limit is {MAX_VALUES}"):
        write(MAX_VALUES + 1)


def test_a_value_that_a_filter_describes_counts_too() -> None:
    full = {**BARE, "emails": mails(MAX_VALUES)}
    operation = {"op": "add", "path": 'emails[type eq "work"].value', "value": "b@x.example"}
    (parsed,) = read_operations(patch_body([operation]))
    with pytest.raises(ScimError, match="the limit is"):
        apply_patch(full, [replace(parsed, creates=True)], DEFINITION)


def test_adding_many_values_does_not_compare_each_with_each() -> None:
    attribute = DEFINITION.attribute("emails")
    assert attribute is not None
    Counted.compared = 0
    elements = Elements([], attribute)

    for number in range(500):
        elements.add({"value": Counted(f"a{number}@x.example"), "type": "other"})

    assert len(elements.all) == 500
    assert Counted.compared < 5_000


@pytest.mark.parametrize(
    ("present", "added", "result"),
    [
        ([{"value": "a"}], {"value": "a"}, [{"value": "a"}]),
        ([{"value": "a"}], {"value": "A", "display": "x"}, [{"value": "A", "display": "x"}]),
        ([{"value": "a", "type": "x"}], {"value": "a", "type": "y"}, [{"value": "a", "type": "x"}, {"value": "a", "type": "y"}]),
        ([{"value": "a", "type": "work"}], {"value": "a", "type": "WORK"}, [{"value": "a", "type": "WORK"}]),
        ([{"type": "work"}], {"type": "work"}, [{"type": "work"}]),
        ([{"type": "work"}], {"type": "home"}, [{"type": "work"}, {"type": "home"}]),
        ([{"value": "a"}, {"value": "a"}], {"value": "a", "display": "x"}, [{"value": "a", "display": "x"}, {"value": "a"}]),
    ],
)  # fmt: skip
def test_a_value_with_the_same_type_and_value_is_merged_into_the_first(
    present: list[Any], added: dict[str, Any], result: list[Any]
) -> None:
    attribute = DEFINITION.attribute("emails")
    assert attribute is not None
    elements = Elements([dict(one) for one in present], attribute)

    elements.add(dict(added))
    elements.add(dict(added))

    assert elements.all == result
