"""A piece of work has one deadline, which all its requests keep, and only the client ends a request."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from lockstep.engine.records import ObjectKind
from lockstep.http.deadline import deadline
from lockstep.ports import TargetError
from tests.support.source import nodes_of
from tests.support.target_servers import LIST_URN, serving, target_at

SOURCE = Path(__file__).parents[2] / "src" / "lockstep"
LONG_SECONDS = 250.0
EMPTY = {"schemas": [LIST_URN], "totalResults": 0, "Resources": []}


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def test_request_ends_with_its_work_and_is_recorded() -> None:
    async with serving(silent) as server, target_at(server.origin, deadline_seconds=LONG_SECONDS) as target:
        with deadline(0.3), pytest.raises(TargetError) as failed:
            await target.find(ObjectKind.USER, "userName", "a")

    assert (failed.value.answer.code, len(failed.value.answer.exchanges)) == ("Timeout", 1)


async def test_requests_of_one_work_share_its_deadline_and_none_is_sent_after_it() -> None:
    answered = asyncio.Event()

    async def first_at_once(request: web.Request) -> web.StreamResponse:
        if not answered.is_set():
            answered.set()
            return web.json_response(EMPTY, content_type="application/scim+json")
        return await silent(request)

    async with serving(first_at_once) as server, target_at(server.origin, deadline_seconds=LONG_SECONDS) as target:
        with deadline(0.5):
            found = await target.find(ObjectKind.USER, "userName", "a")
            for _ in range(3):
                with pytest.raises(TargetError):
                    await target.find(ObjectKind.USER, "userName", "b")

    assert (found, len(server.requests)) == ((), 2)


async def test_work_that_follows_has_a_deadline_of_its_own() -> None:
    async with serving(silent) as server, target_at(server.origin, deadline_seconds=0.2) as target:
        with deadline(LONG_SECONDS):
            pass
        with pytest.raises(TargetError) as failed:
            await target.find(ObjectKind.USER, "userName", "a")

    assert failed.value.answer.code == "Timeout"


def test_nothing_between_a_drain_and_the_client_has_a_clock_of_its_own() -> None:
    """A second clock ends the work from outside, and the record of what was sent is lost."""
    files = [*(SOURCE / "sync").rglob("*.py"), SOURCE / "targets" / "scim_target.py", SOURCE / "targets" / "pacing.py"]

    clocks = {
        str(file.relative_to(SOURCE))
        for file in files
        for node in nodes_of(file)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in ("asyncio.timeout", "asyncio.timeout_at", "asyncio.wait_for")
    }

    assert clocks == {"sync/drain/work.py"}  # the wait for a batch to fill
