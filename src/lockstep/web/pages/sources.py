"""Sources: the list, and one source with its runs, its name and its key. If a source shrank, its leavers wait here for a decision."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import source_decisions, source_keys, source_runs, sources
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.sources import SourceView
from lockstep.errors import LockstepError
from lockstep.web.command_pages import STEPS
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.run_words import changes_in, totals
from lockstep.web.status_look import StatusLook
from lockstep.wording import counted

pages = Pages()
HERE = "/sources"
MOST_NAMED = 200
RUNS = 10


@pages.get(HERE)
async def list_sources(context: Context, request: Request) -> View:
    rows = [(one, _look(one), f"{HERE}/{one.source.name}") for one in await sources.list_sources(context)]
    return View(
        "sources/list.html", "Sources", {"rows": rows, "may_write": context.actor.everywhere(Permission.SOURCES_WRITE)},
        section="Sources",
        copy_as=CopyAs(command="lockstep sources list", api="/api/v1/sources"), live="source change",
    )  # fmt: skip


@pages.get(HERE + "/{source}")
async def show_source(context: Context, request: Request) -> View:
    before = request.query_params.get("before", "")
    return await _source(context, request.path_params["source"], before=int(before) if before.isdecimal() else 0)


@pages.get(HERE + "/{source}/runs/{run}")
async def show_run(context: Context, request: Request) -> View:
    name, number = request.path_params["source"], request.path_params["run"]
    run = await source_runs.show_run(context, name, int(number) if number.isdecimal() and len(number) < 19 else 0)
    model = {"run": run, "totals": totals(run.passes), "changes": changes_in(run.passes)}
    return View(
        "sources/run.html", f"Import {run.id}", model, section="Sources",
        parents=[Crumb("Sources", HERE), Crumb(name, f"{HERE}/{name}")],
        copy_as=CopyAs(api=f"/api/v1/sources/{name}/runs/{number}"),
    )  # fmt: skip


@pages.post(HERE + "/{source}/import")
async def read_again(context: Context, request: Request) -> PageAnswer:
    """Read the files of the source now."""
    name = request.path_params["source"]
    try:
        done = await sources.import_source(context, name)
    except LockstepError as refused:
        return await _source(context, name, wrong=_said(on_the_form(refused)))
    sentence = totals([source_runs.pass_record(one) for one in done]).sentence
    return Redirect(f"{HERE}/{name}", notice=f"Imported: {sentence}")


@pages.post(HERE + "/{source}/rename")
async def rename(context: Context, request: Request) -> PageAnswer:
    name, new_name = request.path_params["source"], str((await request.form()).get("name", "")).strip()
    try:
        await source_keys.rename_source(context, name, new_name)
    except LockstepError as refused:
        return await _source(context, name, wrong=_said(on_the_form(refused)))
    return Redirect(f"{HERE}/{new_name}", notice=f"{name} is now called {new_name}")


@pages.post(HERE + "/{source}/rekey")
async def rekey(context: Context, request: Request) -> PageAnswer:
    name, column = request.path_params["source"], str((await request.form()).get("column", "")).strip()
    try:
        done = await source_keys.rekey_source(context, name, column)
    except LockstepError as refused:
        return await _source(context, name, wrong=_said(on_the_form(refused)))
    return Redirect(
        f"{HERE}/{name}",
        notice=f"{counted(done.people, 'person')} {'is' if done.people == 1 else 'are'} now identified by {column}",
    )


@pages.post(HERE + "/{source}/decide")
async def decide(context: Context, request: Request) -> PageAnswer:
    """Confirm or reject pending changes. To confirm, an administrator must type the present number of leavers, so that nobody confirms a
    number that they have not seen.
    """
    name, form = request.path_params["source"], await request.form()
    if form.get("decision") == "confirm":
        view = await sources.show_source(context, name)
        number = sum(hold.missing for hold in view.holds)
        if str(form.get("confirmation", "")).replace(",", "").strip() != str(number):
            return await _source(context, name, wrong=f"Type {number} to confirm. Nothing was changed.")
        try:
            done = await source_decisions.confirm_hold(context, name, shown=str(form.get("shown", "")))
        except LockstepError as refused:
            return await _source(context, name, wrong=f"{on_the_form(refused).detail}. Nothing was changed.")
        return Redirect(
            f"{HERE}/{name}",
            notice=f"Removed {counted(done.left, 'object')}; {counted(done.renamed, 'person')} got a new key",
        )
    kept = await source_decisions.reject_hold(context, name)
    return Redirect(f"{HERE}/{name}", notice=f"Kept {counted(kept.kept + kept.told_apart, 'object')}")


def _said(refused: LockstepError) -> str:
    return ". ".join(filter(None, (refused.detail, refused.why, STEPS.on_page(refused.next_step))))


async def _source(context: Context, name: str, *, wrong: str = "", before: int = 0) -> View:
    view = await sources.show_source(context, name)
    runs = await source_runs.list_runs(context, name, before=before, limit=RUNS + 1)
    config = view.source.config
    model = {
        "runs": [(run, totals(run.passes), f"{HERE}/{name}/runs/{run.id}") for run in runs[:RUNS]],
        "older": address(f"{HERE}/{name}", before=str(runs[RUNS - 1].id)) if len(runs) > RUNS else None,
        "is_newest": not before,
        "keys": (view.source.watermark or {}).get("keys", {}),
        "files": config.get("files", []),
        "mapped": [
            (column, ", ".join([given] if isinstance(given, str) else given) or "ignored")
            for column, given in dict(config.get("map") or {}).items()
        ],
        "is_local": view.source.kind == "local",
        "may_write": context.actor.everywhere(Permission.SOURCES_WRITE),
        "may_import": context.actor.everywhere(Permission.SOURCES_IMPORT),
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
        status=400 if wrong else 200, live="source",
    )  # fmt: skip


def _look(view: SourceView) -> StatusLook:
    if view.holds:
        return StatusLook("Waits for a decision", "quarantine", "hand")
    if view.failure:
        return StatusLook("Could not be read", "error", "error")
    return StatusLook("Read", "ok", "check-circle") if view.read_at else StatusLook("Not read yet", "neutral", "circle")
