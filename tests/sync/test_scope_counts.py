"""The number of people that a scoping filter selects: people who do not differ in the values that the filter reads are counted together,
with the same result as deciding for each person.
"""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.actions import people
from lockstep.actions.context import Context
from lockstep.actions.mappings import ScopeCounts, count_scope
from lockstep.engine.rules.configuration import Scope
from tests.support.sync_world import World, upn


def passes(attribute: str, operator: str, value: str) -> dict[str, Any]:
    return {"title": "t", "all": [{"attribute": attribute, "operator": operator, "value": value}]}


# The first reads values as they are stored, the second a name that is computed for each person: both accept person 0 and person 1.
BY_STORED_VALUES = passes("department", "EQUALS", "Sales")
ONE_BY_ONE = passes("userPrincipalName", "REGEX MATCH", f"{upn(0)}|{upn(1)}")


@pytest.fixture
async def staff(context: Context, world: World) -> None:
    """Persons 0 to 3 have accounts, 0 and 1 are in Sales; 3 is no longer assigned, and 4 never was."""
    await world.add_people(range(2), department="Sales")
    await world.add_people(range(2, 5), department="Legal")
    await world.unassign([4])
    await world.sync()
    await world.unassign([3])


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("tried", [BY_STORED_VALUES, ONE_BY_ONE])
async def test_a_filter_counts_who_passes_and_names_who_would_leave(context: Context, tried: dict[str, Any]) -> None:
    found = await count_scope(context, "model", filters=[tried])

    assert found == ScopeCounts(people=5, in_scope=2, unassigned=2, filtered=1, leavers=(upn(2),), already_out=1)


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("tried", [BY_STORED_VALUES, ONE_BY_ONE])
async def test_a_filter_is_tried_with_a_scope_of_everybody(context: Context, tried: dict[str, Any]) -> None:
    found = await count_scope(context, "model", filters=[tried], scope=Scope.ALL)

    assert found == ScopeCounts(people=5, in_scope=2, unassigned=0, filtered=3, leavers=(upn(2),), already_out=1)


@pytest.mark.usefixtures("staff")
async def test_people_in_the_recycle_bin_are_not_counted(context: Context) -> None:
    await people.delete(context, [upn(0), upn(3)])

    for tried in (BY_STORED_VALUES, ONE_BY_ONE):
        assert await count_scope(context, "model", filters=[tried]) == ScopeCounts(
            people=3, in_scope=1, unassigned=1, filtered=1, leavers=(upn(2),), already_out=0
        )
