"""No two groups of an account share a name, in any order of creation and any spelling: clients find groups by name."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.documo_client import GROUP, Client


async def create(api: Client, name: str) -> int:
    return int((await api.send("POST", "/Groups", {"schemas": [GROUP], "displayName": name})).status)


async def test_second_group_of_a_name_is_a_conflict_that_names_it(api: Client) -> None:
    await api.group("Sales")

    reply = await api.send("POST", "/Groups", {"schemas": [GROUP], "displayName": "SALES"})

    assert (reply.status, reply.body["scimType"]) == (409, "uniqueness")
    assert "displayName" in reply.body["detail"]


async def test_of_creates_at_the_same_time_one_gets_the_name(api: Client) -> None:
    answers = await asyncio.gather(*(create(api, "Sales") for _ in range(8)), create(api, "Legal"))

    assert sorted(answers) == [201, 201, *[409] * 7]


@pytest.mark.parametrize("how", ["PATCH", "PUT"])
async def test_group_cannot_be_given_the_name_of_another(api: Client, how: str) -> None:
    await api.group("Sales")
    other = await api.group("Legal")

    if how == "PATCH":
        reply = await api.patch(f"/Groups/{other}", {"op": "replace", "path": "displayName", "value": "sales"})
    else:
        reply = await api.send("PUT", f"/Groups/{other}", {"schemas": [GROUP], "displayName": "sales"})

    assert (reply.status, reply.body["scimType"]) == (409, "uniqueness")
    assert (await api.get(f"/Groups/{other}")).body["displayName"] == "Legal"


async def test_name_of_a_deleted_group_is_free(api: Client) -> None:
    group = await api.group("Sales")
    await api.send("DELETE", f"/Groups/{group}")

    assert await create(api, "Sales") == 201
