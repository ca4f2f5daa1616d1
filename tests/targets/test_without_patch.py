"""An application without PATCH is written to with PUT, and no value is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from lockstep.engine.records import Change, ObjectKind
from lockstep.ports import Verdict
from tests.support.target_servers import serving, target_at

USER, GROUP = ObjectKind.USER, ObjectKind.GROUP
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CASE = orjson.loads((Path(__file__).parents[1] / "cases" / "engine-08-no-patch.json").read_bytes())


class WithoutPatch:
    """Stores resources by path; answers PATCH with *status*."""

    def __init__(self, status: int = 501) -> None:
        self.status = status
        self.etags: list[str | None] = []
        self.held: dict[str, dict[str, Any]] = {
            "/scim/v2/Users/u1": {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "id": "u1",
                "username": "anna",
                "active": True,
                "emails": [{"type": "work", "value": "a@b.c", "primary": True}, {"type": "home", "value": "h@b.c"}],
                "roles": [{"value": "Billing"}],
                "urn:x:User": {"ours": 1},
                "meta": {"version": 'W/"7"'},
                "groups": [{"value": "g1"}],
            },
            "/scim/v2/Groups/g1": {"id": "g1", "displayName": "Sales", "members": [{"value": "u1", "type": "User"}]},
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "PATCH":
            return web.Response(status=self.status)
        if request.path == "/scim/v2/ServiceProviderConfig":
            return web.json_response(CASE["ServiceProviderConfig"])
        if request.method == "PUT":
            self.etags.append(request.headers.get("If-Match"))
            self.held[request.path] = orjson.loads(await request.read())
        return web.json_response(self.held[request.path])


CHANGES = [
    Change("userName", "anna", "anna.new"),
    Change("active", True, False),
    Change('emails[type eq "work"].value', "a@b.c", "n@b.c"),
    Change('emails[type eq "home"].value', "h@b.c", None),
    Change(f"{ENTERPRISE}:manager", None, "u2"),
    Change("roles", None, ({"value": "Billing"}, {"value": "Member"}), added=({"value": "Member"},)),
]


@pytest.mark.parametrize("status", [405, 501])
async def test_account_is_read_changed_and_sent_back_whole(status: int) -> None:
    app = WithoutPatch(status)
    async with serving(app.handle) as server, target_at(server.origin) as target:
        current = await target.get(USER, "u1")
        first = await target.update(USER, "u1", CHANGES, current=current, etag="", operation_id="op")
        again = await target.update(
            USER, "u1", [Change("active", False, True)], current=None, etag="", operation_id="op-2"
        )

    assert (first.verdict, again.verdict) == (Verdict.DONE, Verdict.DONE)
    assert app.etags[0] == 'W/"7"'
    assert [one.method for one in server.requests] == ["GET", "PATCH", "GET", "PUT", "GET", "PUT"]
    account = app.held["/scim/v2/Users/u1"]
    assert account == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "id": "u1",
        "username": "anna.new",
        "active": True,
        "emails": [{"type": "work", "value": "n@b.c", "primary": True}],
        "roles": [{"value": "Billing"}, {"value": "Member"}],
        "urn:x:User": {"ours": 1},
        ENTERPRISE: {"manager": {"value": "u2"}},
    }


async def test_members_are_sent_as_their_full_list_also_where_it_is_empty() -> None:
    app = WithoutPatch()
    async with serving(app.handle) as server, target_at(server.origin) as target:
        await target.change_members("g1", add=["u2", "u3"], remove=[], operation_id="op")
        after_add = app.held["/scim/v2/Groups/g1"]["members"]
        await target.update(
            GROUP, "g1", [Change("displayName", "Sales", "S")], current=None, etag="", operation_id="op"
        )
        renamed = app.held["/scim/v2/Groups/g1"]
        await target.change_members("g1", add=[], remove=["u1", "u2", "u3"], operation_id="op")

    assert after_add == [{"value": "u1", "type": "User"}, {"value": "u2"}, {"value": "u3"}]
    assert (renamed["displayName"], renamed["members"]) == ("S", after_add)
    assert app.held["/scim/v2/Groups/g1"]["members"] == []


async def test_application_that_takes_neither_is_refused_as_before() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "u1"}) if request.method == "GET" else web.Response(status=405)

    async with serving(handle) as server, target_at(server.origin) as target:
        answer = await target.update(
            USER, "u1", [Change("active", True, False)], current=None, etag="", operation_id="op"
        )

    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "MethodNotAllowed")
