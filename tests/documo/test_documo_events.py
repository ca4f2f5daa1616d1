"""Event streams: the content, order and signature of events, and that none is lost."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import orjson
import pytest
from aiohttp import web

from documo import members
from documo.access import api_keys
from documo.events.streams import NewStream, add_stream, list_streams, remove_stream
from documo.replay import replay_request
from documo.store import request_log
from documo.store.database import Store
from lockstep.errors import LockstepError
from lockstep.http.outbound import OutboundRules
from tests.support.documo_client import GROUP, Client, Documo, Reply, documo_on

PROV, FEED = "urn:ietf:params:scim:event:prov:", "urn:ietf:params:scim:event:feed:"
AUDIENCE = "https://app.example"


async def poll(api: Client, made: NewStream, **body: Any) -> Reply:
    url = api.url.removesuffix("/scim/v2") + f"/events/{made.stream.id}"
    return await api.send("POST", url, {"returnImmediately": True, **body})


async def keys_of(api: Client) -> jwt.PyJWKSet:
    async with api.session.get(api.url.removesuffix("/scim/v2") + "/.well-known/jwks.json") as answer:
        return jwt.PyJWKSet.from_dict(await answer.json())


async def told(api: Client, made: NewStream, **body: Any) -> list[dict[str, Any]]:
    """The claims of the waiting events, verified as a receiver verifies them."""
    sets = (await poll(api, made, **body)).body["sets"]
    keys = await keys_of(api)
    found = []
    for jti, token in sets.items():
        header = jwt.get_unverified_header(token)
        assert header["typ"] == "secevent+jwt"
        claims = jwt.decode(token, keys[header["kid"]], algorithms=["EdDSA"], audience=AUDIENCE)
        assert claims["jti"] == jti
        assert "exp" not in claims and "sub" not in claims  # RFC 8417, sections 4.5 and 2.2
        found.append(claims)
    return found


def names(claims: dict[str, Any]) -> set[str]:
    return {uri.removeprefix("urn:ietf:params:scim:event:") for uri in claims["events"]}


@pytest.fixture
async def stream(api: Client) -> NewStream:
    return await add_stream(api.store, api.account.id, delivery="poll", audience=AUDIENCE)


async def test_the_life_of_a_member_is_told_in_order_and_without_values(api: Client, stream: NewStream) -> None:
    anna = await api.user("anna@contoso.test", externalId="E-1", name={"givenName": "Anna"}, password="S3cret-word!")
    await api.patch(f"/Users/{anna}", {"op": "replace", "path": "name.givenName", "value": "Ann"})
    await api.patch(f"/Users/{anna}", {"op": "replace", "path": "active", "value": False})
    await api.patch(f"/Users/{anna}", {"op": "replace", "path": "active", "value": True})
    await api.send("DELETE", f"/Users/{anna}")

    events = await told(api, stream)

    assert [names(one) for one in events] == [
        {"feed:add", "prov:create:notice"},
        {"prov:patch:notice"},
        {"prov:patch:notice", "prov:deactivate"},
        {"prov:patch:notice", "prov:activate"},
        {"prov:delete", "feed:remove"},
    ]
    assert all(
        one["sub_id"] == {"format": "scim", "uri": f"/Users/{anna}", "externalId": "E-1"} and one["txn"]
        for one in events
    )
    assert events[1]["events"][PROV + "patch:notice"] == {"attributes": ["name"], "version": '"2"'}
    assert "active" in events[2]["events"][PROV + "patch:notice"]["attributes"]
    said = str(events)
    assert "Ann" not in said and "S3cret" not in said and "password" not in said and "anna@" not in said


async def test_members_of_a_group_are_told_as_a_change_of_the_group(api: Client, stream: NewStream) -> None:
    anna, bo = await api.user("anna@contoso.test"), await api.user("bo@contoso.test")
    group = await api.group("Sales", anna)
    await told(api, stream)
    before = {one["jti"] for one in await told(api, stream)}

    await api.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": bo}]})
    await api.send("DELETE", f"/Users/{anna}")

    new = [one for one in await told(api, stream) if one["jti"] not in before]
    of_group = [one["events"] for one in new if one["sub_id"]["uri"] == f"/Groups/{group}"]
    assert len(of_group) == 2
    assert all(events[PROV + "patch:notice"]["attributes"] == ["members"] for events in of_group)


async def test_what_changed_nothing_and_what_failed_tells_nothing(api: Client, stream: NewStream) -> None:
    anna = await api.user("anna@contoso.test")
    before = len(await told(api, stream))

    await api.patch(f"/Users/{anna}", {"op": "replace", "path": "userName", "value": "anna@contoso.test"})
    assert (await api.send("POST", "/Users", {"schemas": [], "userName": "anna@contoso.test"})).status >= 400
    replayed = await replay_request(api.store, api.account.id, await _logged(api, "POST"))

    assert replayed

    assert len(await told(api, stream)) == before


async def _logged(api: Client, method: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            async with api.store.tenant(api.account.id) as connection:
                for row in await request_log.rows(connection, api.account.id):
                    if row["method"] == method and row["status"] == 201:
                        whole = await request_log.entry(connection, api.account.id, row["id"])
                        assert whole is not None
                        return whole
            await asyncio.sleep(0.01)


async def test_events_come_again_until_they_are_acknowledged(api: Client, stream: NewStream) -> None:
    for number in range(5):
        await api.user(f"u{number}@contoso.test")

    first = await poll(api, stream, maxEvents=2)
    again = await poll(api, stream, maxEvents=2)
    after = await poll(api, stream, maxEvents=10, ack=list(first.body["sets"]))
    refused = await poll(api, stream, setErrs={jti: {"err": "invalid_key"} for jti in after.body["sets"]})

    assert list(first.body["sets"]) == list(again.body["sets"])
    assert first.body["moreAvailable"] is True
    assert len(after.body["sets"]) == 3 and "moreAvailable" not in after.body
    assert not set(first.body["sets"]) & set(after.body["sets"])
    assert refused.body == {"sets": {}}
    [row] = await list_streams(api.store, api.account.id)
    assert (row.delivered, row.waiting) == (5, 0)


async def test_a_poll_that_may_wait_answers_when_something_happens(api: Client, stream: NewStream) -> None:
    waiting = asyncio.create_task(poll(api, stream, returnImmediately=False))
    await api.user("anna@contoso.test")

    answer = await asyncio.wait_for(waiting, 10)

    assert len(answer.body["sets"]) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [({"maxEvents": -1}, 400), ({"maxEvents": "2"}, 400), ({"ack": "x"}, 400), ({"ack": ["not an id"]}, 200)],
)
async def test_a_poll_that_cannot_be_read_is_refused(
    api: Client, stream: NewStream, body: dict[str, Any], status: int
) -> None:
    assert (await poll(api, stream, **body)).status == status


async def test_streams_are_behind_the_wall(api: Client, stream: NewStream, documo: Documo) -> None:
    other = await documo.client("Fabrikam")
    await api.user("anna@contoso.test")
    theirs = await add_stream(other.store, other.account.id, delivery="poll", audience=AUDIENCE)
    await members.add_member(api.store, api.account.id, "viewer@contoso.test", role="Viewer")
    viewer = await api_keys.create_key(api.store, api.account.id, member="viewer@contoso.test")
    writer = await api_keys.create_key(api.store, api.account.id, scopes=("scim:users",))

    assert (await poll(other, stream)).status == 404
    assert await told(other, theirs) == []
    for token, status in ((viewer.secret, 403), (writer.secret, 403), ("nope", 401)):
        client = Client(api.session, api.url, token, api.account, api.store)
        assert (await poll(client, stream)).status == status
    with pytest.raises(LockstepError, match="no stream"):
        await remove_stream(other.store, other.account.id, stream.stream.id)


async def test_the_service_says_which_events_it_tells_once_somebody_listens(api: Client) -> None:
    assert "securityEvents" not in (await api.get("/ServiceProviderConfig")).body
    made = await add_stream(api.store, api.account.id, delivery="poll", audience=AUDIENCE)

    async with asyncio.timeout(5):
        while "securityEvents" not in (body := (await api.get("/ServiceProviderConfig")).body):
            await asyncio.sleep(0.01)

    assert body["securityEvents"]["asyncRequest"] == "none"
    assert {PROV + "create:notice", PROV + "delete", FEED + "add"} <= set(body["securityEvents"]["eventUris"])
    await remove_stream(api.store, api.account.id, made.stream.id)
    await api.user("anna@contoso.test")
    assert await list_streams(api.store, api.account.id) == []


class Receiver:
    """A receiver. It sends *answers* first; after them it accepts everything."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.tries = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.tries += 1
        if self.answers:
            return web.json_response({"err": "invalid_request"}, status=self.answers.pop(0))
        self.taken.append((dict(request.headers), body))
        return web.Response(status=202)

    async def has(self, number: int) -> list[tuple[dict[str, str], bytes]]:
        async with asyncio.timeout(20):
            while len(self.taken) < number:
                await asyncio.sleep(0.01)
        return self.taken


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@asynccontextmanager
async def telling(store: Store, delivery: str) -> AsyncIterator[tuple[Client, Receiver, NewStream]]:
    async with receiving() as receiver, documo_on(store, outbound_allow=("127.0.0.0/8", receiver.url)) as documo:
        api = await documo.client()
        rules = OutboundRules((receiver.url,))
        yield (
            api,
            receiver,
            await add_stream(
                store, api.account.id, delivery=delivery, url=receiver.url, audience=AUDIENCE, rules=rules
            ),
        )


async def test_pushed_tokens_arrive_in_order_and_are_signed(store: Store) -> None:
    async with telling(store, "push") as (api, receiver, _):
        ids = [await api.user(f"u{number}@contoso.test") for number in range(5)]
        taken = await receiver.has(5)
        keys = await keys_of(api)

        assert {headers["Content-Type"] for headers, _ in taken} == {"application/secevent+jwt"}
        claims = [jwt.decode(body, keys.keys[0], algorithms=["EdDSA"], audience=AUDIENCE) for _, body in taken]
        assert [one["sub_id"]["uri"] for one in claims] == [f"/Users/{one}" for one in ids]


async def test_a_webhook_is_signed_with_its_secret_and_a_time(store: Store) -> None:
    async with telling(store, "webhook") as (api, receiver, made):
        await api.user("anna@contoso.test")
        [(headers, body)] = await receiver.has(1)

    at, _, signature = headers["Documo-Signature"].removeprefix("t=").partition(",v1=")
    expected = hmac.digest(made.secret.encode(), at.encode() + b"." + body, "sha256").hex()
    assert hmac.compare_digest(signature, expected)
    assert names(orjson.loads(body)) == {"feed:add", "prov:create:notice"}


async def test_what_a_receiver_did_not_take_is_sent_again_and_nothing_overtakes_it(store: Store) -> None:
    async with telling(store, "webhook") as (api, receiver, _):
        receiver.answers = [500, 503]
        first, second = await api.user("anna@contoso.test"), await api.user("bo@contoso.test")
        taken = await receiver.has(2)

        assert [orjson.loads(body)["sub_id"]["uri"] for _, body in taken] == [f"/Users/{first}", f"/Users/{second}"]
        assert receiver.tries == 4


async def test_one_event_that_is_refused_again_and_again_does_not_hold_up_the_others(store: Store) -> None:
    async with telling(store, "push") as (api, receiver, made):
        receiver.answers = [400] * 5
        await api.user("anna@contoso.test")
        second = await api.user("bo@contoso.test")
        async with asyncio.timeout(20):
            while not receiver.taken:  # skip the increasing delays between attempts
                async with store.control() as connection:
                    await connection.execute("update event_streams set next_try_at = '-infinity'")
                    await connection.execute("select pg_notify('documo_events', '')")
                await asyncio.sleep(0.02)

        taken = await receiver.has(1)
        assert jwt.decode(taken[0][1], options={"verify_signature": False})["sub_id"]["uri"] == f"/Users/{second}"
        async with asyncio.timeout(5):
            while not (rows := await list_streams(store, api.account.id))[0].delivered:
                await asyncio.sleep(0.01)
        assert (rows[0].lost, made.stream.delivery) == (1, "push")


async def test_events_are_not_sent_into_the_house_unless_the_operator_allows_it(api: Client) -> None:
    for url in ("http://127.0.0.1:1/hook", "https://169.254.169.254/", "ftp://app.example/"):
        with pytest.raises(LockstepError):
            await add_stream(api.store, api.account.id, delivery="push", url=url)


async def test_changes_of_many_in_one_request_are_all_told(api: Client, stream: NewStream) -> None:
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": f"u{n}", "data": {"schemas": [], "userName": f"u{n}@x.test"}}
        for n in range(20)
    ]
    operations.append(
        {"method": "POST", "path": "/Groups", "bulkId": "g",
         "data": {"schemas": [GROUP], "displayName": "All", "members": [{"value": f"bulkId:u{n}"} for n in range(20)]}}
    )  # fmt: skip
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    for operation in operations[:-1]:
        operation["data"]["schemas"] = ["urn:ietf:params:scim:schemas:core:2.0:User"]  # type: ignore[index]
    assert (await api.send("POST", "/Bulk", bulk)).status == 200

    events = await told(api, stream, maxEvents=100)

    created = [one["sub_id"]["uri"] for one in events if PROV + "create:notice" in one["events"]]
    assert len(set(created)) == len(created) == 21


async def test_parallel_changes_of_one_member_are_told_in_the_order_of_their_versions(
    api: Client, stream: NewStream
) -> None:
    anna = await api.user("anna@contoso.test")
    await asyncio.gather(
        *(api.patch(f"/Users/{anna}", {"op": "replace", "path": "title", "value": f"T{n}"}) for n in range(30))
    )

    events = await told(api, stream)

    versions = [
        int(one["events"][PROV + "patch:notice"]["version"].strip('"'))
        for one in events
        if PROV + "patch:notice" in one["events"]
    ]
    assert versions == sorted(versions) and len(set(versions)) == len(versions) >= 1
