"""Remove a source with its people and groups. The page shows the effects on their accounts before anything is removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from lockstep.actions import sources
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.sources import SourceView
from lockstep.errors import LockstepError, invalid
from lockstep.web import foreseen
from lockstep.web.foreseen import ForeseenLines
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.wording import counted

pages = Pages()
SOURCES = "/sources"
HERE = SOURCES + "/{source}/remove"


@pages.get(HERE)
async def ask_to_remove_source(context: Context, request: Request) -> View:
    """Show the page that asks for confirmation, without waiting for the effects on accounts. The effects and the button follow as soon as
    the effects are known. Removing a source without people and groups has no effects.
    """
    one = await _removable(context, request)
    if not _number(one):
        return _page(one, ForeseenLines([]))
    return _page(one, foreseen.begin(context, _what(one), _removal(one)))


@pages.get(f"{HERE}/consequences")
async def show_consequences_of_removal(context: Context, request: Request) -> View:
    one = await _removable(context, request)
    return _page(one, await foreseen.so_far(context, _what(one), _removal(one)))


@pages.post(HERE)
async def remove_source(context: Context, request: Request) -> PageAnswer:
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
        effects = await foreseen.at_last(context, _what(one), _removal(one)) if number else ForeseenLines([])
        return _page(one, effects, refused=on_the_form(refused))
    rest = f"; {counted(removed, 'object')} can be restored until they are purged" if removed else ""
    return Redirect(SOURCES, notice=f"{name} was removed{rest}")


async def _removable(context: Context, request: Request) -> SourceView:
    context.actor.require(Permission.SOURCES_WRITE)
    return await sources.show_source(context, request.path_params["source"])


def _what(one: SourceView) -> str:
    return f"removing the source {one.source.name}"


def _removal(one: SourceView) -> Callable[[Context], Awaitable[object]]:
    async def work(inner: Context) -> object:
        return await sources.remove_source(inner, one.source.name, with_objects=True)

    return work


def _page(one: SourceView, effects: ForeseenLines, *, refused: LockstepError | None = None) -> View:
    """Show the page before a removal."""
    name = one.source.name
    back = f"{SOURCES}/{name}"
    model = {
        "effects": effects, "refused": refused, "objects": _objects(one), "number": _number(one), "here": f"{back}/remove", "back": back,
    }  # fmt: skip
    flag = " --with-objects" if _number(one) else ""
    return View(
        "sources/remove.html", f"Remove {one.source.display_name}", model, section="Sources",
        parents=[Crumb("Sources", SOURCES), Crumb(one.source.display_name, back)],
        copy_as=CopyAs(command=f"lockstep sources remove {name}{flag}"), status=400 if refused else 200,
    )  # fmt: skip


def _number(one: SourceView) -> int:
    return one.counts["people"] + one.counts["groups"]


def _objects(one: SourceView) -> str:
    return f"{counted(one.counts['people'], 'person')} and {counted(one.counts['groups'], 'group')}"
