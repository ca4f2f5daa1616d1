"""An id finds only the object with this id, and never an object that has the id as its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.actions import applications, groups, sources
from lockstep.actions.configuration_state import name_of_group
from lockstep.actions.lookup import find_group, find_person
from lockstep.errors import Kind, LockstepError
from tests.support.hub import Hub, guid, person, upn, write_csv

X, Y = "x-of-hr", "y-of-hr"


async def call_after(hub: Hub, name: str, other: str) -> None:
    """Give the group *name* the id of the group *other* as its display name, as a source can."""
    async with hub.pool.connection() as connection:
        wanted, given = await find_group(connection, name), await find_group(connection, other)
        await connection.execute("update grp set display_name = %s where id = %s", (given.id, wanted.id))


async def found(hub: Hub, name: str, *, is_deleted: bool = False) -> str:
    async with hub.pool.connection() as connection:
        return (await find_group(connection, name, is_deleted=is_deleted)).id


@pytest.fixture
async def ids(hub: Hub) -> tuple[str, str]:
    """The ids of two groups. The second one has the id of the first one as its display name."""
    x, y = await groups.create_group(hub.context, X), await groups.create_group(hub.context, Y)
    await call_after(hub, Y, X)
    return x.id, y.id


async def test_id_finds_its_group_and_not_the_one_that_is_called_like_it(hub: Hub, ids: tuple[str, str]) -> None:
    x, y = ids

    assert [await found(hub, X), await found(hub, x), await found(hub, x.upper()), await found(hub, y)] == [x, x, x, y]


async def test_id_of_a_deleted_group_finds_no_other_group(hub: Hub, ids: tuple[str, str]) -> None:
    x, y = ids
    await groups.delete_group(hub.context, x)

    with pytest.raises(LockstepError) as refused:
        await found(hub, x)

    assert refused.value.kind is Kind.NOT_FOUND
    await groups.delete_group(hub.context, y)
    assert await found(hub, x, is_deleted=True) == x


async def test_file_names_a_group_by_its_id_if_its_name_reads_as_an_id(hub: Hub, ids: tuple[str, str]) -> None:
    x, y = ids
    async with hub.pool.connection() as connection:
        assert [await name_of_group(connection, y, x), await name_of_group(connection, x, X)] == [y, X]


async def test_groups_and_applications_cannot_be_named_like_an_id(hub: Hub) -> None:
    with pytest.raises(LockstepError, match="would be mistaken for the id of a group"):
        await groups.create_group(hub.context, guid("x"))
    with pytest.raises(LockstepError, match="is not a valid application name"):
        await applications.add_application(hub.context, "documo", name=guid("x"))


async def test_id_of_a_purged_person_does_not_find_somebody_who_is_called_like_it(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "people.csv", [person("anna", displayName=guid("gone")), person("bo")])
    await sources.import_source(hub.context, "hr", config={"files": [{"path": str(file)}]})
    async with hub.pool.connection() as connection:
        with pytest.raises(LockstepError) as refused:
            await find_person(connection, guid("gone"))
        found_by_id = await find_person(connection, guid("bo"))

    assert refused.value.kind is Kind.NOT_FOUND
    assert found_by_id.user_principal_name == upn("bo")
