"""Attribute-Mapping: one mapping with the values of a sample person; change its settings, remove a row, restore the defaults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import mapping_changes, mapping_pages
from lockstep.actions.change_preview import preview_change
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.mapping_pages import MappingView
from lockstep.actions.permissions import Permission
from lockstep.actions.settings import set_mapping
from lockstep.configuration.findings import Finding
from lockstep.engine.records import ObjectKind
from lockstep.errors import Kind, LockstepError
from lockstep.web.mapping_form import kind_of, live_value, source_text
from lockstep.web.page import AppPlace, CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
TAB, SUBTAB = "Provisioning", "Mappings"
HEADING = "Attribute-Mapping"
NOT_HIDDEN = ("csrf", "step")


@dataclass(frozen=True, slots=True)
class MappingLine:
    """One row of the table."""

    target: str
    source: str
    is_expression: bool
    is_constant: bool
    match: int
    apply: str
    findings: Sequence[Finding]
    live: Any = None


_APPLY_WORDS = {"always": "Always", "createOnly": "Only during creation"}


@pages.get("/apps/{app}/provisioning/mappings")
async def list_mappings(context: Context, request: Request) -> View:
    """Show the mappings of an application, one for each kind of object."""
    name = request.path_params["app"]
    kinds = await mapping_pages.kinds_of(context, name)
    found = [await mapping_pages.show_mapping(context, name, kind) for kind in kinds]
    place = AppPlace(name, found[0].app_name if found else name)
    return View(
        "mappings/all.html",
        SUBTAB,
        {"mappings": found},
        app=place,
        tab=TAB,
        subtab=SUBTAB,
        lead="Which directory attribute is written to which attribute of the application.",
        copy_as=CopyAs(command=f"lockstep map list {name}", api=f"/api/v1/applications/{name}/mappings"),
    )


@pages.get("/apps/{app}/provisioning/mappings/{object}")
async def show(context: Context, request: Request) -> View:
    return await mapping_page(context, request)


@pages.post("/apps/{app}/provisioning/mappings/{object}")
async def save(context: Context, request: Request) -> PageAnswer:
    """Save Name, Enabled and Target Object Actions."""
    form = await request.form()
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])

    async def work(inner: Context) -> None:
        await mapping_changes.set_object_mapping(
            inner,
            app,
            kind,
            name=str(form.get("name", "")),
            is_enabled=form.get("enabled") == "on",
            actions=[str(one) for one in form.getlist("action")],
        )

    what = ChangeSummary(f"Save the settings of “{form.get('name', '')}”", "The mapping was saved")
    try:
        return await reviewed(context, request, form, work, what)
    except LockstepError as refused:
        return await mapping_page(context, request, refused=on_the_form(refused))


@pages.post("/apps/{app}/provisioning/mappings/{object}/remove")
async def remove(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    app, kind, target = request.path_params["app"], kind_of(request.path_params["object"]), str(form.get("target", ""))

    async def work(inner: Context) -> None:
        await set_mapping(inner, app, target, None, kind=kind)

    what = ChangeSummary(
        f"Remove the mapping of {target}",
        f"{target} is no longer written",
        "The attribute is no longer written. Existing values in the application stay.",
        is_danger=True,
    )
    try:
        return await reviewed(context, request, form, work, what)
    except LockstepError as refused:
        return await mapping_page(context, request, refused=on_the_form(refused))


@pages.post("/apps/{app}/provisioning/mappings/{object}/restore")
async def restore(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])

    async def work(inner: Context) -> None:
        await mapping_changes.restore_default_mappings(inner, app, kind)

    what = ChangeSummary(
        "Restore default mappings",
        "The default mappings were restored",
        "All attribute mappings, scoping filters and the attribute list are replaced by those from the gallery.",
        is_danger=True,
    )
    return await reviewed(context, request, form, work, what)


@dataclass(frozen=True, slots=True)
class ChangeSummary:
    """Describes a change before it is saved. *done* is the message to show after the change was saved. *signs* are the lines that describe
    the change, each beginning with + or -.
    """

    title: str
    done: str
    text: str = ""
    is_danger: bool = False
    signs: Sequence[tuple[str, str]] = field(default=())
    back: str = ""
    findings: Sequence[Finding] = field(default=())


async def reviewed(
    context: Context,
    request: Request,
    form: FormData,
    work: Callable[[Context], Awaitable[object]],
    what: ChangeSummary,
) -> PageAnswer:
    """Show a page with the effects of *work* on people. With step=preview, the page also shows the new values. When the user confirms the
    change, the page sends step=save. *work* is then carried out, and the user is redirected. Raises the errors of *work*.
    """
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    back = what.back or mapping_href(app, kind)
    if form.get("step") == "save":
        await work(context)
        return Redirect(back, notice=what.done)
    found = await foresee(context, work)
    view = await mapping_pages.show_mapping(context, app, kind)
    model = {
        "what": what,
        "lines": consequence_lines(found),
        "foreseen": await preview_change(context, app, work) if form.get("step") == "preview" else None,
        "concerned": await mapping_pages.count_concerned(context, app, kind),
        "noun": noun(kind),
        "hidden": [(name, str(value)) for name, value in form.multi_items() if name not in NOT_HIDDEN],
        "action": request.url.path,
        "back": back,
    }
    return View(
        "mappings/review.html",
        what.title,
        model,
        app=place_of(view),
        tab=TAB,
        subtab=SUBTAB,
        parents=parents_of(view),
    )


async def mapping_page(
    context: Context,
    request: Request,
    *,
    refused: LockstepError | None = None,
    extra: Mapping[str, Any] | None = None,
    status: int = 200,
) -> View:
    """Show the page of a mapping. *extra* contains the values that a dialog on the page needs."""
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    view = await mapping_pages.show_mapping(context, app, kind)
    wanted = request.query_params.get("person", "").strip()
    choices = await mapping_pages.sample_names(context, app, kind)
    sample, unknown = None, None
    try:
        if wanted or choices:
            sample = await mapping_pages.show_sample(context, app, kind, wanted or choices[0].name)
    except LockstepError as missing:
        if missing.kind is not Kind.NOT_FOUND:
            raise
        unknown = missing
    model = {
        "mapping": view,
        "rows": [_row(view, row, sample) for row in view.rows],
        "choices": choices,
        "sample": sample,
        "person": wanted or (sample.name if sample is not None else ""),
        "unknown": unknown,
        "refused": refused,
        "here": mapping_href(app, kind),
        "may_write": may_write(context),
        "noun": noun(kind),
        "edit": None,
        **(extra or {}),
    }
    return View(
        "mappings/mapping.html",
        HEADING,
        model,
        app=place_of(view),
        tab=TAB,
        subtab=SUBTAB,
        parents=[Crumb(SUBTAB, f"/apps/{app}/provisioning/mappings")],
        lead=view.mapping.name,
        copy_as=CopyAs(
            command=f"lockstep map list {app}" + (" --kind group" if kind is ObjectKind.GROUP else ""),
            api=f"/api/v1/applications/{app}/mappings",
        ),
        status=400 if refused else status,
    )


def may_write(context: Context) -> bool:
    """Whether to show controls that change something. The action checks the permission itself."""
    return Permission.CONFIGURATION_WRITE in {*context.actor.permissions, *context.actor.own_permissions}


def mapping_href(app: str, kind: ObjectKind) -> str:
    return f"/apps/{app}/provisioning/mappings/{kind.lower()}"


def place_of(view: MappingView) -> AppPlace:
    return AppPlace(view.app, view.app_name)


def parents_of(view: MappingView) -> list[Crumb]:
    return [
        Crumb(SUBTAB, f"/apps/{view.app}/provisioning/mappings"),
        Crumb(view.mapping.name, mapping_href(view.app, view.kind)),
    ]


def noun(kind: ObjectKind) -> str:
    return "person" if kind is ObjectKind.USER else "group"


def _row(view: MappingView, row: Mapping[str, Any], sample: Any) -> MappingLine:
    apply = str(row.get("apply", "always"))
    return MappingLine(
        target=row["target"],
        source=source_text(row),
        is_expression="expression" in row,
        is_constant="constant" in row,
        match=int(row.get("match", 0)),
        apply=_APPLY_WORDS.get(apply, apply),
        findings=view.by_target.get(row["target"], ()),
        live=live_value(sample, row["target"]) if sample is not None else None,
    )
