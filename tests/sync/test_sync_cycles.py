"""Cycles end to end against the model of an application."""

from __future__ import annotations

from model_target import ModelTarget
from sync_world import World, upn


async def test_initial_cycle_creates_everybody_once_with_one_request_each(world: World, target: ModelTarget) -> None:
    await world.add_people(range(200))

    cycle = await world.sync()

    assert sorted(target.people()) == [upn(number) for number in range(200)]
    assert target.people()[upn(7)] == {
        "userName": upn(7), "active": True, "name.givenName": "Given7", "name.familyName": "Sur7",
    }  # fmt: skip
    assert (cycle.kind, cycle.state, cycle.total, cycle.done) == ("initial", "succeeded", 200, 200)
    assert cycle.counts == {"created": 200}
    assert cycle.requests == 200 + 1  # one page of the listing
    assert target.requests["find"] == 1  # the probe
