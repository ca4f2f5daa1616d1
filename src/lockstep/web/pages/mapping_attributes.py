"""Edit attribute list: list the application's attributes, add and remove them by hand, or discover them from its /Schemas endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from lockstep.actions import mapping_pages, mappings_attributes
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.target_attributes import AttributeType
from lockstep.errors import Kind, LockstepError
from lockstep.web.mapping_form import kind_of
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.mappings import (
    SUBTAB,
    TAB,
    mapping_href,
    may_write,
    parents_of,
    place_of,
)
from lockstep.wording import counted

pages = Pages()


@pages.get("/apps/{app}/provisioning/mappings/{object}/attributes")
async def show(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.post("/apps/{app}/provisioning/mappings/{object}/attributes")
async def change(context: Context, request: Request) -> PageAnswer:
    """Add, remove or discover attributes. This does not change the values written to the application, which depend only on mappings."""
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    form = await request.form()
    typed = {"name": str(form.get("name", "")).strip(), "type": str(form.get("type", "String"))}
    here = f"{mapping_href(app, kind)}/attributes"
    is_multi = form.get("multiValued") == "on"
    try:
        match form.get("step"):
            case "discover":
                found = await mappings_attributes.discover_attributes(context, app, kind)
                return Redirect(here, notice=f"The application describes {counted(len(found), 'attribute')}")
            case "remove":
                await mappings_attributes.remove_attribute(context, app, typed["name"], kind)
                return Redirect(here, notice=f"{typed['name']} was removed from the list")
        if not typed["name"]:
            raise LockstepError(Kind.INVALID, "The attribute needs a name", next_step="Enter its path, such as title")
        await mappings_attributes.add_attribute(
            context, app, typed["name"], kind, type_=_type(typed["type"]), multi_valued=is_multi
        )
    except LockstepError as refused:
        return await _page(context, request, typed={**typed, "multiValued": is_multi}, refused=on_the_form(refused))
    return Redirect(here, notice=f"{typed['name']} was added to the list")


def _type(word: str) -> AttributeType:
    if word not in tuple(AttributeType):
        raise LockstepError(Kind.INVALID, f"Unknown type {word}", next_step="Choose one from the list")
    return AttributeType(word)


async def _page(
    context: Context,
    request: Request,
    *,
    typed: Mapping[str, Any] | None = None,
    refused: LockstepError | None = None,
) -> View:
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    view = await mapping_pages.show_mapping(context, app, kind)
    own = {one.name.lower() for one in view.mapping.attribute_list}
    model = {
        "rows": await mappings_attributes.list_attributes(context, app, kind),
        "own": own,
        "types": [(one.value, one.value) for one in AttributeType],
        "typed": typed or {"name": "", "type": "String", "multiValued": False},
        "refused": refused,
        "here": f"{mapping_href(app, kind)}/attributes",
        "may_write": may_write(context),
        "may_discover": may_write(context)
        and Permission.CONNECTION_TEST in {*context.actor.permissions, *context.actor.own_permissions},
        "app_name": view.app_name,
    }
    option = " --kind group" if kind is ObjectKind.GROUP else ""
    return View(
        "mappings/attributes.html",
        f"Edit attribute list for {view.app_name}",
        model,
        app=place_of(view),
        tab=TAB,
        subtab=SUBTAB,
        parents=parents_of(view),
        lead="The attributes that mappings can write, with their types. A matching attribute must be filterable.",
        copy_as=CopyAs(command=f"lockstep map attributes {app}{option}", api=f"/api/v1/applications/{app}/attributes"),
        status=400 if refused else 200,
    )
