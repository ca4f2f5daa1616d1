"""Matching and unique values end to end: real cycles of Lockstep into a real Documo over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.ports import Verdict
from lockstep.postgres.pool import Pool, transaction
from lockstep.storage import operations
from lockstep.sync.drain import on_demand
from lockstep.targets.scim_target import ScimTarget
from tests.support.documo_sandbox import sandbox_targets
from tests.support.sync_world import CONFIG, USERS, World, make_world, person_id, upn

USER = ObjectKind.USER
UNIQUE = 'SelectUniqueValue([givenName], Join(".", [givenName], [surname]), Join(".", [givenName], [surname], "2"))'


@pytest.fixture(scope="module")
async def tenants() -> AsyncIterator[list[ScimTarget]]:
    async with sandbox_targets(20) as targets:
        yield targets


@pytest.fixture
def documo(tenants: list[ScimTarget]) -> ScimTarget:
    """A separate tenant for each test."""
    return tenants.pop()


@pytest.fixture
async def world(pool: Pool, documo: ScimTarget) -> World:
    return await make_world(pool, documo)  # type: ignore[arg-type]


def with_attributes(*more: dict[str, Any], **mapping: Any) -> dict[str, Any]:
    return {**CONFIG, "mappings": [{**USERS, "attributes": [*USERS["attributes"], *more], **mapping}]}


async def made(documo: ScimTarget, **values: object) -> str:
    answer = await documo.create(USER, values, operation_id="test")
    assert answer.verdict is Verdict.DONE, answer
    assert answer.account is not None
    return answer.account.id


async def accounts(documo: ScimTarget) -> dict[str, dict[str, Any]]:
    return {
        str(account.resource["userName"]): dict(account.resource)
        async for page in documo.pages(USER)
        for account in page.accounts
        if not str(account.resource["userName"]).startswith("admin")
    }


async def error_of(world: World, number: int) -> dict[str, Any]:
    return dict(await world.value("select last_error from dirty where source_id = %s", person_id(number)))


async def test_unique_values_of_the_initial_and_of_later_cycles(world: World, documo: ScimTarget) -> None:
    await world.configure(with_attributes({"target": "nickName", "expression": UNIQUE}))
    await made(documo, userName="x@contoso.com", nickName="IDA")
    await world.add_people([1, 2], givenName="Ida", surname="Holm")
    await world.sync()
    await made(documo, userName="y@contoso.com", nickName="Eva")
    await world.add_people([3], givenName="Eva", surname="Berg")
    await world.drain()

    found = await accounts(documo)
    assert {found[upn(1)]["nickName"], found[upn(2)]["nickName"]} == {"Ida.Holm", "Ida.Holm.2"}
    assert found[upn(3)]["nickName"] == "Eva.Berg"


async def test_unique_user_name_of_a_deleted_account_that_no_search_shows(world: World, documo: ScimTarget) -> None:
    """People are matched by their number; their names are made. The push says in its log what was chosen and why."""
    rules = 'SelectUniqueValue(Join("@", [givenName], "x.org"), Join("@", [surname], "x.org"))'
    attributes = [
        {"target": "externalId", "source": "userPrincipalName", "match": 1},
        {"target": "userName", "expression": rules},
        USERS["attributes"][1],
    ]
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": attributes}]})
    await made(documo, userName="Ida@X.org")
    await world.add_people([1], givenName="Ida", surname="Holm")
    async with world.pool.connection() as connection:
        job = await world.services.read_job(connection, world.job)

    [pushed] = await on_demand.push(world.services, job, USER, [person_id(1)], initiated_by="anna")

    assert "Holm@x.org" in await accounts(documo)
    assert pushed.record is not None
    steps = [step["description"] for step in pushed.record.details()["steps"]]
    assert 'userName is set to "Holm@x.org": "Ida@x.org" is already in use.' in steps


async def test_several_accounts_with_the_value_are_left_to_a_person(world: World, documo: ScimTarget) -> None:
    await world.configure(with_attributes({"target": "externalId", "source": "employeeId", "match": 2}))
    first = await made(documo, userName="a@contoso.com", externalId="7")
    second = await made(documo, userName="b@contoso.com", externalId="7")
    await world.sync()
    await world.add_people([1], employeeId="7")
    await world.drain()

    error = await error_of(world, 1)
    assert error["code"] == "DuplicateTargetEntries"
    assert first in error["reason"]
    assert second in error["reason"]
    assert upn(1) not in await accounts(documo)


async def test_account_of_somebody_else_is_not_taken_over(world: World, documo: ScimTarget) -> None:
    await world.configure(with_attributes({"target": "externalId", "source": "employeeId", "match": 2}))
    await world.add_people([1], employeeId="7")
    await world.sync()
    await world.add_people([2], employeeId="7")
    await world.drain()

    error = await error_of(world, 2)
    assert error["code"] == "DuplicateSourceEntries"
    assert upn(1) in error["reason"]
    assert upn(2) not in await accounts(documo)


async def test_first_attribute_with_an_answer_decides_and_the_source_may_be_an_expression(
    world: World, documo: ScimTarget
) -> None:
    attributes = [
        {"target": "externalId", "expression": 'Join("-", "E", [employeeId])', "match": 1},
        {"target": "userName", "source": "userPrincipalName", "match": 2},
        *USERS["attributes"][1:],
    ]
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": attributes}]})
    by_number = await made(documo, userName="old-name@contoso.com", externalId="E-7")
    by_name = await made(documo, userName=upn(2))
    await world.sync()
    await world.add_people([1], employeeId="7")
    await world.add_people([2], employeeId="8")
    await world.drain()

    found = await accounts(documo)
    assert (found[upn(1)]["id"], found[upn(2)]["id"]) == (by_number, by_name)
    assert "old-name@contoso.com" not in found


@pytest.mark.parametrize("name", ['o"brien\\+1@contoso.com', "zoë 李@contoso.com", 'x" or userName pr or "'])
async def test_name_with_any_character_finds_its_account_and_no_other(
    world: World, documo: ScimTarget, name: str
) -> None:
    await made(documo, userName="bystander@contoso.com")
    await world.sync()
    account = await made(documo, userName=name)
    await world.add_people([1], userPrincipalName=name)
    await world.drain()

    assert await world.value("select target_id from link where source_id = %s", person_id(1)) == account
    assert len(await accounts(documo)) == 2


async def test_rehired_person_gets_the_disabled_account_back(world: World, documo: ScimTarget) -> None:
    """Under a new directory id, as HR systems do: the old one is in the recycle bin with its account disabled."""
    await world.add_people([1])
    await world.sync()
    account = (await accounts(documo))[upn(1)]["id"]
    await delete_person(world, 1)
    await world.drain()
    assert (await accounts(documo))[upn(1)]["active"] is False

    await world.add_people([2], userPrincipalName=upn(1))
    await world.drain()

    found = await accounts(documo)
    assert [one["id"] for one in found.values()] == [account], await error_of(world, 2)
    assert found[upn(1)]["active"] is True
    links = dict(await world.rows("select source_id::text, state from link"))
    assert links == {person_id(1): "tombstone", person_id(2): "live"}
    [(reason,)] = await world.rows(
        "select record -> 'steps' from provisioning_log where source_id = %s order by id desc limit 1", person_id(2)
    )
    assert any(
        f'It belonged to "{upn(1)}", who has been deleted, and is taken over.' in step["description"] for step in reason
    )


async def test_rehire_in_the_moment_of_leaving_waits_for_the_leaving(world: World, documo: ScimTarget) -> None:
    await world.add_people([1])
    await world.sync()
    account = (await accounts(documo))[upn(1)]["id"]
    await delete_person(world, 1)
    await world.add_people([2], userPrincipalName=upn(1))

    await world.drain()

    found = await accounts(documo)
    assert [(one["id"], one["active"]) for one in found.values()] == [(account, True)]


async def test_person_who_is_restored_does_not_get_back_what_somebody_else_has(
    world: World, documo: ScimTarget
) -> None:
    await world.add_people([1])
    await world.sync()
    await delete_person(world, 1)
    await world.drain()
    await world.add_people([2], userPrincipalName=upn(1))
    await world.drain()
    before = await accounts(documo)

    await delete_person(world, 1, restored=True)
    await world.drain()

    assert (await error_of(world, 1))["code"] == "DuplicateSourceEntries"
    assert await accounts(documo) == before


async def test_purge_of_the_former_owner_leaves_the_account_alone(world: World, documo: ScimTarget) -> None:
    await world.add_people([1])
    await world.sync()
    await delete_person(world, 1)
    await world.drain()
    await world.add_people([2], userPrincipalName=upn(1))
    await world.drain()

    await world.rows("delete from person where id = %s returning 1", person_id(1))
    await world.rows("select mark_dirty(%s, 'User', %s::uuid[], 1::smallint, 'purged')", world.job, [person_id(1)])
    await world.drain()

    assert (await accounts(documo))[upn(1)]["active"] is True


async def delete_person(world: World, number: int, *, restored: bool = False) -> None:
    async with transaction(world.pool) as connection:
        await connection.execute(
            """update person set deleted_at = case when not %s then now() end, version = nextval('object_version')
            where id = %s""",
            (restored, person_id(number)),
        )
        await connection.execute(
            "select mark_dirty(id, 'User', %s::uuid[], 1::smallint, 'deleted') from job where id = %s",
            ([person_id(number)], world.job),
        )


PRIVILEGED = {
    "target": 'roles[primary eq "True"].value',
    "expression": "SingleAppRoleAssignment([appRoleAssignments])",
    "privileged": ["Admin"],
}


@pytest.mark.parametrize("is_equal", [True, False], ids=["nothing to write", "something to write"])
@pytest.mark.parametrize("in_first_cycle", [True, False])
async def test_match_onto_an_account_with_more_privileges_is_held_until_somebody_approves(
    world: World, documo: ScimTarget, in_first_cycle: bool, is_equal: bool
) -> None:
    """A person with an administrator's name in the directory must not get the administrator's account."""
    await world.configure(with_attributes(PRIVILEGED))
    names = {"name.givenName": "Given1", "name.familyName": "Sur1"} if is_equal else {"name.givenName": "The boss"}
    await made(documo, userName=upn(1), active=True, **names, **{'roles[primary eq "True"].value': "Admin"})
    if not in_first_cycle:
        await world.sync()
    before = await accounts(documo)

    await world.add_people([1, 2])
    await (world.sync() if in_first_cycle else world.drain())

    found = await accounts(documo)
    assert found[upn(1)] == before[upn(1)]
    assert upn(2) in found
    [(held, code)] = await world.rows("select id::text, error ->> 'guard' from operation where state = 'held'")
    assert code == "PrivilegedMatch"
    assert await world.value("select count(*) from link where source_id = %s", person_id(1)) == 0

    async with transaction(world.pool) as connection:
        await operations.decide_held(connection, world.job, decision="approved", actor="anna", ids=[held])
    await world.drain()

    assert await world.value("select target_id from link where source_id = %s", person_id(1)) == before[upn(1)]["id"]
    assert (await accounts(documo))[upn(1)]["name"]["givenName"] == "Given1"


async def test_change_of_a_person_whose_match_is_held_does_not_let_them_in(world: World, documo: ScimTarget) -> None:
    await world.configure(with_attributes(PRIVILEGED))
    await made(documo, userName=upn(1), active=True, **{'roles[primary eq "True"].value': "Admin"})
    await world.add_people([1])
    await world.sync()

    await world.change([1], surname="Another")
    await world.drain()

    assert await world.value("select count(*) from link") == 0
    assert await world.value("select count(*) from operation where state = 'held'") == 1
