"""A member is removed in the form that the application understands: if the answer still shows them, the other form is tried once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiohttp import web

from lockstep.ports import Verdict
from tests.support.target_servers import serving, target_at


def application(understands: str) -> tuple[list[dict[str, Any]], Any]:
    """Removes the members in the path (`path`), in the value (`value`), or none (`none`), and always returns the group."""
    held: list[dict[str, Any]] = [{"value": one} for one in ("u1", "u2", "u3")]

    async def handle(request: web.Request) -> web.StreamResponse:
        for operation in orjson.loads(await request.read())["Operations"]:
            if operation["op"].lower() != "remove":
                continue
            if operation["path"] == "members":
                gone = [one["value"] for one in operation["value"]] if understands == "value" else []
            else:
                gone = [operation["path"].split('"')[1]] if understands == "path" else []
            held[:] = [one for one in held if one["value"] not in gone]
        return web.json_response({"id": "g1", "displayName": "Sales", "members": held})

    return held, handle


@pytest.mark.parametrize(
    ("understands", "requests", "stay"), [("path", 2, []), ("value", 3, []), ("none", 3, ["u1", "u2"])]
)
async def test_member_whom_the_answer_still_shows_is_removed_in_the_other_form(
    understands: str, requests: int, stay: list[str]
) -> None:
    held, handler = application(understands)
    async with serving(handler) as server, target_at(server.origin) as target:
        for member in ("u1", "u2"):
            answer = await target.change_members("g1", add=[], remove=[member], operation_id="op")
            assert answer.verdict is Verdict.DONE

    assert [one["value"] for one in held] == [*stay, "u3"]
    assert len(server.requests) == requests
