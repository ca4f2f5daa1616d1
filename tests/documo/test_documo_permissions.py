"""Every page of Documo with every kind of visitor: one who is not signed in, each role, and the Admin of another account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from documo.access.sso.refreshing import MetadataReader
from documo.permissions import TABLE, MemberPermission, allows
from documo.store.database import Store
from documo.web.app import pages_app
from documo.web.context import DocumoPages
from documo.web.live import LiveRequests
from lockstep.http.outbound import OutboundRules
from lockstep.kit.pages import PageRoute, pages_in
from tests.support.documo_client import Documo
from tests.support.documo_world import NOWHERE, ROLES, Browser, Household, household

EVERYBODY = frozenset(ROLES)
ADMIN = frozenset({"Admin"})
WRITERS = frozenset({"Admin", "Editor", "Member", "Auditor"})


@dataclass(frozen=True)
class Row:
    """One address. *roles*: who is allowed; None if it is public. *form* and *query* name objects in braces, as the path does."""

    method: str
    path: str
    roles: frozenset[str] | None
    form: Mapping[str, str] = field(default_factory=dict)
    query: str = ""

    @property
    def names_objects(self) -> bool:
        return any("{" in text for text in (self.path, self.query, *self.form.values()))

    def sent(self, names: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The address and the form with the ids of *names*."""
        return (self.path + self.query).format(**names), {
            name: text.format(**names) for name, text in self.form.items()
        }


ROWS = (
    Row("GET", "/", EVERYBODY, query="?before={document}"),
    Row("POST", "/documents", WRITERS),
    Row("GET", "/documents/{document}", EVERYBODY),
    Row("POST", "/documents/{document}/delete", frozenset({"Admin", "Editor"})),
    Row("GET", "/own-account", EVERYBODY),
    Row("POST", "/own-account/password", EVERYBODY),
    Row("POST", "/own-account/second-factor", EVERYBODY),
    Row("POST", "/own-account/second-factor/confirm", EVERYBODY),
    Row("POST", "/own-account/second-factor/remove", EVERYBODY),
    Row("POST", "/own-account/sessions/end", EVERYBODY, form={"session": "{session}"}),
    Row("GET", "/confirm", EVERYBODY),
    Row("POST", "/confirm", EVERYBODY),
    Row("POST", "/confirm/sso", EVERYBODY),
    Row("POST", "/sign-out", EVERYBODY),
    Row("GET", "/users", ADMIN),
    Row("GET", "/users/new", ADMIN),
    Row("POST", "/users/new", ADMIN, form={"role": "Member"}),
    Row("GET", "/users/{user}", ADMIN),
    Row("POST", "/users/{user}/activate", ADMIN),
    Row("POST", "/users/{user}/deactivate", ADMIN),
    Row("POST", "/users/{user}/delete", ADMIN, form={"confirmation": "{user}"}),
    Row("POST", "/users/{user}/details", ADMIN, form={"email": "new@x.org"}),
    Row("POST", "/users/{user}/link", ADMIN),
    Row("POST", "/users/{user}/role", ADMIN, form={"role": "Admin"}),
    Row("POST", "/users/{user}/second-factor/reset", ADMIN),
    Row("POST", "/users/{user}/sessions/end", ADMIN, form={"session": "{session}"}),
    Row("POST", "/users/{gone}/undelete", ADMIN),
    Row("GET", "/settings/account", ADMIN),
    Row("GET", "/settings/api-keys", ADMIN),
    Row("POST", "/settings/api-keys", ADMIN),
    Row("POST", "/settings/api-keys/{key}/revoke", ADMIN),
    Row("POST", "/settings/api-keys/{key}/roll", ADMIN),
    Row("GET", "/settings/audit", ADMIN),
    Row("GET", "/settings/audit/download/AuditLog.csv", ADMIN),
    Row("GET", "/settings/audit/{entry}", ADMIN),
    Row("GET", "/settings/branding", ADMIN),
    Row("POST", "/settings/branding", ADMIN),
    Row("GET", "/settings/branding/domain", ADMIN),
    Row("POST", "/settings/branding/domain", ADMIN),
    Row("POST", "/settings/branding/domain/remove", ADMIN, form={"host": "{host}"}),
    Row("POST", "/settings/branding/domain/verify", ADMIN, form={"host": "{host}"}),
    Row("POST", "/settings/branding/logo", ADMIN),
    Row("POST", "/settings/branding/logo/remove", ADMIN),
    Row("GET", "/settings/scim", ADMIN),
    Row("POST", "/settings/scim/enabled", ADMIN, form={"enabled": "on"}),
    Row("POST", "/settings/scim/self-test", ADMIN),
    Row("POST", "/settings/scim/users", ADMIN, form={"default_role": "Viewer", "deprovision_action": "delete"}),
    Row("GET", "/settings/scim/logs", ADMIN, query="?after={request}&key={key}"),
    Row("GET", "/settings/scim/logs/{request}", ADMIN),
    Row("POST", "/settings/scim/logs/{request}/replay", ADMIN),
    Row("GET", "/settings/security", ADMIN),
    Row("POST", "/settings/security/enforce", ADMIN, form={"enforced": "on", "break_glass": "{user}"}),
    Row("GET", "/settings/security/sign-ins/{attempt}", ADMIN),
    Row("GET", "/settings/security/certificates", ADMIN),
    Row("POST", "/settings/security/certificates", ADMIN),
    Row("POST", "/settings/security/certificates/activate", ADMIN, form={"thumbprint": "{certificate}"}),
    Row("POST", "/settings/security/certificates/remove", ADMIN, form={"thumbprint": "{certificate}"}),
    Row("GET", "/settings/security/certificates/{certificate}/download", ADMIN),
    Row("GET", "/settings/security/sso", ADMIN),
    Row("POST", "/settings/security/sso", ADMIN),
    Row("POST", "/settings/security/sso/metadata", ADMIN),
    Row("POST", "/settings/security/sso/remove", ADMIN),
    Row("POST", "/settings/security/test", ADMIN),
    Row("POST", "/own-account/sessions/end-others", EVERYBODY),  # last, as it ends the sessions that the rows share
    Row("GET", "/branding/logo", None),
    Row("GET", "/links/nosuch", None),
    Row("POST", "/links/nosuch", None),
    Row("GET", "/login", None),
    Row("POST", "/login", None),
    Row("POST", "/look", None),
    Row("GET", "/saml/logout", None),
    Row("GET", "/saml/metadata", None),
    Row("GET", "/sso", None),
    Row("POST", "/sso", None),
    Row("GET", "/sso/failed", None),
    Row("GET", "/sso/finish/nosuch", None),
    Row("POST", "/sso/finish/nosuch", None),
)
PAGES = pages_in("documo.web.pages")
FORMS = [row for row in ROWS if row.method == "POST"]


def _page_of(row: Row) -> PageRoute[object]:
    """The page whose address has the row's fixed parts: of several, the one that is tried first."""
    wanted = row.path.split("/")
    for page in PAGES:
        parts = page.path.split("/")
        if page.method == row.method and len(parts) == len(wanted):
            pairs = zip(parts, wanted, strict=True)
            if all(part == one or part.startswith("{") for part, one in pairs):
                return page
    raise AssertionError(f"no page is at {row.method} {row.path}")


@pytest.fixture
async def alpha(documo: Documo) -> Household:
    return await household(await documo.client("Zebra"), "zebra")


@pytest.fixture
async def beta(documo: Documo) -> Household:
    return await household(await documo.client("Beta"), "beta")


def test_every_page_has_one_row() -> None:
    described = [(page.method, page.path) for page in map(_page_of, ROWS)]

    assert sorted(described) == sorted((page.method, page.path) for page in PAGES)


def test_rows_say_which_pages_are_public() -> None:
    assert [row.path for row in ROWS if _page_of(row).is_public != (row.roles is None)] == []


def test_page_that_names_no_permission_is_refused_when_it_is_defined() -> None:
    for missing in ({}, {"is_public": True, "needs": MemberPermission.USERS}):
        with pytest.raises(TypeError, match="must either be public or have a permission"):
            DocumoPages().post("/new", **missing)  # type: ignore[arg-type]


def test_table_has_every_permission_and_admin_has_them_all() -> None:
    assert set(TABLE) == set(MemberPermission)
    assert all(allows("Admin", permission) for permission in MemberPermission)


async def test_every_page_answers_those_who_may_and_refuses_the_others(alpha: Household, browser: Browser) -> None:
    names, wrong = await alpha.objects(), list[str]()
    for row in ROWS:
        path, form = row.sent(names)
        sessions = {role: await alpha.session(role) for role in ROLES}  # new ones: their use is noted once a minute
        before = await alpha.fingerprint()
        seen = await browser.send(row.method, path, form=form)
        if seen.asks_to_sign_in != (row.roles is not None):
            wrong.append(f"nobody {row.method} {row.path}: {seen.status} {seen.goes_to}")
        for role in sorted(EVERYBODY - (row.roles or EVERYBODY)):
            seen = await browser.send(row.method, path, secret=sessions[role], form=form)
            if seen.status != 403 or ("you may not" not in seen.text and "Only an Admin may" not in seen.text):
                wrong.append(f"{role} {row.method} {row.path}: {seen.status}")
        if await alpha.fingerprint() != before:
            wrong.append(f"{row.method} {row.path} changed something before it refused")
        for role in sorted(row.roles or ()):
            if row.method == "POST" and row.names_objects:
                path, form = row.sent(await alpha.objects())
            secret = await alpha.session(role) if row.method == "POST" else sessions[role]
            seen = await browser.send(row.method, path, secret=secret, form=form)
            if seen.status in (403, 404, 405, 500, 503) or seen.asks_to_sign_in != (row.path == "/sign-out"):
                wrong.append(f"{role} {row.method} {row.path}: {seen.status} {seen.goes_to}")

    assert wrong == []


async def test_no_page_shows_a_control_that_its_reader_may_not_use(alpha: Household, browser: Browser) -> None:
    """Pages that are refused, too: their frame leads on."""
    names, wrong = await alpha.objects(), list[str]()
    rows = {(row.method, _page_of(row).path): row for row in ROWS}
    for role in ROLES:
        secret = await alpha.session(role)
        for path in (row.sent(names)[0] for row in ROWS if row.method == "GET" and row.roles is not None):
            text = (await browser.send("GET", path, secret=secret)).text
            for method, page in controls(text):
                row = rows[method, page.path]
                if row.roles is not None and role not in row.roles:
                    wrong.append(f"{role} sees {method} {row.path} on {path}")

    assert wrong == []


def controls(page: str) -> list[tuple[str, PageRoute[object]]]:
    """Where the links and the forms of *page* lead."""
    found = [("GET", path) for path in re.findall(r'<a [^>]*href="(/[^"?#]*)', page)]
    found += [(way.upper(), path) for way, path in re.findall(r'<form [^>]*method="(\w+)" action="(/[^"?#]*)', page)]
    return [(method, one) for method, path in found if (one := _page_at(method, path)) is not None]


def _page_at(method: str, path: str) -> PageRoute[object] | None:
    return next(
        (one for one in PAGES if one.method == method and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", one.path), path)),
        None,
    )


async def test_what_another_account_has_answers_as_what_does_not_exist(
    alpha: Household, beta: Household, browser: Browser
) -> None:
    theirs, wrong = await alpha.objects(), list[str]()
    nothing = dict.fromkeys(theirs, NOWHERE) | {
        "host": "nosuch.example.com", "entry": "x" * 32, "account": "999999", "certificate": "0" * 40,
    }  # fmt: skip
    before = await alpha.fingerprint()
    for row in (row for row in ROWS if row.names_objects):
        seen = []
        for names in (theirs, nothing):
            path, form = row.sent(names)
            answer = await browser.send(row.method, path, secret=await beta.session("Admin"), form=form)
            text = answer.text
            for name in ("host", "user", "certificate"):
                text = text.replace(names[name], name)
            seen.append((answer.status, text))
        if seen[0] != seen[1] or "zebra" in seen[0][1]:
            wrong.append(f"{row.method} {row.path}: {seen[0][0]} and {seen[1][0]}")
        if "{" in row.path and seen[0][0] != 404:
            wrong.append(f"{row.method} {row.path}: {seen[0][0]}")

    assert wrong == []
    assert await alpha.fingerprint() == before


async def test_no_page_shows_anything_of_another_account(alpha: Household, beta: Household, browser: Browser) -> None:
    await alpha.objects()
    own = await beta.objects()
    secret = await beta.session("Admin")
    pages = [(row.path + row.query).format(**own) for row in ROWS if row.method == "GET" and row.roles is not None]

    assert [path for path in pages if "zebra" in (await browser.send("GET", path, secret=secret)).text.lower()] == []


@pytest.mark.parametrize("way", ["no token", "token of another session", "page of another server"])
async def test_every_form_that_another_page_sends_is_refused(
    alpha: Household, beta: Household, browser: Browser, way: str
) -> None:
    names, secret, other = await alpha.objects(), await alpha.session("Admin"), await beta.session("Admin")
    before, wrong = await alpha.fingerprint(), list[str]()
    for row in FORMS:
        path, form = row.sent(names)
        more = {"no token": {"token_of": ""}, "token of another session": {"token_of": other}}.get(way)
        more = more or {"origin": "https://evil.example"}
        seen = await browser.send("POST", path, secret=secret, form=form, **more)
        if seen.status != 403:
            wrong.append(f"{row.path}: {seen.status}")

    assert wrong == []
    assert await alpha.fingerprint() == before


async def test_form_of_another_server_signs_nobody_in(browser: Browser, alpha: Household) -> None:
    for row in (row for row in FORMS if row.roles is None):
        assert (await browser.send("POST", row.path, origin="https://evil.example")).status == 403
        assert (await browser.send("POST", row.path, origin="")).status == 403


def routes_beside_the_pages(store: Store, method: str) -> set[str]:
    app = pages_app(
        store, api_url="http://x.test", metadata=MetadataReader(store, OutboundRules()), live=LiveRequests(store)
    )
    routes = {route.path for route in app.routes if method in (getattr(route, "methods", None) or ())}  # type: ignore[attr-defined]
    return routes - {page.path for page in PAGES}


def test_only_the_reply_url_takes_forms_of_other_servers(store: Store) -> None:
    assert routes_beside_the_pages(store, "POST") == {"/assert"}


def test_every_address_beside_the_pages_is_known(store: Store) -> None:
    """Styles and scripts are the same for everybody; test_documo_scim_pages proves what the stream tells to whom."""
    assert routes_beside_the_pages(store, "GET") == {"/assets/{file}", "/events"}
