"""Read the operations of a PATCH body strictly (RFC 7644, section 3.5.2).

`normalize` corrects the known mistakes of clients before this module reads the operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from lockstep.scim.errors import invalid_path, invalid_syntax, invalid_value, too_large
from lockstep.scim.paths import Path, parse_path

PATCH_URN: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS: Final = 2000

Op = Literal["add", "remove", "replace"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a PATCH.

    *creates* matters only for an add or replace whose filter matches no value. If *creates* is true, the operation then creates the value
    that the filter describes.
    """

    op: Op
    path: Path | None = None
    value: Any = None
    creates: bool = False


def patch_body(operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Build a PatchOp body from operations that are already JSON."""
    return {"schemas": [PATCH_URN], "Operations": list(operations)}


def raw_operations(body: Any, *, any_case: bool = False) -> list[Mapping[str, Any]]:
    """Return the operations of a PatchOp body, still as JSON. Raises ScimError unless *body* is a PatchOp with 1 to 2,000
    operations.
    """
    if not isinstance(body, dict):
        raise invalid_syntax("A PATCH body must be a JSON object with schemas and Operations.")
    items = body.get("Operations")
    if items is None and any_case:
        items = next((value for key, value in body.items() if key.lower() == "operations"), None)
    if not isinstance(items, list) or not items:
        raise invalid_syntax("Operations must be a list with at least one operation.")
    if len(items) > MAX_OPERATIONS:
        raise too_large(f"{len(items)} operations exceed the limit of {MAX_OPERATIONS} per PATCH.")
    if not all(isinstance(item, dict) for item in items):
        raise invalid_syntax("Each operation must be an object with op, path and value.")
    return items


def read_operation(item: Mapping[str, Any], *, lenient: bool = False) -> Operation:
    """Read one operation from JSON. *lenient* accepts unquoted values in the filters of paths."""
    op = item.get("op")
    if op not in ("add", "remove", "replace"):
        shown = repr(op[:40]) if isinstance(op, str) else "missing"
        raise invalid_syntax(f"op must be add, remove or replace, but is {shown}.")
    path, value = item.get("path"), item.get("value")
    if path is not None and not isinstance(path, str):
        raise invalid_path("path must be a string.")
    if op != "remove" and "value" not in item:
        raise invalid_value(f"The operation {op} needs a value.", path or "")
    return Operation(cast(Op, op), parse_path(path, lenient=lenient) if path is not None else None, value)


def read_operations(body: Any) -> list[Operation]:
    """Read all operations of a PatchOp body strictly, including its `schemas`."""
    items = raw_operations(body)
    schemas = body.get("schemas")
    if not isinstance(schemas, list) or PATCH_URN not in schemas:
        raise invalid_value(f'schemas of a PATCH body must be ["{PATCH_URN}"].', "schemas")
    return [read_operation(item) for item in items]
