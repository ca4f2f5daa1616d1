"""Add and remove members of a group. The effects on accounts are shown before the change is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import assignment_pages, search
from lockstep.actions.assignment_pages import AssignableObject
from lockstep.actions.consequence_words import consequence_lines, some
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.group_pages import GroupPage, change_mixed_members, page_of_group
from lockstep.errors import LockstepError, invalid
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.groups import HERE, href_of, parents_of, review
from lockstep.wording import counted

pages = Pages()


@dataclass(frozen=True, slots=True)
class PickedMembers:
    """People and groups that were ticked. *keys* are kind and id: `User:0190...`."""

    keys: Sequence[str]

    @classmethod
    def of(cls, form: FormData) -> PickedMembers:
        return cls(list(dict.fromkeys(str(one) for one in form.getlist("principal"))))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(kind, found) for kind, _, found in (one.partition(":") for one in self.keys)]

    def ids(self, kind: str) -> list[str]:
        return [one for found, one in self.pairs if found == kind]


@pages.get(f"{HERE}/{{group}}/members/add")
async def choose(context: Context, request: Request) -> View:
    page = await page_of_group(context, request.path_params["group"])
    query = request.query_params
    return await _chooser(context, page, PickedMembers(query.getlist("principal")), query.get("search", ""))


@pages.post(f"{HERE}/{{group}}/members/add")
async def add(context: Context, request: Request) -> PageAnswer:
    return await _change(context, request, is_adding=True)


@pages.post(f"{HERE}/{{group}}/members/remove")
async def remove(context: Context, request: Request) -> PageAnswer:
    return await _change(context, request, is_adding=False)


async def _change(context: Context, request: Request, *, is_adding: bool) -> PageAnswer:
    """Change the members. The first click shows the effects on accounts, the second makes the change."""
    page = await page_of_group(context, request.path_params["group"])
    form = await request.form()
    picked = PickedMembers.of(form)

    async def work(inner: Context) -> tuple[int, int]:
        pairs = picked.pairs
        return await change_mixed_members(
            inner, page.group.id, add=pairs if is_adding else (), remove=() if is_adding else pairs
        )

    if is_adding and not form.get("step"):  # the button beside the search field
        return await _chooser(context, page, picked, str(form.get("search", "")))
    try:
        if not picked.keys:
            raise invalid("No person or group was selected", next_step="Select at least one in the list")
        if form.get("step") != "confirm":
            found = await assignment_pages.candidates_of(context, picked.ids("User"), picked.ids("Group"))
            return _review(page, request, found, consequence_lines(await foresee(context, work)), is_adding=is_adding)
        added, removed = await work(context)
    except LockstepError as refused:
        shown = on_the_form(refused)
        if is_adding:
            return await _chooser(context, page, picked, refused=shown)
        return Redirect(href_of(page), notice=f"{shown.detail}. Nothing was changed")
    done, word = (added, "added") if is_adding else (removed, "removed")
    return Redirect(href_of(page), notice=f"{counted(done, 'member')} {word}" if done else "Nothing was changed")


def _review(
    page: GroupPage, request: Request, found: Sequence[AssignableObject], lines: Sequence[str], *, is_adding: bool
) -> View:
    verb, side = ("Add", "to") if is_adding else ("Remove", "from")
    model: dict[str, object] = {
        "title": f"{verb} {counted(len(found), 'member')}?",
        "text": f"{some([one.name for one in found])} {side} {page.group.display_name}.",
        "lines": lines,
        "action": request.url.path,
        "fields": [("principal", one.key) for one in found],
        "button_label": verb,
        "is_danger": not is_adding,
        "back": href_of(page),
    }
    return review(page, f"{verb} members", model)


async def _chooser(
    context: Context,
    page: GroupPage,
    picked: PickedMembers,
    search_text: str = "",
    *,
    refused: LockstepError | None = None,
) -> View:
    text = search_text.strip()
    chosen = await assignment_pages.candidates_of(context, picked.ids("User"), picked.ids("Group"))
    hits = await search.find(context, text, with_log=False) if text else None
    found: list[AssignableObject] = []
    if hits is not None:
        found = [AssignableObject("Group", one.id, one.display_name, "Group", one.members) for one in hits.groups]
        found += [
            AssignableObject("User", one.id, one.display, one.user_principal_name)
            for one in hits.people
            if not one.deleted_at
        ]
    model = {
        "picked": chosen,
        "found": [one for one in found if one.key not in picked.keys and one.id != page.group.id],
        "search": text,
        "here": f"{href_of(page)}/members/add",
        "back": href_of(page),
        "refused": refused,
    }
    return View(
        "groups/add_members.html",
        "Add members",
        model,
        section="Groups",
        parents=parents_of(page),
        copy_as=CopyAs(command=f"lockstep groups add-member {page.group.id} USER"),
        status=400 if refused else 200,
    )
