"""Search and the command palette: find people, groups, applications, log records and pages.

A question about a person and an application leads to the explanation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from lockstep.actions import search
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.search import ApplicationHit, Found, PersonHit
from lockstep.web.log_form import ACTIONS
from lockstep.web.page import Fragment, PageAnswer, Pages, Redirect, View, address
from lockstep.web.palette_orders import orders_in
from lockstep.web.search_places import pages_of, places_for
from lockstep.web.status_look import result_look
from lockstep.wording import counted

pages = Pages()
HERE = "/search"
_MOST_CHARACTERS = 200
_MOST_PAGES = 8
_MOST_ASKED = 3  # the most people for whom an explanation is offered


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One result. *detail* is shown beside the title, *at* is a time, *tone* is the colour of the icon."""

    title: str
    href: str
    icon: str
    detail: str = ""
    at: datetime | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class SearchSection:
    """Results of one kind. *all_href* leads to all of them."""

    label: str
    results: Sequence[SearchResult]
    all_label: str = ""
    all_href: str = ""


@pages.get(HERE)
async def show_results(context: Context, request: Request) -> PageAnswer:
    """Show the search page, which works without script. A question with exactly one answer redirects to that answer."""
    text = _typed(request)
    found = await search.find(context, text)
    if found.query.is_question and found.answer is not None:
        return Redirect(_explain_href(*found.answer))
    sections = _sections(context, found, await orders_in(context, found)) if text else []
    model = {"sections": sections, "text": text, "here": HERE, "asked": found.asked}
    return View("search/results.html", f"Results for “{text}”" if text else "Search", model)


@pages.get(f"{HERE}/palette")
async def show_palette(context: Context, request: Request) -> Fragment:
    """Show the results during typing or, if the field is empty, a list of pages."""
    text = _typed(request)
    found = await search.find(context, text)
    sections = _sections(context, found, await orders_in(context, found))
    number = sum(len(one.results) for one in sections)
    said = counted(number, "result") if text else "Type a name, or a question such as: why is Anna not in Documo?"
    return Fragment("search/palette.html", {"sections": sections, "text": text, "said": said})


def _typed(request: Request) -> str:
    return " ".join(request.query_params.get("q", "").split())[:_MOST_CHARACTERS]


def _sections(context: Context, found: Found, orders: Sequence[tuple[str, str, str]]) -> list[SearchSection]:
    """Return the sections that have results, most relevant first. *orders* contains the title, address and icon of each command."""
    query = found.query
    text = query.text
    every_person = address("/users", search=" ".join(query.words)) if found.is_more else ""
    all_records = address("/logs/provisioning", text=text) if found.log else ""
    places = [SearchResult(one.label, one.href, one.icon) for one in places_for(context, _place_words(found))]
    tasks = SearchSection("Do", list(_tasks(context, found)))
    sections = [
        SearchSection("Do", [SearchResult(*one) for one in orders] or (tasks.results if query.is_order else [])),
        SearchSection("Why in or out?", list(_explanations(found))),
        SearchSection("Go to", places if not text else []),
        SearchSection("People", [_person(one) for one in found.people], "All people who match", every_person),
        SearchSection("Applications", list(_applications(found))),
        SearchSection("Groups", [
            SearchResult(one.display_name, f"/groups/{one.id}", "group", counted(one.members, "member")) for one in found.groups
        ]),
        SearchSection("Do", [] if query.is_order else tasks.results),
        SearchSection("Pages", [*places, *_pages_of_others(found)][:_MOST_PAGES] if text else []),
        SearchSection("Provisioning logs", list(_records(found)), "All log records that match", all_records),
    ]  # fmt: skip
    return [one for one in sections if one.results]


def _place_words(found: Found) -> Sequence[str]:
    return found.query.words if not found.query.app else [found.query.text]


def _explanations(found: Found) -> Iterator[SearchResult]:
    """Yield a link to an explanation for each of the first people found. If the text names an application, the explanation is about that
    application. Otherwise, there are links only if the text is a question.
    """
    app = found.asked
    for person in found.people[:_MOST_ASKED]:
        if app is not None:
            title = f"Why is {person.display} in or out of {app.display_name}?"
            yield SearchResult(title, _explain_href(person, app), "question", person.user_principal_name)
        elif found.query.is_question:
            title = f"Which applications is {person.display} in, and why?"
            yield SearchResult(title, f"/users/{person.id}/explain", "question", person.user_principal_name)


def _tasks(context: Context, found: Found) -> Iterator[SearchResult]:
    """Yield the task "provision on demand" for the first people found who are not deleted. The task is for the application that the search
    text names. It is offered only if the caller may provision in that application.
    """
    app = found.asked
    if app is None or not context.actor.may(Permission.PROVISIONING_PUSH, app.id):
        return
    for person in found.people[:_MOST_ASKED]:
        if person.deleted_at is None:
            href = address(f"/apps/{app.name}/provisioning/on-demand", principal=f"User:{person.id}", step="preview")
            yield SearchResult(f"Provision {person.display} on demand in {app.display_name}", href, "bolt")


def _person(person: PersonHit) -> SearchResult:
    state = "deleted" if person.deleted_at else "" if person.account_enabled else "disabled"
    detail = " · ".join(part for part in (person.user_principal_name, person.department, state) if part)
    return SearchResult(person.display, f"/users/{person.id}", "person", detail)


def _applications(found: Found) -> Iterator[SearchResult]:
    for app in found.applications:
        rest = found.query.words if app.id == found.query.app else []
        for title, href, icon in pages_of(app, rest):
            yield SearchResult(title, href, icon)


def _pages_of_others(found: Found) -> Iterator[SearchResult]:
    """Yield pages of applications that the text does not name, for words such as `secret token` that describe a page."""
    for app in found.others:
        for title, href, icon in pages_of(app, found.query.words):
            yield SearchResult(title, href, icon)


def _records(found: Found) -> Iterator[SearchResult]:
    for row in found.log:
        look = result_look(row.status)
        who = row.source_display or row.target_display or row.target_id or "The application"
        title = f"{ACTIONS.get(row.action, row.action)} {who}"
        detail = " · ".join(part for part in (look.label, row.error_code) if part)
        yield SearchResult(title, f"/logs/provisioning/{row.change_id}", look.icon, detail, row.at, look.tone)


def _explain_href(person: PersonHit, app: ApplicationHit) -> str:
    return address(f"/users/{person.id}/explain", app=app.name)
