"""Bulk requests to applications whose answers are slow, contradictory or about somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from lockstep.engine.records import ObjectKind
from lockstep.ports import Answer, NewAccount, Target, Verdict
from lockstep.sync.outcome.outcomes import requests_of
from lockstep.targets import bulk
from lockstep.targets.bulk import id_in_location
from lockstep.targets.scim_requests import RequestPurpose, ScimRequest
from tests.support.target_servers import free_port, serving, target_at

USER = ObjectKind.USER
Operation = Mapping[str, Any]


class Sloppy:
    """An application whose whole answer to a bulk request a test decides."""

    def __init__(self) -> None:
        self.offer: dict[str, Any] = {"supported": True, "maxOperations": 50, "maxPayloadSize": 1_000_000}
        self.asked: list[str] = []
        self.status = 200
        self.config_status = 200
        self.waits: dict[str, asyncio.Event] = {}  # by what was asked for
        self.content: Any = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        what = request.path.rpartition("/")[2]
        self.asked.append(what)
        status = self.status if what == "Bulk" else self.config_status
        if what in self.waits:
            await self.waits[what].wait()
        if what == "ServiceProviderConfig":
            return web.json_response({"bulk": self.offer}, status=status)
        sent = orjson.loads(await request.read())
        if what == "Users":
            return web.json_response({"id": f"single-{sent['userName']}", **sent}, status=201)
        operations = sent["Operations"]
        content = self.content(operations) if self.content else {"Operations": [result_of(one) for one in operations]}
        return web.json_response(content, status=status)


def result_of(operation: Operation, **more: Any) -> dict[str, Any]:
    user = {"id": f"id-{operation['data']['userName']}", **operation["data"]}
    return {"method": "POST", "bulkId": operation["bulkId"], "status": "201", "response": user, **more}


def all_with(**more: Any) -> Any:
    return lambda operations: {"Operations": [result_of(one, **more) for one in operations]}


@pytest.fixture
def application() -> Sloppy:
    return Sloppy()


@pytest.fixture
async def target(application: Sloppy) -> AsyncIterator[Target]:
    async with serving(application.handle) as server, target_at(server.origin) as opened:
        yield opened


async def create(target: Target, *names: str, **more: Any) -> Sequence[Answer]:
    return await target.create_many(USER, [NewAccount(f"op-{name}", {"userName": name, **more}) for name in names])


def verdicts(answers: Sequence[Answer]) -> set[Verdict]:
    return {one.verdict for one in answers}


@pytest.mark.parametrize(
    "content",
    [
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "500", "detail": "broken"},
        {}, {"Operations": {}}, {"Operations": [None, 7, "x", []]}, {"operations": []}, [], "ok",
        {"Resources": [{"id": "1", "userName": "a"}, {"id": "2", "userName": "b"}]},
    ],
)  # fmt: skip
async def test_success_without_results_proves_nothing(application: Sloppy, target: Target, content: Any) -> None:
    application.content = lambda _: content

    answers = await create(target, "a", "b")

    assert verdicts(answers) == {Verdict.AMBIGUOUS}
    assert application.asked == ["ServiceProviderConfig", "Bulk"]


@pytest.mark.parametrize("response", [[], "made", 7, {}, {"id": ["x"]}, {"id": True}, {"detail": "no"}])
async def test_result_whose_response_is_no_resource_proves_nothing(
    application: Sloppy, target: Target, response: Any
) -> None:
    application.content = all_with(response=response)

    assert verdicts(await create(target, "a", "b")) == {Verdict.AMBIGUOUS}


async def test_accepted_but_not_finished_create_proves_nothing(application: Sloppy, target: Target) -> None:
    application.content = all_with(status="202")

    assert verdicts(await create(target, "a", "b")) == {Verdict.AMBIGUOUS}


async def test_redirected_bulk_request_is_not_followed_and_proves_nothing(application: Sloppy, target: Target) -> None:
    application.status = 307

    assert verdicts(await create(target, "a", "b")) == {Verdict.AMBIGUOUS}
    assert application.asked == ["ServiceProviderConfig", "Bulk"]


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("https://x/scim/v2/Users/17", "17"), ("https://x/scim/v2/Users/a%2Fb%20c", "a/b c"), ("/users/17/", "17"),
        ("Users/17", "17"), ("https://x/scim/v2/Groups/17", ""), ("https://x/scim/v2/Users", ""), ("17", ""), ("", ""),
        ("https://x/scim/v2/Users/", ""), ("https://x/scim/v2/Users/a?b", ""), ("https://x/scim/v2/Users/a#b", ""),
        ("https://x/scim/v2/OtherUsers/17", ""), ("http://[/Users", ""),
    ],
)  # fmt: skip
def test_location_tells_an_id_only_if_it_is_a_resource_of_the_collection(location: str, found: str) -> None:
    assert id_in_location(location, "/Users") == found


async def test_location_of_another_kind_of_resource_proves_nothing(application: Sloppy, target: Target) -> None:
    application.content = all_with(response=None, location="https://x/scim/v2/Groups/17")

    assert verdicts(await create(target, "a", "b")) == {Verdict.AMBIGUOUS}


async def test_results_under_other_names_end_bulk_requests(application: Sloppy, target: Target) -> None:
    application.content = lambda operations: {
        "Operations": [result_of(one, bulkId=str(at)) for at, one in enumerate(operations)]
    }

    await create(target, "a", "b")

    assert await target.creates_at_once() == 1


async def test_secret_of_another_person_in_a_result_is_not_recorded(application: Sloppy, target: Target) -> None:
    def swapped(operations: Sequence[Operation]) -> Any:
        other = operations[1]["data"]["password"]
        refusal = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": f"{other} is taken"}
        return {"Operations": [result_of(operations[0], status="400", response=refusal), result_of(operations[1])]}

    application.content = swapped
    creates = [NewAccount(f"op-{one}", {"userName": one, "password": f"secret-of-{one}"}) for one in ("anna", "ben")]

    answers = await target.create_many(USER, creates)

    shown = "".join(one.request_body + one.response_body for answer in answers for one in answer.exchanges)
    assert "is taken" in answers[0].detail
    assert "secret-of" not in shown + answers[0].detail
    assert not answers[0].named & {"secret", "ben"}


async def test_many_throttled_results_count_as_one_refusal(application: Sloppy, target: Target) -> None:
    refusal = {"detail": "slow down"}
    application.content = all_with(status="429", response=refusal)

    answers = await create(target, *map(str, range(20)))

    assert verdicts(answers) == {Verdict.THROTTLED}
    assert max(one.wait or timedelta() for one in answers) <= timedelta(seconds=1)


async def test_pauses_grow_while_every_result_is_throttled(application: Sloppy, target: Target) -> None:
    application.content = all_with(status="429", response={"detail": "slow down"})

    first = await create(target, "a", "b")
    target._sender._pace._bucket.paused_until = 0  # type: ignore[attr-defined]  # the pause is over
    second = await create(target, "a", "b")

    assert first[0].wait is not None and second[0].wait is not None
    assert second[0].wait > 1.5 * first[0].wait


async def test_request_that_was_never_sent_counts_once() -> None:
    async with target_at(f"http://127.0.0.1:{free_port()}") as target:
        target._bulk._limits = bulk.BulkLimits(50, 10_000)

        answers = await create(target, "a", "b", "c")

    assert verdicts(answers) == {Verdict.UNREACHABLE}
    assert [requests_of(one) for one in answers] == [1, 0, 0]


async def test_failed_request_does_not_bring_back_bulk_requests_that_another_one_ended(
    application: Sloppy, target: Target
) -> None:
    await target.creates_at_once()
    application.status = 500
    application.waits["Bulk"] = asyncio.Event()
    slow = asyncio.create_task(create(target, *map(str, range(8))))
    async with asyncio.timeout(10):
        while "Bulk" not in application.asked:
            await asyncio.sleep(0.001)
        target._bulk._limits = bulk.BulkLimits()  # type: ignore[attr-defined]
        application.waits["Bulk"].set()
        await slow

    assert await target.creates_at_once() == 1


async def test_creates_that_do_not_fit_into_one_request_make_the_next_requests_smaller(
    application: Sloppy, target: Target
) -> None:
    application.offer["maxPayloadSize"] = 700

    await create(target, *map(str, range(10)), displayName="x" * 100)

    assert 1 < await target.creates_at_once() < 4


async def test_application_that_does_not_tell_its_limits_is_not_asked_before_every_create(
    application: Sloppy, target: Target
) -> None:
    application.config_status = 503

    assert [await target.creates_at_once() for _ in range(5)] == [1] * 5

    assert application.asked == ["ServiceProviderConfig"]


async def test_only_one_caller_waits_for_the_limits(application: Sloppy, target: Target) -> None:
    application.waits["ServiceProviderConfig"] = asyncio.Event()
    asking = asyncio.create_task(target.creates_at_once())
    async with asyncio.timeout(10):
        while not application.asked:
            await asyncio.sleep(0.001)

        assert await target.creates_at_once() == 1

        application.waits["ServiceProviderConfig"].set()
        assert await asking == 50


async def test_wait_for_the_limits_is_short(
    application: Sloppy, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LONGEST_QUESTION_SECONDS", 0.05)
    application.waits["ServiceProviderConfig"] = asyncio.Event()

    assert await target.creates_at_once() == 1  # although the deadline of the request is not reached

    application.waits["ServiceProviderConfig"].set()


async def test_request_carries_exactly_as_many_operations_as_the_application_allows(
    application: Sloppy, target: Target
) -> None:
    sizes: list[int] = []

    def counted(operations: Sequence[Operation]) -> Any:
        sizes.append(len(operations))
        return {"Operations": [result_of(one) for one in operations]}

    application.content = counted
    application.offer["maxOperations"] = 3

    await create(target, *map(str, range(6)))

    assert sizes == [3, 3]


def test_no_request_exceeds_the_largest_size_and_the_size_is_used() -> None:
    request = ScimRequest(RequestPurpose.CREATE, USER, "POST", "/Users", b'{"userName":"anna"}')
    creates = [bulk._Create.of(request, f"op-{number}") for number in range(6)]
    whole = len(bulk._document([create.part for create in creates[:3]]))
    sizes: list[list[int]] = []

    for limit in (whole - 1, whole + 1):
        found = bulk.BulkCreates(None)  # type: ignore[arg-type]
        found._limits = bulk.BulkLimits(50, limit)
        sizes.append([len(part) for part in found._parts(creates)])

    assert sizes == [[2, 2, 2], [3, 3]]


@pytest.mark.parametrize("supported", ["true", "false", 1, None])
def test_bulk_requests_are_offered_by_true_alone(supported: Any) -> None:
    offer = {"supported": supported, "maxOperations": 50, "maxPayloadSize": 9999}

    assert bulk.read_limits({"bulk": offer}) == bulk.BulkLimits()
