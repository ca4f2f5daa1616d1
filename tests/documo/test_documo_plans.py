"""The database uses an index for every query that clients send regularly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from psycopg.sql import SQL

from documo.accounts import TenantAccount, create_account
from documo.identifiers import new_id
from documo.sandbox.demo_people import add_people
from documo.scim_service.search.filter_sql import FilterCompiler
from documo.scim_service.search.order import order_of
from documo.store import member_search, members, pages, resources
from documo.store.database import Store, open_store
from documo.store.round_trip import one_trip
from documo.store.statistics import FIRST_ROWS, Statistics
from lockstep.postgres.database import Database
from lockstep.scim.filters import parse_filter
from lockstep.scim.registry import default_registry
from tests.support.databases import Databases
from tests.support.documo_client import Client

SOME_ID = "0190a0b0-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Crowd:
    """An account with 5,000 people, who are all members of one group."""

    store: Store
    account: TenantAccount


async def plan_of(one: Crowd | Client, statement: Any) -> str:
    query, values = statement
    text = query if isinstance(query, str) else query.as_string(None)
    explained = ("explain (format json) " + text, values)
    (rows,) = await one_trip(one.store, one.account.id, [explained])
    plan = rows[0][0]
    return orjson.dumps(plan if not isinstance(plan, str) else orjson.loads(plan)).decode()


async def gather_crowd(database: Database) -> TenantAccount:
    async with open_store(database) as store:
        account = await create_account(store, "Contoso", admin="admin@contoso.example")
        await add_people(store, account.id, 5000, seed=1)
        columns = resources.ResourceColumns(
            unique_name=None, external_id=None, display_name="crowd", active=True, role=None, search={}
        )
        group = resources.item_of(new_id(), {"displayName": "Crowd"}, columns)
        everybody = (
            "insert into group_members select r.tenant_id, g.id, r.id, 'User' from resources r, resources g"
            " where r.tenant_id = %s and r.kind = 'User' and g.tenant_id = r.tenant_id and g.kind = 'Group'",
            (account.id,),
        )
        await one_trip(store, account.id, [resources.create(account.id, "Group", [group], hold_days=30), everybody])
        async with store.control() as connection:
            await connection.execute("select gin_clean_pending_list('resource_search_values')")
            await connection.execute("analyze")
    return account


@pytest.fixture(scope="module")
def gathered(databases: Databases) -> tuple[Database, TenantAccount]:
    """The database with the crowd. The tests only read plans."""
    database = databases("documo.migrations")
    return database, asyncio.run(gather_crowd(database))


@pytest.fixture
async def crowd(gathered: tuple[Database, TenantAccount]) -> AsyncIterator[Crowd]:
    database, account = gathered
    async with open_store(database, max_size=2) as store:
        yield Crowd(store, account)


async def test_a_selective_filter_uses_its_index(crowd: Crowd) -> None:
    questions = [
        ("User", f'id eq "{SOME_ID}"', "resources_pkey"),
        ("User", 'userName eq "user17@sandbox.example"', "resources_unique_name"),
        ("User", 'userName sw "user171"', "resources_unique_name"),
        ("User", 'externalId eq "ext-17"', "resources_external_id"),
        ("User", 'displayName eq "nobody"', "resources_display_name"),
        ("User", 'meta.lastModified gt "2999-01-01T00:00:00Z"', "resources_last_modified"),
        ("Group", f'members.value eq "{SOME_ID}"', "group_members_member"),
    ]
    for resource, question, index in questions:
        compiled = FilterCompiler(crowd.account.id, default_registry().resource(resource), lenient=False).compile(
            parse_filter(question)
        )
        page = pages.ResourcePage(crowd.account.id, [resource], compiled.condition, SQL("r.id"), SQL("null::text"), 100)

        plan = await plan_of(crowd, pages.page(page))

        assert index in plan, question
        assert "Seq Scan" not in plan, question


async def test_a_create_looks_up_names_of_deleted_people_through_their_index(crowd: Crowd) -> None:
    columns = resources.ResourceColumns(
        unique_name="new", external_id=None, display_name=None, active=True, role=None, search={}
    )
    item = resources.item_of(SOME_ID, {"userName": "new"}, columns)

    made = await plan_of(crowd, resources.create(crowd.account.id, "User", [item], hold_days=30))
    namesake = await plan_of(crowd, resources.lock_namesake(crowd.account.id, "User", "new", 30))

    for plan in (made, namesake):
        assert "resources_deleted" in plan
        assert "Seq Scan" not in plan


async def test_any_other_value_is_found_through_the_index_of_values(crowd: Crowd) -> None:
    questions = [
        'emails.value eq "user17@sandbox.example"',
        'emails[type eq "work" and value eq "user17@sandbox.example"]',
        'name.familyName eq "nobody" and active eq true',
    ]
    for question in questions:
        compiled = FilterCompiler(crowd.account.id, default_registry().resource("User"), lenient=False).compile(
            parse_filter(question)
        )
        assert compiled.contains is not None, question

        plan = await plan_of(crowd, pages.containing(crowd.account.id, "User", dict(compiled.contains), 1001))

        assert "resource_search_values" in plan, question


async def test_the_first_page_of_a_sorted_list_walks_an_index(crowd: Crowd) -> None:
    orders = [
        (None, "resources_pkey"),
        ("displayName", "resources_display_name"),
        ("meta.lastModified", "resources_last_modified"),
    ]
    for sort_by, index in orders:
        order = order_of(sort_by, [default_registry().resource("User")], descending=False)
        page = pages.ResourcePage(crowd.account.id, ["User"], None, order.clause(), order.value_text(), 100)

        plan = await plan_of(crowd, pages.page(page))

        assert index in plan, sort_by
        assert '"Sort Method"' not in plan, sort_by


async def test_the_planner_hears_of_new_people_before_autovacuum_comes(api: Client) -> None:
    async def known() -> float:
        async with api.store.control() as connection:
            cursor = await connection.execute("select reltuples from pg_class where oid = 'resources'::regclass")
            (count,) = await cursor.fetchone() or (0,)
            return float(count)

    assert await known() <= 0
    await asyncio.gather(*(api.user(f"new{number}@contoso.example") for number in range(FIRST_ROWS)))

    async with asyncio.timeout(10):
        while await known() < FIRST_ROWS / 2:
            await asyncio.sleep(0.02)


async def test_what_is_sampled_is_enough_to_find_many_people_by_name_through_the_index(api: Client) -> None:
    await add_people(api.store, api.account.id, 3000, seed=1)

    await Statistics(api.store).refresh()

    names = [f"user{number}@sandbox.example" for number in range(16)]
    assert "resources_unique_name" in await plan_of(api, resources.read_by_name(api.account.id, "User", names))


@pytest.mark.parametrize("only", ["", "active", "deleted"])
async def test_list_of_users_is_read_through_the_indexes_of_names(crowd: Crowd, only: str) -> None:
    values = {
        "tenant": crowd.account.id, "search": "", "folded": "", "name": "user17", "last": SOME_ID, "most": 51, "role": "",
        "default_role": "Member", "source": "",
    }  # fmt: skip

    plan = await plan_of(crowd, (member_search.searching(only), values))

    assert ("resources_deleted" if only == "deleted" else "resources_unique_name") in plan
    assert not re.search(r'"Seq Scan"[^{}]*"Relation Name":"resources"', plan)


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_page_of_the_list_of_members_is_read_through_an_index(crowd: Crowd, deleted: bool) -> None:
    plan = await plan_of(crowd, members.listing(crowd.account.id, deleted=deleted, after=SOME_ID, most=101))

    assert ("resources_deleted" if deleted else "resources_order") in plan
    assert not re.search(r'"Seq Scan"[^{}]*"Relation Name":"resources"', plan)


@pytest.mark.parametrize("who", ["user17@sandbox.example", SOME_ID])
async def test_one_user_is_found_without_reading_the_others(crowd: Crowd, who: str) -> None:
    plan = await plan_of(crowd, members.finding(crowd.account.id, who))

    assert "resources_unique_name" in plan and "resources_deleted" in plan
    assert "Seq Scan" not in plan
