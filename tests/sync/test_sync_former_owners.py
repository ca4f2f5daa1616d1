"""The account of a deleted person goes to the next person with the name, unless that person is known to be somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.actions import explaining, held, provisioning
from lockstep.actions.context import Context
from lockstep.engine.records import Change, ObjectKind
from tests.support.crashes import rename, set_deleted
from tests.support.model_target import ModelTarget
from tests.support.sync_world import World, person_id, upn

FORMER, NEW, NAME = 1, 2, upn(1)


async def owner_of(world: World, account: Any) -> Any:
    return await world.value("select source_id::text from link where target_id = %s and state <> 'tombstone'", account)


async def replaced(world: World, former: str, new: str) -> Any:
    """Person 1 is deleted, and person 2 gets the name, with these employee ids; returns the account."""
    await world.add_people([FORMER], employeeId=former)
    await world.sync()
    account = await world.value("select target_id from link")
    await set_deleted(world, [FORMER])
    await world.drain()
    await world.add_people([NEW], assigned=False, employeeId=new)
    await rename(world, {NEW: NAME})
    await world.assign([NEW])
    await world.drain()
    return account


async def test_account_of_somebody_else_waits_for_approval(context: Context, world: World, target: ModelTarget) -> None:
    account = await replaced(world, "E1", "E2")

    [waiting] = await held.list_held(context, "model")
    told = await explaining.explain_person(context, NAME, "model")

    assert await owner_of(world, account) == person_id(FORMER)
    assert target.people()[NAME]["active"] is False
    assert (waiting.source_id, waiting.reason) == (person_id(NEW), "rehired")
    assert told.why.verdict == "HELD FOR APPROVAL"
    assert f'belonged to "{NAME}", who has been deleted and had another employee id' in " ".join(
        reason.text for reason in told.plan.reasons
    )


async def test_approved_takeover_is_done_and_explained_afterwards(
    context: Context, world: World, target: ModelTarget
) -> None:
    account = await replaced(world, "E1", "E2")
    [waiting] = await held.list_held(context, "model")

    await provisioning.approve_deletes(context, "model", [waiting.id])
    await world.drain()
    told = await explaining.explain_person(context, NAME, "model")

    assert await owner_of(world, account) == person_id(NEW)
    assert target.people()[NAME]["active"] is True
    assert any(
        note.startswith("This person received the account at ") and f'its former owner, "{NAME}", was deleted.' in note
        for note in told.why.notes
    )


async def test_person_gets_an_account_of_their_own_once_the_name_is_free_in_the_application(
    context: Context, world: World, target: ModelTarget
) -> None:
    account = await replaced(world, "E1", "E2")

    renamed = [Change("userName", NAME, "former@contoso.test")]
    await target.update(ObjectKind.USER, account, renamed, current=None, etag="", operation_id="by hand")
    await world.change([NEW], surname="Changed")
    await world.drain()

    assert await held.list_held(context, "model") == []
    assert await owner_of(world, account) == person_id(FORMER)
    assert target.people()[NAME]["active"] is True


@pytest.mark.parametrize(("former", "new"), [("E1", "e1 "), ("0042", "42"), ("", "E2"), ("E1", ""), ("", "")])
async def test_account_goes_to_whoever_may_be_the_same_person(
    context: Context, world: World, target: ModelTarget, former: str, new: str
) -> None:
    account = await replaced(world, former, new)

    told = await explaining.explain_person(context, NAME, "model")

    assert await owner_of(world, account) == person_id(NEW)
    assert target.people()[NAME]["active"] is True
    assert any("This person received the account at " in note for note in told.why.notes)
