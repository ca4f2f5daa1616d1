"""Creates in one bulk request (RFC 7644, section 3.7), to applications that answer as scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import orjson
import pytest
from aiohttp import web

from lockstep.engine.records import ObjectKind
from lockstep.ports import Answer, NewAccount, Target, Verdict
from lockstep.sync.outcome.outcomes import requests_of
from lockstep.targets import bulk
from lockstep.targets.bulk import BulkLimits, read_limits
from tests.support.target_servers import serving, target_at

USER = ObjectKind.USER
OFFER = {"supported": True, "maxOperations": 50, "maxPayloadSize": 1_000_000}
URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
Result = dict[str, Any]


class BulkApplication:
    """Answers each operation of a bulk request with `result`, and single creates correctly."""

    def __init__(self) -> None:
        self.offer: Any = OFFER
        self.status = 200
        self.config_status = 200
        self.asked: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.result: Callable[[dict[str, Any]], Result | None] = made
        self.turns_around = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        what = request.path.rpartition("/")[2]
        self.asked.append(what)
        if what == "ServiceProviderConfig":
            return web.json_response({"bulk": self.offer}, status=self.config_status)
        content = orjson.loads(await request.read())
        if what == "Users":
            return web.json_response({"id": f"single-{content['userName']}", **content}, status=201)
        self.bodies.append(content)
        if self.status != 200:
            values = [value for one in content["Operations"] for value in one["data"].values()]
            schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"]
            return web.json_response({"schemas": schemas, "detail": f"Refused: {values}"}, status=self.status)
        results = [one for one in map(self.result, content["Operations"]) if one is not None]
        if self.turns_around:
            results.reverse()
        return web.json_response({"schemas": [URN], "Operations": results})


def made(operation: Mapping[str, Any]) -> Result:
    user = {"id": f"id-{operation['data']['userName']}", **operation["data"]}
    return {
        "method": "POST", "bulkId": operation["bulkId"], "status": "201", "version": 'W/"1"', "response": user,
        "location": f"http://x/Users/{user['id']}",
    }  # fmt: skip


def refused(operation: Mapping[str, Any], status: int | str) -> Result:
    return {"method": "POST", "bulkId": operation["bulkId"], "status": status, "response": {"detail": "no"}}


@pytest.fixture
def application() -> BulkApplication:
    return BulkApplication()


@pytest.fixture
async def target(application: BulkApplication) -> AsyncIterator[Target]:
    async with serving(application.handle) as server, target_at(server.origin) as opened:
        yield opened


async def create(target: Target, names: Sequence[str], **more: Any) -> Sequence[Answer]:
    return await target.create_many(USER, [NewAccount(f"op-{name}", {"userName": name, **more}) for name in names])


def ids(answers: Sequence[Answer]) -> list[str]:
    return [one.account.id if one.account is not None else "" for one in answers]


def verdicts(answers: Sequence[Answer]) -> list[Verdict]:
    return [one.verdict for one in answers]


async def test_limits_are_asked_for_once(application: BulkApplication, target: Target) -> None:
    for _ in range(3):
        assert await target.creates_at_once() == 50
        await create(target, ["a", "b"])

    assert application.asked == ["ServiceProviderConfig", "Bulk", "Bulk", "Bulk"]


@pytest.mark.parametrize(
    "offer",
    [
        None, {}, {"supported": False, "maxOperations": 50, "maxPayloadSize": 9999}, {"supported": "true"},
        {"supported": True}, {"supported": True, "maxOperations": 0, "maxPayloadSize": 9999},
        {"supported": True, "maxOperations": True, "maxPayloadSize": 9999}, [], "yes",
        {"supported": True, "maxOperations": 50},
    ],
)  # fmt: skip
async def test_application_that_offers_no_usable_bulk_requests_gets_single_ones(
    application: BulkApplication, target: Target, offer: Any
) -> None:
    application.offer = offer

    assert await target.creates_at_once() == 1
    assert ids(await create(target, ["a", "b"])) == ["single-a", "single-b"]
    assert application.asked == ["ServiceProviderConfig", "Users", "Users"]


async def test_limits_are_asked_for_again_if_the_application_was_down(
    application: BulkApplication, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "ASK_AGAIN_SECONDS", 0)
    application.config_status = 502
    assert await target.creates_at_once() == 1

    application.config_status = 200

    assert await target.creates_at_once() == 50


async def test_results_belong_to_creates_by_bulk_id_and_not_by_place(
    application: BulkApplication, target: Target
) -> None:
    application.turns_around = True

    answers = await create(target, ["a", "b", "c"])

    assert (ids(answers), verdicts(answers)) == (["id-a", "id-b", "id-c"], [Verdict.DONE] * 3)
    assert [one.account.etag for one in answers if one.account] == ['W/"1"'] * 3
    assert [one["bulkId"] for one in application.bodies[0]["Operations"]] == ["op-a", "op-b", "op-c"]


async def test_bulk_request_counts_as_one_request(target: Target) -> None:
    assert [requests_of(one) for one in await create(target, ["a", "b", "c"])] == [1, 0, 0]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("409", Verdict.CONFLICT), ("400", Verdict.REFUSED), (400, Verdict.REFUSED), ({"code": "409"}, Verdict.CONFLICT),
        ("429", Verdict.THROTTLED), ("500", Verdict.AMBIGUOUS), ("401", Verdict.UNAUTHORIZED),
        ("", Verdict.AMBIGUOUS), (None, Verdict.AMBIGUOUS), ("2O1", Verdict.AMBIGUOUS), (True, Verdict.AMBIGUOUS),
        ("99", Verdict.AMBIGUOUS), (7, Verdict.AMBIGUOUS),
    ],
)  # fmt: skip
async def test_each_result_is_read_like_the_response_to_a_single_create(
    application: BulkApplication, target: Target, status: Any, verdict: Verdict
) -> None:
    application.result = lambda one: refused(one, status) if one["bulkId"] == "op-b" else made(one)

    answers = await create(target, ["a", "b", "c"])

    assert verdicts(answers) == [Verdict.DONE, verdict, Verdict.DONE]
    assert ids(answers) == ["id-a", "", "id-c"]


async def test_create_without_a_result_is_ambiguous(application: BulkApplication, target: Target) -> None:
    application.result = lambda one: None if one["bulkId"] == "op-b" else made(one)

    answers = await create(target, ["a", "b", "c"])

    assert verdicts(answers) == [Verdict.DONE, Verdict.AMBIGUOUS, Verdict.DONE]
    assert answers[1].is_not_scim


@pytest.mark.parametrize("bulk_id", ["op-a", None, 7, "op-x"])
async def test_result_that_may_belong_to_another_create_proves_nothing(
    application: BulkApplication, target: Target, bulk_id: Any
) -> None:
    application.result = lambda one: {**made(one), "bulkId": bulk_id} if one["bulkId"] == "op-b" else made(one)

    answers = await create(target, ["a", "b", "c"])

    wrong_too = bulk_id == "op-a"
    assert verdicts(answers) == [Verdict.AMBIGUOUS if wrong_too else Verdict.DONE, Verdict.AMBIGUOUS, Verdict.DONE]


async def test_location_tells_the_id_if_the_account_is_not_in_the_result(
    application: BulkApplication, target: Target
) -> None:
    def short(one: Mapping[str, Any]) -> Result:
        return {name: value for name, value in made(one).items() if name != "response"}

    application.result = short

    answers = await create(target, ["a", "b"])

    assert (ids(answers), verdicts(answers)) == (["id-a", "id-b"], [Verdict.DONE] * 2)
    assert await target.creates_at_once() == 1  # each account must be read, so that nothing is saved


@pytest.mark.parametrize("status", [404, 405, 413, 501])
async def test_creates_are_sent_alone_if_the_bulk_request_was_certainly_not_carried_out(
    application: BulkApplication, target: Target, status: int
) -> None:
    application.status = status

    answers = await create(target, ["a", "b"])

    assert (ids(answers), verdicts(answers)) == (["single-a", "single-b"], [Verdict.DONE] * 2)
    assert application.asked == ["ServiceProviderConfig", "Bulk", "Users", "Users"]
    assert await target.creates_at_once() == 1


@pytest.mark.parametrize("status", [400, 409, 412, 422])
async def test_refusal_of_the_whole_request_blames_nobody_and_proves_nothing(
    application: BulkApplication, target: Target, status: int
) -> None:
    application.status = status

    answers = await create(target, ["a", "b"])

    assert verdicts(answers) == [Verdict.AMBIGUOUS] * 2
    assert application.asked == ["ServiceProviderConfig", "Bulk"]
    assert await target.creates_at_once() == 1


@pytest.mark.parametrize(
    ("status", "verdict"), [(401, Verdict.UNAUTHORIZED), (429, Verdict.THROTTLED), (500, Verdict.AMBIGUOUS)]
)
async def test_what_happens_to_the_whole_request_holds_for_every_create(
    application: BulkApplication, target: Target, status: int, verdict: Verdict
) -> None:
    application.status = status

    answers = await create(target, ["a", "b", "c", "d"])

    assert verdicts(answers) == [verdict] * 4
    assert [one.exchanges[0].status for one in answers] == [status] * 4
    assert [requests_of(one) for one in answers] == [1, 0, 0, 0]
    assert await target.creates_at_once() == (2 if verdict is Verdict.AMBIGUOUS else 50)


async def test_requests_keep_to_the_number_of_operations_and_bytes_that_the_application_takes(
    application: BulkApplication, target: Target
) -> None:
    names = [f"person-{number:03}" for number in range(20)]
    application.offer = {"supported": True, "maxOperations": 7, "maxPayloadSize": 700}

    answers = await create(target, names)

    assert [one.rpartition("person")[2] for one in ids(answers)] == [name.removeprefix("person") for name in names]
    assert all(len(body["Operations"]) <= 7 for body in application.bodies)
    assert all(len(orjson.dumps(body)) <= 700 for body in application.bodies)
    assert len(application.bodies) < 20


async def test_record_shows_the_own_operation_alone_without_secrets_of_anybody(
    application: BulkApplication, target: Target
) -> None:
    creates = [
        NewAccount(f"op-{name}", {"userName": name, "password": f"secret-of-{name}"}) for name in ("anna", "ben")
    ]

    answers = await target.create_many(USER, creates)

    (exchange,) = answers[1].exchanges
    sent, received = orjson.loads(exchange.request_body), orjson.loads(exchange.response_body)
    assert (exchange.method, exchange.url.rpartition("/")[2], exchange.status) == ("POST", "Bulk", 201)
    assert [one["data"]["userName"] for one in sent["Operations"]] == ["ben"]
    assert [one["response"]["userName"] for one in received["Operations"]] == ["ben"]
    shown = "".join(one.request_body + one.response_body for answer in answers for one in answer.exchanges)
    assert "secret-of" not in shown


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_secrets_of_nobody_are_in_the_records_of_a_failed_request_that_quotes_them(
    application: BulkApplication, target: Target, status: int
) -> None:
    application.status = status
    creates = [
        NewAccount(f"op-{name}", {"userName": name, "password": f"secret-of-{name}"}) for name in ("anna", "ben")
    ]

    answers = await target.create_many(USER, creates)

    shown = "".join(one.request_body + one.response_body for answer in answers for one in answer.exchanges)
    assert "anna" in shown
    assert "secret-of" not in shown + "".join(one.detail for one in answers)


def test_limits_of_the_standards_example_are_read() -> None:
    example = {"bulk": {"supported": True, "maxOperations": 1000, "maxPayloadSize": 1048576}}  # RFC 7643, section 8.5

    assert read_limits(example) == BulkLimits(1000, 1048576)
