"""The step before provisioning is switched on for the first time: a preview of everyone, and the choice to go on or not."""

from __future__ import annotations

from lockstep.actions import job_previews, provisioning, restore, settings
from lockstep.actions.job_previews import PreviewRow
from lockstep.actions.permissions import Role
from tests.support.admin_centre import Browser, Centre, Page
from tests.support.hub import upn
from tests.support.previewed_application import drained
from tests.support.scripted_scim import ScriptedScim, saying

HERE = "/apps/documo/provisioning"
STEP = f"{HERE}/switch-on"
READS = {"listing", "search", "get"}


async def save(admin: Browser, application: ScriptedScim, **changes: str) -> Page:
    """Save the form of the settings page, with nothing changed but *changes*."""
    form = {
        "mode": "automatic",
        "tenantUrl": f"{application.origin}/scim/v2",
        "notificationEmail": "",
        "preventDeletions": "on",
        "deletionThreshold": "500",
        "scope": "assigned",
        "status": "on",
        "interval": "40",
        "step": "save",
    }
    return await admin.post(f"{HERE}/settings", form | changes)


async def status_of(centre: Centre) -> str:
    return (await settings.show_settings(centre.hub.context, "documo")).status


async def newest(centre: Centre) -> PreviewRow:
    return (await job_previews.list_previews(centre.hub.context, "documo", limit=1))[0]


async def shown(centre: Centre, admin: Browser) -> Page:
    """Make the preview as a worker does, and return the step that shows it."""
    assert await job_previews.make_due_preview(centre.hub.context)
    return await admin.get(STEP)


async def switched_on_and_paused(centre: Centre) -> None:
    await provisioning.start(centre.hub.context, "documo")
    await drained(centre)
    await provisioning.pause(centre.hub.context, "documo")


async def test_saving_on_for_the_first_time_saves_the_rest_and_previews_everyone_without_a_write(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    saved = await save(admin, application, scope="all", notificationEmail="idm@contoso.test", interval="15")
    waiting = await admin.get(STEP)
    page = await shown(centre, admin)
    await drained(centre)
    view = await settings.show_settings(centre.hub.context, "documo")

    assert (saved.status, saved.location.partition("?")[0]) == (303, STEP)
    assert "Waiting for a worker" in waiting.text and "Skip the preview and switch on" in waiting.text
    assert "Show how far the preview is" in waiting.text and "Cancel" in waiting.text
    assert "What the first cycle would do" in page.text and upn("anna") in page.text
    for choice in ("Switch on", "Apply exactly what this preview shows", "Preview again", "Cancel"):
        assert f">{choice}</button>" in page.html.replace("</svg>", ">"), choice
    assert (view.status, view.scope, view.notification_email, str(view.interval)) == (
        "off", "all", "idm@contoso.test", "0:15:00",
    )  # fmt: skip
    assert set(application.asked) <= READS


async def test_switch_on_starts_the_initial_cycle(centre: Centre, admin: Browser, application: ScriptedScim) -> None:
    await save(admin, application)
    await shown(centre, admin)

    chosen = await admin.post(STEP)
    await drained(centre)

    assert (chosen.status, chosen.location) == (303, HERE)
    assert await status_of(centre) == "on"
    assert application.user_names == {upn("anna"), upn("bo"), upn("cy")}


async def test_skipping_switches_on_and_stops_the_preview_that_is_being_made(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await save(admin, application, scope="all")

    await admin.post(STEP)

    assert (await newest(centre)).state == "stopped"
    assert await status_of(centre) == "on"
    assert (await settings.show_settings(centre.hub.context, "documo")).scope == "all"


async def test_preview_of_somebody_else_goes_on_if_the_step_is_skipped(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await job_previews.begin_preview(centre.hub.context, "documo")
    await admin.post(f"{HERE}/start")

    await admin.post(STEP)

    assert (await newest(centre)).state == "waiting"


async def test_cancelling_leaves_provisioning_off_and_keeps_the_other_settings(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await save(admin, application, scope="all", notificationEmail="idm@contoso.test")

    cancelled = await admin.post(f"{STEP}/cancel")
    await drained(centre)
    view = await settings.show_settings(centre.hub.context, "documo")

    assert (cancelled.status, cancelled.location.partition("?")[0]) == (303, f"{HERE}/settings")
    assert (view.status, view.scope, view.notification_email) == ("off", "all", "idm@contoso.test")
    assert (await newest(centre)).state == "stopped"
    assert not application.asked


async def test_preview_is_applied_from_the_step_and_provisioning_stays_off(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await save(admin, application)
    page = await shown(centre, admin)

    number = (await newest(centre)).id
    await admin.post(f"{HERE}/preview/{number}/apply")
    await drained(centre)
    again = await save(admin, application)

    assert f'action="{HERE}/preview/{number}/apply"' in page.html and "Provisioning stays off afterwards" in page.text
    assert application.user_names == {upn("anna"), upn("bo"), upn("cy")}
    assert (again.location, await status_of(centre)) == (HERE, "on")


async def test_start_on_the_overview_leads_to_the_step(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    begun = await admin.post(f"{HERE}/start")

    assert (begun.status, begun.location) == (303, STEP)
    assert ((await newest(centre)).state, await status_of(centre)) == ("waiting", "off")


async def test_switching_on_again_does_not_ask_and_offers_a_preview(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await switched_on_and_paused(centre)

    page = await admin.get(f"{HERE}/settings")
    saved = await save(admin, application, notificationEmail="idm@contoso.test")

    assert f"{HERE}/preview" in page.links and "Before you switch it on" in page.text
    assert (saved.location, await status_of(centre)) == (HERE, "on")


async def test_switching_on_asks_again_if_scope_or_mappings_were_changed_while_it_was_off(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await switched_on_and_paused(centre)
    await settings.set_mapping(centre.hub.context, "documo", "name.familyName", None)

    by_mapping = await admin.post(f"{HERE}/start")
    await admin.post(f"{STEP}/cancel")
    page = await admin.get(f"{HERE}/settings")

    assert (by_mapping.location, await status_of(centre)) == (STEP, "off")
    assert "When you save On, you first see what would be done to everyone" in page.text


async def test_switching_on_together_with_a_change_of_scope_asks_again(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await switched_on_and_paused(centre)

    said = await admin.post(
        f"{HERE}/settings/consequence",
        {"mode": "automatic", "scope": "all", "status": "on", "interval": "40", "deletionThreshold": "500"},
    )
    saved = await save(admin, application, scope="all")

    assert "Saving shows what would be done" in said.text
    assert (saved.location.partition("?")[0], await status_of(centre)) == (STEP, "off")


async def test_change_that_was_made_while_provisioning_was_on_is_not_asked_about(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await provisioning.start(centre.hub.context, "documo")
    await drained(centre)
    await settings.change_settings(centre.hub.context, "documo", scope="all")
    await provisioning.pause(centre.hub.context, "documo")

    begun = await admin.post(f"{HERE}/start")

    assert (begun.location, await status_of(centre)) == (HERE, "on")


async def test_change_that_was_saved_together_with_the_pause_is_asked_about(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await provisioning.start(centre.hub.context, "documo")
    await drained(centre)
    await settings.change_settings(centre.hub.context, "documo", scope="all", status="off")

    begun = await admin.post(f"{HERE}/start")

    assert (begun.location, await status_of(centre)) == (STEP, "off")


async def test_preview_that_is_being_made_is_shown_and_one_of_an_earlier_configuration_is_replaced(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await save(admin, application)
    first = (await newest(centre)).id
    await save(admin, application)
    same = (await newest(centre)).id
    await save(admin, application, scope="all")
    kept = await job_previews.list_previews(centre.hub.context, "documo")

    assert same == first
    assert [(one.id > first, one.state) for one in kept] == [(True, "waiting"), (False, "stopped")]


async def test_failed_preview_says_why_and_can_be_repeated_or_skipped(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    application.answers = {kind: saying(401, "{}") for kind in READS}
    await save(admin, application)

    page = await shown(centre, admin)
    again = await admin.post(f"{STEP}/preview")

    assert "HTTP 401" in page.text and "Preview again" in page.text and "Skip the preview and switch on" in page.text
    assert "Apply exactly" not in page.text
    assert (again.location, (await newest(centre)).state) == (STEP, "waiting")


async def test_outdated_preview_is_not_applied_and_is_made_again(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await save(admin, application)
    await shown(centre, admin)
    await settings.change_settings(centre.hub.context, "documo", scope="all")

    page = await admin.get(STEP)

    assert "The configuration was changed since this preview" in page.text
    assert "Apply exactly" not in page.text and "Preview again" in page.text


async def test_without_credentials_nothing_is_saved(centre: Centre, admin: Browser, application: ScriptedScim) -> None:
    await centre.hub.fetch("delete from credential returning 1")

    refused = await save(admin, application, tenantUrl="", scope="all")
    view = await settings.show_settings(centre.hub.context, "documo")

    assert refused.status == 400 and "has no credentials" in refused.text
    assert (view.status, view.scope) == ("off", "assigned")


async def test_start_that_a_restored_backup_forbids_is_refused_before_a_preview_is_made(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await restore.enter_restore_mode(centre.hub.context, "backup.tar")

    refused = await save(admin, application, scope="all")

    assert refused.status == 400 and "come from the backup" in refused.text
    assert (await settings.show_settings(centre.hub.context, "documo")).scope == "assigned"
    assert await job_previews.list_previews(centre.hub.context, "documo") == []


async def test_restart_offers_a_preview_of_what_was_never_tried(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await switched_on_and_paused(centre)
    before = await admin.get(f"{HERE}/restart")
    await settings.change_settings(centre.hub.context, "documo", scope="all")

    after = await admin.get(f"{HERE}/restart")

    said = "Provisioning has never worked as it is configured now"
    assert (said in before.text, said in after.text) == (False, True)


async def test_start_that_is_refused_is_explained_in_the_step(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await save(admin, application)
    await centre.hub.fetch("delete from credential returning 1")

    refused = await admin.post(STEP)

    assert refused.status == 400 and "has no credentials" in refused.text
    assert await status_of(centre) == "off"


async def test_auditor_sees_the_preview_of_the_step_but_cannot_choose(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await save(admin, application)
    await shown(centre, admin)
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get(STEP)

    assert upn("anna") in page.text and "not switch provisioning on" in page.text
    assert f'action="{STEP}"' not in page.html.partition("<main")[2].partition('role="search"')[0]
    for path in ("", "/preview", "/cancel"):
        assert (await auditor.post(f"{STEP}{path}")).status == 403, path


async def test_step_of_an_application_that_is_on_leads_to_the_overview(
    centre: Centre, admin: Browser, application: ScriptedScim
) -> None:
    await provisioning.start(centre.hub.context, "documo")

    page = await admin.get(STEP)

    assert (page.status, page.location) == (303, HERE)


async def test_objects_are_filtered_in_the_step(centre: Centre, admin: Browser, application: ScriptedScim) -> None:
    await save(admin, application)
    await shown(centre, admin)

    creates = await admin.get(f"{STEP}?action=create")

    assert "2 of 2 objects" in creates.text and upn("bo") not in creates.text
    assert f"{STEP}?action=update" in creates.links
