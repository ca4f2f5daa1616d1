"""Import a file: upload it, check how it is read and which people it would change, then import it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from lockstep.actions import people, sources, uploads
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.uploads import UploadView
from lockstep.errors import LockstepError
from lockstep.web import import_form
from lockstep.web.command_pages import STEPS
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.run_words import changes_in, totals
from lockstep.wording import counted

pages = Pages()
HERE = "/import"
SOURCES = Crumb("Sources", "/sources")
TRIED_AT_ONCE = 4 * 1024 * 1024  # bytes; larger files get a dry run only on request
_PIECE = 256 * 1024
_FIELDS = (
    ("--map", "Choose below what each column becomes, then run the dry run again"),
    ("--encoding", "Choose the encoding below, then run the dry run again"),
    ("--delimiter", "Choose the delimiter below, then run the dry run again"),
    ("--value", 'Enter what the words mean under "Words, dates and groups", then run the dry run again'),
    ("--date-format", 'Enter the date format under "Words, dates and groups", then run the dry run again'),
    ("--kind", "Choose below what the file contains, then run the dry run again"),
    ("--group", 'Enter the group under "Words, dates and groups", then run the dry run again'),
)


@pages.get(HERE)
async def show_form(context: Context, request: Request) -> View:
    return await _form(context, request.query_params.get("source", ""))


@pages.post(HERE, form_bytes=uploads.LARGEST + 1024 * 1024)
async def upload(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    name, file = str(form.get("source", "")).strip(), form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        return await _form(context, name, wrong={"file": "Choose a CSV file"})
    try:
        kept = await uploads.keep_upload(context, name, file.filename, _pieces(file))
    except LockstepError as refused:
        on_the_form(refused)
        where = "source" if "source" in refused.detail else "file"
        return await _form(context, name, wrong={where: " ".join(filter(None, (f"{refused.detail}.", refused.why)))})
    if kept.size <= TRIED_AT_ONCE:
        try:
            await uploads.rehearse_upload(context, kept.id)
        except LockstepError as refused:
            on_the_form(refused)  # the page of the file shows what is wrong with it
    return Redirect(f"{HERE}/{kept.id}")


@pages.get(HERE + "/{upload}")
async def show(context: Context, request: Request) -> View:
    return await _page(context, request.path_params["upload"])


@pages.post(HERE + "/{upload}")
async def decide(context: Context, request: Request) -> PageAnswer:
    """Carry out the form's step: "try" makes a dry run with the reading options in the form, "import" imports the file, "rekey" changes
    the source's key, "discard" deletes the file.
    """
    name, form = request.path_params["upload"], await request.form()
    step = str(form.get("step", "try"))
    view = await uploads.show_upload(context, name)
    source = f"/sources/{view.upload.source}"
    if view.upload.imported is not None:
        return Redirect(source, notice=_done(view.upload.imported))
    try:
        if step == "discard":
            await uploads.discard_upload(context, name)
            return Redirect("/sources", notice="The file was discarded. Nothing was imported")
        if step == "rekey":
            done = await uploads.rekey_with_upload(context, name, str(form.get("column", "")))
            await uploads.rehearse_upload(context, name)
            return Redirect(
                f"{HERE}/{name}",
                notice=f"{counted(done.people, 'person')} {'is' if done.people == 1 else 'are'} now identified by {done.key}",
            )
        if step == "import":
            number = _to_type(view)
            if number and str(form.get("confirmation", "")).replace(",", "").strip() != str(number):
                return await _page(context, name, wrong=f"Type {number} to confirm. Nothing was imported.")
            imported = await uploads.import_upload(context, name, mark=str(form.get("mark") or "none"))
            return Redirect(source, notice=_done(imported.imported or {}))
        await uploads.change_upload(context, name, import_form.config_of(form, view.shape, view.upload.config))
        await uploads.rehearse_upload(context, name)
    except LockstepError as refused:
        return await _page(context, name, refused=on_the_form(refused))
    return Redirect(f"{HERE}/{name}")


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE):
        yield piece


async def _form(context: Context, source: str, *, wrong: Mapping[str, str] | None = None) -> View:
    context.actor.require(Permission.SOURCES_WRITE)
    known = [one.source.name for one in await sources.list_sources(context) if one.source.kind == "csv"]
    return View(
        "imports/form.html", "Import a file",
        {"source": source, "known": known, "wrong": wrong or {}, "largest": uploads.LARGEST // 1024**2},
        section="Sources", parents=[SOURCES],
        lead="Nothing changes until you have seen who would join, change and leave.",
        copy_as=CopyAs(command=f"lockstep sources import people.csv --source {source or 'hr'} --dry-run", api="/api/v1/sources"),
        status=400 if wrong else 200,
    )  # fmt: skip


async def _page(context: Context, name: str, *, wrong: str = "", refused: LockstepError | None = None) -> View:
    view = await uploads.show_upload(context, name)
    found, shape = view.upload, view.shape
    problem = refused or shape.problem
    of_groups = shape.kind == "groups"
    words, dates = import_form.texts_of(found.config)
    model: dict[str, Any] = {
        "upload": found,
        "shape": shape,
        "is_new": view.is_new,
        "key": view.key,
        "problem": problem,
        "problem_step": _step(problem) if problem else "",
        "wrong": wrong,
        "here": f"{HERE}/{name}",
        "columns": import_form.column_rows(shape, found.config),
        "attributes": import_form.attribute_choices(shape, [one.name for one in people.known_attributes(of_groups=of_groups)]),
        "key_column": import_form.key_column(found.config),
        "encodings": _with(import_form.ENCODINGS, str(found.config.get("encoding", ""))),
        "delimiters": import_form.DELIMITERS,
        "delimiter": {"\t": "tab"}.get(str(found.config.get("delimiter", "")), str(found.config.get("delimiter", ""))),
        "detected_delimiter": dict(import_form.DELIMITERS).get(
            "tab" if shape.delimiter == "\t" else shape.delimiter, shape.delimiter
        ),
        "kinds": import_form.KINDS,
        "words": words,
        "dates": dates,
        "rehearsal": found.rehearsal,
        "totals": totals(found.rehearsal["passes"]) if found.rehearsal else None,
        "changes": changes_in(found.rehearsal["passes"]) if found.rehearsal else [],
        "number": _to_type(view),
    }  # fmt: skip
    return View(
        "imports/upload.html", f"Import {found.file_name}", model, section="Sources", parents=[SOURCES],
        lead=f"Imports into the {'new ' if view.is_new else ''}source {found.source}.",
        copy_as=CopyAs(
            command=f"lockstep sources import {found.file_name} --source {found.source} --dry-run",
            api=f"/api/v1/uploads/{found.id}",
        ),
        status=400 if wrong or refused else 200,
    )  # fmt: skip


def _step(problem: LockstepError) -> str:
    """Reword a next step so that it names a field of the form instead of an option of the command line."""
    step = problem.next_step
    return next((here for option, here in _FIELDS if option in step), STEPS.on_page(step))


def _to_type(view: UploadView) -> int:
    """Return the number that must be typed before the import. This is the number of people who leave the directory or, if it is larger, the
    number of people who lose an account. It may be 0.
    """
    rehearsal = view.upload.rehearsal or {}
    return max(int(rehearsal.get("leaving", 0)), int(rehearsal.get("losing", 0)))


def _done(imported: Mapping[str, Any]) -> str:
    found = totals(imported.get("passes", ()))
    return f"Imported: {found.sentence}"


def _with(known: tuple[str, ...], given: str) -> tuple[str, ...]:
    return known if not given or given in known else (given, *known)
