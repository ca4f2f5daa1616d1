"""Edit Attribute: the mapping of one attribute. While an expression is being typed, the dialog shows its result for several people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import mapping_changes, mapping_pages, mappings_attributes
from lockstep.actions.context import Context
from lockstep.actions.mapping_pages import TriedValue
from lockstep.actions.settings import set_mapping
from lockstep.engine.records import ObjectKind
from lockstep.errors import LockstepError, not_found
from lockstep.web.command_pages import STEPS
from lockstep.web.expression_marks import Completion, MarkedError, completions, error_of
from lockstep.web.mapping_form import TYPES, AttributeForm, kind_of, shown, source_text
from lockstep.web.page import Fragment, PageAnswer, Pages, View, on_the_form
from lockstep.web.pages.mappings import ChangeSummary, mapping_page, reviewed

pages = Pages()
_FIELDS = ("target", "source", "constant", "expression", "precedence")
MOST_TRIED = 8


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of a test with people: the position of an error, another problem, or the values."""

    rows: Sequence[TriedValue] = ()
    error: MarkedError | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Editing:
    """The content of the dialog."""

    title: str
    form: AttributeForm
    sources: Sequence[tuple[str, str]]
    targets: Sequence[str]
    names: Sequence[str]
    builder_href: str
    has_builder: bool
    words: Sequence[Completion]
    refused: LockstepError | None = None
    errors: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(_FIELDS, ""))
    types: Sequence[tuple[str, str]] = TYPES


@pages.get("/apps/{app}/provisioning/mappings/{object}/edit")
async def show(context: Context, request: Request) -> View:
    target = request.query_params.get("target", "")
    if not target:
        return await _dialog(context, request, AttributeForm())
    view = await mapping_pages.show_mapping(context, request.path_params["app"], kind_of(request.path_params["object"]))
    row = next((one for one in view.rows if one["target"].lower() == target.lower()), None)
    if row is None:
        raise not_found(f"{target} has no mapping", next_step="Choose one in the list, or add a new mapping")
    return await _dialog(context, request, AttributeForm.of_row(row))


@pages.post("/apps/{app}/provisioning/mappings/{object}/edit")
async def save(context: Context, request: Request) -> PageAnswer:
    """Save the mapping. The button OK shows the effects of the change on a second page; the button Save on that page saves the mapping.

    With step=fill, only the form is shown. With step=try, the form is shown with the results of a test.
    """
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    data = await request.form()
    form = AttributeForm.of_form(data)
    if data.get("step") == "fill":
        return await _dialog(context, request, await _filled(context, app, kind, form))
    if data.get("step") == "try":
        tried = await _try(context, app, kind, form, _names(data))
        return await _dialog(context, request, form, tried=tried, names=_names(data))
    where, problem = form.problem()
    if where:
        return await _dialog(context, request, form, error=(where, problem), names=_names(data))
    if form.type == "expression" and (wrong := error_of(form.expression)) is not None:
        return await _dialog(
            context,
            request,
            form,
            tried=TrialResult(error=wrong),
            error=("expression", wrong.message),
            names=_names(data),
        )

    async def work(inner: Context) -> None:
        if form.original and form.original.lower() != form.target.lower():
            await mapping_changes.move_mapping(inner, app, form.original, form.target, form.changes(), kind=kind)
        else:
            await set_mapping(inner, app, form.target, form.changes(), kind=kind)

    try:
        what = await _change(context, app, kind, form)
        return await reviewed(context, request, data, work, what)
    except LockstepError as refused:
        return await _dialog(context, request, form, refused=on_the_form(refused), names=_names(data))


@pages.post("/apps/{app}/provisioning/mappings/{object}/try")
async def try_it(context: Context, request: Request) -> Fragment:
    data = await request.form()
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    tried = await _try(context, app, kind, AttributeForm.of_form(data), _names(data))
    return Fragment("mappings/tried.html", {"tried": tried})


async def _try(context: Context, app: str, kind: ObjectKind, form: AttributeForm, names: Sequence[str]) -> TrialResult:
    if replace(form, target=form.target or "displayName").problem()[0]:
        return TrialResult()
    if form.type == "expression" and (wrong := error_of(form.expression)) is not None:
        return TrialResult(error=wrong)
    try:
        rows = await mapping_pages.try_mapping(
            context, app, kind, form.target or "displayName", form.changes(), names[:MOST_TRIED]
        )
    except LockstepError as refused:
        return TrialResult(problem=f"{on_the_form(refused).detail} {STEPS.on_page(refused.next_step)}".strip())
    return TrialResult([replace(one, value=shown(one.value)) for one in rows])


async def _dialog(
    context: Context,
    request: Request,
    form: AttributeForm,
    *,
    tried: TrialResult | None = None,
    error: tuple[str, str] = ("", ""),
    refused: LockstepError | None = None,
    names: Sequence[str] = (),
) -> View:
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    if not names:
        names = [one.name for one in await mapping_pages.sample_names(context, app, kind)]
    if tried is None:
        tried = await _try(context, app, kind, form, names)
    sources = mapping_pages.source_choices(kind)
    if form.source and form.source not in sources:
        sources = [*sources, form.source]
    listed = await mappings_attributes.list_attributes(context, app, kind)
    editing = Editing(
        title="Edit Attribute",
        form=form,
        sources=[("", "Choose…"), *((one, one) for one in sources)],
        targets=[str(one["name"]) for one in listed],
        names=names,
        builder_href=f"/apps/{app}/provisioning/expression",
        has_builder=kind is ObjectKind.USER,
        words=completions(kind),
        refused=refused,
        errors={one: error[1] if one == error[0] else "" for one in _FIELDS},
    )
    status = 400 if refused or error[0] else 200
    return await mapping_page(context, request, extra={"edit": editing, "tried": tried}, status=status)


async def _filled(context: Context, app: str, kind: ObjectKind, form: AttributeForm) -> AttributeForm:
    """Return the fields for the form's target attribute. If the attribute has a stored mapping, they are the fields of that mapping. The
    expression is always the one from the expression builder.
    """
    view = await mapping_pages.show_mapping(context, app, kind)
    row = next((one for one in view.rows if one["target"].lower() == form.target.lower()), None)
    stored = AttributeForm.of_row(row) if row is not None else AttributeForm(target=form.target)
    return replace(stored, type="expression", expression=form.expression)


def _names(data: FormData) -> list[str]:
    """Return the people to test with: the typed text, split at commas."""
    return list(dict.fromkeys(one.strip() for one in str(data.get("people", "")).split(",") if one.strip()))


async def _change(context: Context, app: str, kind: ObjectKind, form: AttributeForm) -> ChangeSummary:
    view = await mapping_pages.show_mapping(context, app, kind)
    known = form.original or form.target
    before = next((one for one in view.rows if one["target"].lower() == known.lower()), None)
    after = {"target": form.target, **{key: value for key, value in form.changes().items() if value is not None}}
    lines = [("-", _line(before))] if before is not None else []
    lines.append(("+", _line(after)))
    title = f"Save the mapping of {form.target}" if before is not None else f"Add the mapping of {form.target}"
    return ChangeSummary(title, f"The mapping of {form.target} was saved", signs=lines)


def _line(row: Mapping[str, Any]) -> str:
    """Format a mapping as one line of the review page."""
    text = f"{row['target']} = {source_text(row) or 'none'}"
    if "default" in row:
        text += f", default {shown(row['default'])}"
    if row.get("match"):
        text += f", matching precedence {row['match']}"
    return text + (f", apply {row['apply']}" if row.get("apply", "always") != "always" else "")
