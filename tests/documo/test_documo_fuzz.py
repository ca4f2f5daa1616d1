"""Valid and invalid requests generated from the schema: never a 5xx, never a byte of another tenant, no lost user."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documo.access.api_keys import create_key
from lockstep.scim.registry import default_registry
from lockstep.scim.schema import Attribute
from tests.support.documo_client import ENTERPRISE, GROUP, PATCH, USER, Documo

# ruff: noqa: E501 -- tables of cases
PASSES, TOGETHER = 4, 8
CANARY = "canary-of-the-other-tenant"
ODD_TEXTS = [
    "",
    "a",
    "\u0000",
    "ß",
    "\U0001f600",
    "x" * 5000,
    "' or 1=1 --",
    '"',
    "\\",
    "%",
    "{}",
    "null",
    "True",
    "../..",
    "\r\nX: y",
    "\ud7ff",
]
texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=8))
scalars = st.one_of(
    texts, st.booleans(), st.none(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False)
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
)


def value_of(attribute: Attribute) -> st.SearchStrategy[Any]:
    if attribute.is_complex:
        single: st.SearchStrategy[Any] = st.fixed_dictionaries(
            {}, optional={s.name: value_of(s) for s in attribute.sub_attributes}
        )
    else:
        single = {
            "boolean": st.booleans() | st.sampled_from(["True", "false"]),
            "integer": st.integers(),
            "decimal": st.floats(allow_nan=False, allow_infinity=False),
        }.get(attribute.type, texts)
    right = st.lists(single, max_size=2) if attribute.multi_valued else single
    return st.one_of(right, right, right, anything)


definitions = {d.type.name: d for d in default_registry().definitions()}


def resource_of(kind: str) -> st.SearchStrategy[Any]:
    attributes = {a.name: value_of(a) for a in definitions[kind].schema.attributes}
    name = "userName" if kind == "User" else "displayName"
    required = {
        "schemas": st.just([USER if kind == "User" else GROUP]),
        name: st.text("abcdef", min_size=1, max_size=3),
    }
    enterprise = definitions["User"].extension(ENTERPRISE)
    assert enterprise is not None
    extension = {ENTERPRISE: st.fixed_dictionaries({}, optional={a.name: value_of(a) for a in enterprise.attributes})}
    return (
        st.fixed_dictionaries(
            required,
            optional={
                **{k: v for k, v in attributes.items() if k not in required},
                **(extension if kind == "User" else {}),
            },
        )
        | anything
    )


names = st.sampled_from(
    ["userName", "name.givenName", "emails", "emails.value", "active", "members", "members.value", "groups.display", "id", "meta.created", "nope",
     "displayName", f"{ENTERPRISE}:department", f"{ENTERPRISE}:manager", "roles[primary eq \"True\"].value", 'emails[type eq "work"]', "password", "", "x y"]
)  # fmt: skip
comparison = st.builds(
    lambda name, op, value: f"{name} {op} {value}",
    names,
    st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "le", "pr", "xx"]),
    st.sampled_from(['"a"', "true", "null", "5", "1e999", '"2020-01-01T00:00:00Z"', '"', "a", '"\\u0000"', '"%_"', ""]),
)
filters = st.recursive(
    comparison,
    lambda f: (
        st.builds("({}) and {}".format, f, f) | st.builds("not ({})".format, f) | st.builds("{} or {}".format, f, f)
    ),
    max_leaves=4,
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "Add", "move"])}, optional={"path": names, "value": anything | value_of(definitions["User"].schema.attributes[0])}
)  # fmt: skip
patches = (
    st.fixed_dictionaries({"schemas": st.just([PATCH]), "Operations": st.lists(operations, max_size=3)}) | anything
)
kinds = st.sampled_from(["User", "Group"])
requests = st.one_of(
    kinds.flatmap(lambda kind: st.tuples(st.just("POST"), st.just(f"/{kind}s"), resource_of(kind))),
    kinds.flatmap(lambda kind: st.tuples(st.just("PUT"), st.just(f"/{kind}s/*"), resource_of(kind))),
    st.tuples(st.just("PATCH"), st.sampled_from(["/Users/*", "/Groups/*", "/Me", "/Roles/*"]), patches),
    st.tuples(st.just("DELETE"), st.sampled_from(["/Users/*", "/Groups/*", "/Users/x"]), st.none()),
    st.tuples(st.just("POST"), st.sampled_from(["/.search", "/Users/.search", "/Bulk", "/Nope", "/Schemas"]), anything),
    st.tuples(
        st.just("GET"),
        st.sampled_from(["/Users", "/Groups", "/", "/Users/*", "/Roles", "/Schemas", "/ResourceTypes/User", "/Me"]),
        st.fixed_dictionaries(
            {},
            optional={
                "filter": filters, "sortBy": names, "sortOrder": st.sampled_from(["ascending", "descending", "x"]), "attributes": names,
                "excludedAttributes": names, "count": st.sampled_from(["0", "-1", "5", "99999999999", "x"]),
                "startIndex": st.sampled_from(["0", "-1", "3", "99999999999", ""]), "cursor": texts,
            },
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize("number", [200, pytest.param(20_000, marks=pytest.mark.full)])
async def test_no_request_gets_a_5xx_or_a_byte_of_another_tenant(documo: Documo, number: int) -> None:
    await survive(documo, number)


@pytest.mark.soak
async def test_no_request_of_an_hour_gets_a_5xx_or_a_byte_of_another_tenant(documo: Documo) -> None:
    ends = time.monotonic() + float(os.environ.get("LOCKSTEP_SOAK_SECONDS", "3600"))
    round_number = 0
    while time.monotonic() < ends:
        round_number += 1
        await survive(documo, 2_000, suffix=str(round_number))


async def survive(documo: Documo, number: int, *, suffix: str = "") -> None:
    """Send *number* requests to one of two tenants; afterwards both still have their data."""
    mine, other = await documo.client(f"Alpha{suffix}"), await documo.client(f"Beta{suffix}")
    await other.user(CANARY, displayName=CANARY)
    await other.group(CANARY)
    survivor = await mine.user("survivor@x.org")
    # A write to /Me may remove the caller's own Admin role, so it uses an Admin other than the one that sends the remaining requests.
    await mine.user("me@x.org", roles=[{"value": "Admin", "primary": True}])
    my_own = replace(
        mine, token=(await create_key(mine.store, mine.account.id, member="me@x.org", scopes=("admin",))).secret
    )
    drawn: list[tuple[str, str, Any]] = []

    @settings(max_examples=number // PASSES, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests)
    def draw(request: tuple[str, str, Any]) -> None:
        drawn.append(request)

    await asyncio.to_thread(draw)
    known = ["0190a0b0-0000-7000-8000-000000000000"]

    async def send(method: str, path: str, content: Any) -> None:
        query = {k: v.encode("utf-8", "replace").decode() for k, v in content.items()} if method == "GET" else {}
        body = content if method in ("POST", "PUT", "PATCH") else None
        reply = await (my_own if path == "/Me" else mine).send(method, path.replace("*", known[-1]), body, **query)
        assert reply.status < 500, (method, path, content, reply.raw)
        assert CANARY.encode() not in reply.raw
        if reply.status >= 400:
            assert reply.body["status"] == str(reply.status) and reply.body["detail"], (method, path, content)
        if reply.status == 201:
            known.append(reply.body["id"])
        if method == "DELETE" and len(known) > 1:
            known.pop()

    for _ in range(PASSES):  # the same requests again run on other data
        for at in range(0, len(drawn), TOGETHER):
            await asyncio.gather(*(send(*request) for request in drawn[at : at + TOGETHER]))
    assert (await mine.get(f"/Users/{survivor}")).status == 200
    assert (await other.find(f'userName eq "{CANARY}"')).body["totalResults"] == 1
