"""Everything works against a strict third-party SCIM server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from lockstep.engine.records import Change, ObjectKind
from lockstep.ports import Verdict
from lockstep.targets.scim_target import ScimTarget
from lockstep.vault import Secret
from tests.support.target_servers import TOKEN_FOR_SCIM2, allowing, scim2_server, settings_for

USER, GROUP = ObjectKind.USER, ObjectKind.GROUP
DEPARTMENT = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"


@pytest.fixture(scope="module")
async def target() -> AsyncIterator[ScimTarget]:
    async with scim2_server() as origin:
        client = allowing(origin)
        yield ScimTarget(settings_for(origin, tenant_url=origin, secret=Secret(TOKEN_FOR_SCIM2)), client)
        await client.close()


async def create(target: ScimTarget, name: str, **values: object) -> str:
    answer = await target.create(USER, {"userName": name, "active": "True"} | values, operation_id=f"op-{name}")
    assert answer.verdict is Verdict.DONE, answer
    assert answer.account is not None
    return answer.account.id


async def update(target: ScimTarget, user_id: str, path: str, new: object, *, knowing: bool = True) -> Verdict:
    current = await target.get(USER, user_id) if knowing else None
    answer = await target.update(USER, user_id, [Change(path, None, new)], current=current, etag="", operation_id="op")
    return answer.verdict


async def test_created_account_is_found_by_its_user_name_whatever_is_in_it(target: ScimTarget) -> None:
    name = 'anna "the & quick" \\ lindqvist+1%20@example.com'
    user_id = await create(target, name)

    found = await target.find(USER, "userName", name)

    assert [account.id for account in found] == [user_id]
    assert found[0].resource["active"] is True


async def test_nobody_is_found_by_an_unknown_name(target: ScimTarget) -> None:
    assert list(await target.find(USER, "userName", "nobody")) == []


async def test_second_account_with_the_same_user_name_is_a_conflict(target: ScimTarget) -> None:
    await create(target, "twice@example.com")

    answer = await target.create(USER, {"userName": "twice@example.com"}, operation_id="op-2")

    assert (answer.verdict, answer.code) == (Verdict.CONFLICT, "Conflict")


@pytest.mark.parametrize("knowing", [True, False])
@pytest.mark.parametrize(
    ("path", "read"),
    [
        ('roles[primary eq "True"].value', lambda user: [(r["value"], r["primary"]) for r in user["roles"]]),
        ('emails[type eq "work"].value', lambda user: [(e["value"], e["type"]) for e in user["emails"]]),
    ],
)
async def test_filtered_path_is_added_where_missing_and_replaced_where_present(
    target: ScimTarget, path: str, read: object, knowing: bool
) -> None:
    user_id = await create(target, f"{path[:5]}-{knowing}@example.com")
    label: object = True if path.startswith("roles") else "work"

    assert await update(target, user_id, path, "first@example.com", knowing=knowing) is Verdict.DONE
    assert await update(target, user_id, path, "second@example.com", knowing=knowing) is Verdict.DONE

    account = await target.get(USER, user_id)
    assert account is not None
    assert read(account.resource) == [("second@example.com", label)]  # type: ignore[operator]


async def test_look_before_a_filtered_path_is_counted_with_the_write(target: ScimTarget) -> None:
    user_id = await create(target, "counted@example.com")
    change = [Change('emails[type eq "work"].value', None, "counted@example.com")]

    answer = await target.update(USER, user_id, change, current=None, etag="", operation_id="op")

    assert [exchange.method for exchange in answer.exchanges] == ["GET", "PATCH"]


async def test_several_attributes_change_in_one_request(target: ScimTarget) -> None:
    user_id = await create(target, "several@example.com", **{"name.givenName": "Anna"})
    changes = [
        Change("name.givenName", "Anna", "Anne"),
        Change("name.familyName", None, "Lind"),
        Change("active", "True", "False"),
        Change(DEPARTMENT, None, "Sales"),
    ]

    answer = await target.update(USER, user_id, changes, current=None, etag="", operation_id="op")

    account = await target.get(USER, user_id)
    assert answer.verdict is Verdict.DONE
    assert len(answer.exchanges) == 1
    assert account is not None
    assert account.resource["name"] == {"givenName": "Anne", "familyName": "Lind"}
    assert account.resource["active"] is False
    assert account.resource[DEPARTMENT.rpartition(":")[0]] == {"department": "Sales"}


async def test_pages_give_every_account_once(target: ScimTarget) -> None:
    made = {await create(target, f"page-{number}@example.com") for number in range(25)}
    target._page_size = 10

    pages = [page async for page in target.pages(USER)]

    ids = [account.id for page in pages for account in page.accounts]
    assert len(pages) >= 3
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert made <= set(ids)
    assert len(ids) == len(set(ids)) == pages[-1].total


async def test_members_are_added_and_removed_one_by_one(target: ScimTarget) -> None:
    group = await target.create(GROUP, {"displayName": "Sales"}, operation_id="op")
    assert group.account is not None
    ids = [await create(target, f"member-{number}@example.com") for number in range(3)]

    added = await target.change_members(group.account.id, add=ids, remove=[], operation_id="op")
    removed = await target.change_members(group.account.id, add=[], remove=ids[:1], operation_id="op")

    response = await target._sender._client.send(
        "GET",
        f"{target.settings.tenant_url}/Groups/{group.account.id}",
        headers={"Authorization": f"Bearer {TOKEN_FOR_SCIM2}"},
        deadline=asyncio.get_running_loop().time() + 5,
    )
    assert (added.verdict, removed.verdict) == (Verdict.DONE, Verdict.DONE)
    assert [member["value"] for member in orjson.loads(response.body)["members"]] == ids[1:]


async def test_deleted_account_is_gone_and_deleting_again_is_done_already(target: ScimTarget) -> None:
    user_id = await create(target, "leaver@example.com")

    first = await target.delete(USER, user_id, etag="", operation_id="op")
    again = await target.delete(USER, user_id, etag="", operation_id="op")

    assert (first.verdict, again.verdict) == (Verdict.DONE, Verdict.DONE_ALREADY)
    assert await target.get(USER, user_id) is None


async def test_change_of_a_vanished_account_says_that_it_is_gone(target: ScimTarget) -> None:
    answer = await target.update(
        USER, "no-such-id", [Change("active", True, False)], current=None, etag="", operation_id="op"
    )

    assert (answer.verdict, answer.code) == (Verdict.GONE, "InvalidAnchor")
