"""The page that previews a whole application: make, filter, download, discard and apply it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from lockstep.actions import assignments, job_previews, people, provisioning, settings, sources
from lockstep.actions.job_previews import PreviewFilter
from lockstep.actions.permissions import Role
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import person, upn, write_csv
from tests.support.previewed_application import drained
from tests.support.scripted_scim import ScriptedScim, saying

HERE = "/apps/documo/provisioning/preview"


async def made(centre: Centre, admin: Browser) -> str:
    """Ask for a preview on the page and make it as a worker does. Returns the address of its page."""
    begun = await admin.post(HERE)
    assert begun.status == 303, begun.text
    assert await job_previews.make_due_preview(centre.hub.context)
    return begun.location.partition("?")[0]


async def test_before_the_first_preview_the_page_says_what_one_shows(admin: Browser, application: ScriptedScim) -> None:
    page = await admin.get(HERE)

    assert "No preview yet" in page.text
    assert "Make a preview" in page.text


async def test_preview_shows_what_would_be_created_and_changed_and_writes_nothing(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    page = await admin.get(await made(centre, admin))

    assert "+ Create 2" in page.text
    assert "~ Update 1" in page.text
    assert "Anna" in page.text
    assert "The limit is" not in page.text
    assert set(application.asked) <= {"listing", "search", "get"}
    assert "Start provisioning" in page.text


async def test_filter_in_the_address_selects_objects(centre: Centre, admin: Browser, application: ScriptedScim) -> None:
    here = await made(centre, admin)

    creates = await admin.get(f"{here}?action=create")
    none = await admin.get(f"{here}?action=create&search=nobody")

    assert "2 of 2 objects" in creates.text
    assert upn("bo") not in creates.text
    assert "No object matches the filter" in none.text


async def test_downloads_contain_what_the_filter_selects(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    here = await made(centre, admin)

    as_json = await admin.get(f"{here}/download/preview.json?action=create")
    as_csv = await admin.get(f"{here}/download/preview.csv")
    as_markdown = await admin.get(f"{here}/download/preview.md")

    objects = json.loads(as_json.html)["objects"]
    assert [one["action"] for one in objects] == ["create", "create"]
    lines = list(csv.DictReader(io.StringIO(as_csv.html)))
    assert {line["name"] for line in lines} == {upn("anna"), upn("bo"), upn("cy")}
    assert "'=Cy" in {line["displayName"] for line in lines}
    assert "2 to create, 1 to update" in as_markdown.html


async def test_progress_is_shown_while_a_preview_is_made_and_it_can_be_stopped(
    admin: Browser, application: ScriptedScim
) -> None:
    begun = await admin.post(HERE)
    here = begun.location.partition("?")[0]

    waiting = await admin.get(here)
    await admin.post(f"{here}/stop")
    stopped = await admin.get(here)

    assert "Waiting for a worker" in waiting.text
    assert "No worker is running" in waiting.text
    assert "The preview was stopped" in stopped.text


async def test_failed_preview_says_why_and_what_to_do(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    application.answers = {kind: saying(401, "{}") for kind in ("listing", "search", "get")}

    page = await admin.get(await made(centre, admin))

    assert "HTTP 401" in page.text
    assert "Preview again" in page.text


async def test_preview_of_an_older_configuration_is_marked(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    here = await made(centre, admin)
    await centre.hub.fetch("update job set config_version = config_version + 1")

    page = await admin.get(here)

    assert "The configuration was changed since" in page.text


async def test_discarded_preview_is_gone(centre: Centre, admin: Browser, application: ScriptedScim) -> None:
    here = await made(centre, admin)

    gone = await admin.post(f"{here}/discard")

    assert "Nothing was written" in (await admin.get(gone.location)).text
    assert (await admin.get(here)).status == 404


async def test_apply_runs_a_cycle_if_provisioning_is_on(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await provisioning.start(centre.hub.context, "documo")
    here = await made(centre, admin)

    page = await admin.get(here)

    assert "Run a cycle now" in page.text
    assert "3 of the 3 writes shown here" in page.text
    assert "What the cycle writes may differ from this preview" in page.text


async def test_auditor_reads_a_preview_but_cannot_make_one(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    here = await made(centre, admin)
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get(here)

    assert "+ Create 2" in page.text
    assert "Start provisioning" not in page.text
    assert "Discard" not in page.text
    assert "Applying a preview needs the permission to control provisioning." in page.text
    assert (await auditor.post(HERE)).status == 403


async def test_checklist_counts_a_preview_as_done_and_settings_offer_it_before_provisioning_is_switched_on(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    before = await admin.get("/apps/documo/provisioning")
    settings = await admin.get("/apps/documo/provisioning/settings")
    await made(centre, admin)
    after = await admin.get("/apps/documo/provisioning")

    assert "You can skip this" in before.text
    assert "A preview was made" in after.text
    assert HERE in settings.links


async def test_objects_that_are_planned_differently_than_in_the_preview_before_are_shown(
    centre: Centre, admin: Browser, application: ScriptedScim, tmp_path: Path
) -> None:
    first = await made(centre, admin)
    number = first.rpartition("/")[2]
    same = await admin.get(await made(centre, admin))
    await assignments.unassign(centre.hub.context, "documo", users=[upn("anna")])
    await sources.import_file(
        centre.hub.context, "staff", {"files": [{"path": str(write_csv(tmp_path / "new.csv", [
            person("anna"), person("bo", givenName="Bob"), person("cy", displayName="=Cy", givenName="")
        ]))}]}, is_kept=True,
    )  # fmt: skip

    here = await made(centre, admin)
    page = await admin.get(here)
    since = int(number) + 1
    changed = await admin.get(f"{here}?since={since}")
    listed = await job_previews.list_objects(
        centre.hub.context, "documo", int(here.rpartition("/")[2]), PreviewFilter(differs_from=since)
    )

    assert "planned differently" not in same.text and f"Changed since preview {number} 0" in same.text
    assert f"1 object is planned differently than in preview {since}, and 1 object of it is gone" in page.text
    assert [one.name for one in listed] == [upn("bo")]
    assert upn("cy") not in changed.text and upn("bo") in changed.text
    assert any("since=" in link for link in changed.links if "download" in link)


async def test_comparison_with_a_discarded_preview_is_neither_offered_nor_shown(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    first, here = await made(centre, admin), await made(centre, admin)
    number = first.rpartition("/")[2]
    await admin.post(f"{first}/discard")

    page = await admin.get(here)
    compared = await admin.get(f"{here}?since={number}")
    file = await admin.get(f"{here}/download/preview.csv?since={number}")

    assert "Changed since" not in page.text
    assert (compared.status, file.status) == (404, 404)


async def test_preview_is_applied_on_its_page_and_what_changed_is_listed(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    here = await made(centre, admin)
    before = await admin.get(here)
    await people.set_person(centre.hub.context, upn("anna"), {"givenName": "Anna-Maria"})

    begun = await admin.post(f"{here}/apply")
    job = (await admin.get(here)).text
    await drained(centre)
    after = await admin.get(here)
    left = await admin.get(f"{here}/left")

    assert "Apply this preview" in before.text and "Provisioning stays off afterwards" in before.text
    assert (begun.status, begun.location.partition("?")[0]) == (303, here)
    assert "applies this preview" in job and "Stop applying" in job
    assert "2 of the 3 writes shown here were made. 1 object had changed since and was not written" in after.text
    assert "nothing more is written until you start it" in after.text
    assert "Anna-Maria" in left.text and "1 of 1 object" in left.text
    assert "userName" not in left.text and "4 other attributes as in the preview" in left.text
    assert here in left.links
    assert {one["userName"] for one in application.resources.values()} == {upn("bo"), upn("cy")}


async def test_page_of_an_applied_preview_that_left_nothing_offers_no_list(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    here = await made(centre, admin)

    await admin.post(f"{here}/apply")
    await drained(centre)
    after = await admin.get(here)

    assert "3 of the 3 writes shown here were made. The cycle had nothing to write that is not shown here" in after.text
    assert "Show what was left" not in after.text and "no longer needed" not in after.text


async def test_page_of_an_applied_preview_says_that_a_write_was_no_longer_needed(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    here = await made(centre, admin)
    await people.set_enabled(centre.hub.context, [upn("cy")], is_enabled=False)

    await admin.post(f"{here}/apply")
    await drained(centre)
    after = await admin.get(here)

    assert "2 of the 3 writes shown here were made. The cycle had nothing to write that is not shown here" in after.text
    assert "What was not made was no longer needed, is held, or failed." in after.text


async def test_page_says_before_the_click_that_the_configuration_was_changed(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    here = await made(centre, admin)
    await settings.change_settings(centre.hub.context, "documo", scope="all")

    page = await admin.get(here)
    refused = await admin.post(f"{here}/apply")

    assert "cannot be applied, because it was made with an earlier version of the configuration" in page.text
    assert "Apply this preview" not in page.text
    assert refused.status == 400 and "was changed since preview" in refused.text
    assert set(application.asked) <= {"listing", "search", "get"}
