"""The outbound list: the private addresses where applications may be reached."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions import outbound
from lockstep.actions.context import Context
from lockstep.actions.rows.times import iso
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.paging import Asking, Page, page_of_rows
from lockstep.api.shapes import Body, Name, Text

router = router_of("Outbound list")


class PlaceJson(TypedDict):
    entry: str
    origin: str
    reason: str
    addedAt: str | None


class PlaceChangedJson(TypedDict):
    entry: str
    changed: bool


class NewPlace(Body):
    entry: Name = Field(examples=["https://app.internal:8443"])
    reason: Text = Field("", examples=["Documo in our own network"])


@router.get("/outbound")
async def list_outbound(context: Asked, request: Request, query: Asking) -> Page[PlaceJson]:
    """List the private addresses where applications may be reached. The ETag identifies the whole list."""
    rows = await _places(context)
    return tagged(request, page_of_rows(query, rows, key="entry"), state=rows)


@router.post("/outbound")
async def add_outbound(context: Asked, body: NewPlace) -> PlaceChangedJson:
    entry, is_new = await outbound.add_place(context, body.entry, reason=body.reason)
    return {"entry": entry, "changed": is_new}


@router.delete("/outbound")
async def remove_outbound(
    context: Asked, unchanged: Unchanged, entry: Annotated[str, Query(max_length=400)]
) -> PlaceChangedJson:
    async def work(inner: Context) -> PlaceChangedJson:
        return {"entry": await outbound.remove_place(inner, entry), "changed": True}

    return await unchanged.matched(_places, work)(context)


async def _places(context: Context) -> list[PlaceJson]:
    return [
        {"entry": one.entry, "origin": one.added_by, "reason": one.reason, "addedAt": iso(one.added_at)}
        for one in await outbound.list_places(context)
    ]
