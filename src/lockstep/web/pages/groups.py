"""Groups: the list, and one group with its members, applications and history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from lockstep.actions import applications, groups
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.group_pages import GroupPage, page_of_group
from lockstep.actions.permissions import Permission
from lockstep.configuration.document.filter_text import filter_text
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.errors import LockstepError, invalid
from lockstep.web import foreseen
from lockstep.web.copied import api_list, command_with
from lockstep.web.foreseen import ForeseenLines
from lockstep.web.page import Chip, CopyAs, Crumb, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.timeline import timeline_of

pages = Pages()
HERE = "/groups"
PAGE = 50


@pages.get(HERE)
async def list_groups(context: Context, request: Request) -> View:
    query = request.query_params
    search, show = query.get("search", "").strip(), query.get("show", "")
    show = show if show == "deleted" else ""
    identifier, _, name = query.get("after", "").partition(":")
    rows = await groups.list_groups(
        context, search=search, is_deleted=show == "deleted", limit=PAGE + 1, after=(name, identifier)
    )
    last = rows[PAGE - 1][0] if len(rows) > PAGE else None
    model = {
        "rows": rows[:PAGE],
        "local_source": LOCAL_SOURCE,
        "search": search,
        "show": show,
        "here": HERE,
        "chips": [
            Chip("All", address(HERE, search=search), not show),
            Chip("Deleted", address(HERE, search=search, show="deleted"), bool(show)),
        ],
        "next": address(HERE, search=search, show=show, after=f"{last.id}:{last.display_name}") if last else None,
        "first": address(HERE, search=search, show=show) if name else None,
        "may_write": context.actor.may(Permission.PEOPLE_WRITE),
    }
    return View(
        "groups/list.html",
        "Groups",
        model,
        section="Groups",
        copy_as=CopyAs(
            command=command_with("lockstep groups list", search=search, deleted=show == "deleted"),
            api=api_list(
                "/api/v1/groups",
                ("displayName", "co", search),
                ("deleted", "eq", True if show == "deleted" else ""),
            ),
        ),
        live="change",
    )


@pages.get(f"{HERE}/{{group}}")
async def show_group(context: Context, request: Request) -> View:
    query = request.query_params
    search, after = query.get("search", "").strip(), query.get("after", "")
    page = await page_of_group(context, request.path_params["group"], search=search, after=after)
    group, here = page.group, href_of(page)
    names = {one.name: one.display_name for one in await applications.list_applications(context)}
    may_write = context.actor.may(Permission.PEOPLE_WRITE)
    is_live = group.deleted_at is None
    model = {
        "group": group,
        "page": page,
        "local_source": LOCAL_SOURCE,
        "rule": [filter_text(one) for one in group.rule or ()],
        "search": search,
        "here": here,
        "app_names": names,
        "may_edit": may_write and is_live and not group.is_dynamic,
        "may_rule": may_write and is_live and group.source == LOCAL_SOURCE,
        "may_delete": may_write and is_live,
        "may_restore": may_write and not is_live,
        "next": address(here, search=search, after=page.next) if page.next else None,
        "first": address(here, search=search) if after else None,
    }
    moments = await timeline_of(context, request, here, group.id, names)
    return View(
        "groups/group.html",
        group.display_name,
        model | moments,
        section="Groups",
        parents=[Crumb("Groups", HERE)],
        lead=str(group.attributes.get("description") or ""),
        copy_as=CopyAs(
            command=f"lockstep groups show {group.id}",
            api=f"/api/v1/groups/{group.id}",
            more=[moments["timeline_query"].copied(group.id, f"/api/v1/groups/{group.id}", context.now())],
        ),
        live="change progress",
    )


@pages.get(f"{HERE}/{{group}}/delete")
async def ask_to_delete(context: Context, request: Request) -> View:
    """Show the page that asks for confirmation, without waiting for the effects on accounts. With many applications, computing these takes
    a while; the Delete button appears only with the result.
    """
    page = await page_of_group(context, request.path_params["group"])
    return _deletion(page, foreseen.begin(context, _what(page), _deleting(page)))


@pages.get(f"{HERE}/{{group}}/delete/consequences")
async def show_consequences(context: Context, request: Request) -> View:
    page = await page_of_group(context, request.path_params["group"])
    return _deletion(page, await foreseen.so_far(context, _what(page), _deleting(page)))


@pages.post(f"{HERE}/{{group}}/delete")
async def delete(context: Context, request: Request) -> PageAnswer:
    """Delete the group, if the caller has typed the present number of its members."""
    page = await page_of_group(context, request.path_params["group"])
    form = await request.form()
    try:
        if str(form.get("confirmation", "")).strip().replace(",", "") != str(page.total):
            raise invalid(
                f"The number does not match: {page.group.display_name} now has {page.total:,} members",
                next_step=f"Type {page.total} to delete the group",
            )
        await groups.delete_group(context, page.group.id)
    except LockstepError as refused:
        effects = await foreseen.at_last(context, _what(page), _deleting(page))
        return _deletion(page, effects, refused=on_the_form(refused))
    return Redirect(HERE, notice=f"{page.group.display_name} was deleted and can be restored until it is purged")


@pages.post(f"{HERE}/{{group}}/restore")
async def restore(context: Context, request: Request) -> PageAnswer:
    """Restore the group. The first click shows the effects on accounts, the second restores."""
    page = await page_of_group(context, request.path_params["group"])
    form = await request.form()

    async def work(inner: Context) -> object:
        return await groups.restore_group(inner, page.group.id)

    if form.get("step") != "confirm":
        model = {
            "title": "Restore the group?",
            "text": f"{page.group.display_name} is restored with its members and assignments.",
            "lines": consequence_lines(await foresee(context, work)),
            "action": request.url.path,
            "fields": [],
            "button_label": "Restore",
            "is_danger": False,
            "back": href_of(page),
        }
        return review(page, f"Restore {page.group.display_name}", model)
    await work(context)
    return Redirect(href_of(page), notice=f"{page.group.display_name} was restored")


def _what(page: GroupPage) -> str:
    return f"deleting the group {page.group.id}"


def _deleting(page: GroupPage) -> Callable[[Context], Awaitable[object]]:
    async def work(inner: Context) -> object:
        return await groups.delete_group(inner, page.group.id)

    return work


def _deletion(page: GroupPage, effects: ForeseenLines, *, refused: LockstepError | None = None) -> View:
    """Show the page before a deletion. The group cannot be deleted before the effects on accounts are known."""
    group = page.group
    model = {
        "page": page,
        "effects": effects,
        "here": f"{href_of(page)}/delete",
        "back": href_of(page),
        "refused": refused,
    }
    return View(
        "groups/delete.html",
        f"Delete {group.display_name}",
        model,
        section="Groups",
        parents=parents_of(page),
        copy_as=CopyAs(command=f"lockstep groups delete {group.id}"),
        status=400 if refused else 200,
    )


def review(page: GroupPage, heading: str, model: dict[str, object]) -> View:
    """Show the page between a form and the change that the form requests: the effects, and the button that confirms."""
    return View("review.html", heading, model, section="Groups", parents=parents_of(page))


def href_of(page: GroupPage) -> str:
    return f"{HERE}/{page.group.id}"


def parents_of(page: GroupPage) -> list[Crumb]:
    return [Crumb("Groups", HERE), Crumb(page.group.display_name, href_of(page))]
