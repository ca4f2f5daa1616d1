"""Home: items that need attention lead to the page where they are dealt with, and no caller is offered what they may not do."""

from __future__ import annotations

from pathlib import Path

from lockstep.actions import applications, sources
from lockstep.actions.permissions import Role
from lockstep.postgres.pool import transaction
from lockstep.storage import provisioning_log
from lockstep.storage.log_record import LogRecord
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid, person, write_csv


async def test_failures_lead_to_their_causes_and_held_changes_to_the_decision(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "documo", name="box", display_name="Box")
    await applications.add_application(centre.hub.context, "documo")
    calm = await admin.get("/")
    await centre.hub.fetch("update job set status = 'on', started = true")
    await centre.hub.fetch(
        """insert into dirty (job, kind, source_id, lane, reasons, failures, first_failed_at, not_before, last_error)
        select id, 'User', gen_random_uuid(), 3, '{attributes}', 2, now(), now() + interval '1 hour', '{"code": "x"}'
        from job where app = (select id from application where name = 'box')"""
    )
    await centre.hub.fetch(
        """insert into operation (id, job, kind, source_id, action, state, attempt, error)
        select gen_random_uuid(), id, 'User', gen_random_uuid(), 'delete', 'held', 1, '{}'
        from job where app = (select id from application where name = 'documo')"""
    )

    page = await admin.get("/")

    assert "/logs/provisioning/failures" not in calm.links
    assert "need you" in page.text
    assert "/logs/provisioning/failures" in page.links
    assert page.links.count("/apps/documo/provisioning/held") == 2


async def test_nobody_is_called_in_step_before_the_first_cycle(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "documo")
    before = await admin.get("/")
    await centre.hub.fetch("update job set status = 'on', started = true")
    await centre.hub.fetch(
        """insert into cycle (job, kind, state, config_version, started_at, ended_at)
        select id, 'initial', 'succeeded', 1, now(), now() from job"""
    )

    after = await admin.get("/")

    assert "Nothing is provisioned yet" in before.text and "Everything is in step" not in before.text
    assert "Nothing is provisioned yet" not in after.text


async def test_paused_application_is_neither_called_in_step_nor_has_a_next_cycle(
    centre: Centre, admin: Browser
) -> None:
    await applications.add_application(centre.hub.context, "documo")
    await centre.hub.fetch(
        "update job set status = 'on', started = true, next_cycle_at = now() + interval '40 minutes'"
    )
    await centre.hub.fetch(
        """insert into cycle (job, kind, state, config_version, started_at, ended_at)
        select id, 'initial', 'succeeded', 1, now(), now() from job"""
    )
    running = await admin.get("/")
    await centre.hub.fetch("update job set status = 'off'")

    paused = await admin.get("/")
    overview = await admin.get("/apps/documo")

    assert "in 40 minutes" in running.text
    assert "Nothing needs you" in paused.text and "Everything is in step" not in paused.text
    assert "Not scheduled" in paused.text and "in 40 minutes" not in paused.text + overview.text


async def test_nothing_is_called_being_processed_during_a_quarantine(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "documo")
    await centre.hub.fetch(
        """insert into dirty (job, kind, source_id, lane, reasons)
        select id, 'User', gen_random_uuid(), 3, '{attributes}' from job"""
    )
    await centre.hub.fetch(
        """update job set status = 'on', started = true, quarantine = '{"reason": "EncounteredQuarantineException",
        "currentBegan": "2026-11-20T08:00:00+00:00", "seriesCount": 1, "nextAttempt": "2099-01-01T00:00:00+00:00",
        "error": {"code": "Unauthorized", "message": "The key was refused", "nextStep": ""}}'"""
    )

    page = await admin.get("/")

    assert "nothing is sent now" in page.text and "being processed" not in page.text


async def test_somebody_who_may_not_add_applications_is_told_whom_to_ask(centre: Centre, admin: Browser) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get("/")

    assert "Ask a Global administrator" in page.text and "/apps/new" not in page.links
    assert "/apps/new" in (await admin.get("/")).links


async def test_only_a_record_of_success_says_that_something_was_done(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "people.csv", [person("anna")])
    await sources.import_file(centre.hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    app = await applications.add_application(centre.hub.context, "documo")
    records = [
        LogRecord(guid(f"row {status}"), guid(status), None, "update", status, "User", guid("anna"), "anna@contoso.test",
                  "the reason", "system")
        for status in ("success", "failure", "warning", "skipped")
    ]  # fmt: skip
    async with transaction(centre.hub.pool) as connection:
        await provisioning_log.append(connection, app.job, app.id, records)

    home = await admin.get("/")
    timeline = await admin.get(f"/users/{guid('anna')}")

    for sentence in (
        "updated in Documo",
        "could not be updated in Documo",
        "held for approval: would be updated in Documo",
    ):
        assert f"anna@contoso.test {sentence}" in home.text
        assert sentence[0].upper() + sentence[1:] in timeline.text
    assert "Skipped in Documo" in timeline.text and "skipped in Documo" not in home.text
    assert home.text.count("anna@contoso.test updated in Documo") == 1
    assert timeline.text.count("Updated in Documo") == 1
