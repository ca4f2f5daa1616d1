"""The organisation as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from lockstep.actions.organisation import Organisation


class EnvironmentJson(TypedDict):
    name: str
    colour: str


class OrganisationJson(TypedDict):
    """The organisation. *name* is "" until it is set. *environment* is the badge in the top bar, or null if there is none."""

    name: str
    environment: EnvironmentJson | None


def organisation_json(found: Organisation) -> OrganisationJson:
    badge = found.badge
    return {
        "name": found.name,
        "environment": {"name": badge.name, "colour": badge.colour} if badge.name else None,
    }
