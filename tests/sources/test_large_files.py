"""A hundred thousand people: imported fast, in bounded memory, and guarded if nearly all of them disappear."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from lockstep.actions.sources import import_source
from lockstep.directory.rows import PassResult
from tests.support.hub import Hub, person, upn, write_csv

MANY = 100_000
pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


async def bring(hub: Hub, path: Path) -> PassResult:
    [result] = await import_source(hub.context, "hr", config={"files": [{"path": str(path)}]})
    return result


async def test_hundred_thousand_people_come_in_quickly_and_three_left_in_the_file_are_held(
    hub: Hub, tmp_path: Path
) -> None:
    rows = (person(f"p{number}", manager=upn(f"p{number // 10}")) for number in range(MANY))
    file = write_csv(tmp_path / "people.csv", rows)
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()

    first = await bring(hub, file)
    first_seconds, began = time.monotonic() - began, time.monotonic()
    second = await bring(hub, file)
    second_seconds = time.monotonic() - began
    few = await bring(hub, write_csv(tmp_path / "few.csv", [person(f"p{number}") for number in range(3)]))

    memory_megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before) / 1024
    print(
        f"{MANY / first_seconds:,.0f} rows/s new, {MANY / second_seconds:,.0f} rows/s unchanged, {memory_megabytes:.0f} MB more"
    )
    assert (first.created, first.bad, second.unchanged, second.updated) == (MANY, 0, MANY, 0)
    assert "99,997 of 100,000 people" in few.held
    assert await hub.fetch("select count(*) from person where deleted_at is null") == [(MANY,)]
    assert memory_megabytes < 100
