"""Overview, setup and control of an application's provisioning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lockstep.actions import applications, assignments, connection, credentials, provisioning, settings, sources, status
from lockstep.actions.permissions import Role
from lockstep.storage.mail_server import MailServerRow, save_server
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub, guid, person, write_csv
from tests.support.target_servers import serving

HERE = "/apps/documo/provisioning"
NOWHERE = "http://127.0.0.1:9"  # refuses connections


@pytest.fixture
async def app(centre: Centre, tmp_path: Path) -> AsyncIterator[Any]:
    """Documo with Anna assigned, not connected."""
    targets = ScimTargets(("http://127.0.0.1",))
    centre.hub.context = context = replace(centre.hub.context, opener=targets)
    found = await applications.add_application(context, "documo")
    people = [person("anna", displayName="Anna <b>Lindqvist</b>"), person("bo"), person("cy")]
    file = write_csv(tmp_path / "people.csv", people)
    await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await assignments.assign(context, "documo", users=["anna@contoso.test"], role="member")
    yield found
    await targets.close()


async def connect(centre: Centre) -> None:
    await credentials.set_credentials(
        centre.hub.context, "documo", tenant_url=f"{NOWHERE}/scim/v2", secret_token=Secret("a-secret-token-k9Qz")
    )


async def test_first_visit_shows_the_checklist_and_what_is_done(centre: Centre, admin: Browser, app: Any) -> None:
    page = await admin.get(HERE)
    await connect(centre)
    after = await admin.get(HERE)

    assert "Get started" in page.text and "2 of 5 steps done" in page.text
    assert "1. Connect" in page.text and "4. Preview" in page.text and "5. Start" in page.text
    assert "3 of 5 steps done" in after.text and "Not configured" in page.text and "Ready to start" in after.text


async def test_start_pause_and_restart_change_the_status(centre: Centre, admin: Browser, app: Any) -> None:
    refused = await admin.post(f"{HERE}/start")
    await connect(centre)

    assert refused.status == 400 and "has no credentials" in refused.text
    assert (await admin.post(f"{HERE}/start")).location == f"{HERE}/switch-on"
    assert (await admin.post(f"{HERE}/switch-on")).status == 303
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


def settings_form(**changes: str) -> dict[str, str]:
    """The form as the page sends it, with nothing changed but *changes*."""
    return {
        "mode": "automatic",
        "tenantUrl": "https://api.documo.com/scim/v2",
        "secretToken": "",
        "notificationEmail": "",
        "preventDeletions": "on",
        "deletionThreshold": "500",
        "scope": "assigned",
        "status": "off",
        "interval": "40",
        "step": "save",
    } | changes


async def test_settings_have_the_labels_of_the_tutorial(centre: Centre, admin: Browser, app: Any) -> None:
    page = await admin.get(f"{HERE}/settings")

    for label in (
        "Provisioning Mode",
        "Admin Credentials",
        "Tenant URL",
        "Secret Token",
        "Test Connection",
        "Notification Email",
        "Send an email notification when a failure occurs",
        "Prevent accidental deletions",
        "Accidental deletion threshold",
        "Mappings",
        "Synchronize Microsoft Entra users to Documo",
        "Sync only assigned users and groups",
        "Provisioning Status",
        "Save",
        "Discard",
    ):
        assert label in page.text, label
    assert (
        "Only assigned: 1 person. All: 3 people" in page.text
        and "No mail server is set up, so no mail is sent" in page.text
    )


async def test_credentials_that_do_not_work_are_stored_only_with_save_anyway(
    centre: Centre, admin: Browser, app: Any
) -> None:
    form = settings_form(tenantUrl=f"{NOWHERE}/scim/v2", secretToken="a-secret-token-k9Qz")

    refused = await admin.post(f"{HERE}/settings", form)
    assert refused.status == 400 and "nothing was stored" in refused.text and "Save anyway" in refused.text
    assert "a-secret-token-k9Qz" not in refused.html and f"{NOWHERE}/scim/v2" in refused.html
    assert (await credentials.show_credentials(centre.hub.context, "documo")).secret_token == ""

    saved = await admin.post(f"{HERE}/settings", {**form, "step": "save-anyway"})
    page = await admin.get(f"{HERE}/settings")
    assert saved.status == 303 and "k9Qz" in page.text and "ada@contoso.test" not in page.text
    assert "a-secret-token-k9Qz" not in page.html


async def test_a_test_of_typed_credentials_stores_nothing_and_says_the_cause(
    centre: Centre, admin: Browser, app: Any
) -> None:
    form = settings_form(tenantUrl=f"{NOWHERE}/scim/v2", secretToken="a-secret-token-k9Qz", step="test")

    whole = await admin.post(f"{HERE}/settings", form)
    part = await admin.post(f"{HERE}/settings", form, **{"HX-Request": "true"})
    no_token = await admin.post(f"{HERE}/settings", {**form, "secretToken": ""})

    assert "Test connection failed" in whole.text and "What to do" in whole.text and "Unsaved" in whole.text
    assert part.html.lstrip().startswith("<div") and "a-secret-token-k9Qz" not in part.html + whole.html
    assert "A token is needed for the test" in no_token.text
    assert (await credentials.show_credentials(centre.hub.context, "documo")).secret_token == ""


async def test_each_way_in_which_an_application_fails_has_a_sentence_of_its_own(
    hub: Hub, centre: Centre, app: Any
) -> None:
    answers = {
        "/unauthorised": web.Response(status=401),
        "/missing": web.Response(status=404),
        "/page": web.Response(text="<html>Sign in</html>", content_type="text/html"),
    }

    async def answer(request: web.Request) -> web.Response:
        kind = answers["/" + request.path.split("/")[1]]
        return web.Response(status=kind.status, text=kind.text, content_type=kind.content_type)

    said = []
    async with serving(answer) as server, serving_centre(hub, allow=(server.origin, NOWHERE)) as reaching:
        admin = await reaching.signed_in()
        for url in (f"{NOWHERE}/scim/v2", *(f"{server.origin}{path}/scim/v2" for path in answers)):
            form = settings_form(tenantUrl=url, secretToken="a-secret-token-k9Qz", step="test")
            page = await admin.post(f"{HERE}/settings", form, **{"HX-Request": "true"})
            assert "Test connection failed: " in page.text and "What to do" in page.text, url
            assert "a-secret-token-k9Qz" not in page.html
            said.append(page.text.partition("Test connection failed: ")[2].partition(" of ")[0].replace(url, ""))

    assert len(set(said)) == len(said), said


async def test_the_result_of_a_test_is_kept_with_its_time(centre: Centre, admin: Browser, app: Any) -> None:
    await connect(centre)
    await connection.test_connection(centre.hub.context, "documo")

    page = await admin.get(f"{HERE}/settings")

    assert "Test connection failed" in page.text and "UTC" in page.text


@pytest.mark.parametrize(
    ("typed", "said", "fix"),
    [
        ("https://api.documo.com", "/scim/v2 is missing at the end", "https://api.documo.com/scim/v2"),
        ("https://api.documo.com/", "/scim/v2 is missing at the end", "https://api.documo.com/scim/v2"),
        ("api.documo.com", "is not a valid tenant URL", "https://api.documo.com/scim/v2"),
        ("http://api.documo.com/scim/v2", "unencrypted", "https://api.documo.com/scim/v2"),
        ("https://api.documo.com/scim/v2/", "Looks right", ""),
        ("http://127.0.0.1:8085/scim/v2", "Looks right", ""),
    ],
)
async def test_tenant_url_is_judged_while_it_is_typed(
    admin: Browser, app: Any, typed: str, said: str, fix: str
) -> None:
    part = await admin.post(f"{HERE}/settings/url", {"tenantUrl": typed})

    assert said in part.text
    assert (f'data-value="{fix}"' in part.html) if fix else ("data-value" not in part.html)


async def test_saving_says_first_what_it_will_do(centre: Centre, admin: Browser, app: Any) -> None:
    await connect(centre)
    at = {"tenantUrl": f"{NOWHERE}/scim/v2"}

    nothing = await admin.post(f"{HERE}/settings/consequence", settings_form(**at))
    start = await admin.post(f"{HERE}/settings/consequence", settings_form(**at, status="on"))
    all_of_them = await admin.post(f"{HERE}/settings/consequence", settings_form(**at, status="on", scope="all"))
    token = await admin.post(f"{HERE}/settings/consequence", settings_form(**at, secretToken="other"))

    assert "Saving changes no account" in nothing.text
    assert "Saving shows what the initial cycle, which covers 1 person, would do" in start.text
    assert "which covers 3 people" in all_of_them.text and "2 people would get an account" in all_of_them.text
    assert "credentials are tested first" in token.text
    assert (await settings.show_settings(centre.hub.context, "documo")).scope == "assigned"


async def test_saving_on_stores_every_field_and_provisioning_starts_after_the_choice(
    centre: Centre, admin: Browser, app: Any
) -> None:
    await connect(centre)
    form = settings_form(
        tenantUrl=f"{NOWHERE}/scim/v2",
        status="on",
        notificationEmail="idm@contoso.test",
        emailOnFailure="on",
        deletionThreshold="50",
        interval="15",
    )

    saved = await admin.post(f"{HERE}/settings", form)
    before = await settings.show_settings(centre.hub.context, "documo")
    chosen = await admin.post(f"{HERE}/switch-on")
    view = await settings.show_settings(centre.hub.context, "documo")

    assert (saved.status, saved.location) == (303, f"{HERE}/switch-on")
    assert (before.status, before.deletion_threshold, before.notification_email) == ("off", 50, "idm@contoso.test")
    assert (chosen.status, chosen.location) == (303, HERE)
    assert (view.status, view.deletion_threshold, view.notification_email) == ("on", 50, "idm@contoso.test")
    assert view.email_on_failure and str(view.interval) == "0:15:00"


async def test_daily_digest_is_chosen_on_the_settings_page(centre: Centre, admin: Browser, app: Any) -> None:
    at = {"tenantUrl": f"{NOWHERE}/scim/v2"}
    await connect(centre)
    async with centre.hub.context.recording() as connection:
        await save_server(connection, MailServerRow("mail.test", 25, "none", "l@contoso.test"), actor="test")

    saved = await admin.post(f"{HERE}/settings", settings_form(**at, notificationDelivery="digest"))
    page = await admin.get(f"{HERE}/settings")
    await admin.post(f"{HERE}/settings", settings_form(**at, interval="15"))  # a form that leaves the field out
    kept = await settings.show_settings(centre.hub.context, "documo")
    refused = await admin.post(f"{HERE}/settings", settings_form(**at, notificationDelivery="weekly"))

    assert saved.status == 303 and kept.notification_delivery == "digest"
    assert '<option value="digest" selected>Daily digest</option>' in page.html
    assert "one mail at 07:00 UTC" in page.text and "always mailed at once" in page.text
    assert refused.status == 400 and "Unknown notification delivery" in refused.text


async def test_nested_groups_are_switched_on_and_off_on_the_settings_page(
    centre: Centre, admin: Browser, app: Any
) -> None:
    await connect(centre)
    at = {"tenantUrl": f"{NOWHERE}/scim/v2"}

    on = await admin.post(f"{HERE}/settings", settings_form(**at, nestedGroups="on"))
    is_on = (await settings.show_settings(centre.hub.context, "documo")).nested_groups
    page = await admin.get(f"{HERE}/settings")
    await admin.post(f"{HERE}/settings", settings_form(**at))

    assert on.status == 303 and is_on
    assert 'name="nestedGroups" value="on" checked' in page.html
    assert not (await settings.show_settings(centre.hub.context, "documo")).nested_groups


async def test_mistakes_stand_beside_their_fields_and_nothing_is_saved(
    centre: Centre, admin: Browser, app: Any
) -> None:
    form = settings_form(deletionThreshold="many", interval="0", scope="all", notificationEmail="x@contoso.test")

    page = await admin.post(f"{HERE}/settings", form)
    mail = await admin.post(f"{HERE}/settings", settings_form(notificationEmail="nobody"))

    assert page.status == 400 and "Enter a whole number" in page.text and 'value="many"' in page.html
    assert "Enter the minutes" in page.text and 'id="deletionThreshold-error"' in page.html
    assert mail.status == 400 and 'id="notificationEmail-error"' in mail.html
    assert (await settings.show_settings(centre.hub.context, "documo")).scope == "assigned"


async def test_saving_what_takes_accounts_away_needs_the_number_typed(centre: Centre, admin: Browser, app: Any) -> None:
    hub = centre.hub
    await connect(centre)
    await settings.change_settings(hub.context, "documo", scope="all")
    job = (await provisioning.pause(hub.context, "documo")).id
    for name in ("bo", "cy"):
        await hub.fetch(
            "insert into link (job, kind, source_id, target_id, state, base, display) "
            "values (%s, 'User', %s, %s, 'live', '{}', %s)",
            job, guid(name), f"u_{name}", f"{name}@contoso.test",
        )  # fmt: skip
    form = settings_form(tenantUrl=f"{NOWHERE}/scim/v2", scope="assigned")

    refused = await admin.post(f"{HERE}/settings", form)
    assert refused.status == 400 and "2 people would lose their accounts" in refused.text
    assert "Type 2 to confirm" in refused.text
    assert (await settings.show_settings(hub.context, "documo")).scope == "all"
    assert (await admin.post(f"{HERE}/settings", {**form, "confirmation": "2"})).status == 303
    assert (await settings.show_settings(hub.context, "documo")).scope == "assigned"


async def test_an_auditor_sees_the_settings_and_saves_nothing(centre: Centre, admin: Browser, app: Any) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)

    page = await auditor.get(f"{HERE}/settings")

    assert page.status == 200 and "not change them" in page.text and "Test Connection" not in page.text
    assert (await auditor.post(f"{HERE}/settings", settings_form(scope="all"))).status == 403


async def test_client_credentials_are_stored_with_their_secret_and_not_without_it(
    centre: Centre, admin: Browser, app: Any
) -> None:
    way = {"authentication": "oauth2ClientCredentials", "clientId": "client-1", "tokenUrl": f"{NOWHERE}/oauth/token"}
    form = settings_form(tenantUrl=f"{NOWHERE}/scim/v2", **way)

    incomplete = await admin.post(
        f"{HERE}/settings", form | {"step": "save-anyway", "clientId": "", "secretToken": "s3cret-of-client"}
    )
    saved = await admin.post(f"{HERE}/settings", form | {"step": "save-anyway", "secretToken": "s3cret-of-client"})
    elsewhere = await admin.post(
        f"{HERE}/settings",
        form | {"step": "save-anyway", "tokenUrl": "https://elsewhere.example/oauth/token", "secretToken": ""},
    )
    page = await admin.get(f"{HERE}/settings")

    assert incomplete.status == 400 and "client ID and a token URL" in incomplete.text
    assert saved.status == 303 and elsewhere.status == 400 and "needs the secret again" in elsewhere.text
    view = await credentials.show_credentials(centre.hub.context, "documo")
    assert (view.authentication.client_id, view.authentication.token_url) == ("client-1", f"{NOWHERE}/oauth/token")
    assert "s3cret-of-client" not in page.html and 'value="client-1"' in page.html


async def test_a_preview_names_who_would_be_created_with_values_and_saves_nothing(
    centre: Centre, admin: Browser, app: Any
) -> None:
    await connect(centre)

    same = await admin.post(f"{HERE}/settings", settings_form(tenantUrl=f"{NOWHERE}/scim/v2", step="preview"))
    page = await admin.post(
        f"{HERE}/settings", settings_form(tenantUrl=f"{NOWHERE}/scim/v2", scope="all", step="preview")
    )

    assert "No account would change" in same.text
    assert "Created 2" in page.text and "bo@contoso.test" in page.html and "userName" in page.text
    assert (await settings.show_settings(centre.hub.context, "documo")).scope == "assigned"
