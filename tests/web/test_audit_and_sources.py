"""Audit logs, and sources with the changes that they hold back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from lockstep.actions import applications, assignments, sources
from lockstep.actions.permissions import Role
from lockstep.errors import LockstepError
from lockstep.web.pages import audit_logs
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import person, write_csv


async def test_the_audit_log_is_filtered_verified_and_downloaded(centre: Centre, admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "<script>Documo"})

    page = await admin.get("/logs/audit?verify=1")
    entry = await admin.get(
        next(href for href in page.links if href.startswith("/logs/audit/") and href[12:].isdigit())
    )
    none = await admin.get("/logs/audit?actor=nobody")
    as_json = await admin.get("/logs/audit/download/AuditLogs.json?activity=application")
    as_csv = await admin.get("/logs/audit/download/AuditLogs.csv")

    assert "The chain is complete" in page.text and "documo" in page.text
    assert "Before and after" in entry.text and "<script>Documo" not in entry.html
    assert "No audit entry matches this filter" in none.text
    assert all("application" in one["activity"].lower() for one in orjson.loads(as_json.html))
    assert as_csv.html.startswith("number,at,actor")


async def test_a_range_of_days_bounds_the_list_and_the_download_without_being_applied_first(
    centre: Centre, admin: Browser
) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    today, tomorrow = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (0, 1))

    page = await admin.get("/logs/audit")
    found = await admin.get(f"/logs/audit?since={today}&until={today}")
    later = await admin.get(f"/logs/audit?since={tomorrow}")
    earlier = await admin.get("/logs/audit/download/AuditLogs.json?until=2020-01-01")
    records = await admin.get(f"/logs/provisioning?since={tomorrow}&until=no+day")

    assert 'formaction="/logs/audit/download/AuditLogs.csv"' in page.html
    assert "documo" in found.text and f'value="{today}"' in found.html
    assert "No audit entry matches this filter" in later.text and orjson.loads(earlier.html) == []
    assert records.status == 200 and f"--since {tomorrow}T00:00Z" in records.html
    assert 'formaction="/logs/provisioning/download/ProvisioningLogs.csv"' in records.html


async def test_a_download_has_all_entries_though_it_reads_them_in_pages(
    centre: Centre, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_logs, "DOWNLOADED_AT_ONCE", 2)
    for number in range(5):
        await admin.post("/settings/outbound", {"entry": f"10.1.{number}.0/24"})

    rows = orjson.loads((await admin.get("/logs/audit/download/AuditLogs.json")).html)
    lines = (await admin.get("/logs/audit/download/AuditLogs.csv")).html.splitlines()

    numbers = [one["number"] for one in rows]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 5
    assert len(lines) == len(numbers) + 1


async def test_only_those_who_may_read_the_audit_log_see_it(centre: Centre) -> None:
    assert (await (await centre.signed_in(Role.AUDITOR)).get("/logs/audit")).status == 200
    assert (await (await centre.signed_in(Role.HELP_DESK)).get("/logs/audit")).status == 403


async def shrink(centre: Centre, folder: Path) -> int:
    names = [f"person{number}" for number in range(60)]
    for kept in (names, names[:5]):
        file = write_csv(folder / "people.csv", [person(name) for name in kept])
        await sources.import_file(centre.hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    return len(names) - 5


async def test_a_source_that_shrank_names_its_leavers_and_loses_them_only_after_the_number_is_typed(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    number = await shrink(centre, tmp_path)

    listed, page = await admin.get("/sources"), await admin.get("/sources/staff")
    refused = await admin.post("/sources/staff/decide", {"decision": "confirm", "confirmation": "5"})
    still = (await sources.show_source(centre.hub.context, "staff")).counts["people"]
    unseen = await admin.post(
        "/sources/staff/decide", {"decision": "confirm", "confirmation": str(number), "shown": "1"}
    )
    unshown = await admin.post("/sources/staff/decide", {"decision": "confirm", "confirmation": str(number)})
    shown = re.search(r'name="shown" value="([^"]+)"', unseen.html)
    assert shown is not None and "has changed since it was shown" in unseen.text
    form = {"decision": "confirm", "confirmation": str(number), "shown": shown[1]}
    done = await admin.post("/sources/staff/decide", form)

    assert "Waits for a decision" in listed.text
    assert "person59" in page.text and f"Type {number} to confirm" in page.text
    assert unshown.status == 400 and "was not shown to you" in unshown.text
    assert refused.status == 400 and still == number + 5 and done.status == 303
    assert (await sources.show_source(centre.hub.context, "staff")).counts["people"] == 5


async def test_an_auditor_sees_what_a_source_holds_and_may_not_decide(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await shrink(centre, tmp_path)
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get("/sources/staff")
    refused = await auditor.post("/sources/staff/decide", {"decision": "reject"})

    assert "person59" in page.text and "to confirm" not in page.text
    assert refused.status == 403
    assert (await sources.show_source(centre.hub.context, "staff")).holds


async def test_a_source_is_removed_only_after_the_page_showed_who_loses_an_account_and_the_number_was_typed(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    context = centre.hub.context
    file = write_csv(tmp_path / "people.csv", [person("ann"), person("ben")])
    await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await applications.add_application(context, "documo")
    await assignments.assign(context, "documo", users=["ann@contoso.test"], role="Member")
    await centre.hub.fetch(
        """insert into link (job, kind, source_id, target_id, state, display, base)
        select job.id, 'User', person.id, 'a1', 'live', 'Ann', '{"userName": "ann@contoso.test"}' from job, person
        where user_principal_name = 'ann@contoso.test' returning job"""
    )
    await centre.hub.fetch("update job set status = 'on', started = true")
    here = "/sources/staff/remove"

    page, asked = await admin.get("/sources/staff"), await admin.get(here)
    seen = await admin.settled(f"{here}/consequences")
    wrong = await admin.post(here, {"confirmation": "1"})
    still = (await sources.show_source(context, "staff")).counts["people"]
    done = await admin.post(here, {"confirmation": "2"})

    assert f'href="{here}"' in page.html and "2 people and 0 groups" in asked.text
    assert "Remove the source" not in asked.text, "the button comes with what happens to accounts"
    assert (
        "Documo: 1 person would lose the account (ann@contoso.test)." in seen.text and "Type 2 to confirm" in seen.text
    )
    assert wrong.status == 400 and "Type 2" in wrong.text and still == 2
    assert done.location == "/sources"
    with pytest.raises(LockstepError, match="staff"):
        await sources.show_source(context, "staff")
    assert await centre.hub.fetch("select count(*) from person where deleted_at is null") == [(0,)]


async def test_a_source_without_people_is_removed_without_a_number(centre: Centre, admin: Browser) -> None:
    await centre.hub.fetch(
        "insert into source (name, kind, display_name) values ('empty', 'csv', 'Empty') returning name"
    )

    asked = await admin.get("/sources/empty/remove")
    done = await admin.post("/sources/empty/remove")

    assert "Remove the source" in asked.text and "to confirm" not in asked.text
    assert done.location == "/sources"


async def test_people_who_only_look_are_not_offered_to_remove_a_source(centre: Centre, tmp_path: Path) -> None:
    await shrink(centre, tmp_path)
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get("/sources/staff")
    refused = [
        await auditor.get("/sources/staff/remove"),
        await auditor.post("/sources/staff/remove", {"confirmation": "60"}),
    ]

    assert "/sources/staff/remove" not in page.html
    assert [one.status for one in refused] == [403, 403]
