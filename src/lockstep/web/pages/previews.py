"""Preview of a whole application: what provisioning would do to everyone, with filters and downloads. Nothing is written."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse

from lockstep.actions import job_previews, provisioning_pages
from lockstep.actions.applied_previews import why_not_applied
from lockstep.actions.context import Context
from lockstep.actions.job_previews import KEPT, PreviewedObject, PreviewFilter, PreviewRow
from lockstep.actions.permissions import Permission
from lockstep.actions.rows.previews import (
    ACTIONS,
    CSV_HEADER,
    csv_lines,
    markdown_head,
    markdown_line,
    object_json,
    preview_json,
)
from lockstep.errors import LockstepError, not_found
from lockstep.web.command_pages import STEPS
from lockstep.web.page import AppPlace, Chip, CopyAs, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.wording import spreadsheet_text

pages = Pages()
HERE = "/apps/{app}/provisioning/preview"
SIZE = 50
_TAB = "Preview"
_LEAD = "What provisioning would do to everyone. The application is only read; nothing is written."
_DOWNLOADS = (("JSON", "preview.json"), ("CSV", "preview.csv"), ("Markdown", "preview.md"))


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One object in the table."""

    shown: PreviewedObject

    @property
    def sign(self) -> str:
        return ACTIONS[self.shown.action][0]

    @property
    def next_step(self) -> str:
        return STEPS.on_page(self.shown.next_step)

    @property
    def word(self) -> str:
        return ACTIONS[self.shown.action][1]


@pages.get(HERE)
async def show_newest(context: Context, request: Request) -> View:
    return await page_of(context, request)


@pages.post(HERE)
async def begin(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    try:
        row = await job_previews.begin_preview(context, name)
    except LockstepError as refused:
        return await page_of(context, request, refused=on_the_form(refused))
    return Redirect(f"/apps/{name}/provisioning/preview/{row.id}")


@pages.get(HERE + "/{preview}")
async def show(context: Context, request: Request) -> View:
    return await page_of(context, request, number=preview_number(request))


@pages.post(HERE + "/{preview}/stop")
async def stop(context: Context, request: Request) -> PageAnswer:
    name, number = request.path_params["app"], preview_number(request)
    try:
        await job_previews.stop_preview(context, name, number)
    except LockstepError as refused:  # it has just ended, and the page shows how
        on_the_form(refused)
    return Redirect(f"/apps/{name}/provisioning/preview/{number}")


@pages.post(HERE + "/{preview}/discard")
async def discard(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    row = await job_previews.discard_preview(context, name, preview_number(request))
    return Redirect(f"/apps/{name}/provisioning/preview", notice=f"Preview {row.id} was discarded. Nothing was written")


@pages.get(HERE + "/{preview}/download/{file}")
async def download(context: Context, request: Request) -> PageAnswer:
    name, file = request.path_params["app"], request.path_params["file"]
    row = await job_previews.show_preview(context, name, preview_number(request))
    wanted = _filter(request)
    if wanted.differs_from is not None:
        # Checked before the headers: a file that has begun cannot say that the earlier preview is gone.
        await job_previews.show_preview(context, name, wanted.differs_from)
    forms: dict[str, tuple[str, Callable[..., AsyncIterator[bytes]]]] = {
        "preview.json": ("application/json", _json),
        "preview.csv": ("text/csv; charset=utf-8", _csv),
        "preview.md": ("text/markdown; charset=utf-8", _markdown),
    }
    if file not in forms:
        raise not_found(f"There is no download {file}", next_step="Choose one on the page of the preview")
    kind, body = forms[file]
    saved = f"{name}-preview-{row.id}.{file.partition('.')[2]}"
    headers = {"Content-Disposition": f'attachment; filename="{saved}"', "X-Whole-Page": "yes"}
    return StreamingResponse(body(context, name, row, wanted), media_type=kind, headers=headers)


async def _json(context: Context, app: str, row: PreviewRow, wanted: PreviewFilter) -> AsyncIterator[bytes]:
    yield b'{"preview":' + orjson.dumps(preview_json(app, row)) + b',\n"objects":['
    lead = b"\n"
    async for page in job_previews.pages_of_objects(context, app, row.id, wanted):
        for one in page:
            yield lead + orjson.dumps(object_json(one))
            lead = b",\n"
    yield b"]}\n"


async def _csv(context: Context, app: str, row: PreviewRow, wanted: PreviewFilter) -> AsyncIterator[bytes]:
    yield _lines([CSV_HEADER])
    async for page in job_previews.pages_of_objects(context, app, row.id, wanted):
        yield _lines([line for one in page for line in csv_lines(one)])


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([spreadsheet_text(value) for value in row] for row in rows)
    return file.getvalue().encode()


async def _markdown(context: Context, app: str, row: PreviewRow, wanted: PreviewFilter) -> AsyncIterator[bytes]:
    yield "".join(f"{line}\n" for line in markdown_head(app, row)).encode()
    async for page in job_previews.pages_of_objects(context, app, row.id, wanted):
        yield "".join(f"{markdown_line(one)}\n" for one in page).encode()


async def page_of(
    context: Context, request: Request, *, number: int | None = None, refused: LockstepError | None = None
) -> View:
    setup = await provisioning_pages.show_setup(context, request.path_params["app"], with_people=False)
    place = AppPlace(setup.app, setup.display_name)
    kept = await job_previews.list_previews(context, place.name, limit=KEPT + 1)
    row: PreviewRow | None = next((one for one in kept if number in (None, one.id)), None)
    if row is None and number is not None:
        row = await job_previews.show_preview(context, place.name, number)
    may_control = context.actor.may(Permission.PROVISIONING_CONTROL, setup.id)
    here = f"{place.href}/provisioning/preview"
    model = {
        "here": here,
        "setup": setup,
        "row": row,
        "kept": kept,
        "refused": refused,
        "may_control": may_control,
        "is_without_worker": row is not None
        and row.is_under_way
        and await job_previews.is_without_worker(context, place.name, row.id),
        "not_applied": why_not_applied(row, place.name, context.now()) if row is not None else None,
    }
    if row is not None:
        this = f"{here}/{row.id}"
        model |= await objects_of(context, request, place, row, this) | {"stops": f"{this}/stop" if may_control else ""}
    return View(
        "provisioning/whole_preview.html",
        f"Preview {row.id}" if row is not None else "Preview",
        model,
        app=place,
        tab="Provisioning",
        subtab=_TAB,
        lead=_LEAD,
        copy_as=_copied(place.name, row),
        live="progress status change cycle",
        status=400 if refused else 200,
    )


async def objects_of(
    context: Context, request: Request, place: AppPlace, row: PreviewRow, here: str
) -> dict[str, object]:
    """Return what the templates show of a preview and its objects. *here* is the address of the page, to which filters lead."""
    wanted, after = _filter(request), request.query_params.get("after", "")
    given = {"action": wanted.action, "effect": wanted.effect, "search": wanted.search}
    if wanted.differs_from:
        given["since"] = str(wanted.differs_from)
    found: list[PreviewedObject] = []
    matching = 0
    if not row.is_under_way:
        found = await job_previews.list_objects(context, place.name, row.id, wanted, after=after, limit=SIZE + 1)
        known = _known_count(row, wanted)
        matching = await job_previews.count_objects(context, place.name, row.id, wanted) if known is None else known
    shown = found[:SIZE]
    return {
        "this": here,
        "lines": [PreviewLine(one) for one in shown],
        "matching": matching,
        "chips": [*_chips(row, here, wanted), *_chip_of_changed(row.difference, here, wanted)],
        "difference": row.difference,
        "risks": [(risk, address(here, action=risk["action"], effect=risk["effect"])) for risk in row.risks],
        "wanted": wanted,
        "is_filtered": bool(wanted.action or wanted.effect or wanted.search or wanted.differs_from),
        "writes": row.writes,
        "remedy": STEPS.on_page(str((row.error or {}).get("nextStep", ""))),
        "due": row.counts.get("due", 0),
        "next": address(here, **given, after=shown[-1].key) if len(found) > SIZE else None,
        "first": address(here, **given) if after else None,
        "downloads": [
            (label, address(f"{place.href}/provisioning/preview/{row.id}/download/{file}", **given))
            for label, file in _DOWNLOADS
        ],
    }


def _known_count(row: PreviewRow, wanted: PreviewFilter) -> int | None:
    """Return the number of objects that match *wanted*, if the preview already contains this number. Returns None if the objects must be
    counted.
    """
    if wanted.search or wanted.effect or wanted.kind or wanted.differs_from:
        return None
    if not wanted.action:
        return row.done
    return row.counts.get(wanted.action, 0) if wanted.action in (*ACTIONS, "held") else None


def _chips(row: PreviewRow, here: str, wanted: PreviewFilter) -> list[Chip]:
    """Return one chip for all objects, one for each action that occurs, and one for the writes that would be held."""
    search = wanted.search
    chips = [
        Chip(
            "All",
            address(here, search=search),
            not wanted.action and not wanted.effect and not wanted.differs_from,
            row.done,
        )
    ]
    for action, (sign, word, _) in ACTIONS.items():
        if number := row.counts.get(action, 0):
            label = word if sign == "." else f"{sign} {word}"
            chips.append(Chip(label, address(here, action=action, search=search), wanted.action == action, number))
    if held := row.counts.get("held", 0):
        label = "Held for approval"
        chips.append(Chip(label, address(here, action="held", search=search), wanted.action == "held", held))
    return chips


def _chip_of_changed(difference: Mapping[str, int] | None, here: str, wanted: PreviewFilter) -> list[Chip]:
    """Return a chip that selects the objects whose plan differs from their plan in the earlier preview. Without an earlier preview, the
    list is empty.
    """
    if difference is None:
        return []
    earlier = difference["earlier"]
    href = address(here, since=str(earlier), search=wanted.search)
    return [Chip(f"Changed since preview {earlier}", href, wanted.differs_from == earlier, difference["changed"])]


def _filter(request: Request) -> PreviewFilter:
    query = request.query_params
    return PreviewFilter(
        action=query.get("action", ""),
        search=query.get("search", "").strip(),
        effect=query.get("effect", ""),
        differs_from=_as_number(query["since"]) if query.get("since") else None,
    )


def preview_number(request: Request) -> int:
    return _as_number(request.path_params["preview"])


def _as_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _copied(app: str, row: PreviewRow | None) -> CopyAs:
    if row is None:
        return CopyAs(command=f"lockstep preview {app}", api=f"/api/v1/applications/{app}/previews")
    return CopyAs(command=f"lockstep preview {app}", api=f"/api/v1/applications/{app}/previews/{row.id}")
