"""People: the list, and one person with attributes, groups, applications and history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from shlex import quote
from typing import Any

from starlette.requests import Request

from lockstep.actions import applications, people
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.people import PersonFilter, PersonRow, PersonView
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.errors import Kind, LockstepError
from lockstep.web.copied import api_list, command_with
from lockstep.web.page import Chip, CopyAs, Crumb, PageAnswer, Pages, Redirect, View, address
from lockstep.web.timeline import timeline_of

pages = Pages()
HERE = "/users"
PAGE = 50
FILTERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "": ("All", {}),
    "enabled": ("Enabled", {"is_enabled": True}),
    "disabled": ("Disabled", {"is_enabled": False}),
    "deleted": ("Deleted", {"is_deleted": True}),
}


async def _disable(context: Context, person: PersonRow) -> object:
    return await people.set_enabled(context, [person.id], is_enabled=False)


async def _enable(context: Context, person: PersonRow) -> object:
    return await people.set_enabled(context, [person.id], is_enabled=True)


async def _delete(context: Context, person: PersonRow) -> object:
    return await people.delete(context, [person.id])


async def _restore(context: Context, person: PersonRow) -> object:
    return await people.restore(context, [person.id])


# For each change of a person: the verb, and the message afterwards.
_CHANGES: Mapping[str, tuple[str, str, Callable[[Context, PersonRow], Awaitable[object]]]] = {
    "disable": ("Disable", "is disabled", _disable),
    "enable": ("Enable", "is enabled", _enable),
    "delete": ("Delete", "was deleted and can be restored until it is purged", _delete),
    "restore": ("Restore", "was restored", _restore),
}


@pages.get(HERE)
async def list_people(context: Context, request: Request) -> View:
    query = request.query_params
    show, after = query.get("show", ""), query.get("after", "")
    show = show if show in FILTERS else ""
    given = {name: query.get(name, "").strip() for name in ("search", "source", "department")}
    wanted = PersonFilter(
        search=given["search"],
        source=given["source"],
        department=given["department"],
        limit=PAGE + 1,
        after=after,
        after_id=query.get("id", ""),
        **FILTERS[show][1],
    )
    rows = await people.list_people(context, wanted)
    found = await people.count_states(context, wanted)
    counts = {"": found.live, "enabled": found.enabled, "disabled": found.disabled, "deleted": found.deleted}
    is_part = request.headers.get("hx-request-type") == "partial"  # a request of htmx replaces only the list
    sources, departments = ([], []) if is_part else await people.filter_choices(context)
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    model = {
        "rows": rows[:PAGE],
        "chips": [
            Chip(label, address(HERE, show=key, **given), key == show, counts[key])
            for key, (label, _) in FILTERS.items()
        ],
        **given,
        "show": show,
        "sources": [("", "All sources"), *((one.name, one.display_name) for one in sources)],
        "departments": [("", "All departments"), *((one, one) for one in departments)],
        "is_filtered": bool(show or any(given.values())),
        "total": counts[show],
        "next": address(HERE, show=show, **given, after=last.user_principal_name, id=last.id) if last else None,
        "first": address(HERE, show=show, **given) if after else None,
        "here": HERE,
    }
    return View(
        "people/list.html",
        "People",
        model,
        section="People",
        copy_as=_copied(given, show),
        live="change",
    )


def _copied(given: Mapping[str, str], show: str) -> CopyAs:
    flags = {"disabled": show == "disabled", "deleted": show == "deleted"}
    return CopyAs(
        command=command_with("lockstep people list", **given, **flags) if show != "enabled" else "",
        api=api_list(
            "/api/v1/people",
            ("displayName", "co", given["search"]),
            ("source", "eq", given["source"]),
            ("department", "eq", given["department"]),
            ("accountEnabled", "eq", show == "enabled" if show in ("enabled", "disabled") else ""),
            ("deleted", "eq", True if show == "deleted" else ""),
        ),
    )


@pages.get(f"{HERE}/{{person}}")
async def show_person(context: Context, request: Request) -> View:
    return await _page(context, request, await person_of(context, request))


@pages.post(f"{HERE}/{{person}}/{{change}}")
async def change_person(context: Context, request: Request) -> PageAnswer:
    """Change the person. The first click shows the effects on accounts, the second makes the change."""
    found = _CHANGES.get(request.path_params["change"])
    if found is None:
        raise LockstepError(Kind.NOT_FOUND, "There is no page at this address")
    word, done, change = found
    view = await person_of(context, request)
    person, form = view.person, await request.form()

    async def work(inner: Context) -> object:
        return await change(inner, person)

    if form.get("step") != "confirm":
        lines = consequence_lines(await foresee(context, work))
        return await _page(context, request, view, asked=(word, request.url.path, lines))
    await work(context)
    return Redirect(f"{HERE}/{person.id}", notice=f"{person.display} {done}")


async def person_of(context: Context, request: Request) -> PersonView:
    """Return the person in the address, who may be in the recycle bin."""
    name = request.path_params["person"]
    try:
        return await people.show_person(context, name)
    except LockstepError as missing:
        if missing.kind is not Kind.NOT_FOUND:
            raise
        try:
            return await people.show_person(context, name, is_deleted=True)
        except LockstepError:
            raise missing from None


async def _page(
    context: Context,
    request: Request,
    view: PersonView,
    *,
    asked: tuple[str, str, Sequence[str]] | None = None,
) -> View:
    person = view.person
    here = f"{HERE}/{person.id}"
    names = {one.name: one.display_name for one in await applications.list_applications(context)}
    is_deleted = person.deleted_at is not None
    may_write = context.actor.may(Permission.PEOPLE_WRITE)
    words = ["restore"] if is_deleted else ["disable" if person.account_enabled else "enable", "delete"]
    model = {
        "found": view,
        "person": person,
        "attributes": _attributes(person),
        "app_names": names,
        "changes": [(_CHANGES[word][0], f"{here}/{word}") for word in words] if may_write else [],
        "edit_href": f"{here}/edit" if may_write and person.source == LOCAL_SOURCE and not is_deleted else "",
        "asked": asked,
        "here": here,
    }
    moments = await timeline_of(context, request, here, person.id, names, signs_in=True)
    lead = [
        person.user_principal_name if person.display != person.user_principal_name else "",
        person.attributes.get("jobTitle"),
        person.attributes.get("department"),
    ]
    named = person.id if is_deleted else quote(person.user_principal_name)  # somebody else may have the name now
    return View(
        "people/person.html",
        person.display,
        model | moments,
        section="People",
        parents=[Crumb("People", HERE)],
        lead=" · ".join(str(part) for part in lead if part),
        copy_as=CopyAs(
            command=f"lockstep people show {named}{' --deleted' if is_deleted else ''}",
            api=f"/api/v1/people/{person.id}",
            more=[moments["timeline_query"].copied(named, f"/api/v1/people/{person.id}", context.now())],
        ),
        live="change progress",
    )


def _attributes(person: PersonRow) -> list[tuple[str, str]]:
    """Return the attributes that have a value: first the built-in ones in their usual order, then the others."""
    known = [one.name for one in people.known_attributes()]
    names = [*known, *sorted(set(person.attributes) - set(known))]
    found = [(name, person.attributes.get(name)) for name in names]
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in found
        if value not in (None, "", [])
    ]
