"""Who is authorized, with which credential, and for how long."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest

from documo import domains, members
from documo.access import api_keys
from documo.access.ended_keys import EndedKeys
from documo.access.sign_ins import FREE, MOST_ADDRESSES, RefusedSignIns, seconds_to_wait
from documo.accounts import change_account
from documo.request_log import RequestLog
from documo.store.database import Store
from lockstep.errors import LockstepError
from tests.support.documo_client import USER, Client, Documo, documo_on
from tests.support.waiting import until


def with_token(client: Client, token: str) -> Client:
    return Client(client.session, client.url, token, client.account, client.store)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nope", "Basic abc", "Bearer dk_live_" + "0" * 64])
async def test_without_a_valid_key_there_is_a_challenge_and_a_scim_body(api: Client, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}

    async with api.session.get(api.url + "/Users", headers=headers) as response:
        body = await response.json(content_type="application/scim+json")

    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert body["status"] == "401" and body["detail"]


async def test_a_revoked_key_stops_working_at_once(api: Client) -> None:
    assert (await api.get("/Users")).status == 200
    (key,) = await api_keys.list_keys(api.store, api.account.id)

    await api_keys.revoke_key(api.store, api.account.id, key.id)

    async def is_refused() -> bool:
        return (await api.get("/Users")).status == 401

    async with asyncio.timeout(0.5):
        await until(is_refused)


async def test_an_expired_key_is_refused(api: Client) -> None:
    made = await api_keys.create_key(api.store, api.account.id, expires_in=timedelta(milliseconds=300))
    client = with_token(api, made.secret)
    assert (await client.get("/Users")).status == 200

    async def is_refused() -> bool:
        return (await client.get("/Users")).status == 401

    await until(is_refused)


async def test_rotation_overlaps(api: Client) -> None:
    (old,) = await api_keys.list_keys(api.store, api.account.id)

    made = await api_keys.rotate_key(api.store, api.account.id, old.id, overlap=timedelta(hours=1))
    both = [(await api.get("/Users")).status, (await with_token(api, made.secret).get("/Users")).status]

    assert both == [200, 200]


async def test_only_the_key_of_an_admin_may_provision(api: Client) -> None:
    await members.add_member(api.store, api.account.id, "viewer@x.org", role="viewer")
    made = await api_keys.create_key(api.store, api.account.id, member="viewer@x.org")

    reply = await with_token(api, made.secret).get("/Users")

    assert reply.status == 403 and "Admin" in reply.body["detail"]


async def test_disabling_a_member_over_scim_ends_its_keys_in_the_same_moment(api: Client) -> None:
    await members.add_member(api.store, api.account.id, "second@x.org", role="Admin")
    made = await api_keys.create_key(api.store, api.account.id, member="second@x.org")
    second = with_token(api, made.secret)
    assert (await second.get("/Users")).status == 200
    user = (await api.find('userName eq "second@x.org"')).ids[0]

    await api.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": False})
    keys = {key.id: key for key in await api_keys.list_keys(api.store, api.account.id)}
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": True})

    assert keys[made.id].revoked_at is not None
    assert (await second.get("/Users")).status == 401


async def test_deactivated_member_gets_no_key_that_would_work_after_an_activation(documo: Documo) -> None:
    api = await documo.client("Keeping", deprovision_action="deactivate")
    disabled, kept = await api.user("disabled@x.org"), await api.user("kept@x.org")
    await members.disable(api.store, api.account, disabled)
    await api.send("DELETE", f"/Users/{kept}")

    for name in ("disabled@x.org", "kept@x.org", kept):
        with pytest.raises(LockstepError, match="is not active"):
            await api_keys.create_key(api.store, api.account.id, member=name)


async def test_an_admin_who_becomes_a_viewer_over_scim_may_no_longer_provision(api: Client) -> None:
    await members.add_member(api.store, api.account.id, "second@x.org", role="Admin")
    second = with_token(api, (await api_keys.create_key(api.store, api.account.id, member="second@x.org")).secret)
    assert (await second.get("/Users")).status == 200
    user = (await api.find('userName eq "second@x.org"')).ids[0]

    await api.patch(f"/Users/{user}", {"op": "Replace", "path": 'roles[primary eq "True"].value', "value": "Viewer"})

    async def is_refused() -> bool:
        return (await second.get("/Users")).status == 403

    await until(is_refused)


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("scim:read",), {"list users", "list groups"}),
        (("scim:users",), {"list users", "make user"}),
        (("scim:groups",), {"list groups", "make group"}),
        (("admin",), {"list users", "list groups", "make user", "make group"}),
    ],
)
async def test_scopes_say_what_a_key_may_do(documo: Documo, scopes: tuple[str, ...], allowed: set[str]) -> None:
    client = await documo.client(scopes=scopes)
    group = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "G"}

    replies = {
        "list users": await client.get("/Users"),
        "list groups": await client.get("/Groups"),
        "make user": await client.send("POST", "/Users", {"schemas": [USER], "userName": "a@x.org"}),
        "make group": await client.send("POST", "/Groups", group),
    }

    assert {what for what, reply in replies.items() if reply.status in (200, 201)} == allowed
    assert {reply.status for what, reply in replies.items() if what not in allowed} <= {403}


async def test_keys_are_stored_as_hashes_only(api: Client) -> None:
    async with api.store.control() as connection:
        cursor = await connection.execute("select api_keys::text from api_keys")
        rows = await cursor.fetchall()

    assert rows and all(api.token not in row[0] for row in rows)


async def test_client_credentials_give_a_token_that_ends_with_its_key(api: Client, documo: Documo) -> None:
    (key,) = await api_keys.list_keys(api.store, api.account.id)
    basic = base64.b64encode(f"{key.id}:{api.token}".encode()).decode()
    url = documo.running.api_url + "/oauth/token"

    async with api.session.post(
        url, data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
    ) as response:
        granted = await response.json()
    async with api.session.post(
        url, data={"grant_type": "client_credentials", "client_id": key.id, "client_secret": "wrong"}
    ) as response:
        refused = response.status
    client = with_token(api, granted["access_token"])

    assert (granted["token_type"], granted["expires_in"], refused) == ("Bearer", 3600, 401)
    assert (await client.get("/Users")).status == 200
    await api_keys.revoke_key(api.store, api.account.id, key.id)

    async def is_refused() -> bool:
        return (await client.get("/Users")).status == 401

    await until(is_refused)


async def granted(client: Client, documo: Documo, **form: str) -> tuple[int, dict[str, str]]:
    """The response of /oauth/token to the client's own key."""
    (key, *_) = await api_keys.list_keys(client.store, client.account.id)
    data = {"grant_type": "client_credentials", "client_id": key.id, "client_secret": client.token, **form}
    async with client.session.post(documo.running.api_url + "/oauth/token", data=data) as response:
        return response.status, await response.json()


async def test_a_token_ends_with_its_rotated_key_and_not_before(api: Client, documo: Documo) -> None:
    (old,) = await api_keys.list_keys(api.store, api.account.id)
    _, first = await granted(api, documo)
    token = with_token(api, first["access_token"])

    await api_keys.rotate_key(api.store, api.account.id, old.id, overlap=timedelta(hours=1))
    during = [(await client.get("/Users")).status for client in (api, token)]
    await api_keys.rotate_key(api.store, api.account.id, old.id, overlap=timedelta())

    async def both_are_refused() -> bool:
        return [(await client.get("/Users")).status for client in (api, token)] == [401, 401]

    assert during == [200, 200]
    await until(both_are_refused)


async def test_an_admin_key_gets_narrower_tokens_and_no_other_key_gets_wider_ones(api: Client, documo: Documo) -> None:
    status, answer = await granted(api, documo, scope="scim:read")
    narrow = with_token(api, answer["access_token"])
    reader = await documo.client("Reader", scopes=("scim:read",))

    assert (status, answer["scope"]) == (200, "scim:read")
    assert (await narrow.get("/Users")).status == 200
    assert (await narrow.send("POST", "/Users", {"schemas": [USER], "userName": "a@x.org"})).status == 403
    for scope in ("scim:users", "admin", "scim:read admin"):
        assert (await granted(reader, documo, scope=scope))[0] == 400, scope
    assert (await granted(api, documo, scope="everything"))[0] == 400


async def test_refused_credentials_are_counted_and_said_at_every_door(
    api: Client, documo: Documo, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = with_token(api, "dk_live_" + "0" * 64)

    replies = [(await wrong.get("/Users")).status for _ in range(2)]
    async with api.session.post(
        documo.running.api_url + "/events/x", headers={"Authorization": f"Bearer {wrong.token}"}
    ) as response:
        polled = response.status
    refused, _ = await granted(wrong, documo)
    async with api.session.get(api.url + "/Users") as response:
        without = response.status

    said = [line for line in capsys.readouterr().out.splitlines() if "sign_in_refused" in line]
    assert (replies, refused, polled, without) == ([401] * 2, 401, 401, 401)
    assert ["count=1 " in said[0], "count=2 " in said[1], "count=4 " in said[2], len(said)] == [True, True, True, 3]
    assert "127.0.0.1" in said[0] and "/oauth/token" in said[2] and wrong.token not in "".join(said)
    assert (await api.get("/Users")).status == 200


async def test_wrong_credentials_wait_longer_and_longer_and_addresses_are_forgotten(api: Client) -> None:
    refused = RefusedSignIns(EndedKeys(api.store, RequestLog(api.store)))

    counts = [refused.count("192.0.2.1", at=0.0) for _ in range(FREE + 3)]
    for number in range(MOST_ADDRESSES):
        refused.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", at=1.0)

    assert counts == list(range(1, FREE + 4))
    assert [seconds_to_wait(count) for count in (1, FREE, FREE + 1, FREE + 2, FREE + 3, 10**9)] == [
        0,
        0,
        0.1,
        0.2,
        0.4,
        2.0,
    ]
    assert refused.count("192.0.2.1", at=2.0) == 1, "forgotten for the ten thousand that came after it"
    assert [refused.count("192.0.2.1", at=at) for at in (3.0, 700.0)] == [2, 1], "quiet for ten minutes"
    assert [refused.count(address, at=3.0) for address in ("2001:db8::1", "2001:db8::2")] == [1, 2]


async def test_a_full_bucket_answers_429_with_the_time_to_wait(documo: Documo) -> None:
    api = await documo.client(rate_per_second=1, rate_burst=3)

    replies = [await api.get("/Users") for _ in range(5)]

    assert [reply.status for reply in replies[:3]] == [200, 200, 200]
    assert replies[4].status == 429 and int(replies[4].headers["Retry-After"]) >= 1
    assert replies[4].body["status"] == "429"


async def test_settings_hold_from_the_next_request(documo: Documo) -> None:
    api = await documo.client(rate_per_second=1, rate_burst=1)
    await api.get("/Users")
    assert (await api.get("/Users")).status == 429

    await change_account(api.store, api.account.name, {"rate_per_second": 0})

    async def is_served() -> bool:
        return (await api.get("/Users")).status == 200

    await until(is_served)


async def test_unknown_hosts_are_misdirected_and_links_never_follow_the_request(store: Store) -> None:
    async with documo_on(store, public_url="https://api.documo.example") as documo:
        api = await documo.client()
        local = Client(
            api.session, f"http://127.0.0.1:{documo.running.port}/scim/v2", api.token, api.account, api.store
        )

        evil = await local.send("GET", "/Users", headers={"Host": "evil.example"})
        forwarded = await local.send(
            "GET", "/Users", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
        )

    assert (evil.status, evil.body["status"]) == (421, "421")
    assert forwarded.body["Resources"][0]["meta"]["location"].startswith("https://api.documo.example/scim/v2/Users/")


async def test_a_custom_domain_serves_its_account_only_and_carries_its_links(store: Store) -> None:
    async with documo_on(store, public_url="https://api.documo.example") as documo:
        api, other = await documo.client("Alpha"), await documo.client("Beta")
        local = f"http://127.0.0.1:{documo.running.port}/scim/v2"
        mine, theirs = (Client(c.session, local, c.token, c.account, c.store) for c in (api, other))
        host = {"Host": "scim.alpha.example"}
        before = await mine.send("GET", "/Users", headers=host)

        await domains.set_domain(store, api.account.id, "scim.alpha.example")
        unproved = await mine.send("GET", "/Users", headers=host)
        await domains.remove_domain(store, api.account.id, "scim.alpha.example")
        await domains.set_domain(store, api.account.id, "scim.alpha.example", vouched=True)

        async def is_served() -> bool:
            return (await mine.send("GET", "/Users", headers=host)).status == 200

        await until(is_served)
        served = await mine.send("GET", "/Users", headers=host)
        foreign = await theirs.send("GET", "/Users", headers=host)

    assert (before.status, unproved.status, foreign.status) == (421, 421, 401)
    location = served.body["Resources"][0]["meta"]["location"]
    assert location.startswith("https://scim.alpha.example/scim/v2/Users/")


async def test_a_domain_that_is_no_host_name_is_refused(api: Client) -> None:
    for host in ("https://x.org", "x", "a b.org", "-a.org", "x.org/scim"):
        with pytest.raises(LockstepError):
            await domains.set_domain(api.store, api.account.id, host)


async def test_last_use_of_a_key_is_noted(api: Client) -> None:
    await api.send("GET", "/Users", headers={"User-Agent": "Okta SCIM Client 1.0"})

    async def is_noted() -> bool:
        (key,) = await api_keys.list_keys(api.store, api.account.id)
        return key.last_used_agent == "Okta SCIM Client 1.0" and key.last_used_address == "127.0.0.1"

    await until(is_noted)
