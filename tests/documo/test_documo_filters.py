"""Filters and sorts run in SQL and mean what `lockstep.scim.filter_match` says; pages are stable."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL

from documo.scim_service.search.filter_sql import FilterCompiler
from documo.store import pages
from documo.store.resources import ResourceRow
from documo.store.round_trip import one_trip
from lockstep.scim.errors import ScimError
from lockstep.scim.filter_match import compile_filter
from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, ValuePath, print_filter
from lockstep.scim.names import AttributePath
from lockstep.scim.registry import default_registry
from tests.support.documo_client import ENTERPRISE, Client, Documo

# ruff: noqa: E501 -- tables
PEOPLE: list[dict[str, Any]] = [
    {"userName": "Anna@x.org", "displayName": "Anna", "externalId": "E1", "title": "Ünï", "emails": [{"value": "Anna@x.org", "type": "work", "primary": True}, {"value": "a@home.org", "type": "home"}]},
    {"userName": "bert@x.org", "displayName": "Straße", "externalId": "e1", "active": False, "name": {"familyName": "Nowak", "givenName": "Bert"}},
    {"userName": "carl@X.org", "title": "", "emails": [{"value": "CARL@x.org", "type": "Work"}], "roles": [{"value": "Admin", "primary": True}]},
    {"userName": "dora", ENTERPRISE: {"department": "Sales", "employeeNumber": "007", "manager": {"value": "x1"}}, "name": {"familyName": "nowak"}},
    {"userName": "emil", ENTERPRISE: {"department": "sales & more"}, "emails": [{"value": "e@x.org"}], "nickName": "%_\\"},
    {"userName": "fritz", "displayName": "anna", "profileUrl": "https://X.org/f", "locale": "de-DE"},
]  # fmt: skip
PATHS = [
    AttributePath(*parts)
    for parts in (
        ("userName",), ("displayName",), ("externalId",), ("title",), ("nickName",), ("locale",), ("profileUrl",), ("active",),
        ("name", "familyName"), ("name", "givenName"), ("emails", "value"), ("emails", "type"), ("emails", "primary"), ("emails",),
        ("roles", "value"), ("department", "", ENTERPRISE), ("employeeNumber", "", ENTERPRISE), ("manager", "value", ENTERPRISE),
    )
]  # fmt: skip
TEXTS = [
    "anna",
    "Anna@x.org",
    "x.org",
    "",
    "E1",
    "e1",
    "nowak",
    "Sales",
    "work",
    "a",
    "Straße",
    "STRASSE",
    "%",
    "_",
    "\\",
    "007",
    "zz",
    "Admin",
]
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]


def is_boolean(path: AttributePath) -> bool:
    return path.name == "active" or path.sub == "primary"


@st.composite
def comparisons(draw: st.DrawFn, paths: list[AttributePath]) -> Filter:
    path = draw(st.sampled_from(paths))
    if draw(st.integers(0, 6)) == 0:
        return Present(path)
    if is_boolean(path):
        return Comparison(path, draw(st.sampled_from(["eq", "ne"])), draw(st.sampled_from([True, False, None])))
    if draw(st.integers(0, 9)) == 0:
        return Comparison(path, draw(st.sampled_from(["eq", "ne"])), None)
    return Comparison(path, draw(st.sampled_from(OPERATORS)), draw(st.sampled_from(TEXTS)))


def groups_of(terms: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(terms, min_size=2, max_size=3).map(tuple)
    return st.one_of(several.map(And), several.map(Or), terms.map(Not))


INSIDE = st.recursive(
    comparisons([AttributePath("value"), AttributePath("type"), AttributePath("primary")]), groups_of, max_leaves=3
)
FILTERS = st.recursive(
    st.one_of(comparisons(PATHS), st.builds(ValuePath, st.just(AttributePath("emails")), INSIDE)),
    groups_of,
    max_leaves=4,
)


@pytest.fixture
async def people(api: Client) -> Client:
    for person in PEOPLE:
        await api.user(person["userName"], **{key: value for key, value in person.items() if key != "userName"})
    return api


async def by_sql(api: Client, filter: Filter) -> set[str]:
    definition = default_registry().resource("User")
    compiled = FilterCompiler(api.account.id, definition, lenient=False).compile(filter)
    condition = compiled.condition
    page = pages.ResourcePage(api.account.id, ["User"], condition, SQL("r.id"), SQL("null::text"), 100)
    statements = [pages.page(page)]
    if compiled.contains is not None:
        statements.append(pages.containing(api.account.id, "User", dict(compiled.contains), 1000))
    found, *narrowed = await one_trip(api.store, api.account.id, statements)
    ids = {row[1] for row in found}
    # The query of the index of values may find more than the filter, but never less.
    if narrowed:
        assert ids <= set(narrowed[0][0][0])
    return ids


@pytest.mark.parametrize("examples", [250, pytest.param(10_000, marks=pytest.mark.full)])
async def test_sql_finds_what_the_pure_filter_finds(people: Client, examples: int) -> None:
    definition = default_registry().resource("User")
    page = pages.ResourcePage(people.account.id, ["User"], None, SQL("r.id"), SQL("null::text"), 100)
    (rows,) = await one_trip(people.store, people.account.id, [pages.page(page)])
    documents = {row[1]: orjson.loads(ResourceRow(*row[1:]).document) for row in rows}
    drawn: list[Filter] = []

    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(FILTERS)
    def draw(filter: Filter) -> None:
        drawn.append(filter)

    await asyncio.to_thread(draw)
    for tree in drawn:
        try:
            matches = compile_filter(tree, definition)
        except ScimError:
            with pytest.raises(ScimError):
                await by_sql(people, tree)
            continue
        expected = {user for user, document in documents.items() if matches(document)}
        assert await by_sql(people, tree) == expected, print_filter(tree)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ('emails.value eq "ANNA@X.ORG"', {"Anna@x.org"}),
        ('emails[type eq "work" and value co "anna"]', {"Anna@x.org"}),
        ('emails[type eq "home"].value ew "home.org"', {"Anna@x.org"}),
        (f'{ENTERPRISE}:department eq "sales"', {"dora"}),
        ('roles[primary eq "True"].value eq "Admin"', {"carl@X.org", "admin@contoso.example"}),
        ("userName eq dora", {"dora"}),
        ('not (title pr) and active eq "False"', {"bert@x.org"}),
        ('externalId eq "E1"', {"Anna@x.org"}),
        ('displayName eq "STRASSE"', {"bert@x.org"}),
        ('urn:ietf:params:scim:schemas:core:2.0:User:userName sw "d"', {"dora"}),
        ('meta.created gt "2020-01-01T00:00:00Z" and nickName pr', {"emil"}),
        ('meta.lastModified lt "2020-01-01T00:00:00Z"', set()),
    ],
)  # fmt: skip
async def test_filters_over_http(people: Client, question: str, names: set[str]) -> None:
    reply = await people.find(question)

    assert {user["userName"] for user in reply.body["Resources"]} == names
    assert reply.body["totalResults"] == len(names)


async def test_strict_profile_refuses_what_others_forgive(documo: Documo) -> None:
    api = await documo.client(profile="strict")

    for question in ("userName eq dora", 'active eq "True"'):
        reply = await api.find(question)
        assert (reply.status, reply.body["scimType"]) == (400, "invalidFilter"), question


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize(
    "attribute",
    [
        "userName",
        "displayName",
        "name.familyName",
        "emails",
        "meta.created",
        "id",
        "externalId",
        "active",
        f"{ENTERPRISE}:department",
    ],
)
async def test_cursor_pages_hold_everybody_once_in_order_both_ways(people: Client, attribute: str, order: str) -> None:
    whole = (await people.get("/Users", sortBy=attribute, sortOrder=order, count="100")).ids

    forward: list[list[str]] = []
    cursor, back = "", ""
    while True:
        page = (await people.get("/Users", sortBy=attribute, sortOrder=order, count="2", cursor=cursor)).body
        forward.append([user["id"] for user in page["Resources"]])
        back = page.get("previousCursor", "")
        cursor = page.get("nextCursor", "")
        if not cursor:
            break
    backward = [forward[-1]]
    while back:
        page = (await people.get("/Users", sortBy=attribute, sortOrder=order, count="2", cursor=back)).body
        backward.insert(0, [user["id"] for user in page["Resources"]])
        back = page.get("previousCursor", "")

    assert [user for page in forward for user in page] == whole
    assert [user for page in backward for user in page] == whole
    assert len(whole) == len(PEOPLE) + 1


async def test_cursor_pages_are_stable_while_people_come_and_go(api: Client) -> None:
    people = [await api.user(f"p{number}@x.org") for number in range(9)]
    first = (await api.get("/Users", count="5", cursor="")).body

    await api.send("DELETE", f"/Users/{people[1]}")
    late = await api.user("late@x.org")
    second = (await api.get("/Users", count="10", cursor=first["nextCursor"])).body

    seen = [user["id"] for user in first["Resources"] + second["Resources"]]
    assert seen[1:] == [*people, late]


async def test_a_cursor_is_bound_to_its_query(people: Client) -> None:
    cursor = (await people.get("/Users", count="1", cursor="")).body["nextCursor"]

    reply = await people.get("/Users", count="1", cursor=cursor, filter="title pr")

    assert (reply.status, reply.body["scimType"]) == (400, "invalidCursor")


@pytest.mark.parametrize(
    ("start", "count", "expected"), [("1", "3", (1, 3)), ("0", "3", (1, 3)), ("-5", "2", (1, 2)), ("6", "5", (6, 2)), ("99", "5", (99, 0)), ("1", "0", (1, 0)), ("1", "-1", (1, 0))]
)  # fmt: skip
async def test_index_pages_follow_the_rfc(people: Client, start: str, count: str, expected: tuple[int, int]) -> None:
    body = (await people.get("/Users", startIndex=start, count=count)).body

    assert (body["startIndex"], body["itemsPerPage"], body["totalResults"]) == (*expected, 7)


async def test_search_by_post_answers_like_the_list(people: Client) -> None:
    urn = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
    asked = {"schemas": [urn], "filter": 'userName sw "d"', "attributes": ["userName"], "count": 5}

    of_type = await people.send("POST", "/Users/.search", asked)
    everywhere = await people.send("POST", "/.search", asked)

    assert [user["userName"] for user in of_type.body["Resources"]] == ["dora"]
    assert everywhere.body["Resources"] == of_type.body["Resources"]


@pytest.mark.parametrize("sharing", [1, 2, 5])
async def test_everybody_with_an_external_id_is_found_however_many_share_it(api: Client, sharing: int) -> None:
    ids = [await api.user(f"u{number}@x.org", externalId="Same") for number in range(sharing)]
    await api.user("other@x.org", externalId="same")

    whole = await api.find('externalId eq "Same"')
    first = await api.get("/Users", filter='externalId eq "Same"', count="1")
    of_groups = await api.find('externalId eq "Same"', "/Groups")

    assert (whole.ids, whole.body["totalResults"]) == (ids, sharing)
    assert (first.ids, first.body["totalResults"]) == (ids[:1], sharing)
    assert of_groups.body["totalResults"] == 0


async def test_nul_in_a_filter_or_a_path_is_refused_before_the_database_is_asked(api: Client) -> None:
    user = await api.user("a@x.org", emails=[{"type": "work", "value": "a@x.org"}])
    pids = await backends(api)

    for _ in range(5):
        for asked in (r'userName eq "\u0000"', r'emails[value eq "a\u0000"]', r'title co "\u0000" and active eq true'):
            reply = await api.find(asked)
            assert (reply.status, reply.body["scimType"]) == (400, "invalidFilter"), asked
        path = r'emails[value eq "\u0000"].value'
        reply = await api.patch(f"/Users/{user}", {"op": "replace", "path": path, "value": "b"})
        assert (reply.status, reply.body["scimType"]) == (400, "invalidPath")

    assert await backends(api) >= pids, "no connection was given up"


async def backends(api: Client) -> set[int]:
    async with api.store.control() as connection:
        cursor = await connection.execute(
            "select pid from pg_stat_activity where datname = current_database() and application_name = 'documo'"
        )
        return {row[0] for row in await cursor.fetchall()}
