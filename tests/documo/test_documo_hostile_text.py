"""Text from a directory, a browser, a provider or a name server is text on every page of Documo, and no formula in a download."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import lxml.html
import orjson
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from documo.access import password_links
from documo.entry_ids import SECRET_BYTES, seal
from documo.events.streams import add_stream
from documo.store import sso_requests as tickets_table
from documo.store.secrets import secret
from documo.store.sso_requests import TicketRow
from lockstep.credentials.issued_secrets import derived, hash_of, new_secret
from lockstep.kit import csrf
from tests.documo.test_documo_permissions import ROWS
from tests.support.documo_client import Documo
from tests.support.documo_pages import PASSWORD
from tests.support.documo_world import Household, household
from tests.support.hostile_text import HOSTILE, hostile, made_of_text, with_text

# Every column with text is in one of these. What people, programs and networks write:
FROM_OUTSIDE: Mapping[str, tuple[str, ...]] = {
    "accounts": ("name", "plan"),
    "api_keys": ("name", "prefix", "last_four", "last_used_address", "last_used_agent", "created_by"),
    "branding": ("name",),
    "documents": ("name", "owner_name"),
    "domains": ("proof", "seen_txt", "seen_cname", "seen_tls"),
    "event_streams": ("name", "url", "audience", "last_error"),
    "member_last_sign_ins": ("address",),
    "member_links": ("created_by",),
    "member_sessions": ("device", "address", "name_id", "session_index"),
    "request_log": (
        "method", "path", "client", "address", "user_agent", "request_type", "request_body", "response_body", "response_headers",
    ),
    "resources": ("external_id", "display_name", "document"),
    "single_sign_on": (
        "entity_id", "sign_in_url", "logout_url", "email_domain", "identity_attribute", "metadata_url", "metadata_problem",
    ),
    "sso_attempts": ("number", "result", "detail", "expected", "received", "person", "response", "address"),
    "sso_tickets": ("name_id", "session_index"),
}  # fmt: skip
# What is written anew with these texts, because an entry cannot be changed:
WRITTEN_ANEW = {"audit_log": ("activity", "kind", "object_id", "object_name", "actor_name", "before", "after")}
# What Documo itself chooses or has checked against a list or a form of its own, and what is never shown:
OWN: Mapping[str, tuple[str, ...]] = {
    "accounts": (
        "default_role", "profile", "restore_policy", "patch_answer", "deprovision_action", "custom_schemas", "custom_resource_types",
        "custom_extensions",
    ),
    "alembic_version": ("version_num",),
    "api_keys": ("scopes", "kind"),
    "audit_log": ("actor_kind",),
    "branding": ("accent", "logo_type", "logo_version"),
    "domains": ("host", "kind"),
    "event_streams": ("delivery",),
    "group_members": ("member_kind",),
    "member_second_factors": ("seed",),
    "request_log": ("id", "tolerances"),
    "resource_counts": ("kind",),
    "resource_search": ("kind", "document"),
    "resources": ("kind", "unique_name", "role", "source", "password_hash"),
    "service_address": ("url",),
    "service_secrets": ("name",),
    "sign_in_names": ("name",),
    "single_sign_on": ("certificates", "default_role"),
    "sso_keys": ("thumbprint", "certificate", "private_key", "state"),
    "stream_events": ("txn", "kind", "external_id", "events"),
    "trusted_issuers": ("issuer", "audience", "jwks", "subject"),
}  # fmt: skip
QUERY = (
    "search", "text", "actor", "kind", "activity", "range", "status", "method", "client", "key", "show", "role", "source", "after",
    "before", "next", "tail", "run", "dialog", "account", "number",
)  # fmt: skip
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("https://evil.example","click")')


@dataclass
class Reader:
    """A browser that keeps what hostile texts became."""

    http: aiohttp.ClientSession
    origin: str
    found: dict[str, list[str]] = field(default_factory=dict)
    pages: int = 0
    showing: set[str] = field(default_factory=set)  # the pages on which a hostile text stands

    async def read(self, route: str, method: str, path: str, **more: Any) -> str:
        async with self.http.request(
            method, self.origin + path, allow_redirects=False, headers={"Origin": self.origin}, **more
        ) as answer:
            text = (await answer.read()).decode("utf-8", "replace")
            assert answer.status < 500, f"{method} {path} answered {answer.status}"
            assert not any("xss-probe" in line for line in answer.headers.getall("Set-Cookie", ())), path
            assert "xss-probe" not in answer.headers, path
            if "html" not in answer.headers.get("Content-Type", ""):
                return ""
        self.pages += 1
        if "probe" in text.lower():
            self.showing.add(route)
        if made := made_of_text(text):
            self.found[f"{method} {route}"] = made
        return text


@pytest.fixture
async def home(documo: Documo) -> Household:
    return await household(await documo.client("Contoso"), "contoso")


@pytest.fixture
async def reader(home: Household) -> AsyncIterator[Reader]:
    jar = aiohttp.CookieJar(unsafe=True)
    secret = await home.session("Admin")
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        origin = home.api.url.removesuffix("/scim/v2")
        jar.update_cookies({"documo_session": secret})
        yield Reader(http, origin)


async def test_every_column_with_text_is_known_as_own_or_from_outside(home: Household) -> None:
    async with home.store.control() as connection:
        cursor = await connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = current_schema()"
            " and udt_name in ('text', 'varchar', 'json', 'jsonb', '_text')"
        )
        columns = sorted((str(row[0]), str(row[1])) for row in await cursor.fetchall())

    known = [
        (table, one) for group in (FROM_OUTSIDE, WRITTEN_ANEW, OWN) for table, ones in group.items() for one in ones
    ]
    assert sorted(known) == columns


async def test_text_from_outside_is_text_on_every_page(home: Household, reader: Reader) -> None:
    worlds = [await home.objects() for _ in HOSTILE]
    links, tickets = await _public_places(home)
    await add_stream(home.store, home.tenant, delivery="poll", audience="https://app.example")
    await _poison(home)
    entries = await _hostile_entries(home)

    for world, entry in zip(worlds, entries, strict=True):
        for row in (row for row in ROWS if row.method == "GET" and (row.names_objects or world is worlds[0])):
            await reader.read(row.path, "GET", row.sent({**world, "entry": entry})[0])
    for route, path in [("/links", one) for one in links] + [("/sso/finish", one) for one in tickets]:
        await reader.read(route, "GET", path)

    assert reader.found == {}
    assert len(reader.showing) > 15, (
        f"the hostile texts stand on many pages, otherwise this proves nothing: {reader.showing}"
    )
    assert {
        "/users/{user}",
        "/settings/scim/logs/{request}",
        "/settings/audit/{entry}",
        "/links",
        "/sso/finish",
    } <= reader.showing


async def test_text_in_an_address_is_text_on_every_page(home: Household, reader: Reader) -> None:
    names = await home.objects()
    for number in range(len(HOSTILE)):
        query = {name: hostile(number + place) for place, name in enumerate(QUERY)}
        for row in (row for row in ROWS if row.method == "GET"):
            await reader.read(row.path, "GET", row.path.format(**names), params=query)
            if "{" in row.path and number < 3:
                await reader.read(row.path, "GET", row.path.format(**dict.fromkeys(names, "%3Cxss-probe%3E%22")))

    assert reader.found == {}
    assert {"/", "/settings/audit", "/settings/scim/logs", "/users"} <= reader.showing


async def test_text_that_was_typed_comes_back_as_text(home: Household, reader: Reader) -> None:
    """Every form of every page, with a hostile text in each of its fields."""
    await password_links.set_password(home.store, home.api.account, home.members["Admin"], PASSWORD)
    names = await home.objects()
    pages = [(row.path.format(**names), "Admin") for row in ROWS if row.method == "GET" and row.roles is not None]
    links, _ = await _public_places(home)
    sent: set[str] = set()
    for path, role in [*pages, ("/login", ""), ("/sso", ""), (links[0], "")]:
        await _sign_in(home, reader, role)
        html = await reader.read(path, "GET", path)
        for form in lxml.html.document_fromstring(html).forms if html else ():
            action = str(form.get("action") or path)
            if form.method != "POST" or action in ("/sign-out", "/look"):
                continue
            if action in sent:
                continue
            sent.add(action)
            for number in range(0, len(HOSTILE), 5):
                token = await _sign_in(home, reader, role)  # a form may have ended the session
                await reader.read(action, "POST", action, data={**_filled(form, number), **token})

    assert reader.found == {}
    known = {row.path.format(**names) for row in ROWS if row.method == "POST"}
    assert {"/login", "/sso", links[0], "/own-account/password", "/users/new", "/settings/security/sso"} <= sent
    assert len(known & sent) > 20, sorted(known - sent)
    assert {"/login", "/sso", "/users/new", "/settings/api-keys", "/settings/security/sso"} <= reader.showing


async def test_no_cell_of_a_download_is_a_formula(home: Household, reader: Reader) -> None:
    await _entries(home, FORMULAS)
    secret = await home.session("Admin")

    seen = 0
    for row in (row for row in ROWS if "/download/" in row.path):
        async with reader.http.get(reader.origin + row.path, cookies={"documo_session": secret}) as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert "charset=utf-8" in answer.headers["Content-Type"]
            text = (await answer.read()).decode()
        for line in csv.DictReader(io.StringIO(text, newline="")):
            assert [cell for cell in line.values() if str(cell).startswith(("=", "+", "-", "@", "\t", "\r"))] == []
            seen += any(formula in str(line["object"]) for formula in FORMULAS)

    assert seen == len(FORMULAS)


async def _sign_in(home: Household, reader: Reader, role: str) -> dict[str, str]:
    """Give the browser a new session, or none; returns the token that its forms carry."""
    reader.http.cookie_jar.clear()
    if not role:
        return {}
    secret = await home.session(role)
    reader.http.cookie_jar.update_cookies({"documo_session": secret})
    return {"csrf": csrf.masked(derived(secret, "csrf"))}


def _filled(form: Any, number: int) -> dict[str, str]:
    return {name: hostile(number + place) for place, name in enumerate(form.fields.keys()) if name}


async def _public_places(home: Household) -> tuple[list[str], list[str]]:
    """Addresses of pages that show a member's name to somebody who has not signed in: the link and the end of a sign-in."""
    links, tickets = [], []
    for member in list(home.members.values()):
        link = await password_links.password_link(home.store, home.api.account, member, created_by="test")
        links.append(f"/links/{link.secret}")
        secret = new_secret()
        async with home.store.tenant(home.tenant) as connection:
            row = TicketRow(home.tenant, member, None, "name", "", None, None)
            await tickets_table.insert_ticket(
                connection, hash_of(secret), row, datetime.now(UTC) + timedelta(minutes=2)
            )
        tickets.append(f"/sso/finish/{secret}")
    return links, tickets


async def _poison(home: Household) -> None:
    """Write the hostile texts into every column and document in which text from outside is kept, each row another one."""
    number = 0
    async with home.store.tenant(home.tenant) as connection:
        types = {
            (row[0], row[1]): row[2]
            for row in await (
                await connection.execute(
                    "select table_name, column_name, udt_name from information_schema.columns"
                    " where table_schema = current_schema()"
                )
            ).fetchall()
        }
        for table, columns in FROM_OUTSIDE.items():
            mine = "id" if table == "accounts" else "tenant_id"
            for column in columns:
                read = sql.SQL("select ctid::text, {} from {} where {} = %s").format(
                    sql.Identifier(column), sql.Identifier(table), sql.Identifier(mine)
                )
                write = sql.SQL("update {} set {} = %s where ctid = %s::tid").format(
                    sql.Identifier(table), sql.Identifier(column)
                )
                for place, value in await (await connection.execute(read, (home.tenant,))).fetchall():
                    number += 1
                    await connection.execute(write, (_poisoned(types[table, column], value, hostile(number)), place))


def _poisoned(kind: str, value: Any, text: str) -> Any:
    if kind == "_text":
        return [text, text]
    if kind == "jsonb":
        return Jsonb(with_text(value, text))
    if kind == "json":
        return orjson.dumps({"etag": text, text: text}).decode()
    return text


async def _hostile_entries(home: Household) -> list[str]:
    return await _entries(home, [hostile(number) for number in range(len(HOSTILE))])


async def _entries(home: Household, texts: Any) -> list[str]:
    """The ids of new entries of the audit log in which everything is the text."""
    made = []
    async with home.store.tenant(home.tenant) as connection:
        for text in texts:
            document = Jsonb({text: text, "why": text})
            cursor = await connection.execute(
                "insert into audit_log (tenant_id, actor_kind, actor_name, activity, kind, object_id, object_name, before, after)"
                " values (%s, 'member', %s, %s, %s, %s, %s, %s, %s) returning seq",
                (home.tenant, text, text, text, text, text, document, document),
            )
            row = await cursor.fetchone()
            key = await secret(connection, "audit entries", SECRET_BYTES)
            assert row is not None
            made.append(seal(key, home.tenant, row[0]))
    return made
