"""Gallery, overview and properties of an application, and who is assigned to it."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from lockstep.actions import applications, assignments, overview, roles, sources
from lockstep.actions.permissions import Role
from lockstep.actions.single_sign_on import settings
from lockstep.errors import LockstepError
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid, person, write_csv


async def import_anna(centre: Centre, folder: Path) -> None:
    file = write_csv(folder / "people.csv", [person("anna", displayName="Anna Lindqvist")])
    await sources.import_file(centre.hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)


async def test_an_application_is_added_from_the_gallery_under_the_name_that_was_entered(
    centre: Centre, admin: Browser
) -> None:
    gallery = await admin.get("/apps/new?search=docu")
    entry = await admin.get("/apps/new/documo")
    made = await admin.post("/apps/new/documo", {"displayName": "Documo <Test>", "name": "documo-test"})
    page = await admin.get(made.location)

    assert "Browse app gallery" in gallery.text and "/apps/new/documo" in gallery.links
    assert "Supported for filtering userName" in entry.text
    assert "Authentication Bearer token, OAuth 2.0 client credentials, Basic Rate limit" in entry.text
    assert (made.status, made.location) == (303, "/apps/documo-test")
    assert "Documo <Test>" in page.text and "<Test>" not in page.html


async def test_chosen_applications_are_paused_from_the_list_and_the_others_are_not(
    centre: Centre, admin: Browser
) -> None:
    for name in ("documo", "second", "third"):
        await applications.add_application(centre.hub.context, "documo", name=name)
    await centre.hub.fetch("update job set status = 'on', started = true")
    listed = await admin.get("/apps")

    done = await admin.post("/apps/pause", {"app": "second"})

    assert listed.html.count('type="checkbox" name="app"') == 3
    assert (done.status, done.location) == (303, "/apps")
    rows = await overview.list_overview(centre.hub.context)
    assert {row.status.app: row.is_on for row in rows} == {"documo": True, "second": False, "third": True}
    assert (await admin.get("/apps")).html.count('type="checkbox" name="app"') == 2


async def test_a_refusal_to_pause_one_application_is_reported_and_the_others_are_paused(
    centre: Centre, admin: Browser
) -> None:
    for name in ("documo", "second"):
        await applications.add_application(centre.hub.context, "documo", name=name, display_name=f"The {name}")
    await centre.hub.fetch("update job set status = 'on', started = true")

    await admin.post("/apps/pause", {"app": ("documo", "deleted", "second")})
    page = await admin.get("/apps")

    rows = await overview.list_overview(centre.hub.context)
    assert {row.status.app: row.is_on for row in rows} == {"documo": False, "second": False}
    notice = '2 applications paused, 1 not: deleted (Unknown application "deleted"). Paused: The documo, The second'
    assert notice in page.text


async def test_a_name_that_is_taken_is_said_on_the_form_with_what_was_typed(admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})

    again = await admin.post("/apps/new/documo", {"displayName": "Second", "name": "documo"})
    unnamed = await admin.post("/apps/new/documo", {"displayName": " "})

    assert again.status == 409 and "already exists" in again.text and 'value="Second"' in again.html
    assert unnamed.status == 400 and "needs a name" in unnamed.text


async def test_assigning_shows_first_who_gets_an_account_and_then_does_it(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    hub = centre.hub
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    await import_anna(centre, tmp_path)
    choice = {"principal": f"User:{guid('anna')}", "role": "member"}

    found = await admin.get("/apps/documo/users-groups/add?search=lindq")
    review = await admin.post("/apps/documo/users-groups/add", choice)
    assert await assignments.list_assignments(hub.context, "documo") == []
    done = await admin.post("/apps/documo/users-groups/add", {**choice, "step": "assign"})
    page = await admin.get(done.location)

    assert "Anna Lindqvist" in found.text
    assert "Anna Lindqvist will be assigned with the role member" in review.text
    assert "provisioning was never switched on" in review.text
    assert (done.status, done.location) == (303, "/apps/documo/users-groups")
    assert "anna@contoso.test" in page.text and "member" in page.text.lower()


async def test_removing_shows_first_what_it_does(centre: Centre, admin: Browser, tmp_path: Path) -> None:
    hub = centre.hub
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    await import_anna(centre, tmp_path)
    (row,) = await assignments.assign(hub.context, "documo", users=["anna@contoso.test"], role="member")

    review = await admin.post("/apps/documo/users-groups/remove", {"assignment": row.id})
    assert len(await assignments.list_assignments(hub.context, "documo")) == 1
    done = await admin.post("/apps/documo/users-groups/remove", {"assignment": row.id, "step": "remove"})

    assert "Review the change" in review.text and done.status == 303
    assert await assignments.list_assignments(hub.context, "documo") == []


async def test_deleting_an_application_needs_its_name_typed(centre: Centre, admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})

    refused = await admin.post("/apps/documo/properties/delete", {"confirmation": "yes"})
    assert refused.status == 400 and "was not deleted" in refused.text
    assert (await admin.post("/apps/documo/properties/delete", {"confirmation": "documo"})).location == "/apps"

    with pytest.raises(LockstepError):
        await applications.show_application(centre.hub.context, "documo")


async def test_an_auditor_may_look_and_not_change(centre: Centre, admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    auditor = await centre.signed_in(Role.AUDITOR)

    for path in ("/apps/documo", "/apps/documo/properties", "/apps/documo/users-groups"):
        assert (await auditor.get(path)).status == 200
    refused = await auditor.post("/apps/documo/properties/delete", {"confirmation": "documo"})

    assert refused.status == 403


async def test_provision_on_demand_shows_a_dry_run_first_and_says_when_the_application_is_not_connected(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    await import_anna(centre, tmp_path)
    address, choice = "/apps/documo/provisioning/on-demand", {"principal": f"User:{guid('anna')}"}

    nobody = await admin.post(address)
    dry = await admin.post(address, choice)
    wet = await admin.post(address, {**choice, "step": "provision"})

    assert nobody.status == 400 and "No user or group was selected" in nobody.text
    assert "Nothing was written" in dry.text and "not assigned" in dry.text
    assert "Would be skipped" in dry.text and "anna@contoso.test" in dry.text
    assert wet.status == 400 and "has no credentials" in wet.text


async def test_a_page_that_answers_a_form_has_the_whole_frame(centre: Centre, admin: Browser, tmp_path: Path) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    await import_anna(centre, tmp_path)
    address, choice = "/apps/documo/provisioning/on-demand", {"principal": f"User:{guid('anna')}"}

    page = await admin.get(address)
    answer = await admin.post(address, choice)

    health = re.compile(r'<span class="top-health[^>]*>([^<]+)</span>')
    assert health.findall(page.html) and health.findall(answer.html) == health.findall(page.html)


async def test_app_roles_are_created_moved_disabled_and_removed(centre: Centre, admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    before = [role.value for role in await roles.list_roles(centre.hub.context, "documo")]

    await admin.post("/apps/documo/app-roles/add", {"displayName": "Reader", "value": "reader"})
    twice = await admin.post("/apps/documo/app-roles/add", {"displayName": "Again", "value": "reader"})
    await admin.post("/apps/documo/app-roles/move", {"role": "reader", "position": "1"})
    await admin.post("/apps/documo/app-roles/enable", {"role": "reader", "enabled": "no"})
    first = (await roles.list_roles(centre.hub.context, "documo"))[0]
    page = await admin.get("/apps/documo/app-roles")
    await admin.post("/apps/documo/app-roles/remove", {"role": "reader"})

    assert page.status == 200 and "Reader reader Disabled" in page.text
    assert twice.status == 400 and "already exists" in twice.text and 'value="Again"' in twice.html
    assert (first.value, first.is_enabled) == ("reader", False)
    assert [role.value for role in await roles.list_roles(centre.hub.context, "documo")] == before


async def test_a_change_of_app_roles_that_affects_accounts_is_made_only_after_its_effects_were_shown(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    await import_anna(centre, tmp_path)
    await centre.hub.fetch("update job set started = true")
    await assignments.assign(centre.hub.context, "documo", users=[guid("anna")], role="Admin")
    here, enabling = "/apps/documo/app-roles", {"role": "Admin", "enabled": "yes"}

    disabled = await admin.post(f"{here}/enable", enabling | {"enabled": "no"})
    manifest = orjson.dumps(await roles.export_manifest(centre.hub.context, "documo")).decode()
    with_admin = {"manifest": manifest.replace("false", "true")}
    asked = await admin.post(f"{here}/enable", enabling)
    asked_for_manifest = await admin.post(f"{here}/manifest", with_admin)
    before = (await roles.list_roles(centre.hub.context, "documo"))[0]
    hidden = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', asked.html))
    confirmed = await admin.post(f"{here}/enable", {**hidden, "step": "confirm"})
    after = (await roles.list_roles(centre.hub.context, "documo"))[0]

    assert disabled.location == here, "it affects no account, so nothing is asked"
    for page in (asked, asked_for_manifest):
        assert "would get the role Admin (anna@contoso.test)" in page.text and "Change the roles" in page.text
    assert "Enable the role Admin?" in asked.text and "those of the manifest?" in asked_for_manifest.text
    assert (before.is_enabled, confirmed.location, after.is_enabled) == (False, here, True)


async def test_a_manifest_that_is_no_json_is_refused_at_its_place_and_kept_for_correction(admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})

    refused = await admin.post("/apps/documo/app-roles/manifest", {"manifest": '{"appRoles": [}'})
    download = await admin.get("/apps/documo/app-roles/manifest?download=1")
    saved = await admin.post("/apps/documo/app-roles/manifest", {"manifest": download.html})

    assert refused.status == 400 and "line 1, column" in refused.text and "appRoles&#34;: [}" in refused.html
    assert "attachment" in download.headers["Content-Disposition"]
    assert saved.location == "/apps/documo/app-roles"


async def test_application_for_sign_on_alone_needs_nobody_and_its_steps_are_done(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    hub = centre.hub
    await import_anna(centre, tmp_path)
    form = await admin.get("/apps/new/custom-scim")
    await admin.post("/apps/new/custom-scim", {"displayName": "Wiki", "name": "wiki"})
    before = await admin.get("/apps/wiki")
    assert (await overview.show_overview(hub.context, "wiki")).status.headline.exit_code == 6

    where = {"identifiers": ["https://wiki.test"], "replyUrls": ["https://wiki.test/acs"]}
    await settings.change_sign_on(hub.context, "wiki", {"mode": "saml", **where})
    halfway = await admin.get("/apps/wiki")
    await assignments.assign(hub.context, "wiki", users=[guid("anna")])
    after = await admin.get("/apps/wiki")

    assert "Create your own application" in form.text and "(Non-gallery)" in form.text
    assert "Set up single sign on" in before.text and "Not configured" in before.text
    assert "Getting started" in halfway.text and "Getting started" not in after.text
    assert "Single sign-on only" in after.text
    found = await overview.show_overview(hub.context, "wiki")
    assert (found.status.headline.exit_code, found.needs_attention) == (0, False)


async def test_properties_say_who_may_sign_in_and_change_it(centre: Centre, admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    page = await admin.get("/apps/documo/properties")
    for label in ("Enabled for users to sign-in?", "Assignment required?"):
        assert f"<legend>{label}</legend>" in page.html

    saved = await admin.post("/apps/documo/properties", {"enabledForSignIn": "no", "assignmentRequired": "no"})

    assert saved.status == 303
    found = (await settings.show_sign_on(centre.hub.context, "documo")).settings
    assert (found.is_enabled, found.assignment_required) == (False, False)
    assert 'value="no" checked' in (await admin.get("/apps/documo/properties")).html
