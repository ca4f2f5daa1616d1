"""Sources: the list, and one source with what waits for a decision because it shrank."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import source_decisions, sources
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.sources import SourceView
from lockstep.errors import LockstepError
from lockstep.web.page import Answer, CopyAs, Crumb, Pages, Redirect, View, on_the_form
from lockstep.web.status_look import Look

pages = Pages()
HERE = "/sources"
MOST_NAMED = 200


@pages.get(HERE)
async def list_sources(context: Context, request: Request) -> View:
    rows = [(one, _look(one), f"{HERE}/{one.source.name}") for one in await sources.list_sources(context)]
    return View(
        "sources/list.html", "Sources", {"rows": rows}, section="Sources",
        copy_as=CopyAs(command="lockstep sources list", api="/api/v1/sources"), live="source change",
    )  # fmt: skip


@pages.get(HERE + "/{source}")
async def show_source(context: Context, request: Request) -> View:
    return await _source(context, request.path_params["source"])


@pages.post(HERE + "/{source}/decide")
async def decide(context: Context, request: Request) -> Answer:
    """Confirming needs the number of what leaves, typed: it is the number at present, so that nobody confirms what they did not see."""
    name, form = request.path_params["source"], await request.form()
    if form.get("decision") == "confirm":
        view = await sources.show_source(context, name)
        number = sum(hold.missing for hold in view.holds)
        if str(form.get("confirmation", "")).replace(",", "").strip() != str(number):
            return await _source(context, name, wrong=f"Type {number} to confirm. Nothing was changed.")
        try:
            done = await source_decisions.confirm_hold(context, name, shown=str(form.get("shown") or "none"))
        except LockstepError as refused:
            return await _source(context, name, wrong=f"{on_the_form(refused).detail}. Nothing was changed.")
        return Redirect(f"{HERE}/{name}", notice=f"{done.left:,} left, {done.renamed:,} have a new key")
    kept = await source_decisions.reject_hold(context, name)
    return Redirect(f"{HERE}/{name}", notice=f"{kept.kept + kept.told_apart:,} stay")


async def _source(context: Context, name: str, *, wrong: str = "") -> View:
    view = await sources.show_source(context, name)
    model = {
        "one": view,
        "look": _look(view),
        "held": await source_decisions.who_is_held(context, name, limit=MOST_NAMED) if view.holds else {},
        "number": sum(hold.missing for hold in view.holds),
        "shown": source_decisions.mark_of(view.holds),
        "may_decide": context.actor.everywhere(Permission.SOURCES_DECIDE),
        "wrong": wrong,
        "most": MOST_NAMED,
    }
    return View(
        "sources/source.html", view.source.display_name, model, section="Sources", parents=[Crumb("Sources", HERE)],
        copy_as=CopyAs(command=f"lockstep sources show {name}", api=f"/api/v1/sources/{name}"),
        status=400 if wrong else 200,
    )  # fmt: skip


def _look(view: SourceView) -> Look:
    if view.holds:
        return Look("Waits for a decision", "quarantine", "hand")
    if view.failure:
        return Look("Could not be read", "error", "error")
    return Look("Read", "ok", "check-circle") if view.read_at else Look("Not read yet", "neutral", "circle")
