"""Apply a preview of a whole application, and show the objects that were left out because their plan had changed."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import applied_previews, job_previews, provisioning_pages
from lockstep.actions.context import Context
from lockstep.errors import LockstepError
from lockstep.web.page import Answer, AppPlace, CopyAs, Pages, Redirect, View, address, on_the_form
from lockstep.web.pages.previews import HERE, SIZE, PreviewLine, page_of, preview_number

pages = Pages()


@pages.post(HERE + "/{preview}/apply")
async def apply(context: Context, request: Request) -> Answer:
    name, number = request.path_params["app"], preview_number(request)
    try:
        cycle = await applied_previews.apply_preview(context, name, number)
    except LockstepError as refused:
        return await page_of(context, request, number=number, refused=on_the_form(refused))
    return Redirect(f"/apps/{name}/provisioning/preview/{number}", notice=f"Cycle {cycle.id} applies preview {number}")


@pages.get(HERE + "/{preview}/left")
async def left(context: Context, request: Request) -> View:
    name, number = request.path_params["app"], preview_number(request)
    setup = await provisioning_pages.show_setup(context, name, with_people=False)
    row = await job_previews.show_preview(context, name, number)
    after = request.query_params.get("after", "")
    found = await applied_previews.list_left(context, name, number, after=after, limit=SIZE + 1)
    here = f"/apps/{name}/provisioning/preview/{number}"
    shown = found[:SIZE]
    return View(
        "provisioning/preview_left.html",
        f"Left by preview {number}",
        {
            "this": here,
            "row": row,
            "lines": [
                (PreviewLine(one.planned), PreviewLine(one.previewed) if one.previewed else None) for one in shown
            ],
            "first": f"{here}/left" if after else None,
            "next": address(f"{here}/left", after=shown[-1].key) if len(found) > SIZE else None,
        },
        app=AppPlace(setup.app, setup.display_name),
        tab="Provisioning",
        subtab="Preview",
        lead="What changed between the preview and its application, and was therefore not written.",
        copy_as=CopyAs(
            command=f"lockstep preview {name} --left {number}",
            api=f"/api/v1/applications/{name}/previews/{number}/left",
        ),
    )
