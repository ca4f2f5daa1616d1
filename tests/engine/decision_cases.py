"""The vocabulary of the decision tables: people, links and configurations from a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from lockstep.configuration.rules import JobConfiguration, ObjectMapping, configuration_from_json
from lockstep.engine.moment import Moment
from lockstep.engine.records import (
    Account,
    AppRole,
    Assignment,
    Lifecycle,
    Link,
    LinkState,
    ObjectKind,
    SourceObject,
)

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MOMENT = Moment(NOW, b"seed")
ADMIN = AppRole("00000000-0000-4000-8000-0000000000a1", "Admin", "Administrator")
MEMBER = AppRole("00000000-0000-4000-8000-0000000000a2", "Member", "Member")
SWITCH = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
ATTRIBUTES = (
    {"target": "userName", "source": "userPrincipalName", "match": 1},
    {"target": "active", "expression": SWITCH},
    {"target": "name.givenName", "source": "givenName"},
    {"target": "name.familyName", "source": "surname"},
    {"target": 'roles[primary eq "True"].value', "expression": "SingleAppRoleAssignment([appRoleAssignments])"},
)
ANNA = {"userPrincipalName": "anna@contoso.com", "givenName": "Anna", "surname": "Lind", "department": "Sales"}


def rows(name: str) -> list[Any]:
    """The rows of a table, each with its line number for the test's id."""
    return list(_rows(Path(__file__).parent / "cases" / name))


def _rows(path: Path) -> Iterator[Any]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip() and not line.startswith("//"):
            yield orjson.loads(line) | {"line": number}


def name_of(row: Mapping[str, Any]) -> str:
    return f"line {row['line']} {row.get('name', '')}".strip()


def configuration(*attributes: Mapping[str, Any], **provisioning: Any) -> JobConfiguration:
    """A configuration for people; *mapping* overrides keys of the object mapping."""
    mapping = {
        "name": "Synchronize users",
        "source": "User",
        "attributes": list(attributes or ATTRIBUTES),
        **provisioning.pop("mapping", {}),
    }
    return configuration_from_json({"mappings": [mapping], **provisioning}, version=1, roles=(ADMIN, MEMBER))


def users(config: JobConfiguration) -> ObjectMapping:
    mapping = config.mapping_for(ObjectKind.USER)
    assert mapping is not None
    return mapping


def person(values: Mapping[str, Any] | None = None, *, assigned: bool = True, **more: Any) -> SourceObject:
    attributes = {key: tuple(value) if isinstance(value, list) else value for key, value in (values or ANNA).items()}
    given: dict[str, Any] = {
        "display": str(attributes.get("userPrincipalName", "somebody")),
        "assignments": (Assignment(MEMBER.id),) if assigned else (),
        **more,
    }
    return SourceObject(ObjectKind.USER, "p-1", attributes=attributes, **given)


def link(state: str = "live", base: Mapping[str, Any] | None = None, **more: Any) -> Link:
    held = {"userName": "anna@contoso.com", "active": state != "disabled"} if base is None else base
    return Link(ObjectKind.USER, "p-1", "u-1", LinkState(state), held, **more)


def account(id: str = "u-1", **resource: Any) -> Account:
    return Account(ObjectKind.USER, id, {"id": id, "userName": "anna@contoso.com", **resource})


def life(text: str) -> dict[str, Any]:
    """`active`, `disabled`, `softDeleted`, `softDeleted 40 days`, `purged` as a person's fields."""
    word, _, days = text.partition(" ")
    if word == "disabled":
        return {"account_enabled": False}
    if word == "softDeleted":
        return {
            "lifecycle": Lifecycle.SOFT_DELETED,
            "deleted_at": NOW - timedelta(days=int(days.split()[0] if days else 0)),
        }
    return {"lifecycle": Lifecycle(word)}
