"""A leaver's account that the application does not show is disabled once it shows it again."""

from __future__ import annotations

from lockstep.ports import Verdict
from tests.support.crashes import purge, settle
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_world import World, upn


async def test_account_that_reads_find_is_never_taken_as_deleted(world: World, target: ModelTarget) -> None:
    await world.add_people([1, 2])
    await world.sync()
    target.before = lambda verb, key: answered(Verdict.DONE_ALREADY, status=404) if verb == "delete" else None
    await purge(world, [1])
    await settle(world)

    target.before = lambda verb, key: None
    await settle(world)

    assert set(target.people()) == {upn(2)}
