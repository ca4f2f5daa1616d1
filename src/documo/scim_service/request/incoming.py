"""Read the body of a create or replace: apply the profile's tolerances, validate the body, and split off the parts that are stored
separately.

The password is removed from the document and is never returned. The members of a group are stored as rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from documo.scim_service.request.exchange import Request, ResourcePlace
from lockstep.scim.errors import invalid_value
from lockstep.scim.members import Member, read_members
from lockstep.scim.normalize import normalize_resource
from lockstep.scim.validate import validate_resource

MIN_PASSWORD, MAX_PASSWORD = 8, 256


@dataclass(frozen=True, slots=True)
class IncomingResource:
    """A validated resource. *members* is None if the body does not mention members."""

    document: dict[str, Any]
    password: str | None = field(default=None, repr=False)
    members: tuple[Member, ...] | None = None


def read_resource(
    request: Request, place: ResourcePlace, body: Any, *, stored: Mapping[str, Any] | None = None
) -> IncomingResource:
    """Return the resource in *body*. *stored* is the stored document in a replace, and None in a create. Raises ScimError."""
    profile = request.tenant.profile
    right, applied = normalize_resource(body, profile, place.definition)
    request.tolerances += applied
    document = validate_resource(right, place.definition, stored=stored, unknown=profile.unknown)
    password = take_password(document) if place.kind == "User" else None
    members = None
    if place.kind == "Group":
        given = document.pop("members", None)
        members = read_members(given) if given is not None else () if _says_members(right) else None
    if place.kind == "User" and "active" not in document:
        document["active"] = stored.get("active", True) if stored is not None else True
    return IncomingResource(document, password, members)


def take_password(document: dict[str, Any]) -> str | None:
    """Remove the password from *document* and return it. Raises ScimError if it is too short or too long."""
    password = document.pop("password", None)
    if password is None:
        return None
    if not isinstance(password, str) or not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise invalid_value(f"password must have {MIN_PASSWORD} to {MAX_PASSWORD} characters.", "password")
    return password


def _says_members(body: Any) -> bool:
    return isinstance(body, dict) and any(name.lower() == "members" for name in body)
