"""Measure what Documo's filters cost the database with very many people. Prints JSON.

    .venv/bin/python bench/scim_million.py --users 1000000

The rows are written by the statements of the service itself. Every filter is run with many different values. Times are
PostgreSQL's planning plus execution, warm, in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from psycopg.sql import SQL

from documo.accounts import create_account
from documo.scim_service.search.filter_sql import FilterCompiler
from documo.search_document import search_document
from documo.store import pages, resources
from documo.store.database import Store, open_store
from documo.store.resources import ResourceColumns
from documo.store.round_trip import one_trip
from lockstep.postgres import embedded
from lockstep.postgres.server import running, start_or_attach
from lockstep.scim.filters import parse_filter
from lockstep.scim.registry import default_registry

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BATCH = 1000
PEOPLE_OF_A_MANAGER = 20
VALUES = 40  # different values per filter

# The filter for the person with that number, and how many people match it.
FILTERS: dict[str, tuple[Callable[[int], str], int]] = {
    "userName": (lambda at: f'userName eq "USER{at}@million.example"', 1),
    "externalId": (lambda at: f'externalId eq "ext-{at}"', 1),
    "id": (lambda at: f'id eq "{person_id(at)}"', 1),
    "emails.value": (lambda at: f'emails.value eq "user{at}@million.example"', 1),
    "emails[type eq work and value]": (lambda at: f'emails[type eq "work" and value eq "user{at}@million.example"]', 1),
    "displayName": (lambda at: f'displayName eq "Person {at // 10}"', 10),
    "nickName": (lambda at: f'nickName eq "nick {at // 50}"', 50),
    "title": (lambda at: f'title eq "Title {at // 100}"', 100),
    "enterprise employeeNumber": (lambda at: f'{ENTERPRISE}:employeeNumber eq "E{at}"', 1),
    "enterprise department": (lambda at: f'{ENTERPRISE}:department eq "Department {at // 80}"', 80),
    "manager.value": (
        lambda at: f'{ENTERPRISE}:manager.value eq "{person_id(at // PEOPLE_OF_A_MANAGER * PEOPLE_OF_A_MANAGER)}"',
        PEOPLE_OF_A_MANAGER,
    ),
}


def person_id(at: int) -> str:
    return str(UUID(int=0x0190A0B0_0000_7000_8000_000000000000 + at))


def document_of(at: int) -> dict[str, Any]:
    name = f"user{at}@million.example"
    return {
        "schemas": [CORE, ENTERPRISE],
        "userName": name,
        "externalId": f"ext-{at}",
        "name": {"givenName": f"Given{at % 997}", "familyName": f"Family{at % 9973}"},
        "displayName": f"Person {at // 10}",
        "nickName": f"nick {at // 50}",
        "title": f"Title {at // 100}",
        "emails": [{"value": name, "type": "work", "primary": True}],
        "active": True,
        ENTERPRISE: {
            "employeeNumber": f"E{at}",
            "department": f"Department {at // 80}",
            "manager": {"value": person_id(at // PEOPLE_OF_A_MANAGER * PEOPLE_OF_A_MANAGER)},
        },
    }


async def fill(store: Store, tenant: int, count: int) -> None:
    definition = default_registry().resource("User")
    for begin in range(0, count, BATCH):
        items = []
        for at in range(begin, min(begin + BATCH, count)):
            document = document_of(at)
            columns = ResourceColumns(
                document["userName"], document["externalId"], document["displayName"].casefold(), True, None,
                search_document(document, definition),
            )  # fmt: skip
            items.append(resources.item_of(person_id(at), document, columns))
        await one_trip(store, tenant, [resources.create(tenant, "User", items, hold_days=None)])
    async with store.control() as connection:
        await connection.execute("select gin_clean_pending_list('resource_search_values')")
        await connection.execute("analyze")


def statement_of(tenant: int, text: str) -> Any:
    compiled = FilterCompiler(tenant, default_registry().resource("User"), lenient=False).compile(parse_filter(text))
    if compiled.contains is not None:
        return pages.containing(tenant, "User", dict(compiled.contains), 1001)
    return pages.page(pages.ResourcePage(tenant, ["User"], compiled.condition, SQL("r.id"), SQL("null::text"), 100))


async def cost(store: Store, tenant: int, statement: Any) -> float:
    """Milliseconds of planning and execution."""
    query, values = statement
    text = query if isinstance(query, str) else query.as_string(None)
    (rows,) = await one_trip(store, tenant, [("explain (analyze, timing off, format json) " + text, values)])
    plan = rows[0][0]
    (plan,) = plan if isinstance(plan, list) else orjson.loads(plan)
    return float(plan["Planning Time"] + plan["Execution Time"])


async def hits_of(store: Store, tenant: int, statement: Any) -> int:
    (rows,) = await one_trip(store, tenant, [statement])
    return len(rows[0][0]) if rows and isinstance(rows[0][0], list) else len(rows)


async def measure(folder: Path, count: int) -> dict[str, Any]:
    async with running(
        start_or_attach(
            folder, main=True, product="documo", databases=("documo",), options=embedded.Options(durable=False)
        )
    ) as server:
        async with open_store(server.database("documo")) as store:
            tenant = (await create_account(store, "Million", admin="admin@million.example", settings={})).id
            began = time.monotonic()
            await fill(store, tenant, count)
            seconds = time.monotonic() - began
            rows = {}
            for name, (ask, hits) in FILTERS.items():
                asked = [count * number // VALUES + 1 for number in range(VALUES)]
                for at in asked:  # checks the result, and warms the cache
                    found = await hits_of(store, tenant, statement_of(tenant, ask(at)))
                    assert found == min(hits, count), (name, at, found)
                taken = sorted([await cost(store, tenant, statement_of(tenant, ask(at))) for at in asked])
                rows[name] = {
                    "hits": hits,
                    "p50_ms": round(statistics.median(taken), 3),
                    "p95_ms": round(taken[int(len(taken) * 0.95)], 3),
                }
            return {"users": count, "fill_seconds": round(seconds), "filters": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20_000)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="documo-bench-"))
    folder.chmod(0o711)
    try:
        print(orjson.dumps(asyncio.run(measure(folder, chosen.users)), option=orjson.OPT_INDENT_2).decode())
    finally:
        embedded.remove(folder)


if __name__ == "__main__":
    main()
