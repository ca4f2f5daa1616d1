"""The deep form of Test Connection sends what provisioning sends, reports what works, and deletes what it created."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiohttp import web

from lockstep.engine.records import ObjectKind
from lockstep.ports import Probe
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.target_servers import (
    LIST_URN,
    TOKEN_FOR_SCIM2,
    allowing,
    answering,
    scim2_server,
    serving,
    settings_for,
)

Keep = Callable[[str, dict[str, Any]], dict[str, Any]]


class PutOnly:
    """An in-memory SCIM server without PATCH, except of the *patched* collections (add and remove members, replace displayName).

    *keep* decides what it stores of a body, *shows* what it returns of that.
    """

    def __init__(
        self, keep: Keep = lambda _, sent: sent, shows: Keep = lambda _, held: held, *, patched: Sequence[str] = ()
    ) -> None:
        self.patched = patched
        self.held: dict[str, dict[str, Any]] = {}
        self.keep, self.shows = keep, shows
        self.methods: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/scim/v2")
        collection = path.split("/")[1]
        self.methods.append(request.method)
        body = await request.read()
        if request.method == "POST":
            made = {"id": str(uuid4())} | self.keep(collection, orjson.loads(body))
            self.held[f"/{collection}/{made['id']}"] = made
            return web.json_response(self.shows(collection, made), status=201)
        if path == f"/{collection}":
            wanted = request.query.get("filter", "")
            found = [
                self.shows(collection, one)
                for place, one in self.held.items()
                if place.startswith(path)
                and orjson.dumps(one.get("userName") or one.get("displayName")).decode() in wanted
            ]
            return web.json_response({"schemas": [LIST_URN], "totalResults": len(found), "Resources": found})
        if path not in self.held:
            return web.json_response({}, status=404)
        if request.method == "PATCH" and collection in self.patched:
            patch_group(self.held[path], orjson.loads(body)["Operations"])
        elif request.method == "PATCH":
            return web.json_response({"detail": "not here"}, status=501)
        if request.method == "PUT":
            self.held[path] = {"id": self.held[path]["id"]} | self.keep(collection, orjson.loads(body))
        if request.method == "DELETE":
            del self.held[path]
            return web.Response(status=204)
        return web.json_response(self.shows(collection, self.held[path]))


def patch_group(group: dict[str, Any], operations: Sequence[dict[str, Any]]) -> None:
    for one in operations:
        value: Any = one.get("value")
        if one.get("path", "").startswith("members"):
            named = [str(member["value"]) for member in value or ()] or re.findall(r'"([^"]+)"', str(one["path"]))
            others = [member for member in group.get("members", []) if member["value"] not in named]
            group["members"] = others + ([{"value": one} for one in named] if one["op"].lower() == "add" else [])
        else:
            group["displayName"] = value if isinstance(value, str) else value["displayName"]


async def probes_of(origin: str, **more: Any) -> dict[str, Probe]:
    targets = ScimTargets(client=allowing(origin))
    probes = await targets.test_deeply(settings_for(origin, **more))
    await targets.close()
    return {probe.name: probe for probe in probes}


def failed(probes: dict[str, Probe]) -> list[str]:
    return [probe.name for probe in probes.values() if probe.tried and not probe.passed]


async def test_strict_server_passes_every_probe_with_what_provisioning_sends() -> None:
    async with scim2_server() as origin:
        probes = await probes_of(origin, tenant_url=origin, secret=Secret(TOKEN_FOR_SCIM2))

    assert failed(probes) == []
    assert all(probe.tried and probe.is_verified for probe in probes.values())
    assert probes["Clean-up"].sentence == "Everything that was created was deleted"


async def test_application_without_patch_passes_and_is_said_to_get_whole_resources() -> None:
    server = PutOnly()
    async with serving(server) as at:
        probes = await probes_of(at.origin)

    assert failed(probes) == []
    assert "whole resources are sent with PUT" in probes["Change"].sentence
    assert "whole resources are sent with PUT" in probes["Add members"].sentence
    assert server.held == {}


class WithoutGroups(PutOnly):
    async def __call__(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=404) if "/Groups" in request.path else await super().__call__(request)


async def test_people_are_tried_in_an_application_without_groups() -> None:
    async with serving(WithoutGroups()) as at:
        probes = await probes_of(at.origin)

    assert failed(probes) == ["Groups"]
    assert probes["Enable"].tried and probes["Enable"].passed
    assert probes["Create a group"].sentence == "Skipped because Groups failed"
    assert probes["Clean-up"].sentence == "Everything that was created was deleted"


async def test_groups_that_can_be_patched_are_not_said_to_lack_it_because_people_do() -> None:
    async with serving(PutOnly(patched=["Groups"])) as at:
        probes = await probes_of(at.origin)

    assert failed(probes) == []
    assert "whole resources are sent with PUT" in probes["Change"].sentence
    assert probes["Add members"].sentence == "Members are added and kept"


async def test_members_that_are_not_shown_are_unverifiable_and_not_done() -> None:
    def without_members(_: str, held: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in held.items() if name != "members"}

    async with serving(PutOnly(shows=without_members)) as at:
        probes = await probes_of(at.origin)

    assert failed(probes) == []
    assert [name for name, probe in probes.items() if not probe.is_verified] == [
        "Add members",
        "Remove a member",
        "Rename a group",
    ]
    assert probes["Add members"].remedy


@pytest.mark.parametrize(
    ("forgets", "probe", "remedy"),
    [
        ("active", "Disable", "Ask the vendor how an account is disabled"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "Manager", "lockstep map set documo"),
    ],
)
async def test_value_that_is_accepted_and_not_kept_fails_its_probe_with_a_remedy(
    forgets: str, probe: str, remedy: str
) -> None:
    def forgetful(_: str, sent: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in sent.items() if name != forgets} | (
            {"active": True} if forgets == "active" else {}
        )

    server = PutOnly(keep=forgetful)
    async with serving(server) as at:
        probes = await probes_of(at.origin)

    assert failed(probes) == [probe]
    assert remedy in probes[probe].remedy
    assert server.held == {}


async def test_what_was_made_is_deleted_where_later_steps_fail() -> None:
    server = PutOnly()

    async def breaks(request: web.Request) -> web.StreamResponse:
        if request.method in ("PATCH", "PUT") or (request.method == "POST" and request.path.endswith("/Groups")):
            return web.json_response({"detail": "out of order"}, status=400)
        return await server(request)

    async with serving(breaks) as at:
        probes = await probes_of(at.origin)

    assert {"Change", "Disable", "Create a group"} <= set(failed(probes))
    assert not probes["Add members"].tried and "Create a group failed" in probes["Add members"].sentence
    assert probes["Clean-up"].passed
    assert server.held == {}


async def test_account_that_was_created_without_an_answer_is_found_and_deleted() -> None:
    server = PutOnly()

    async def silent(request: web.Request) -> web.StreamResponse:
        answer = await server(request)
        return web.Response(status=500) if request.method == "POST" else answer

    async with serving(silent) as at:
        probes = await probes_of(at.origin)

    assert failed(probes) == ["Create"]
    assert server.held == {}


async def test_what_cannot_be_deleted_is_named() -> None:
    server = PutOnly()

    async def keeps(request: web.Request) -> web.StreamResponse:
        return web.Response(status=405) if request.method == "DELETE" else await server(request)

    async with serving(keeps) as at:
        probes = await probes_of(at.origin, kinds=(ObjectKind.USER,))

    assert failed(probes) == ["Clean-up"]
    assert all(one["userName"] in probes["Clean-up"].sentence for one in server.held.values())
    assert len(server.held) == 2


async def test_connection_that_does_not_work_is_told_and_nothing_is_written() -> None:
    async with serving(answering(401)) as at:
        probes = await probes_of(at.origin)

    assert failed(probes) == ["Authentication"]
    assert not probes["Create"].tried
    assert {seen.method for seen in at.requests} == {"GET"}
