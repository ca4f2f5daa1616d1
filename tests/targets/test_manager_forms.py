"""A manager is sent in the form that the application understands."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiohttp import web

from lockstep.engine.records import Change, ObjectKind
from lockstep.ports import Verdict
from tests.support.target_servers import serving, target_at

USER = ObjectKind.USER
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MANAGER = f"{ENTERPRISE}:manager"


def application(understands: str) -> tuple[dict[str, Any], Any]:
    """Wraps a manager in `value` (`bare`), stores it as sent (`object`), or keeps no manager (`none`)."""
    held: dict[str, Any] = {"id": "u1", "userName": "anna"}

    async def handle(request: web.Request) -> web.StreamResponse:
        for operation in orjson.loads(await request.read())["Operations"]:
            if operation["path"] == MANAGER and understands != "none":
                value = operation["value"]
                held[ENTERPRISE] = {"manager": {"value": value} if understands == "bare" else value}
        return web.json_response(held)

    return held, handle


@pytest.mark.parametrize(("understands", "requests"), [("object", [1, 1]), ("bare", [2, 1]), ("none", [2, 1])])
async def test_manager_is_named_in_the_other_form_where_the_answer_shows_that_it_was_misread(
    understands: str, requests: list[int]
) -> None:
    held, handler = application(understands)
    seen = []
    async with serving(handler) as server, target_at(server.origin) as target:
        for manager in ("boss1", "boss2"):
            before = len(server.requests)
            answer = await target.update(
                USER, "u1", [Change(MANAGER, None, manager)], current=None, etag="", operation_id="op"
            )
            seen.append(len(server.requests) - before)
            assert answer.verdict is Verdict.DONE
            assert len(answer.exchanges) == seen[-1]

    assert seen == requests
    if understands != "none":
        assert held[ENTERPRISE]["manager"] == {"value": "boss2"}


@pytest.mark.parametrize("status", [400, 500])
async def test_manager_is_named_in_the_other_form_where_the_application_fails_on_the_first(status: int) -> None:
    held: dict[str, Any] = {"id": "u1", "userName": "anna"}

    async def handle(request: web.Request) -> web.StreamResponse:
        for operation in orjson.loads(await request.read())["Operations"]:
            if not isinstance(operation["value"], str):
                return web.json_response({"detail": "'str' object has no attribute"}, status=status)
            held[ENTERPRISE] = {"manager": {"value": operation["value"]}}
        return web.json_response(held)

    async with serving(handle) as server, target_at(server.origin) as target:
        for manager in ("boss1", "boss2"):
            answer = await target.update(
                USER, "u1", [Change(MANAGER, None, manager)], current=None, etag="", operation_id="op"
            )
            assert answer.verdict is Verdict.DONE

    assert held[ENTERPRISE]["manager"] == {"value": "boss2"}
    assert len(server.requests) == 3, "what was learnt once is kept"


async def test_application_that_fails_on_both_forms_is_asked_twice_and_its_answer_told() -> None:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": "no such attribute"}, status=400)

    async with serving(handle) as server, target_at(server.origin) as target:
        change = Change(MANAGER, None, "boss1")
        answer = await target.update(USER, "u1", [change], current=None, etag="", operation_id="op")

    assert answer.verdict is Verdict.REFUSED
    assert len(answer.exchanges) == len(server.requests) == 2


async def test_other_form_is_sent_the_next_time_where_an_added_element_forbids_to_repeat_the_failed_request() -> None:
    """The failed PATCH may have been stored, so it is not repeated before the account was read. The next attempt must differ."""
    held: dict[str, Any] = {"id": "u1", "userName": "anna"}

    async def handle(request: web.Request) -> web.StreamResponse:
        operations = {one["path"]: one.get("value") for one in orjson.loads(await request.read())["Operations"]}
        if not isinstance(operations[MANAGER], str):
            return web.json_response({"detail": "'dict' object has no attribute"}, status=500)
        held[ENTERPRISE] = {"manager": {"value": operations[MANAGER]}}
        return web.json_response(held)

    changes = [
        Change("roles", (), ({"value": "Reader"},), added=({"value": "Reader"},)),
        Change(MANAGER, None, "boss1"),
    ]
    async with serving(handle) as server, target_at(server.origin) as target:
        verdicts = []
        for _ in range(3):
            answer = await target.update(USER, "u1", changes, current=None, etag="", operation_id="op")
            verdicts.append((answer.verdict, len(answer.exchanges)))

    assert verdicts == [(Verdict.AMBIGUOUS, 1), (Verdict.DONE, 1), (Verdict.DONE, 1)]
