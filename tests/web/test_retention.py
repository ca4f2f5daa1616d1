"""How long records are kept: on the page, in the API, in configuration files, and by the periodic task."""

from __future__ import annotations

import pytest

from lockstep.actions import applications, groups, retention
from lockstep.actions.permissions import Role
from lockstep.configuration.files.file import read_documents
from lockstep.errors import LockstepError
from lockstep.storage.retention import NEWEST_CYCLES, ExpiringRecords
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import Hub

HERE = "/settings/retention"


@pytest.fixture(autouse=True)
async def application(centre: Centre) -> None:
    await applications.add_application(centre.hub.context, "documo")
    await groups.create_group(centre.hub.context, "Sales")


async def log_records(hub: Hub, *ages_in_days: int) -> None:
    for age in ages_in_days:
        await hub.fetch(
            """insert into provisioning_log (id, change_id, at, job, app, action, status, kind, record)
            select gen_random_uuid(), gen_random_uuid(), now() - make_interval(days => %s), id, app, 'update', 'success', 'User', '{}'
            from job limit 1""",
            age,
        )


async def count(hub: Hub, table: str) -> int:
    [(number,)] = await hub.fetch(f"select count(*) from {table}")  # of this module
    return int(str(number))


async def test_records_older_than_they_are_kept_are_counted_before_the_click_and_then_removed(
    centre: Centre, admin: Browser
) -> None:
    await log_records(centre.hub, 1, 8, 9, 20)

    counted = await admin.post(HERE, {"provisioningLog": "7"})
    untyped = await admin.post(HERE, {"provisioningLog": "7", "step": "confirm", "confirmation": "30"})
    unchanged = {one.key: one.days for one in await retention.show_retention(centre.hub.context)}
    saved = await admin.post(HERE, {"provisioningLog": "7", "step": "confirm", "confirmation": "3"})
    removed = await retention.remove_old(centre.hub.context)

    assert "Provisioning logs: 3 records" in counted.text and "Type 3 to confirm" in counted.text
    assert untyped.status == 400 and unchanged["provisioningLog"] == 30
    assert saved.location == HERE and removed[ExpiringRecords.PROVISIONING_LOG] == 3
    assert await count(centre.hub, "provisioning_log") == 1
    [(before, after)] = await centre.hub.fetch(
        "select before ->> 'provisioningLog', after ->> 'provisioningLog' from audit_log where activity = 'Set retention'"
    )
    assert (before, after) == ("30", "7")


async def test_what_is_removed_is_removed_in_bounded_batches(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    await log_records(centre.hub, 1, *[40] * 7)
    monkeypatch.setattr(retention, "BATCH", 3)

    removed = await retention.remove_old(centre.hub.context)

    assert removed[ExpiringRecords.PROVISIONING_LOG] == 7 and await count(centre.hub, "provisioning_log") == 1


async def test_the_newest_cycles_stay_and_so_does_one_that_runs(centre: Centre) -> None:
    await centre.hub.fetch(
        """insert into cycle (job, kind, state, config_version, started_at, ended_at)
        select id, 'incremental', case n when 1 then 'running' else 'succeeded' end, 1, now() - interval '2 years',
            case n when 1 then null else now() - interval '2 years' end
        from (select id from job limit 1) as job, generate_series(1, %s::int) as n order by n""",
        NEWEST_CYCLES + 5,
    )

    removed = await retention.remove_old(centre.hub.context)

    assert removed[ExpiringRecords.CYCLES] == 4
    assert await count(centre.hub, "cycle") == NEWEST_CYCLES + 1


async def test_directory_changes_and_the_audit_log_stay_for_ever_unless_somebody_says_otherwise(centre: Centre) -> None:
    await centre.hub.fetch("update change set at = now() - interval '9 years'")
    changes, entries = await count(centre.hub, "change"), await count(centre.hub, "audit_log")

    await retention.remove_old(centre.hub.context)
    kept = await count(centre.hub, "change")
    await retention.set_retention(centre.hub.context, {"directoryChanges": 30})
    await retention.remove_old(centre.hub.context)

    assert changes and kept == changes and await count(centre.hub, "change") == 0
    assert await count(centre.hub, "audit_log") == entries + 1


async def test_files_sessions_and_links_are_removed_without_another_of_their_kind(
    centre: Centre, admin: Browser
) -> None:
    await centre.hub.fetch(
        """insert into source_upload (id, source, file_name, size, config, created_by, created_at)
        values (gen_random_uuid(), 'hr', 'a.csv', 1, '{}', 'ada', now() - interval '2 days'),
            (gen_random_uuid(), 'hr', 'b.csv', 1, '{}', 'ada', now())"""
    )
    await centre.hub.fetch("update administrator_session set expires_at = now() - interval '1 minute'")

    await retention.remove_old(centre.hub.context)

    assert [name for (name,) in await centre.hub.fetch("select file_name from source_upload")] == ["b.csv"]
    assert await count(centre.hub, "administrator_session") == 0


@pytest.mark.parametrize("days", [-1, 3_651, 2])
async def test_a_time_that_is_not_possible_is_refused(centre: Centre, days: int) -> None:
    with pytest.raises(LockstepError, match="or 0 to keep them forever"):
        await retention.set_retention(centre.hub.context, {"cycles": days})


async def test_a_role_that_may_not_change_it_sees_what_is_kept(centre: Centre) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get(HERE)
    refused = await auditor.post(HERE, {"cycles": "30"})

    assert "Provisioning logs 30 days" in page.text and "Save" not in page.text
    assert refused.status == 403


def test_a_file_sets_it_and_refuses_what_is_not_possible() -> None:
    text = "apiVersion: lockstep/v1\nkind: Tenant\nmetadata: {name: contoso}\nspec:\n  retention: {cycles: %s}\n"

    [document] = read_documents(text % 90, "a.yaml")
    with pytest.raises(LockstepError, match="30 to 3650 days"):
        read_documents(text % 7, "a.yaml")

    assert document.spec == {"retention": {"cycles": 90}}


async def test_about_names_the_version_the_database_and_the_licences(admin: Browser) -> None:
    page = await admin.get("/settings/about")

    assert "Apache License 2.0" in page.text and "PostgreSQL" in page.text and "MIT" in page.text
