"""Secret values are in no table in plain text, and changes of them are still detected."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.actions import job_previews
from lockstep.actions.context import Context
from lockstep.ports import Verdict
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, USERS, World, upn

SECRETS = (
    {"target": "password", "expression": 'Join("-", "Yq5", "CANARY", [employeeId])'},
    {"target": "nickName", "expression": 'Redact(Join("-", "Yq5", "CANARY", [employeeId]))'},
    {"target": "title", "expression": 'Join("-", "Yq5", "CANARY", [employeeId])', "redact": True},
    {"target": "urn:x:apiKey", "expression": 'Join("-", "Yq5", "CANARY", RandomString(8,2,2,2,2))'},
)
CANARY = "Yq5-CANARY"


def with_secrets(*attributes: dict[str, Any]) -> dict[str, Any]:
    return CONFIG | {"mappings": [USERS | {"attributes": [*USERS["attributes"], *attributes]}]}


async def seen_in(world: World) -> list[str]:
    """Every column of every table that contains the canary."""
    columns = await world.rows(
        """select table_name, column_name from information_schema.columns
        where table_schema = 'public' and data_type <> 'bytea'"""
    )
    return [
        f"{table}.{column}"
        for table, column in columns
        if await world.value(
            f'select exists (select from "{table}" where "{column}"::text like %s)',
            f"%{CANARY}%",
        )
    ]


@pytest.fixture
async def provisioned(world: World, target: ModelTarget) -> World:
    await world.configure(with_secrets(*SECRETS))
    await world.add_people([1, 2, 3], employeeId="17")
    await world.sync()
    assert all(one["password"] == f"{CANARY}-17" for one in target.people().values())
    return world


async def test_secret_values_stand_in_no_table_after_create_update_refusal_and_full_run(
    provisioned: World, target: ModelTarget
) -> None:
    after_create = await seen_in(provisioned)

    await provisioned.change([1, 2], employeeId="18")
    refused = answered(Verdict.REFUSED)
    target.before = lambda verb, key: refused if verb == "update" and key == "u_2" else None
    await provisioned.drain()
    target.before = lambda verb, key: None
    await provisioned.sync()

    assert (after_create, await seen_in(provisioned)) == ([], [])


async def test_changed_secret_is_written_once(provisioned: World, target: ModelTarget) -> None:
    await provisioned.change([1], employeeId="18")
    await provisioned.drain()
    changed = target.people()[upn(1)]["password"]
    writes = target.writes

    await provisioned.sync()
    await provisioned.sync()

    assert changed == f"{CANARY}-18"
    assert target.writes == writes


async def test_secret_that_was_generated_is_made_once(provisioned: World, target: ModelTarget) -> None:
    made = {one: account["urn:x:apiKey"] for one, account in target.accounts[USER].items()}

    await provisioned.change([1, 2, 3], employeeId="19")
    await provisioned.sync()

    assert {one: account["urn:x:apiKey"] for one, account in target.accounts[USER].items()} == made
    assert len(set(made.values())) == 3, "nobody has the same random value as another"


async def test_secret_that_an_older_version_kept_in_clear_goes_with_the_next_full_run(
    provisioned: World, target: ModelTarget
) -> None:
    await provisioned.rows("""update link set base = base || '{"password": "Yq5-CANARY-17"}' returning 1""")
    writes = target.writes

    await provisioned.sync()

    assert await seen_in(provisioned) == []
    assert target.writes == writes


async def test_preview_of_everyone_stores_no_secret_value(world: World, context: Context) -> None:
    await world.configure(with_secrets(*SECRETS))
    await world.add_people([1, 2, 3], employeeId="17")

    begun = await job_previews.begin_preview(context, world.app)
    await job_previews.make_due_preview(context)

    objects = await job_previews.list_objects(context, world.app, begun.id)
    shown = {change["displayName"]: change["newValue"] for change in objects[0].changes}
    assert (shown["password"], shown["title"]) == ("[Redact]", "[Redact]")
    assert await seen_in(world) == []
