"""`lockstep scim check`: what it finds on real servers, what it shows, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from lockstep.cli.scim import scim
from lockstep.errors import Kind, LockstepError
from lockstep.targets.conformance.catalogue import CHECKS, EmulatedClient
from lockstep.targets.conformance.report import as_curl
from lockstep.targets.conformance.run import CheckReport, CheckVerdict, run_checks
from lockstep.vault import Secret
from tests.support.target_servers import (
    LIST_URN,
    TOKEN_FOR_SCIM2,
    allowing,
    answering,
    free_port,
    scim2_server,
    serving,
)

# What a server that follows the RFC to the letter does not take from Entra.
BEYOND_THE_RFC = {"G3", "G6", "G6a", "U5a", "U5b", "U8", "U8-flag", "U10"}


@pytest.fixture(scope="module")
async def strict() -> AsyncIterator[str]:
    async with scim2_server() as origin:
        yield origin


@asynccontextmanager
async def documo(profile: str) -> AsyncIterator[tuple[str, str]]:
    """A throw-away Documo; its base URL and token."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("documo"),
        "sandbox",
        "--profile",
        profile,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            ready = orjson.loads(await process.stdout.readline())
        yield ready["base_url"], ready["token"]
    finally:
        process.terminate()
        await process.wait()


def invoke(*arguments: str, token: str | None = TOKEN_FOR_SCIM2, stdin: str | None = None) -> Result:
    return CliRunner().invoke(scim, ["check", *arguments], env={"SCIM_TOKEN": token}, input=stdin)


async def run_on(origin: str, *clients: EmulatedClient, token: str = "t-o-k-e-n") -> CheckReport:
    client = allowing("/".join(origin.split("/")[:3]))
    try:
        return await run_checks(
            client, origin, Secret(token), clients=clients or tuple(EmulatedClient), deadline_seconds=5
        )
    finally:
        await client.close()


def ids(report: CheckReport, verdict: CheckVerdict) -> set[str]:
    return {result.check.id for result in report.results if result.verdict is verdict}


async def total_of(origin: str, path: str) -> int:
    client = allowing(origin)
    response = await client.send(
        "GET",
        f"{origin}{path}",
        headers={"Authorization": f"Bearer {TOKEN_FOR_SCIM2}"},
        deadline=asyncio.get_running_loop().time() + 5,
    )
    await client.close()
    return int(orjson.loads(response.body)["totalResults"])


async def test_strict_server_fails_only_where_entra_leaves_the_rfc(strict: str) -> None:
    report = await run_on(strict, token=TOKEN_FOR_SCIM2)

    assert ids(report, CheckVerdict.FAIL) == BEYOND_THE_RFC
    assert ids(report, CheckVerdict.WARN) == {"G3a"}
    assert len(report.results) == len(CHECKS)


async def test_nothing_stays_behind(strict: str) -> None:
    report = await run_on(strict, EmulatedClient.OKTA, token=TOKEN_FOR_SCIM2)

    assert report.left_behind == ()
    assert await total_of(strict, "/Users") == await total_of(strict, "/Groups") == 0


async def test_documo_takes_everything_that_entra_and_okta_send() -> None:
    async with documo("lenient") as (url, token):
        report = await run_on(url, token=token)

    assert [result.sentence for result in report.results if result.verdict is CheckVerdict.FAIL] == []
    assert report.left_behind == ()


@pytest.fixture(scope="module")
def written(strict: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ElementTree.Element]:
    """The JSON and JUnit XML that one run writes."""
    file = tmp_path_factory.mktemp("junit") / "scim.xml"
    result = invoke(strict, "-o", "json", "--junit", str(file))
    assert result.exit_code == 3
    return orjson.loads(result.stdout), ElementTree.parse(file).getroot()


def test_table_ends_with_counts_and_the_exit_code_is_3(strict: str) -> None:
    result = invoke(strict)

    assert result.exit_code == 3
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["CHECK", "CLIENT", "VERDICT", "WHAT"]
    assert lines[-1].startswith(f"{len(CHECKS) - 9} ok, 1 warning, 8 FAILED, 0 skipped; ")
    assert TOKEN_FOR_SCIM2 not in result.output


def test_exit_code_is_0_when_nothing_failed(strict: str) -> None:
    result = invoke(strict, "--client", "okta", "--token-stdin", token=None, stdin=f"{TOKEN_FOR_SCIM2}\n")

    assert result.exit_code == 0, result.output


def test_json_has_every_check_with_its_exchange(written: tuple[dict[str, Any], ElementTree.Element]) -> None:
    report, _ = written

    failed = {check["id"]: check for check in report["checks"] if check["verdict"] == "fail"}
    assert (report["ok"], report["counts"]["fail"]) == (False, 8)
    assert set(failed) == BEYOND_THE_RFC
    assert failed["U5a"]["exchange"]["status"] == 400
    assert '-H "Authorization: Bearer $SCIM_TOKEN"' in failed["U5a"]["exchange"]["curl"]


def test_curl_of_a_failure_is_what_was_sent(written: tuple[dict[str, Any], ElementTree.Element]) -> None:
    report, _ = written
    shown = next(check["exchange"]["curl"] for check in report["checks"] if check["id"] == "U5b")

    words = shlex.split(shown)

    assert words[:4] == ["curl", "-sS", "-X", "PATCH"]
    assert orjson.loads(words[-1])["Operations"] == [
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "User"}
    ]


def test_junit_names_failures(written: tuple[dict[str, Any], ElementTree.Element]) -> None:
    _, suite = written

    failed = {case.get("name", "").split()[0] for case in suite if case.find("failure") is not None}
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", str(len(CHECKS)), "8")
    assert failed == BEYOND_THE_RFC


@pytest.mark.parametrize("arguments", [(), ("--token-stdin",)])
def test_without_a_token_nothing_is_sent(arguments: tuple[str, ...]) -> None:
    result = invoke("https://api.example.com/scim/v2", *arguments, token=None, stdin="\n")

    assert isinstance(result.exception, LockstepError)
    assert result.exception.kind is Kind.INVALID
    assert result.exception.detail.startswith("No token was given in ")


@pytest.mark.parametrize(
    "url", ["api.example.com/scim", "ftp://example.com/", "https://user:pw@example.com/", "http://"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    result = invoke(url)

    assert isinstance(result.exception, LockstepError)
    assert result.exception.kind is Kind.INVALID


async def test_server_that_cannot_be_reached_ends_the_run() -> None:
    with pytest.raises(LockstepError) as caught:
        await run_on(f"http://127.0.0.1:{free_port()}")

    assert caught.value.kind is Kind.UNREACHABLE


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Kind.UNAUTHORIZED), (403, Kind.UNAUTHORIZED), (404, Kind.UNREACHABLE)]
)
async def test_server_that_refuses_the_token_ends_the_run(status: int, kind: Kind) -> None:
    async with serving(answering(status)) as server:
        with pytest.raises(LockstepError) as caught:
            await run_on(server.origin)

    assert caught.value.kind is kind
    assert len(server.requests) == 1


class Careless:
    """A SCIM server with the most common faults: filters answer 404, a remove empties the group, the rest works halfway."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if request.method == "POST":
            body = orjson.loads(await request.read())
            made = body | {"id": str(len(self.things) + 1)}
            self.things[f"{path}/{made['id']}"] = made
            return web.json_response(made, status=201)
        if request.method == "GET" and path in ("/Users", "/Groups"):
            if "filter" in request.query:
                return web.json_response({"error": "not found"}, status=404)
            return web.json_response({"totalResults": "many", "Resources": None})
        thing = self.things.get(path)
        if thing is None:
            return web.Response(status=500, text="<html>NullPointerException</html>")
        if request.method == "DELETE":
            return web.Response(status=405)
        if request.method == "PATCH":
            operation = orjson.loads(await request.read())["Operations"][0]
            thing["members"] = operation["value"] if operation["op"] == "add" else []
            return web.Response(status=204)
        return web.json_response(thing)


async def test_common_faults_of_servers_are_named() -> None:
    async with serving(Careless()) as server:
        report = await run_on(server.origin, EmulatedClient.ENTRA)

    sentences = {result.check.id: result.sentence for result in report.results}
    assert sentences["U2"] == "GET /Users answered 404 instead of 200"
    assert sentences["G6"] == "it removed all members, although only one was named"
    assert sentences["E5"] == "GET /Users/no-such-account-0000 answered 500 instead of 404"
    assert sentences["P1"] == "GET /Users did not answer with a ListResponse (totalResults, Resources)"


async def test_what_cannot_be_deleted_is_told() -> None:
    async with serving(Careless()) as server:
        report = await run_on(server.origin, EmulatedClient.ENTRA)

    assert len(report.left_behind) > 10
    assert report.left_behind[0].startswith("/Groups/")


async def test_failure_shows_the_exchange_at_which_it_showed() -> None:
    async with serving(Careless()) as server:
        report = await run_on(server.origin, EmulatedClient.ENTRA)

    exchanges = {result.check.id: result.exchange for result in report.results}
    exchange, without_token = exchanges["U2"], exchanges["A1"]
    assert exchange is not None
    assert without_token is not None
    assert exchange.status == 404
    assert "Authorization" not in as_curl(without_token)
    assert as_curl(exchange).startswith(f"curl -sS '{server.origin}/Users?filter=userName+eq+%22lockstep-check-")


async def test_server_without_groups_skips_their_checks() -> None:
    careless = Careless()

    async def without_groups(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=404) if request.path.startswith("/Groups") else await careless(request)

    async with serving(without_groups) as server:
        report = await run_on(server.origin)

    groups = {each.id for each in CHECKS if each.needs_groups}
    assert ids(report, CheckVerdict.SKIP) >= groups


async def test_request_that_came_too_early_is_sent_again() -> None:
    answered = 0

    async def busy(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal answered
        answered += 1
        if answered % 2:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.json_response(
            {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0, "Resources": []}
        )

    async with serving(busy) as server:
        report = await run_on(server.origin, EmulatedClient.ENTRA)

    assert next(result for result in report.results if result.check.id == "U2").verdict is CheckVerdict.OK


def test_every_call_of_the_specification_is_checked() -> None:
    have = {each.id for each in CHECKS}

    assert {f"U{number}" for number in range(1, 11)} <= have
    assert {f"G{number}" for number in range(1, 9)} <= have
    assert len(have) == len(CHECKS)


def named(body: bytes) -> dict[str, Any] | None:
    """The resource in *body*, if it has a user name."""
    try:
        resource = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return resource if isinstance(resource, dict) and isinstance(resource.get("userName"), str) else None


def forgetful(*, ignores_filters: bool = False) -> tuple[dict[str, dict[str, Any]], Any]:
    """A server whose 201 has no id, and which refuses to delete a resource that does not exist; what it holds, and its handler."""
    held: dict[str, dict[str, Any]] = {"1": {"id": "1", "userName": "boss@example.com"}}

    async def handle(request: web.Request) -> web.StreamResponse:
        collection, _, user = request.path.removeprefix("/").partition("/")
        if collection != "Users":
            return web.json_response({}, status=404)
        if request.method == "POST":
            made = named(await request.read())
            if made is None:
                return web.json_response({}, status=400)
            made["id"] = str(len(held) + 1)
            held[made["id"]] = made
            return web.json_response({"userName": made["userName"]}, status=201)
        if request.method == "DELETE":
            return web.Response(status=204) if held.pop(user, None) else web.Response(status=500)
        if user:
            return web.json_response(held[user]) if user in held else web.json_response({}, status=404)
        wanted = request.query.get("filter", "")
        found = [
            one
            for one in held.values()
            if ignores_filters or not wanted or orjson.dumps(one["userName"]).decode() in wanted
        ]
        return web.json_response({"schemas": [LIST_URN], "totalResults": len(found), "Resources": found})

    return held, handle


@pytest.mark.parametrize("ignores_filters", [False, True])
async def test_account_whose_creation_was_answered_without_id_is_found_by_name_and_deleted(
    ignores_filters: bool,
) -> None:
    held, handler = forgetful(ignores_filters=ignores_filters)
    async with serving(handler) as server:
        client = allowing(server.origin)
        report = await run_checks(client, server.origin, Secret("t"))
        await client.close()

    assert report.left_behind == ()
    assert list(held) == ["1"], "an account that the checks did not make is never deleted"


async def test_what_cannot_be_found_again_is_named() -> None:
    _, handler = forgetful()

    async def hides(request: web.Request) -> web.StreamResponse:
        empty = {"schemas": [LIST_URN], "totalResults": 0, "Resources": []}
        return web.json_response(empty) if "filter" in request.query else await handler(request)

    async with serving(hides) as server:
        client = allowing(server.origin)
        report = await run_checks(client, server.origin, Secret("t"))
        await client.close()

    assert report.left_behind
    assert all("userName eq" in one and "lockstep-check-" in one for one in report.left_behind)


async def test_what_is_gone_already_is_not_left_behind() -> None:
    held: dict[str, dict[str, Any]] = {}

    async def handle(request: web.Request) -> web.StreamResponse:
        user = request.path.partition("/Users/")[2]
        if request.method == "POST" and request.path == "/Users":
            made = named(await request.read())
            if made is None:
                return web.json_response({}, status=400)
            made["id"] = f"u{len(held)}"
            held[made["id"]] = made
            return web.json_response(made, status=201)
        if request.method == "DELETE":
            return web.Response(status=204) if held.pop(user, None) else web.Response(status=500)
        if user in held:
            return web.json_response(held.pop(user))  # somebody else deletes it
        empty = {"schemas": [LIST_URN], "totalResults": 0, "Resources": []}
        return web.json_response(empty) if request.path == "/Users" else web.json_response({}, status=404)

    async with serving(handle) as server:
        client = allowing(server.origin)
        report = await run_checks(client, server.origin, Secret("t"))
        await client.close()

    assert report.left_behind == ()


class UnderConstruction:
    """A SCIM server under construction: it answers a create with 200, and lists without `schemas`."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST" and request.path == "/Users":
            made = {**orjson.loads(await request.read()), "id": str(len(self.people) + 1)}
            self.people[f"/Users/{made['id']}"] = made
            return web.json_response(made)
        if request.path == "/Users":
            return web.json_response({"totalResults": 0, "Resources": []})
        if request.method == "DELETE":
            del self.people[request.path]
            return web.Response(status=204)
        if request.path in self.people:
            return web.json_response(self.people[request.path])
        return web.Response(status=404)


async def test_fault_of_every_answer_is_named_by_its_own_check_and_hides_nothing_else() -> None:
    async with serving(UnderConstruction()) as server:
        report = await run_on(server.origin)

    found = {result.check.id: result.sentence for result in report.results}
    blamed = [check for check, sentence in found.items() if sentence == "POST /Users answered 200 instead of 201"]
    assert blamed == ["E0", "U4", "O2"]
    assert [check for check, sentence in found.items() if "ListResponse" in sentence] == ["P0"]
    assert found["U1"].startswith("the search result is [] instead of")
