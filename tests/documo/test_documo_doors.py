"""Every route for programs with every kind of credential: SCIM requests with each scope of a key, then tokens, events and metrics."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Route as StarletteRoute

from documo import members, server
from documo.access import api_keys
from documo.access.scopes import SCOPES
from documo.accounts import change_account
from documo.events.streams import add_stream
from documo.scim_service.request.discovery import CONFIG, SCHEMAS, TYPES
from documo.store.database import Store
from documo.tenant_schemas import Custom, registry_of
from tests.support.documo_client import GROUP, PATCH, USER, Client, Documo, documo_on
from tests.support.documo_world import NOWHERE, Household, household

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DEVICE = "urn:example:Device"
OWN_TYPES = {
    "schemas": [{"id": DEVICE, "name": "Device", "attributes": [{"name": "label", "type": "string"}]}],
    "resourceTypes": [{"id": "Device", "name": "Device", "endpoint": "/Devices", "schema": DEVICE}],
}

# Which scopes let a key read resources of a type, and change them. The types that are not named are for "admin" alone to change.
MAY_READ: Mapping[str, frozenset[str]] = {
    "User": frozenset({"scim:read", "scim:users", "admin"}),
    "Group": frozenset({"scim:read", "scim:groups", "admin"}),
}
MAY_WRITE: Mapping[str, frozenset[str]] = {
    "User": frozenset({"scim:users", "admin"}),
    "Group": frozenset({"scim:groups", "admin"}),
}
OTHER_READ, OTHER_WRITE = frozenset({"scim:read", "admin"}), frozenset({"admin"})
ANY = frozenset(SCOPES)
CORE = "urn:ietf:params:scim:schemas:core:2.0"
ENDS_THE_KEY = ("DELETE", "/Me")
NUMBERS = itertools.count(1)
BODIES: Mapping[str, Mapping[str, Any]] = {
    "Users": {"schemas": [USER], "userName": "new@x.org"},
    "Groups": {"schemas": [GROUP], "displayName": "New"},
    "Roles": {"schemas": [f"{CORE}:Role"], "value": "New", "supported": True},
    "Entitlements": {"schemas": [f"{CORE}:Entitlement"], "value": "New", "supported": True},
    "Devices": {"schemas": [DEVICE], "label": "New"},
}


@dataclass(frozen=True)
class Route:
    """A route and the scopes of which a key needs one; several sets: one of each. None: the method is not allowed there."""

    method: str
    path: str
    needs: tuple[frozenset[str], ...] | None

    def allows(self, scopes: frozenset[str]) -> bool:
        return self.needs is not None and all(scopes & one for one in self.needs)


def routes_of(kinds: Mapping[str, str], ids: Mapping[str, str]) -> list[Route]:
    """Every method at every place: the endpoints of *kinds* (endpoint: type), one resource at each, and Documo's own places."""
    reads = {kind: MAY_READ.get(kind, OTHER_READ) for kind in kinds.values()}
    places: dict[str, dict[str, tuple[frozenset[str], ...]]] = {}
    for endpoint, kind in kinds.items():
        read, write = (reads[kind],), (MAY_WRITE.get(kind, OTHER_WRITE),)
        places[endpoint] = {"GET": read, "POST": write}
        places[f"{endpoint}/.search"] = {"POST": read}
        places[f"{endpoint}/{ids[endpoint]}"] = {"GET": read, "PUT": write, "PATCH": write, "DELETE": write}
    own = (MAY_WRITE["User"],)
    places["/Me"] = {"GET": (reads["User"],), "PUT": own, "PATCH": own, "DELETE": own}
    places["/Bulk"] = {"POST": (ANY,)}  # each operation is checked on its own
    places["/"] = {"GET": tuple(reads.values())}
    places["/.search"] = {"POST": tuple(reads.values())}
    for name in (*CONFIG, TYPES, SCHEMAS):
        places[f"/{name}"] = {"GET": (ANY,)}
    return [Route(method, path, allowed.get(method)) for path, allowed in places.items() for method in METHODS]


def body_of(route: Route) -> Any:
    if route.method == "PATCH":
        return {"schemas": [PATCH], "Operations": [{"op": "add", "path": "externalId", "value": "x"}]}
    if route.path.endswith(".search"):
        return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 1}
    if route.path == "/Bulk":
        return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": []}
    return (
        BODIES.get(route.path.strip("/").partition("/")[0], BODIES["Users"])
        if route.method in ("POST", "PUT")
        else None
    )


@pytest.fixture
async def home(documo: Documo) -> Household:
    api = await documo.client("Contoso")
    await change_account(api.store, api.account.name, {"custom": Custom.read(OWN_TYPES)})
    async with asyncio.timeout(5):
        while b"Devices" not in (await api.get("/ResourceTypes")).raw:
            await asyncio.sleep(0.01)
    return await household(api, "contoso")


async def ids_at(api: Client, endpoints: Any) -> dict[str, str]:
    """A new resource at each endpoint."""
    made = {}
    for endpoint in endpoints:
        body = BODIES[endpoint.strip("/")]
        names = {
            name: f"x{next(NUMBERS)}@x.org" for name in ("userName", "value", "displayName", "label") if name in body
        }
        reply = await api.send("POST", endpoint, {**body, **names})
        assert reply.status == 201, reply.raw
        made[endpoint] = reply.body["id"]
    return made


async def data_of(home: Household) -> dict[str, str]:
    """A hash of what requests may change: the log of requests and the last use of keys apart."""
    return {name: one for name, one in (await home.fingerprint()).items() if name not in ("request_log", "api_keys")}


def key_of(home: Household, secret: str) -> Client:
    return Client(home.api.session, home.api.url, secret, home.api.account, home.store)


def test_table_has_every_type_that_an_account_can_have(home: Household) -> None:
    definitions = registry_of(Custom.read(OWN_TYPES)).definitions()

    assert {one.type.endpoint.strip("/") for one in definitions} == set(BODIES)


async def test_every_route_obeys_the_scopes_of_the_key(home: Household) -> None:
    types = (await home.api.get("/ResourceTypes")).body["Resources"]
    kinds = {one["endpoint"]: one["name"] for one in types}
    sets = [frozenset(one) for size in (1, 2, 3) for one in itertools.combinations(tuple(SCOPES)[:3], size)]
    wrong: list[str] = []
    for scopes in (*sets, frozenset({"admin"})):
        made = await api_keys.create_key(home.store, home.tenant, member=home.members["Admin"], scopes=sorted(scopes))
        client, ids = key_of(home, made.secret), await ids_at(home.api, kinds)
        routes = routes_of(kinds, ids)
        refused = [route for route in routes if not route.allows(scopes)]
        before = await data_of(home)
        for route in refused:
            reply = await client.send(route.method, route.path, body_of(route))
            is_refused = reply.status == 403 and "lacks the scope" in reply.body["detail"]
            if not (is_refused if route.needs is not None else reply.status == 405):
                wrong.append(f"{sorted(scopes)} {route.method} {route.path}: {reply.status}")
        if await data_of(home) != before:
            wrong.append(f"{sorted(scopes)}: a request that was refused changed something")
        for route in (route for route in routes if route.allows(scopes) and (route.method, route.path) != ENDS_THE_KEY):
            reply = await client.send(route.method, route.path, body_of(route))
            if reply.status in (401, 403, 404, 405) or reply.status >= 500:
                wrong.append(f"{sorted(scopes)} {route.method} {route.path}: {reply.status}")

    assert wrong == []


async def test_every_operation_of_a_bulk_request_obeys_the_scopes_of_the_key(home: Household) -> None:
    operations = [
        {"method": "POST", "path": f"/{endpoint}", "bulkId": endpoint, "data": body}
        for endpoint, body in BODIES.items()
    ]
    expected = {
        ("scim:read",): ["403"] * 5,
        ("scim:users",): ["201", "403", "403", "403", "403"],
        ("scim:groups",): ["403", "201", "403", "403", "403"],
        ("admin",): ["201"] * 5,
    }
    for scopes, statuses in expected.items():
        made = await api_keys.create_key(home.store, home.tenant, member=home.members["Admin"], scopes=scopes)
        bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
        reply = await key_of(home, made.secret).send("POST", "/Bulk", bulk)
        assert [one["status"] for one in reply.body["Operations"]] == statuses, scopes
        for one in reply.body["Operations"]:
            if one["status"] == "201":
                await home.api.send("DELETE", one["location"].removeprefix(home.api.url))


@pytest.mark.parametrize("role", ["Editor", "Member", "Viewer", "Auditor"])
async def test_key_of_a_member_who_is_no_admin_may_do_nothing_at_any_route(home: Household, role: str) -> None:
    made = await api_keys.create_key(home.store, home.tenant, member=home.members[role], scopes=("admin",))
    kinds = {one["endpoint"]: one["name"] for one in (await home.api.get("/ResourceTypes")).body["Resources"]}
    ids, client = await ids_at(home.api, kinds), key_of(home, made.secret)
    before = await data_of(home)

    replies = [await client.send(route.method, route.path, body_of(route)) for route in routes_of(kinds, ids)]

    assert {(reply.status, "only an Admin's key" in reply.body["detail"]) for reply in replies} == {(403, True)}
    assert await data_of(home) == before


async def test_every_route_wants_a_key_and_knows_no_resource_of_another_account(
    home: Household, documo: Documo
) -> None:
    kinds = {one["endpoint"]: one["name"] for one in (await home.api.get("/ResourceTypes")).body["Resources"]}
    ids, other = await ids_at(home.api, kinds), await documo.client("Beta")
    before = await data_of(home)

    for route in routes_of(kinds, ids):
        without = await home.api.session.request(route.method, home.api.url + route.path)
        assert without.status == 401, route
        if any(route.path.endswith(one) for one in ids.values()) and route.needs is not None:
            assert (await other.send(route.method, route.path, body_of(route))).status == 404, route

    assert await data_of(home) == before


@dataclass(frozen=True)
class Keys:
    """The credentials of an account, by what is wrong with them."""

    by_name: Mapping[str, str]
    ids: Mapping[str, str]


async def keys_of(home: Household, documo: Documo) -> Keys:
    made = {
        name: await api_keys.create_key(home.store, home.tenant, member=home.members[role], scopes=scopes, name=name)
        for name, role, scopes in (
            ("admin", "Admin", ("admin",)), ("read", "Admin", ("scim:read",)), ("users", "Admin", ("scim:users",)),
            ("editor", "Editor", ("admin",)), ("revoked", "Admin", ("admin",)), ("inactive owner", "Viewer", ("admin",)),
        )
    }  # fmt: skip
    made["expired"] = await api_keys.create_key(
        home.store, home.tenant, member=home.members["Admin"], scopes=("admin",), expires_in=timedelta(microseconds=1)
    )
    await api_keys.revoke_key(home.store, home.tenant, made["revoked"].id)
    await members.disable(home.store, home.api.account, home.members["Viewer"])
    secrets = {name: one.secret for name, one in made.items()}
    form = {"grant_type": "client_credentials", "client_id": made["admin"].id, "client_secret": made["admin"].secret}
    async with documo.session.post(documo.running.api_url + "/oauth/token", data=form) as answer:
        secrets["token"] = (await answer.json())["access_token"]
    secrets |= {"none": "", "unknown": "dk_live_" + "0" * 64, "other account": (await documo.client("Beta")).token}
    return Keys(secrets, {name: one.id for name, one in made.items()})


# Status of /oauth/token for (the id given, the secret given).
TOKENS = {
    ("admin", "admin"): 200, ("read", "read"): 200, ("editor", "editor"): 200, ("admin", "read"): 401, ("admin", "unknown"): 401,
    ("admin", "none"): 401, ("nowhere", "admin"): 401, ("admin", "token"): 401, ("admin", "other account"): 401,
    ("revoked", "revoked"): 401, ("expired", "expired"): 401, ("inactive owner", "inactive owner"): 401,
}  # fmt: skip
# Status of /events/{stream} with the key, for a stream of the account.
EVENTS = {
    "admin": 200, "read": 200, "token": 200, "users": 403, "editor": 403, "other account": 404, "none": 401, "unknown": 401,
    "revoked": 401, "expired": 401, "inactive owner": 401,
}  # fmt: skip


async def test_token_endpoint_gives_tokens_for_a_key_and_its_own_id_alone(home: Household, documo: Documo) -> None:
    keys, seen = await keys_of(home, documo), {}
    ids = {**keys.ids, "nowhere": NOWHERE}
    for who, secret in TOKENS:
        form = {"client_id": ids[who], "client_secret": keys.by_name[secret], "grant_type": "client_credentials"}
        async with documo.session.post(documo.running.api_url + "/oauth/token", data=form) as answer:
            seen[who, secret] = answer.status
            body = await answer.json()
            assert answer.headers["Cache-Control"] == "no-store"
            assert (body.get("error") == "invalid_client") == (answer.status == 401)

    assert seen == TOKENS


async def test_every_route_for_programs_has_its_tests(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one needs a test that asks it with credentials and ids of another account."""
    made: list[str] = []

    class Recorded(Starlette):
        def __init__(self, routes: Sequence[StarletteRoute]) -> None:
            super().__init__(routes=routes)
            made.extend(route.path for route in routes)

    monkeypatch.setattr(server, "Starlette", Recorded)
    async with documo_on(store):
        pass

    same_for_everybody = {"/.well-known/jwks.json", "/healthz"}
    assert set(made) == {"/oauth/token", "/events/{stream}", "/metrics"} | same_for_everybody


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "invalid_client"),
    ],
)
async def test_token_endpoint_refuses_other_grants(documo: Documo, form: dict[str, str], error: str) -> None:
    async with documo.session.post(documo.running.api_url + "/oauth/token", data=form) as answer:
        assert (await answer.json())["error"] == error
    async with documo.session.get(documo.running.api_url + "/oauth/token") as answer:
        assert answer.status == 405


async def test_events_are_for_the_keys_of_admins_that_may_read(home: Household, documo: Documo) -> None:
    keys, seen = await keys_of(home, documo), {}
    made = await add_stream(home.store, home.tenant, delivery="poll", audience="https://app.example")
    url = f"{documo.running.api_url}/events/{made.stream.id}"
    await home.api.user("anna@x.org")
    for name in EVENTS:
        headers = {"Authorization": f"Bearer {keys.by_name[name]}"} if name != "none" else {}
        async with documo.session.post(url, json={"returnImmediately": True}, headers=headers) as answer:
            seen[name] = answer.status
            assert ("sets" in await answer.json()) == (answer.status == 200)

    assert seen == EVENTS


async def test_metrics_are_for_the_token_of_the_operator_alone(store: Store) -> None:
    token = "a-token-for-the-metrics-of-documo"
    async with documo_on(store, metrics_token=token) as documo:
        api = await documo.client()
        url, seen = documo.running.api_url + "/metrics", {}
        for name, given in {"none": "", "key": api.token, "other": token + "x", "token": token}.items():
            async with documo.session.get(url, headers={"Authorization": f"Bearer {given}"} if given else {}) as answer:
                seen[name] = answer.status
        async with aiohttp.ClientSession() as http, http.get(f"{url}?token={token}") as answer:
            seen["in the address"] = answer.status

    assert seen == {"none": 401, "key": 401, "other": 401, "token": 200, "in the address": 401}


async def test_without_a_configured_token_there_are_no_metrics(documo: Documo) -> None:
    async with documo.session.get(documo.running.api_url + "/metrics") as answer:
        assert answer.status == 404
