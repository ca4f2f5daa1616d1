"""Overview, setup and control of an application's provisioning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockstep.actions import applications, assignments, credentials, sources, status
from lockstep.actions.permissions import Role
from lockstep.vault import Secret
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import person, write_csv

HERE = "/apps/documo/provisioning"
NOWHERE = "http://127.0.0.1:9"  # refuses connections


@pytest.fixture
async def app(centre: Centre, tmp_path: Path) -> Any:
    """Documo with Anna assigned, not connected."""
    context = centre.hub.context
    found = await applications.add_application(context, "documo")
    people = [person("anna", displayName="Anna <b>Lindqvist</b>"), person("bo"), person("cy")]
    file = write_csv(tmp_path / "people.csv", people)
    await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await assignments.assign(context, "documo", users=["anna@contoso.test"], role="member")
    return found


async def connect(centre: Centre) -> None:
    await credentials.set_credentials(
        centre.hub.context, "documo", tenant_url=f"{NOWHERE}/scim/v2", secret_token=Secret("a-secret-token-k9Qz")
    )


async def test_first_visit_shows_the_checklist_and_what_is_done(centre: Centre, admin: Browser, app: Any) -> None:
    page = await admin.get(HERE)
    await connect(centre)
    after = await admin.get(HERE)

    assert "Get started" in page.text and "2 of 4 steps done" in page.text
    assert "1. Connect" in page.text and "4. Start" in page.text
    assert "3 of 4 steps done" in after.text and "Not configured" in page.text and "Ready to start" in after.text


async def test_start_pause_and_restart_change_the_status(centre: Centre, admin: Browser, app: Any) -> None:
    refused = await admin.post(f"{HERE}/start")
    await connect(centre)

    assert refused.status == 400 and "has no credentials" in refused.text
    assert (await admin.post(f"{HERE}/start")).status == 303
    running = await admin.get(HERE)
    assert 'role="progressbar"' in running.html or "done so far" in running.text
    await admin.post(f"{HERE}/pause")
    assert (await status.show_status(centre.hub.context, "documo")).code == "Paused"
    page = await admin.get(HERE)
    assert "Provisioning is paused" in page.text and "Statistics to date" in page.text
    await admin.post(f"{HERE}/restart", {"scope": "Escrows"})
    assert (await status.show_status(centre.hub.context, "documo")).code == "Active"


async def test_a_restart_that_forgets_links_needs_the_number_typed(centre: Centre, admin: Browser, app: Any) -> None:
    await connect(centre)
    form = {"scope": "ConnectorDataStore"}

    refused = await admin.post(f"{HERE}/restart", {**form, "confirmation": "7"})
    assert refused.status == 400 and "0 was not typed" in refused.text
    assert (await status.show_status(centre.hub.context, "documo")).code == "NotConfigured"
    assert (await admin.post(f"{HERE}/restart", {**form, "confirmation": "0"})).status == 303


async def test_somebody_who_may_only_look_has_no_buttons_and_is_refused(
    centre: Centre, admin: Browser, app: Any
) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)
    await connect(centre)

    page = await auditor.get(HERE)

    assert page.status == 200 and "Get started" in page.text and f"{HERE}/start" not in page.html
    assert (await auditor.post(f"{HERE}/start")).status == 403
    assert (await admin.http.post(f"{admin.origin}{HERE}/start", allow_redirects=False)).status == 403
