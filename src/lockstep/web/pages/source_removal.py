"""Remove a source with its people and groups. The page shows the effects on their accounts before anything is removed."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import sources
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.sources import SourceView
from lockstep.errors import LockstepError, invalid
from lockstep.web.page import Answer, CopyAs, Crumb, Pages, Redirect, View, on_the_form
from lockstep.wording import counted

pages = Pages()
SOURCES = "/sources"
HERE = SOURCES + "/{source}/remove"


@pages.get(HERE)
async def ask_to_remove_source(context: Context, request: Request) -> View:
    """Show the page at once. The effects on accounts and the button follow as soon as the effects are known. Removing a source without
    people and groups has no effects.
    """
    one = await _removable(context, request)
    return _page(one, None if _number(one) else [])


@pages.get(f"{HERE}/consequences")
async def show_consequences_of_removal(context: Context, request: Request) -> View:
    return await _rehearsed(context, await _removable(context, request))


@pages.post(HERE)
async def remove_source(context: Context, request: Request) -> Answer:
    """Remove the source, if the caller has typed the present number of its people and groups."""
    one = await _removable(context, request)
    name, number = one.source.name, _number(one)
    form = await request.form()
    try:
        if number and str(form.get("confirmation", "")).strip().replace(",", "") != str(number):
            raise invalid(
                f"The number does not match: {name} now has {_objects(one)}",
                next_step=f"Type {number} to remove the source",
            )
        removed = await sources.remove_source(context, name, with_objects=bool(number))
    except LockstepError as refused:
        return await _rehearsed(context, one, refused=on_the_form(refused))
    rest = f"; {counted(removed, 'object')} can be restored until they are purged" if removed else ""
    return Redirect(SOURCES, notice=f"{name} was removed{rest}")


async def _removable(context: Context, request: Request) -> SourceView:
    context.actor.require(Permission.SOURCES_WRITE)
    return await sources.show_source(context, request.path_params["source"])


async def _rehearsed(context: Context, one: SourceView, *, refused: LockstepError | None = None) -> View:
    async def work(inner: Context) -> object:
        return await sources.remove_source(inner, one.source.name, with_objects=True)

    return _page(one, consequence_lines(await foresee(context, work)), refused=refused)


def _page(one: SourceView, lines: list[str] | None, *, refused: LockstepError | None = None) -> View:
    """Show the page before a removal. *lines* are the effects on accounts, or None while they are unknown."""
    name = one.source.name
    back = f"{SOURCES}/{name}"
    model = {
        "lines": lines, "refused": refused, "objects": _objects(one), "number": _number(one), "here": f"{back}/remove", "back": back,
    }  # fmt: skip
    flag = " --with-objects" if _number(one) else ""
    return View(
        "sources/remove.html", f"Remove {name}", model, section="Sources",
        parents=[Crumb("Sources", SOURCES), Crumb(one.source.display_name, back)],
        copy_as=CopyAs(command=f"lockstep sources remove {name}{flag}"), status=400 if refused else 200,
    )  # fmt: skip


def _number(one: SourceView) -> int:
    return one.counts["people"] + one.counts["groups"]


def _objects(one: SourceView) -> str:
    return f"{counted(one.counts['people'], 'person')} and {counted(one.counts['groups'], 'group')}"
