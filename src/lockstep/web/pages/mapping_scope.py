"""Source Object Scope: scoping filters as rows, the number of people who match, and the names of those who would leave the scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import mapping_pages, mappings, settings
from lockstep.actions.context import Context
from lockstep.actions.mappings import ScopeCounts
from lockstep.configuration.document.filter_text import filter_text
from lockstep.configuration.findings import Finding
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.operators import OPERATORS, BadOperand
from lockstep.errors import LockstepError
from lockstep.web.mapping_form import kind_of
from lockstep.web.page import CopyAs, Fragment, PageAnswer, Pages, View, on_the_form
from lockstep.web.pages.mappings import (
    SUBTAB,
    TAB,
    ChangeSummary,
    mapping_href,
    may_write,
    noun,
    parents_of,
    place_of,
    reviewed,
)
from lockstep.web.scope_form import OPERATOR_NAMES, FilterRows, documents, rows_of, rows_posted, stepped

pages = Pages()
HEADING = "Source Object Scope"
_MOST_NAMES = 50
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)  # evaluating a pattern does not depend on the time


@dataclass(frozen=True, slots=True)
class ScopeJudgement:
    """The effect of the filters in the form. *pattern* is the result of the regex tester."""

    counts: ScopeCounts | None = None
    findings: Sequence[Finding] = ()
    refused: LockstepError | None = None
    pattern: str = ""
    does_match: bool = False

    @property
    def names(self) -> Sequence[str]:
        return self.counts.leavers[:_MOST_NAMES] if self.counts is not None else ()


@pages.get("/apps/{app}/provisioning/mappings/{object}/scope")
async def show(context: Context, request: Request) -> View:
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    _, stored = await settings.show_scope(context, app, kind=kind)
    return await _page(context, request, rows_of(stored))


@pages.get("/apps/{app}/provisioning/mappings/{object}/scope/count")
async def count(context: Context, request: Request) -> Fragment:
    """Count the people that the stored filters leave in scope, for the page of the mapping."""
    counts = await mappings.count_scope(context, request.path_params["app"])
    return Fragment("mappings/scope_line.html", {"counts": counts})


@pages.post("/apps/{app}/provisioning/mappings/{object}/scope/try")
async def try_it(context: Context, request: Request) -> Fragment:
    form = await request.form()
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    return Fragment("mappings/scope_result.html", {"judged": await _judge(context, app, kind, form)})


@pages.post("/apps/{app}/provisioning/mappings/{object}/scope")
async def save(context: Context, request: Request) -> PageAnswer:
    """Handle the form. Buttons that add or remove a row show the form again. With step=try, the form is shown again with the number of
    people in scope. All other steps first show the review, and save after it is confirmed.
    """
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    form = await request.form()
    step = str(form.get("row", "")) or str(form.get("step", ""))
    rows = rows_posted(form)
    if (changed := stepped(rows, step)) is not None:
        return await _page(context, request, changed, is_unsaved=True)
    if step == "try":
        return await _page(context, request, rows, judged=await _judge(context, app, kind, form), is_unsaved=True)
    try:
        wanted = documents(rows)

        async def work(inner: Context) -> None:
            await settings.set_scope(inner, app, wanted, kind=kind)

        _, stored = await settings.show_scope(context, app, kind=kind)
        before, after = [filter_text(one) for one in stored], [filter_text(one) for one in wanted]
        signs = [("-", one) for one in before if one not in after] + [("+", one) for one in after if one not in before]
        text = "" if after else "Without scoping filters, everyone in the scope of the application is provisioned."
        what = ChangeSummary("Save the Source Object Scope", "The scoping filters were saved", text, signs=signs)
        return await reviewed(context, request, form, work, what)
    except LockstepError as refused:
        return await _page(
            context, request, rows, judged=ScopeJudgement(refused=on_the_form(refused)), is_unsaved=True, status=400
        )


async def _judge(context: Context, app: str, kind: ObjectKind, form: FormData) -> ScopeJudgement:
    pattern, does_match = _tested(str(form.get("test_pattern", "")), str(form.get("test_text", "")))
    try:
        wanted = documents(rows_posted(form))
        findings = await mappings.lint_filters(context, app, kind, wanted)
        counts = await mappings.count_scope(context, app, filters=wanted) if kind is ObjectKind.USER else None
    except LockstepError as refused:
        return ScopeJudgement(refused=on_the_form(refused), pattern=pattern, does_match=does_match)
    return ScopeJudgement(counts, findings, None, pattern, does_match)


def _tested(pattern: str, text: str) -> tuple[str, bool]:
    """Test whether *pattern* matches *text*, with the operator REGEX MATCH itself. Returns the result as text, and whether to show it as a
    success.
    """
    if not pattern:
        return "", False
    try:
        test = OPERATORS["REGEX MATCH"].compile(pattern)
    except BadOperand as wrong:
        return f"This is not a valid pattern: {wrong}", False
    if not text:
        return "The pattern is valid. An empty attribute passes neither REGEX MATCH nor NOT REGEX MATCH.", True
    does_match = test(text, _NEVER)
    return (f"The pattern {'matches' if does_match else 'does not match'} the whole text.", does_match)


async def _page(
    context: Context,
    request: Request,
    rows: Sequence[FilterRows],
    *,
    judged: ScopeJudgement | None = None,
    is_unsaved: bool = False,
    status: int = 200,
) -> View:
    app, kind = request.path_params["app"], kind_of(request.path_params["object"])
    view = await mapping_pages.show_mapping(context, app, kind)
    form = await request.form() if request.method == "POST" else {}
    model = {
        "mapping": view,
        "filters": rows,
        "operators": [(one, one) for one in OPERATOR_NAMES],
        "unary": [one.name for one in OPERATORS.values() if one.is_unary],
        "meanings": [(one, OPERATORS[one].meaning) for one in OPERATOR_NAMES],
        "attributes": mapping_pages.source_choices(kind),
        "judged": judged or ScopeJudgement(),
        "here": f"{mapping_href(app, kind)}/scope",
        "back": mapping_href(app, kind),
        "is_unsaved": is_unsaved,
        "may_write": may_write(context),
        "noun": noun(kind),
        "test_pattern": str(form.get("test_pattern", "")),
        "test_text": str(form.get("test_text", "")),
    }
    option = " --kind group" if kind is ObjectKind.GROUP else ""
    return View(
        "mappings/scope.html",
        HEADING,
        model,
        app=place_of(view),
        tab=TAB,
        subtab=SUBTAB,
        parents=parents_of(view),
        lead="Filters narrow the scope of the application. All clauses of a filter must match (AND), but only one filter has to (OR).",
        copy_as=CopyAs(command=f"lockstep scope show {app}{option}", api=f"/api/v1/applications/{app}/scope"),
        status=status,
    )
