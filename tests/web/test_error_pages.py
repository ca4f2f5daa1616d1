"""Every page has a designed state for each error: unknown name, missing permission, and a failing database."""

from __future__ import annotations

import re

import pytest

from lockstep.actions import applications
from lockstep.actions.permissions import Role
from lockstep.web.page import all_pages
from tests.support.admin_centre import Browser, Centre, Page

# What the signed-in administrator is recognised by.
_OF_THE_SESSION = ("administrator", "administrator_session", "administrator_role")
_NEVER_SHOWN = ("Traceback", "[object Object]", "undefined", "NaN", "None None")
_OFFERS_AGAIN = re.compile(r'<a [^>]*href="/[^"]*"[^>]*>Try again</a>')
PAGES = sorted({one.path for one in all_pages() if one.method == "GET" and not one.is_public})


@pytest.fixture
async def known(centre: Centre) -> None:
    await applications.add_application(centre.hub.context, "documo")


def of_known(route: str) -> str:
    """The address of the page with the application that there is, and with unknown names for everything else."""
    path = route.replace("{app}", "documo").replace("{object}", "user").replace("{template}", "documo")
    return re.sub(r"\{\w+\}", "unknown", path)


def says_what_to_do(page: Page) -> bool:
    return re.search(r"What to do: \w", page.text) is not None


def is_designed(page: Page) -> bool:
    """Whether the error stands on a page, or in a part of one, with the request ID."""
    has_id = page.headers["X-Request-Id"] in page.text
    return has_id and [word for word in _NEVER_SHOWN if word in page.text] == []


@pytest.mark.usefixtures("known")
async def test_every_page_says_that_a_name_is_unknown_and_where_to_look(centre: Centre, admin: Browser) -> None:
    wrong = []
    for route in (one for one in PAGES if "{" in one):
        page = await admin.get(re.sub(r"\{\w+\}", "unknown", route))
        if not (
            page.status in (303, 400, 404) and (page.status == 303 or (is_designed(page) and says_what_to_do(page)))
        ):
            wrong.append((route, page.status, page.text[:200]))

    assert wrong == []


@pytest.mark.usefixtures("known")
async def test_every_page_that_a_role_may_not_see_names_a_role_that_may(centre: Centre, admin: Browser) -> None:
    desk, refused, wrong = await centre.signed_in(Role.HELP_DESK), 0, []
    for route in PAGES:
        page = await desk.get(of_known(route))
        refused += page.status == 403
        if page.status == 403 and not (
            is_designed(page) and re.search(rf"which these roles have: .*\b{Role.GLOBAL_ADMINISTRATOR}\b", page.text)
        ):
            wrong.append((route, page.text[:200]))

    assert wrong == []
    assert refused > 10


@pytest.mark.usefixtures("known")
async def test_every_page_says_that_the_server_failed_without_a_trace_and_offers_to_try_again(
    centre: Centre, admin: Browser
) -> None:
    await admin.get("/")
    tables = await centre.hub.fetch("select tablename from pg_tables where schemaname = current_schema()")
    for (table,) in tables:
        if table not in _OF_THE_SESSION:
            await centre.hub.fetch(f'alter table "{table}" rename to "lost_{table}"')
    failed, wrong = 0, []
    for route in PAGES:
        page = await admin.get(of_known(route))
        failed += page.status == 500
        if page.status == 500 and not (
            is_designed(page) and "UndefinedTable" not in page.html and _OFFERS_AGAIN.search(page.html)
        ):
            wrong.append((route, page.text[:300]))

    assert wrong == []
    assert failed > 0.7 * len(PAGES)
