"""A filter that makes many people leave is held: nobody is disabled without approval, and each decision stands."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.actions import assignments, provisioning, status
from lockstep.actions import held as held_actions
from lockstep.actions import settings as settings_actions
from tests.journeys.two_applications import Stage, open_stage
from tests.support.hub import person, upn

STAY = ("sam", "sue")
LEAVE = ("lea", "leo", "les", "liv")
SALES_ONLY = [{"title": "Sales", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}]


@pytest.fixture(scope="module")
async def open_once() -> AsyncIterator[Stage]:
    async with open_stage() as made:
        await made.have([person(name) for name in STAY] + [person(name, department="HR") for name in LEAVE])
        for app in made.wires:
            await assignments.assign(made.context, app, users=[upn(name) for name in STAY + LEAVE])
            await settings_actions.change_settings(made.context, app, deletion_threshold=2)
        yield made


@pytest.fixture
async def stage(open_once: Stage) -> AsyncIterator[Stage]:
    """Both applications after the filter changed, with four leavers where only two may leave without approval."""
    await open_once.settle()
    assert await active(open_once) == everywhere(open_once, STAY + LEAVE)
    open_once.forget_requests()
    for app in open_once.wires:
        await settings_actions.set_scope(open_once.context, app, SALES_ONLY)
        await open_once.cycle(app)
    yield open_once
    for app in open_once.wires:
        await settings_actions.set_scope(open_once.context, app, [])


async def active(stage: Stage) -> dict[str, set[str]]:
    """The people with an active account, by application."""
    return {
        app: {name for name, account in (await wire.listed()).items() if account["active"]}
        for app, wire in stage.wires.items()
    }


def everywhere(stage: Stage, names: tuple[str, ...]) -> dict[str, set[str]]:
    return {app: {upn(name) for name in names} for app in stage.wires}


async def test_filter_that_makes_many_leave_is_held_and_nothing_is_sent(stage: Stage) -> None:
    for app, wire in stage.wires.items():
        held = await held_actions.list_held(stage.context, app)
        assert [one.action for one in held] == ["disable"] * len(LEAVE)
        assert {one.guard for one in held} == {"TooManyDeletes"}
        assert (await status.show_status(stage.context, app)).held == len(LEAVE)
        assert wire.writes == []
    assert await active(stage) == everywhere(stage, STAY + LEAVE)


async def test_rejected_leavers_keep_their_accounts_in_later_cycles_too(stage: Stage) -> None:
    for app in stage.wires:
        assert (await provisioning.reject_deletes(stage.context, app)).count == len(LEAVE)
        for _ in range(2):
            await stage.cycle(app)
        assert (await status.show_status(stage.context, app)).held == 0

    assert await active(stage) == everywhere(stage, STAY + LEAVE)
    assert [wire.writes for wire in stage.wires.values()] == [[], []]


async def test_approved_leavers_are_disabled_and_come_back_with_the_filter(stage: Stage) -> None:
    for app in stage.wires:
        assert (await provisioning.approve_deletes(stage.context, app)).count == len(LEAVE)
    await stage.settle()
    assert await active(stage) == everywhere(stage, STAY)
    for wire in stage.wires.values():
        assert [method for method, _, _ in wire.writes] == ["PATCH"] * len(LEAVE)

    for app in stage.wires:
        await settings_actions.set_scope(stage.context, app, [])
    await stage.settle()
    assert await active(stage) == everywhere(stage, STAY + LEAVE)


async def test_only_who_is_approved_is_let_go(stage: Stage) -> None:
    for app in stage.wires:
        held = await held_actions.list_held(stage.context, app)
        one = next(one for one in held if one.name == upn("lea"))
        assert (await provisioning.approve_deletes(stage.context, app, [one.id])).count == 1
        await stage.cycle(app)
        assert (await status.show_status(stage.context, app)).held == len(LEAVE) - 1

    assert await active(stage) == everywhere(stage, (*STAY, "leo", "les", "liv"))
