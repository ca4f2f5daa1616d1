"""The address of a timeline: its period, its pages, its chips and its downloads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from lockstep.actions import people, sources
from lockstep.web.timeline import TimelineQuery
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid, person, upn, write_csv

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HERE = f"/users/{guid('anna')}"


@pytest.mark.parametrize(
    ("given", "after", "before"),
    [
        ({}, None, None),
        ({"range": "24h"}, NOW - timedelta(hours=24), None),
        ({"range": "year"}, None, None),
        ({"since": "2026-03-01"}, datetime(2026, 3, 1, tzinfo=UTC), None),
        ({"since": "2026-03-01", "range": "24h"}, datetime(2026, 3, 1, tzinfo=UTC), None),
        ({"until": "2026-03-01"}, None, datetime(2026, 3, 2, tzinfo=UTC)),
        ({"since": "yesterday", "until": "2026-13-01"}, None, None),
    ],
)
def test_period_begins_and_ends_with_whole_days_and_unknown_values_are_ignored(
    given: dict[str, str], after: datetime | None, before: datetime | None
) -> None:
    query = TimelineQuery.of(given, {})

    assert (query.after(NOW), query.before) == (after, before)


@pytest.mark.parametrize(("only", "kept"), [("documo", "documo"), ("sign-ins", "sign-ins"), ("box", "")])
def test_only_known_parts_and_applications_narrow_a_timeline(only: str, kept: str) -> None:
    assert TimelineQuery.of({"only": only}, {"documo": "Documo"}).only == kept


async def contoso(centre: Centre, folder: Path) -> None:
    """Anna with 40 changes in the directory on 1 March, one each minute, and one on the day before."""
    file = write_csv(folder / "people.csv", [person("anna")])
    await sources.import_file(centre.hub.context, "hr", {"files": [{"path": str(file)}]}, is_kept=True)
    await centre.hub.fetch("update change set at = '2026-01-01Z'")
    await centre.hub.fetch(
        """insert into change (at, kind, object_id, what, changed, actor)
        select '2026-02-28T10:00Z'::timestamptz + make_interval(mins => 1440 * (n > 0)::int + n), 'User', %s, 'updated', '{title}',
            'actor ' || n
        from generate_series(0, 40) as n""",
        guid("anna"),
    )


async def changes_in(admin: Browser, link: str) -> list[str]:
    found: list[dict[str, Any]] = orjson.loads((await admin.get(link)).html)
    return [one["by"] for one in found]


async def test_second_page_and_chips_keep_the_period(centre: Centre, admin: Browser, tmp_path: Path) -> None:
    await contoso(centre, tmp_path)

    first = await admin.get(f"{HERE}?only=directory&since=2026-03-01&until=2026-03-01")
    second = await admin.get(next(link for link in first.links if "before=" in link))

    assert (first.text.count("by actor"), second.text.count("by actor")) == (30, 10)
    chip = next(link for link in first.links if "only=sign-ins" in link)
    assert parse_qs(urlsplit(chip).query) == {"only": ["sign-ins"], "since": ["2026-03-01"], "until": ["2026-03-01"]}


async def test_commands_of_a_deleted_person_do_not_name_the_one_who_has_the_name_now(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    await people.delete(centre.hub.context, [upn("anna")])

    page = await admin.get(HERE)

    assert f"lockstep people show {guid('anna')} --deleted" in page.text
    assert f"lockstep timeline {guid('anna')}" in page.text


async def test_download_has_the_whole_period_and_nothing_else(centre: Centre, admin: Browser, tmp_path: Path) -> None:
    await contoso(centre, tmp_path)
    file = f"{HERE}/timeline/timeline.json?only=directory"

    assert await changes_in(admin, f"{file}&since=2026-03-01&until=2026-03-01") == [
        f"actor {n}" for n in range(40, 0, -1)
    ]
    assert await changes_in(admin, f"{file}&since=2026-02-28&until=2026-02-28") == ["actor 0"]
    assert await changes_in(admin, f"{file}&since=2026-04-01") == []
