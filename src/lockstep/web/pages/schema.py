"""Review your schema: view, download and import the synchronization schema as Entra's JSON."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions import applications, configuration_export, mapping_changes
from lockstep.actions.change_preview import preview_change
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.configuration.findings import Finding
from lockstep.errors import LockstepError
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.app_overview import place_of
from lockstep.web.pages.mappings import SUBTAB, TAB, ChangeSummary, may_write

pages = Pages()
HEADING = "Review your schema"


@pages.get("/apps/{app}/provisioning/schema")
async def show(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.get("/apps/{app}/provisioning/schema/download")
async def download(context: Context, request: Request) -> Response:
    name = request.path_params["app"]
    schema = await configuration_export.export_entra_schema(context, name)
    headers = {"Content-Disposition": f'attachment; filename="{name}-schema.json"'}
    return Response(_text(schema), media_type="application/json", headers=headers)


@pages.post("/apps/{app}/provisioning/schema")
async def import_schema(context: Context, request: Request) -> PageAnswer:
    """Import a schema. The first click shows what it would change for people, the second imports it."""
    name = request.path_params["app"]
    form = await request.form()
    text = str(form.get("schema", ""))
    found: list[Finding] = []

    async def work(inner: Context) -> None:
        found[:] = await mapping_changes.import_entra_schema(inner, name, text)

    try:
        if form.get("step") == "save":
            await work(context)
            return Redirect(f"/apps/{name}/provisioning/mappings", notice="The schema was imported")
        effects = await foresee(context, work)
        foreseen = await preview_change(context, name, work) if form.get("step") == "preview" else None
    except LockstepError as refused:
        return await _page(context, request, text=text, refused=on_the_form(refused))
    app = await applications.show_application(context, name)
    model = {
        "what": ChangeSummary(
            "Import the schema",
            "",
            "All mappings and scoping filters are replaced by those in the schema.",
            is_danger=True,
            findings=found,
        ),
        "lines": consequence_lines(effects),
        "foreseen": foreseen,
        "concerned": None,
        "noun": "person",
        "hidden": [("schema", text)],
        "action": request.url.path,
        "back": request.url.path,
    }
    return View(
        "mappings/review.html",
        "Import the schema",
        model,
        app=place_of(app),
        tab=TAB,
        subtab=SUBTAB,
        parents=[
            Crumb(SUBTAB, f"/apps/{request.path_params['app']}/provisioning/mappings"),
            Crumb(HEADING, request.url.path),
        ],
    )


async def _page(context: Context, request: Request, *, text: str = "", refused: LockstepError | None = None) -> View:
    name = request.path_params["app"]
    app = await applications.show_application(context, name)
    schema, unexported = "", None
    try:
        schema = _text(await configuration_export.export_entra_schema(context, name))
    except LockstepError as problem:
        unexported = on_the_form(problem)
    model = {
        "schema": schema,
        "unexported": unexported,
        "text": text,
        "refused": refused,
        "here": f"/apps/{name}/provisioning/schema",
        "may_write": may_write(context),
    }
    return View(
        "mappings/schema.html",
        HEADING,
        model,
        app=place_of(app),
        tab=TAB,
        subtab=SUBTAB,
        parents=[Crumb(SUBTAB, f"/apps/{name}/provisioning/mappings")],
        lead="The synchronization schema, in the format of Microsoft Graph.",
        copy_as=CopyAs(
            command=f"lockstep export {name} --format entra-json", api=f"/api/v1/applications/{name}/schema"
        ),
        status=400 if refused else 200,
    )


def _text(schema: object) -> str:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()
