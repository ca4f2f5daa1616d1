"""The organisation: its name and the environment badge, as every page shows them."""

from __future__ import annotations

from fastapi import Request
from pydantic import Field

from lockstep.actions import organisation
from lockstep.actions.context import Context
from lockstep.actions.organisation import EnvironmentBadge
from lockstep.actions.rows.organisation import OrganisationJson, organisation_json
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.shapes import Body, Text

router = router_of("Organisation")


class BadgeBody(Body):
    """The environment badge. An empty *name* removes it."""

    name: Text = Field(examples=["Production"])
    colour: Text = Field(default="grey", examples=["red"])


class OrganisationBody(Body):
    """The settings to change. Settings that the body omits are kept. An empty *name* removes the name."""

    name: Text | None = Field(default=None, examples=["Contoso"])
    environment: BadgeBody | None = None


@router.get("/organisation")
async def show_organisation(context: Asked, request: Request) -> OrganisationJson:
    return tagged(request, await _organisation(context))


@router.patch("/organisation")
async def change_organisation(
    context: Asked, request: Request, unchanged: Unchanged, body: OrganisationBody
) -> OrganisationJson:
    """Change the name of the organisation, the environment badge, or both."""
    badge = EnvironmentBadge(body.environment.name, body.environment.colour) if body.environment else None

    async def work(inner: Context) -> OrganisationJson:
        return organisation_json(await organisation.change_organisation(inner, name=body.name, badge=badge))

    return tagged(request, await unchanged.matched(_organisation, work)(context))


async def _organisation(context: Context) -> OrganisationJson:
    return organisation_json(await organisation.show_organisation(context))
