"""The load for every SCIM service in `scim_service.py`: creates, queries, pages, patches, members of a large group.

A phase ends at its count or its time limit, whichever comes first, so a slow service cannot delay the run. Only 2xx responses
count.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import orjson

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BUILD_STEP, MEMBER_CHANGES = 500, 50
PAGES_AT_ONCE = 4  # leaves no queue of pages at a slow service when the phase ends

Call = tuple[str, str, Any]
Make = Callable[[int], Call]
Keep = Callable[[int, bytes], None]


@dataclass(frozen=True)
class Limits:
    """How long the run may take. *users* are created first, then as many more as it takes to reach *grow_to*."""

    users: int = 2_000
    grow_to: int = 20_000
    reads: int = 3_000
    group_members: int = 10_000
    concurrency: int = 16
    seconds: float = 2.0
    grow_seconds: float = 15.0


@dataclass(frozen=True)
class Meter:
    """Readings of the service's processes: CPU seconds so far, and megabytes in use."""

    cpu_seconds: Callable[[], float]
    rss_mb: Callable[[], float]


@dataclass
class Load:
    """One run against one service."""

    base: str
    token: str
    limits: Limits
    meter: Meter
    pages_by_cursor: bool
    say: Callable[[str], None]
    ids: dict[int, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    async def run(self) -> dict[str, Any]:
        """Every row of the table. Raises ValueError for a service that is not on this machine."""
        host = urlsplit(self.base).hostname or ""
        if not (host == "localhost" or host == "::1" or host.startswith("127.")):
            raise ValueError(f"{host} is not on this machine: the load is for loopback only.")
        headers = {"Content-Type": "application/scim+json", "Authorization": f"Bearer {self.token}"}
        connector = aiohttp.TCPConnector(limit=self.limits.concurrency)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as self.session:
            return await self._rows()

    async def _rows(self) -> dict[str, Any]:
        limits = self.limits
        rows: dict[str, Any] = {"rss_at_start_mb": self.meter.rss_mb()}
        rows["create"] = await self._create(0, limits.users, limits.seconds * 3)
        if not self.ids:
            return rows | {"first_failures": self.failures}
        rows["at_users"] = await self._questions()
        if limits.grow_to > limits.users:
            rows["grow"] = await self._create(limits.users, limits.grow_to, limits.grow_seconds)
            rows["at_grown"] = await self._questions()
        rows["rss_grown_mb"] = self.meter.rss_mb()
        rows["groups"] = [await self._group(size) for size in (10, limits.group_members) if size]
        return rows | {"rss_at_end_mb": self.meter.rss_mb(), "first_failures": self.failures}

    async def _create(self, first: int, end: int, seconds: float) -> dict[str, Any]:
        def keep(number: int, body: bytes) -> None:
            self.ids[first + number] = orjson.loads(body)["id"]

        return await self._phase(
            f"create {first}..{end}", end - first, lambda n: ("POST", "/Users", user(first + n)), keep, seconds=seconds
        )

    async def _questions(self) -> dict[str, Any]:
        known, count, chosen = list(self.ids), len(self.ids), random.Random(7)

        def by_name(_: int) -> Call:
            return "GET", "/Users?filter=" + quote(f'userName eq "{name_of(chosen.choice(known))}"'), None

        def by_index(_: int) -> Call:
            return "GET", f"/Users?startIndex={chosen.randint(1, max(1, count - 100))}&count=100", None

        def change(number: int) -> Call:
            operation = {"op": "replace", "path": "active", "value": bool(number % 2)}
            return "PATCH", self._address(chosen.choice(known)), patch_of(operation)

        def read(_: int) -> Call:
            return "GET", self._address(chosen.choice(known)), None

        reads = self.limits.reads
        rows: dict[str, Any] = {"users": count, "filter_user_name": await self._phase("filter", reads, by_name)}
        rows["patch_active"] = await self._phase("patch", reads, change)
        rows["get"] = await self._phase("get", reads, read)
        rows["list_100_by_index"] = await self._phase("list by index", reads, by_index, concurrency=PAGES_AT_ONCE)
        rows["list_100_by_cursor"] = await self._by_cursor() if self.pages_by_cursor else None
        return rows

    async def _by_cursor(self) -> dict[str, Any]:
        """Every worker follows the list page by page, and starts again at its end."""
        cursors = dict.fromkeys(range(PAGES_AT_ONCE), "")

        def make(number: int) -> Call:
            return "GET", f"/Users?count=100&cursor={quote(cursors[number % PAGES_AT_ONCE])}", None

        def keep(number: int, body: bytes) -> None:
            cursors[number % PAGES_AT_ONCE] = orjson.loads(body).get("nextCursor", "")

        return await self._phase("list by cursor", self.limits.reads, make, keep, concurrency=PAGES_AT_ONCE)

    async def _group(self, wanted: int) -> dict[str, Any]:
        """Build a group in steps of 500, then add and remove one member at a time, one request after the other."""
        ids = list(self.ids.values())
        size = min(wanted, len(ids) - MEMBER_CHANGES)
        body = {"schemas": [GROUP], "displayName": f"Load {wanted}"}
        status, answer = await self._send("POST", "/Groups", body)
        if status != 201:
            return {"members": 0, "failed": status}
        path = f"/Groups/{quote(orjson.loads(answer)['id'])}"
        began = time.perf_counter()
        for first in range(0, size, BUILD_STEP):
            members = [{"value": i} for i in ids[first : min(first + BUILD_STEP, size)]]
            status, answer = await self._send(
                "PATCH", path, patch_of({"op": "add", "path": "members", "value": members})
            )
            if status >= 300:
                return {"members": first, "failed": status}
            if time.perf_counter() - began > self.limits.grow_seconds:
                size = first + len(members)
                break
        built = time.perf_counter() - began

        def add(n: int) -> Call:
            return "PATCH", path, patch_of({"op": "add", "path": "members", "value": [{"value": ids[size + n]}]})

        def remove(n: int) -> Call:
            return "PATCH", path, patch_of({"op": "remove", "path": f'members[value eq "{ids[size + n]}"]'})

        lean: Make = lambda _: ("GET", path + "?excludedAttributes=members", None)  # noqa: E731
        rows: dict[str, Any] = {"members": size, "build_seconds": round(built, 2)}
        for name, make in (("add_one", add), ("remove_one", remove), ("get_without_members", lean)):
            rows[name] = await self._phase(f"{name} of {size}", MEMBER_CHANGES, make, concurrency=1)
        return rows

    async def _phase(
        self, name: str, count: int, make: Make, keep: Keep | None = None, *,
        seconds: float | None = None, concurrency: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        numbers = itertools.count()
        times: list[float] = []
        failed: dict[str, int] = {}
        began, cpu = time.perf_counter(), self.meter.cpu_seconds()
        end = began + (seconds or self.limits.seconds)

        async def worker() -> None:
            while (number := next(numbers)) < count and time.perf_counter() < end:
                start = time.perf_counter()
                status, body = await self._send(*make(number))
                if 200 <= status < 300:
                    times.append(time.perf_counter() - start)
                    if keep:
                        keep(number, body)
                else:
                    failed[str(status)] = failed.get(str(status), 0) + 1
                    self.failures.setdefault(name, body[:300].decode("utf-8", "replace"))

        workers = [asyncio.ensure_future(worker()) for _ in range(concurrency or self.limits.concurrency)]
        _, late = await asyncio.wait(workers, timeout=2 * (end - began))
        for task in late:
            task.cancel()
            failed["late"] = failed.get("late", 0) + 1
        await asyncio.gather(*workers, return_exceptions=True)
        row = _row(times, time.perf_counter() - began, self.meter.cpu_seconds() - cpu, failed)
        self.say(f"{name}: {row['per_second']}/s, p50 {row['p50_ms']} ms, {row['cpu_ms']} ms CPU, failed {failed or 0}")
        return row

    async def _send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        data = None if body is None else orjson.dumps(body)
        try:
            async with self.session.request(method, self.base + path, data=data) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as failed:
            return 599, type(failed).__name__.encode()

    def _address(self, number: int) -> str:
        return "/Users/" + quote(self.ids[number])


def _row(times: Sequence[float], wall: float, cpu: float, failed: dict[str, int]) -> dict[str, Any]:
    ordered = sorted(times)

    def percentile(share: float) -> float | None:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2) if ordered else None

    return {
        "per_second": round(len(times) / wall, 1),
        "answered": len(times),
        "failed": failed,
        "p50_ms": percentile(0.5),
        "p95_ms": percentile(0.95),
        "p99_ms": percentile(0.99),
        "cpu_ms": round(cpu * 1000 / len(times), 3) if times else None,
    }


def name_of(number: int) -> str:
    return f"person{number:06d}@load.example"


def patch_of(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(operations)}


def user(number: int) -> dict[str, Any]:
    """A person as directories send them: names, two e-mail addresses, a telephone number."""
    given, family = f"Given{number}", f"Family{number % 997}"
    return {
        "schemas": [USER],
        "userName": name_of(number),
        "externalId": f"ext-{number:06d}",
        "name": {"givenName": given, "familyName": family, "formatted": f"{given} {family}"},
        "displayName": f"{given} {family}",
        "emails": [
            {"value": name_of(number), "type": "work", "primary": True},
            {"value": f"person{number:06d}@home.example", "type": "home"},
        ],
        "phoneNumbers": [{"value": f"+1555{number:07d}", "type": "work"}],
        "title": "Engineer",
        "active": True,
    }
