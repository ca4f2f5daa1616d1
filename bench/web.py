"""Measure every page of the admin centre over HTTP, beside a raw baseline on the same server. Prints JSON.

    .venv/bin/python bench/web.py --people 20000 --log-rows 100000 --applications 20

The baseline is a Starlette route that runs `select 1` and returns as many bytes as the page has. It is asked in turn with the page, so
that a busy machine slows both. Statements are counted in the server; its CPU time is that of its process, without PostgreSQL's.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psycopg
import uvloop
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from lockstep.actions import applications
from lockstep.actions.context import Actor
from lockstep.actions.live import LiveHub, live_hub
from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import LONGEST
from lockstep.cli.admin_centre import LIMITS
from lockstep.cli.events import log_to_stderr
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.postgres import embedded
from lockstep.serving.server import listen, serving_http
from lockstep.settings import load_settings
from lockstep.storage import administrator_sessions, administrators
from lockstep.storage.administrators import RoleGrant
from lockstep.web.app import BUILT, admin_app
from lockstep.web.callers import SESSION_COOKIE
from lockstep.web.page import all_pages
from lockstep.wiring import House, open_house

CHROMIUM = Path("/usr/bin/chromium")
ADMIN = "bench@contoso.test"

_PEOPLE = """
insert into person (id, source, anchor, user_principal_name, attributes)
select md5('person ' || n)::uuid, 'hr', n::text, 'person' || n || '@contoso.test', jsonb_build_object(
    'userPrincipalName', 'person' || n || '@contoso.test', 'accountEnabled', true, 'displayName', 'Person ' || n,
    'givenName', 'Person', 'surname', 'Number ' || n, 'department', 'Department ' || n %% 40, 'jobTitle', 'Engineer')
from generate_series(1, %(people)s) as n;
insert into grp (id, source, anchor, display_name, attributes)
select md5('group ' || n)::uuid, 'hr', 'g' || n, 'Group ' || n, jsonb_build_object('displayName', 'Group ' || n)
from generate_series(1, 200) as n;
insert into member (group_id, member_id, member_kind)
select md5('group ' || 1 + n %% 200)::uuid, md5('person ' || n)::uuid, 'User' from generate_series(1, %(people)s) as n;
insert into assignment (app, principal_kind, principal_id)
select application.id, 'Group', md5('group ' || n)::uuid from application, generate_series(1, 20) as n;
insert into assignment (app, principal_kind, principal_id)
select application.id, 'User', md5('person ' || n)::uuid from application, generate_series(1, 1000) as n;
"""
# The first application has everybody, the others a tenth. One object in a hundred fails.
_WORK = """
update job set status = 'on', started = true;
insert into link (job, kind, source_id, target_id, state, display)
select job.id, 'User', md5('person ' || n)::uuid, 't' || n, 'live', 'person' || n || '@contoso.test'
from (select id, row_number() over (order by id) as place from job) as job, generate_series(1, %(people)s) as n
where place = 1 or n %% 10 = 0;
insert into dirty (job, kind, source_id, lane, reasons, failures, first_failed_at, not_before, last_error)
select job, kind, source_id, 3, '{attributes}', 2, now() - interval '1 hour', now() + interval '1 hour',
    '{"code": "DuplicateTargetEntries", "reason": "The application refused the user", "nextStep": "Look at the record"}'
from link where right(target_id, 2) = '10';
insert into cycle (job, kind, state, phase, config_version, started_at, ended_at, total, done, counts)
select id, case n when 1 then 'initial' else 'incremental' end, 'succeeded', 'done', config_version,
    now() - make_interval(mins => 40 * (60 - n)), now() - make_interval(mins => 40 * (60 - n) - 1), 100, 100, '{"updated": 100}'
from job, generate_series(1, 60) as n order by n;
insert into provisioning_log (id, change_id, at, job, app, cycle, action, status, kind, source_id, source_display, target_id,
    target_display, error_code, reason, duration_ms, record)
select gen_random_uuid(), gen_random_uuid(), now() - (%(rows)s - n) * interval '20 seconds', job.id, job.app, 1,
    (array['create', 'update', 'update', 'disable'])[1 + n %% 4], case when n %% 50 = 0 then 'failure' else 'success' end, 'User',
    md5('person ' || 1 + n %% %(people)s)::uuid, 'person' || 1 + n %% %(people)s || '@contoso.test', 't' || n, 'person' || n,
    case when n %% 50 = 0 then 'DuplicateTargetEntries' else '' end, 'The department changed', 12,
    '{"steps": [], "modifiedProperties": [{"displayName": "department", "oldValue": "A", "newValue": "B"}]}'
from generate_series(1, %(rows)s) as n
join (select id, app, row_number() over (order by id) as place from job) as job on place = 1 + n %% %(applications)s
order by n;
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    people: int
    rows: int
    applications: int
    rounds: int
    listeners: int


@dataclass(slots=True)
class Counted:
    """*statements* sent by this process since the start."""

    statements: int = 0

    def begin(self) -> None:
        execute: Any = psycopg.AsyncCursor.execute

        async def counting(cursor: Any, *given: Any, **named: Any) -> Any:
            self.statements += 1
            return await execute(cursor, *given, **named)

        psycopg.AsyncCursor.execute = counting  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class Served:
    origin: str
    hub: LiveHub


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--log-rows", type=int, default=100_000)
    parser.add_argument("--applications", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40, help="Requests for each page.")
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--markdown", type=Path, help="Write the table of pages to this file as well.")
    chosen = parser.parse_args()
    log_to_stderr(level="warning", form="auto")
    sizes = Sizes(chosen.people, chosen.log_rows, chosen.applications, chosen.rounds, chosen.listeners)
    folder = Path(tempfile.mkdtemp(prefix="lockstep-bench-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user
    try:
        found = uvloop.run(measure(folder, sizes))
    finally:
        embedded.remove(folder)
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    if chosen.markdown:
        chosen.markdown.write_text(markdown(found["pages"]), encoding="utf-8")


async def measure(folder: Path, sizes: Sizes) -> dict[str, Any]:
    counted = Counted()
    async with open_house(load_settings({}, {"data": folder}), main=True) as house:
        began = time.monotonic()
        await fill(house, sizes)
        filled = time.monotonic() - began
        secret = await new_session(house)
        counted.begin()
        async with serving(house) as served, aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}) as http:
            pages = await measure_pages(served, http, counted, await addresses(house), rounds=sizes.rounds)
            return {
                "people": sizes.people,
                "log_rows": sizes.rows,
                "applications": sizes.applications,
                "seconds_to_fill": round(filled, 1),
                "cores": os.cpu_count(),
                "load_average": round(os.getloadavg()[0], 1),
                "pages": pages,
                "compressed_bytes": compressed_sizes(),
                "live": await measure_listeners(house, served, secret, sizes.listeners),
                "first_paint": await first_paint(served, secret),
            }


async def fill(house: House, sizes: Sizes) -> None:
    """Create the data, with as few statements as possible."""
    context = house.context(Actor("bench"))
    for number in range(sizes.applications):
        await applications.add_application(
            context, "documo", name=f"app-{number + 1}", display_name=f"App {number + 1}"
        )
    given = {"people": sizes.people, "rows": sizes.rows, "applications": sizes.applications}
    async with await psycopg.AsyncConnection.connect(str(house.pool.conninfo), autocommit=True) as connection:
        await connection.execute("insert into source (name, kind, display_name) values ('hr', 'csv', 'HR')")
        for statement in (_PEOPLE + _WORK).split(";\n"):
            if statement.strip():
                await connection.execute(statement, given)  # type: ignore[call-overload]
        await connection.execute("analyze")


async def new_session(house: House) -> str:
    """The secret of a session of a Global administrator."""
    secret, now = new_secret(), datetime.now(UTC)
    async with house.pool.connection() as connection:
        who = await administrators.insert_administrator(connection, ADMIN, display_name="Bench", actor="bench")
        await administrators.replace_grants(
            connection, who, [RoleGrant(Role.GLOBAL_ADMINISTRATOR.value, None)], actor="bench"
        )
        await administrator_sessions.insert_session(
            connection, who, hash_of(secret), device="bench", now=now, expires_at=now + LONGEST
        )
    return secret


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[Served]:
    """The admin centre with the baseline, as `serve` would serve it."""

    async def baseline(request: Request) -> HTMLResponse:
        async with house.pool.connection() as connection:
            await connection.execute("select 1")
        return HTMLResponse("x" * int(request.query_params["bytes"]))

    listener = listen("127.0.0.1", 0, next_step="")
    async with live_hub(house.pool) as hub:
        app = admin_app(house.context, hub=hub, others=[Route("/bench/baseline", baseline)])
        async with serving_http(app, listener, limits=replace(LIMITS, stop_seconds=1.0)):
            try:
                yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", hub)
            finally:
                hub.end()


async def addresses(house: House) -> dict[str, str]:
    """The address of each GET page, by its route, with real values for its parameters. Routes with an unknown parameter are absent."""
    async with house.pool.connection() as connection:
        found = await (
            await connection.execute(
                """select (select id::text from person limit 1), (select id::text from grp limit 1),
                    max(seq)::text,
                    (select max(id)::text from cycle where cycle.job = max(provisioning_log.job)),
                    (array_agg(change_id::text order by seq desc))[1],
                    (array_agg(id::text order by seq desc))[1] from provisioning_log where app = (
                    select id from application where name = 'app-1')"""
            )
        ).fetchone()
    assert found is not None
    person, group, seq, cycle, change, record = found
    values = {
        "app": "app-1", "template": "documo", "object": "user", "email": ADMIN, "person": person, "group": group, "source": "hr",
        "name": "hr", "seq": seq, "number": cycle, "cycle": cycle, "change": change, "change_id": change, "record": record,
        "id": record,
    }  # fmt: skip
    routes = [page.path for page in all_pages() if page.method == "GET" and not page.is_public]
    return {path: path.format(**values) for path in routes if set(re.findall(r"\{(\w+)\}", path)) <= set(values)}


async def measure_pages(
    served: Served, http: aiohttp.ClientSession, counted: Counted, paths: Mapping[str, str], *, rounds: int
) -> list[dict[str, Any]]:
    measured = []
    for route, path in paths.items():
        status, size, _ = await ask(http, served.origin + path)
        raw = f"{served.origin}/bench/baseline?bytes={size}"
        await ask(http, served.origin + path)
        times: list[float] = []
        base: list[float] = []
        statements, cpu = 0, 0.0
        for _ in range(rounds if status == 200 else 1):
            base.append((await ask(http, raw))[2])
            before, began = counted.statements, cpu_seconds()
            times.append((await ask(http, served.origin + path))[2])
            statements += counted.statements - before
            cpu += cpu_seconds() - began
        measured.append(
            {
                "page": route,
                "status": status,
                "bytes": size,
                "p50_ms": round(statistics.median(times) * 1000, 1),
                "p95_ms": round(highest(times) * 1000, 1),
                "baseline_p50_ms": round(statistics.median(base) * 1000, 1),
                "baseline_p95_ms": round(highest(base) * 1000, 1),
                "ratio": round(statistics.median(times) / statistics.median(base), 1),
                "statements": round(statements / len(times), 1),
                "cpu_ms": round(cpu / len(times) * 1000, 1),
            }
        )
        print(f"{measured[-1]['p95_ms']:8} ms  {status}  {route}", file=sys.stderr)
    return measured


async def ask(http: aiohttp.ClientSession, url: str) -> tuple[int, int, float]:
    """The status, the size of the body without compression, and the seconds until all of it was there."""
    began = time.perf_counter()
    async with http.get(url, allow_redirects=False) as answer:
        body = await answer.read()
        return answer.status, len(body), time.perf_counter() - began


def highest(times: Sequence[float]) -> float:
    """The time within which 95 % were answered."""
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.95))]


def cpu_seconds() -> float:
    """CPU time of this process, which is the server and the client that asks it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def compressed_sizes() -> dict[str, int]:
    """Scripts and styles as built, compressed one by one as they are sent."""
    return {
        kind: sum(len(gzip.compress(file.read_bytes(), 5)) for file in BUILT.rglob(f"*.{kind}"))
        for kind in ("js", "css")
    }


async def measure_listeners(house: House, served: Served, secret: str, count: int) -> dict[str, Any]:
    """Open *count* streams, pass one event to all, and count the connections that listen."""
    before = resident_bytes()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, connector=connector) as http:
        streams = [await http.get(f"{served.origin}/events") for _ in range(count)]
        await until(lambda: len(served.hub) == count)
        grown = resident_bytes() - before
        async with house.pool.connection() as connection:
            row = await (
                await connection.execute(
                    "select count(*) from pg_stat_activity where query ilike 'listen%' and application_name = 'lockstep-live'"
                )
            ).fetchone()
        began = time.perf_counter()
        served.hub.publish("status")
        await asyncio.gather(*(heard(stream) for stream in streams))
        seconds = time.perf_counter() - began
        for stream in streams:
            stream.close()
    await until(lambda: len(served.hub) == 0)
    assert row is not None
    return {
        "listeners": count,
        "listen_connections": row[0],
        "memory_mb": round(grown / 1e6, 1),  # of the server and of the client that holds the streams
        "one_event_to_all_ms": round(seconds * 1000, 1),
    }


async def heard(stream: aiohttp.ClientResponse) -> None:
    while b"event: status" not in await stream.content.readline():
        pass


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def first_paint(served: Served, secret: str) -> dict[str, Any] | None:
    """Of Home in Chromium, the first visit of a new browser and a second one; None without Chromium."""
    if not CHROMIUM.exists():
        return None
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context()
        await context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": served.origin}])
        page = await context.new_page()
        found = {}
        for visit in ("first_visit_ms", "second_visit_ms"):
            await page.goto(served.origin + "/")
            await page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
            found[visit] = round(
                await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
        await browser.close()
    return found


def markdown(pages: Sequence[Mapping[str, Any]]) -> str:
    head = "| page | size | median | 95 % within | baseline | ratio | statements | CPU |\n|---|---|---|---|---|---|---|---|\n"
    return head + "".join(
        f"| `GET {one['page']}` | {one['bytes'] / 1000:.0f} kB | {one['p50_ms']} ms | {one['p95_ms']} ms | {one['baseline_p50_ms']} ms "
        f"| {one['ratio']} | {one['statements']:.0f} | {one['cpu_ms']} ms |\n"
        for one in pages
        if one["status"] == 200
    )


if __name__ == "__main__":
    main()
