"""Apply a preview of a whole application, and show the objects that were left out because their plan had changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from lockstep.actions import applied_previews, job_previews, provisioning_pages
from lockstep.actions.applied_previews import LeftObject
from lockstep.actions.context import Context
from lockstep.errors import LockstepError
from lockstep.web.page import AppPlace, CopyAs, Crumb, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.pages.previews import HERE, SIZE, PreviewLine, page_of, preview_number

pages = Pages()


@dataclass(frozen=True, slots=True)
class LeftLine:
    """One object in the table, with the changes in which its two plans differ. *same* counts the changes that both plans have."""

    left: LeftObject

    @property
    def now(self) -> PreviewLine:
        return PreviewLine(self.left.planned)

    @property
    def before(self) -> PreviewLine | None:
        return PreviewLine(self.left.previewed) if self.left.previewed else None

    @property
    def only_now(self) -> list[Mapping[str, object]]:
        return [one for one in self.left.planned.changes if one not in self._previewed]

    @property
    def only_before(self) -> list[Mapping[str, object]]:
        return [one for one in self._previewed if one not in self.left.planned.changes]

    @property
    def same(self) -> int:
        return len(self.left.planned.changes) - len(self.only_now)

    @property
    def _previewed(self) -> Sequence[Mapping[str, object]]:
        return self.left.previewed.changes if self.left.previewed else ()


@pages.post(HERE + "/{preview}/apply")
async def apply(context: Context, request: Request) -> PageAnswer:
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
        f"What preview {number} left",
        {
            "row": row,
            "lines": [LeftLine(one) for one in shown],
            "first": f"{here}/left" if after else None,
            "next": address(f"{here}/left", after=shown[-1].key) if len(found) > SIZE else None,
        },
        app=AppPlace(setup.app, setup.display_name),
        tab="Provisioning",
        subtab="Preview",
        parents=[Crumb(f"Preview {number}", here)],
        lead="Objects that changed after the preview was made and before it was applied, and were therefore not written. "
        "Only differences are shown.",
        copy_as=CopyAs(
            command=f"lockstep preview {name} --left {number}",
            api=f"/api/v1/applications/{name}/previews/{number}/left",
        ),
    )
