"""The list of an application's cycles, and the page of one cycle."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import applications, status
from lockstep.actions.context import Context
from lockstep.errors import not_found
from lockstep.web.cycle_words import CycleRow
from lockstep.web.page import CopyAs, Crumb, Pages, View, address
from lockstep.web.pages.app_overview import place_of

pages = Pages()
SIZE = 50


@pages.get("/apps/{app}/provisioning/cycles")
async def list_cycles(context: Context, request: Request) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    place = place_of(app)
    below = request.query_params.get("before", "")
    found = await status.list_cycles(
        context, place.name, below=int(below) if below.isdecimal() and len(below) < 18 else 0, limit=SIZE + 1
    )
    here = f"{place.href}/provisioning/cycles"
    shown = found[:SIZE]
    model = {
        "rows": [CycleRow(one) for one in shown],
        "here": here,
        "next": address(here, before=str(shown[-1].id)) if len(found) > SIZE else None,
        "first": here if below else None,
    }
    return View(
        "provisioning/cycles.html",
        "Cycles",
        model,
        app=place,
        tab="Provisioning",
        subtab="Cycles",
        lead="A cycle evaluates everyone who is due and counts the results. Changes are also sent immediately, between cycles.",
        copy_as=CopyAs(command=f"lockstep cycles {place.name}", api=f"/api/v1/applications/{place.name}/cycles"),
        live="cycle progress",
    )


@pages.get("/apps/{app}/provisioning/cycles/{cycle}")
async def show_cycle(context: Context, request: Request) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    place, number = place_of(app), request.path_params["cycle"]
    if not number.isdecimal() or len(number) > 17:
        raise not_found(
            f"{place.display_name} has no cycle {number[:20]}", next_step="Choose one in the list of cycles"
        )
    row = CycleRow(await status.show_cycle(context, place.name, int(number)))
    return View(
        "provisioning/cycle.html",
        f"Cycle {number}",
        {"row": row, "cycle": row.cycle, "name": place.name},
        app=place,
        tab="Provisioning",
        subtab="Cycles",
        parents=[Crumb("Cycles", f"{place.href}/provisioning/cycles")],
        copy_as=CopyAs(
            command=f"lockstep cycles {place.name}", api=f"/api/v1/applications/{place.name}/cycles/{number}"
        ),
        live="cycle progress",
    )
