"""The expression builder: write an expression, try it with people or with entered values, see each step, and use it in a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from lockstep.actions import expression_trials, mapping_pages
from lockstep.actions.context import Context
from lockstep.actions.expression_trials import attributes_from
from lockstep.configuration.findings import Finding
from lockstep.engine.expressions import Diversion, ExplainedExpression, ExpressionError
from lockstep.engine.expressions.cases import plain
from lockstep.engine.expressions.catalogue import Function
from lockstep.engine.records import ObjectKind
from lockstep.errors import LockstepError
from lockstep.web.command_pages import STEPS
from lockstep.web.expression_marks import MarkedError, completions, functions, marked
from lockstep.web.mapping_form import shown
from lockstep.web.page import CopyAs, Fragment, PageAnswer, Pages, View, on_the_form
from lockstep.web.pages.mappings import TAB, mapping_href, may_write, place_of

pages = Pages()
HEADING = "Expression builder"
MOST_TRIED = 8


@dataclass(frozen=True, slots=True)
class EvaluationLine:
    """One row of the tree: a part of the expression with its value. *state* is value, null, error, or not reached."""

    depth: int
    text: str
    value: str
    state: str


@dataclass(frozen=True, slots=True)
class ExpressionResult:
    """The value of the expression for one person. *name* is the person, and *steps* are the values of all parts of the expression."""

    name: str
    value: EvaluationLine
    steps: Sequence[EvaluationLine]


@dataclass(frozen=True, slots=True)
class ExpressionReport:
    """The results below the editor."""

    results: Sequence[ExpressionResult] = ()
    error: MarkedError | None = None
    problem: str = ""
    findings: Sequence[Finding] = ()


@pages.get("/apps/{app}/provisioning/expression")
async def show(context: Context, request: Request) -> View:
    return await _page(context, request, dict(request.query_params))


@pages.post("/apps/{app}/provisioning/expression")
async def evaluate(context: Context, request: Request) -> PageAnswer:
    """Show the page with the results or, for a request of htmx, only the results."""
    form = dict(await request.form())
    if request.headers.get("hx-request"):
        outcome = await _outcome(context, request.path_params["app"], form)
        return Fragment("expression/outcome.html", {"outcome": outcome})
    return await _page(context, request, form)


async def _outcome(context: Context, app: str, form: Mapping[str, Any]) -> ExpressionReport:
    text = _text(form, "expression")
    if not text:
        return ExpressionReport()
    try:
        by_hand = attributes_from(line for line in _text(form, "values").splitlines() if line.strip())
        found = await expression_trials.try_expression(context, app, text, people=_people(form), by_hand=by_hand)
    except ExpressionError as error:
        return ExpressionReport(error=marked(error, text))
    except ValueError as problem:
        return ExpressionReport(problem=f"Entered values: {problem}")
    except LockstepError as refused:
        return ExpressionReport(problem=f"{on_the_form(refused).detail}. {STEPS.on_page(refused.next_step)}")
    results = [
        ExpressionResult(one.name, _step(one.explained, 0), [] if i else list(_steps(one.explained, 0)))
        for i, one in enumerate(found.trials)
    ]
    return ExpressionReport(results, findings=found.findings)


async def _page(context: Context, request: Request, form: Mapping[str, Any]) -> View:
    app = request.path_params["app"]
    view = await mapping_pages.show_mapping(context, app, ObjectKind.USER)
    if "people" not in form:
        names = [one.name for one in await mapping_pages.sample_names(context, app, ObjectKind.USER, most=3)]
        form = {**form, "people": ", ".join(names)}
    targets = [str(row["target"]) for row in view.rows]
    model = {
        "here": f"/apps/{app}/provisioning/expression",
        "expression": _text(form, "expression"),
        "people": _text(form, "people"),
        "values": _text(form, "values"),
        "target": _text(form, "target"),
        "targets": targets,
        "outcome": await _outcome(context, app, form),
        "families": _families(),
        "words": completions(ObjectKind.USER),
        "edit_href": f"{mapping_href(app, ObjectKind.USER)}/edit",
        "may_write": may_write(context),
    }
    return View(
        "expression/builder.html",
        HEADING,
        model,
        app=place_of(view),
        tab=TAB,
        subtab=HEADING,
        lead="Write an expression, test it with people, and use it in a mapping.",
        copy_as=CopyAs(command="lockstep expr eval EXPRESSION --user UPN --explain"),
    )


def _text(form: Mapping[str, Any], name: str) -> str:
    return str(form.get(name, "")).replace("\r\n", "\n").strip()


def _people(form: Mapping[str, Any]) -> list[str]:
    names = (one.strip() for one in _text(form, "people").split(","))
    return list(dict.fromkeys(one for one in names if one))[:MOST_TRIED]


def _families() -> list[tuple[str, list[Function]]]:
    """Return the functions for the reference, grouped by subject."""
    found: dict[str, list[Function]] = {}
    for one in functions():
        found.setdefault(one.family.replace("_", " ").capitalize(), []).append(one)
    return sorted(found.items())


def _steps(part: ExplainedExpression, depth: int) -> Iterator[EvaluationLine]:
    yield _step(part, depth)
    for child in part.parts:
        # A constant needs no row, because its text is its value.
        if child.parts or child.text[:1] not in '"0123456789-&':
            yield from _steps(child, depth + 1)


def _step(part: ExplainedExpression, depth: int) -> EvaluationLine:
    if part.error:
        is_cause = not any(child.error for child in part.parts) or depth == 0
        return EvaluationLine(depth, part.text, part.error if is_cause else "error", "error")
    if not part.is_reached:
        return EvaluationLine(depth, part.text, "not evaluated", "waiting")
    if isinstance(part.value, Diversion):
        return EvaluationLine(depth, part.text, part.value.value, "null")
    value = plain(part.value)
    return EvaluationLine(
        depth, part.text, "null" if value is None else shown(value), "null" if value is None else "value"
    )
