"""Contoso, the generated organisation: its documented size, and files that import without an error."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, sources
from lockstep.sources.demo import KIM, demo_assignments, generate
from lockstep.storage.assignments import count_assigned
from tests.support.hub import Hub


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_same_seed_makes_the_same_files_and_another_one_others(tmp_path: Path) -> None:
    made = [generate(tmp_path / name, people=60, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]

    texts = [[file.read_bytes() for file in (one.people, one.groups, one.members)] for one in made]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("people", [1, 5, 60, 1204, 3000])
def test_contoso_of_any_size_has_kim_and_unique_names(tmp_path: Path, people: int) -> None:
    made = generate(tmp_path, people=people)

    names = [row["userPrincipalName"] for row in rows(made.people)]
    assert (len(names), len({name.lower() for name in names}), KIM in names) == (people, people, True)
    assert all(name.isascii() and " " not in name and "'" not in name for name in names)
    assert {row["groupDisplayName"] for row in rows(made.members)} <= {row["displayName"] for row in rows(made.groups)}


async def test_contoso_comes_in_without_a_bad_row_and_214_people_are_assigned(hub: Hub, tmp_path: Path) -> None:
    made = generate(tmp_path)
    files = [{"path": str(path)} for path in (made.people, made.groups, made.members)]

    results = await sources.import_source(hub.context, "hr", config={"files": files})
    app = await applications.add_application(hub.context, "documo")
    for one in demo_assignments():
        groups, users = ([one.principal], []) if one.is_group else ([], [one.principal])
        await assignments.assign(hub.context, "documo", users=users, groups=groups, role=one.role)

    assert [(one.created, one.bad, one.awaited, one.ignored) for one in results[:2]] == [
        (1204, 0, 0, ()),
        (41, 0, 0, ()),
    ]
    assert (results[2].bad, results[2].awaited, results[2].ignored) == (0, 0, ())
    async with hub.pool.connection() as connection:
        assert await count_assigned(connection, app.id) == (3, 214)
    assert await hub.fetch("select count(*) from person where manager_id is null") == [(1,)]
    assert await hub.fetch("select count(*) > 0 from person where not account_enabled") == [(True,)]
