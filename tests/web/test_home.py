"""Home: what needs a person leads to the room where it is settled, and nobody is offered what they may not do."""

from __future__ import annotations

from lockstep.actions import applications
from lockstep.actions.permissions import Role
from tests.support.admin_centre import Browser, Centre


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


async def test_somebody_who_may_not_add_applications_is_told_whom_to_ask(centre: Centre, admin: Browser) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get("/")

    assert "Ask a Global administrator" in page.text and "/apps/new" not in page.links
    assert "/apps/new" in (await admin.get("/")).links
