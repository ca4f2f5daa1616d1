"""The pages of OpenID Connect: the method, addresses and client type, client secrets, claims, signing keys, and the trial."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, sources
from lockstep.actions.permissions import Role
from lockstep.actions.single_sign_on import client_secrets, openid_keys, settings
from lockstep.configuration.openid_connect import OpenIdSettings
from lockstep.storage import sign_in_log
from lockstep.storage.sign_in_log import SUCCESS, SignInRecord
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import person, upn, write_csv

HERE = "/apps/wiki/sso"
CALLBACK, OTHER = "https://wiki.test/callback", "https://wiki.test/other"
FORM = {
    "redirectUris": f"{CALLBACK}\n{OTHER}", "postLogoutRedirectUris": "", "backChannelLogoutUrl": "", "signOnUrl": "",
    "clientType": "confidential", "accessTokenMinutes": "60", "refreshTokenDays": "90",
}  # fmt: skip


@pytest.fixture
async def wiki(centre: Centre, tmp_path: Path) -> Centre:
    """A wiki that uses OpenID Connect, and Anna, who is assigned to it."""
    context = centre.hub.context
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", [person("anna"), person("ben")]))}]}
    await sources.import_file(context, "staff", config, is_kept=True)
    await applications.add_application(context, "custom-scim", name="wiki", display_name="wiki")
    await assignments.assign(context, "wiki", users=[upn("anna")], role=None)
    change = {"mode": "oidc", "openIdConnect": {"redirectUris": [CALLBACK, OTHER]}}
    await settings.change_sign_on(context, "wiki", change)
    return centre


async def openid(centre: Centre) -> OpenIdSettings:
    return (await settings.show_sign_on(centre.hub.context, "wiki")).settings.openid


async def signed_in_lately(centre: Centre, *names: str) -> None:
    """Note that these people signed in to the wiki."""
    async with centre.hub.pool.connection() as connection:
        cursor = await connection.execute(
            "select id::text, user_principal_name from person where user_principal_name = any(%s)",
            ([upn(name) for name in names],),
        )
        app = (await applications.show_application(centre.hub.context, "wiki")).application.id
        for id_, name in await cursor.fetchall():
            record = SignInRecord(datetime.now(UTC), SUCCESS, person=id_, person_display=name, app=app, protocol="oidc")
            await sign_in_log.append(connection, record)


async def test_selecting_openid_connect_asks_for_the_redirect_uris_first(centre: Centre, admin: Browser) -> None:
    await applications.add_application(centre.hub.context, "custom-scim", name="wiki", display_name="wiki")

    asked = await admin.post(f"{HERE}/method", {"mode": "oidc"})
    page = await admin.get(asked.location)
    saved = await admin.post(f"{HERE}/authentication", {**FORM, "mode": "oidc"})
    cards = await admin.get(HERE)

    assert (asked.location, "does not use OpenID Connect yet" in page.text) == (f"{HERE}/authentication", True)
    assert (saved.status, saved.location) == (303, HERE)
    assert re.findall(r"<h2 id[^>]*>([^<]+)</h2>", cards.html)[:5] == [
        "Authentication", "Certificates &amp; secrets", "Token configuration", "Set up wiki", "Test single sign-on with wiki",
    ]  # fmt: skip
    for label in ("Redirect URIs", "Application (client) ID", "Issuer", "Token endpoint", "Client type"):
        assert f"<dt>{label}</dt>" in cards.html
    assert "gets no tokens without one" in cards.text


async def test_addresses_are_edited_and_a_mistake_stands_beside_its_field_with_what_was_typed(
    wiki: Centre, admin: Browser
) -> None:
    wrong = await admin.post(f"{HERE}/authentication", {**FORM, "redirectUris": "http://wiki.test/callback"})
    late = await admin.post(f"{HERE}/authentication", {**FORM, "accessTokenMinutes": "soon"})
    right = await admin.post(
        f"{HERE}/authentication",
        {**FORM, "backChannelLogoutUrl": "https://wiki.test/out", "clientType": "public", "accessTokenMinutes": "5"},
    )

    assert (wrong.status, 'id="redirectUris-error"' in wrong.html) == (400, True)
    assert "http://wiki.test/callback</textarea>" in wrong.html
    assert (late.status, 'id="accessTokenMinutes-error"' in late.html) == (400, True)
    assert right.status == 303
    stored = await openid(wiki)
    assert (stored.is_public, stored.access_minutes) == (True, 5)
    assert stored.back_channel_logout_url == "https://wiki.test/out"
    assert stored.claims


async def test_change_that_interrupts_people_is_confirmed_first(wiki: Centre, admin: Browser) -> None:
    await client_secrets.add_client_secret(wiki.hub.context, "wiki", "Rome")
    await signed_in_lately(wiki, "anna", "ben")
    form = {**FORM, "redirectUris": CALLBACK, "clientType": "public"}

    asked = await admin.post(f"{HERE}/authentication", form)
    unchanged = await openid(wiki)
    done = await admin.post(f"{HERE}/authentication", {**form, "confirmed": "yes"})

    assert (asked.status, "Save anyway" in asked.text) == (200, True)
    assert f"A sign-in with the redirect URI {OTHER} is refused" in asked.text
    assert "1 client secret of wiki stop" in asked.text
    assert "2 people signed in during the last 30 days." in asked.text
    assert unchanged.redirect_uris == (CALLBACK, OTHER)
    assert done.status == 303
    assert (await openid(wiki)).redirect_uris == (CALLBACK,)


async def test_change_that_interrupts_nobody_is_saved_at_once(wiki: Centre, admin: Browser) -> None:
    removed = await admin.post(f"{HERE}/authentication", {**FORM, "redirectUris": CALLBACK})
    await signed_in_lately(wiki, "anna")
    added = await admin.post(f"{HERE}/authentication", FORM)

    assert (removed.status, added.status) == (303, 303)


async def test_another_method_is_confirmed_while_people_sign_in(wiki: Centre, admin: Browser) -> None:
    await signed_in_lately(wiki, "anna")

    asked = await admin.post(f"{HERE}/method", {"mode": "disabled"})
    done = await admin.post(f"{HERE}/method", {"mode": "disabled", "confirmed": "yes"})

    assert "Nobody can sign in to wiki by OpenID Connect any longer" in asked.text
    assert "1 person signed in during the last 30 days" in asked.text
    assert (asked.status, done.status) == (200, 303)


async def test_client_secret_is_shown_once_and_deleted_after_a_question(wiki: Centre, admin: Browser) -> None:
    made = await admin.post(f"{HERE}/secrets", {"description": "Rome", "days": "180"})
    [row] = await client_secrets.list_client_secrets(wiki.hub.context, "wiki")
    page = await admin.get(f"{HERE}/secrets")
    asked = await admin.post(f"{HERE}/secrets/remove", {"secret": row.id})
    gone = await admin.post(f"{HERE}/secrets/remove", {"secret": row.id, "confirmed": "yes"})

    secret = re.search(r'aria-label="Client secret">([^<]+)</pre>', made.html)
    assert secret is not None and secret[1].startswith(row.hint)
    assert secret[1] not in page.html
    assert (row.expires_at - row.created_at).days == 180
    assert "Rome" in page.text and "Never" in page.text
    assert f"Delete the client secret {row.hint}… (Rome)?" in asked.text
    assert (asked.status, gone.status) == (200, 303)
    assert await client_secrets.list_client_secrets(wiki.hub.context, "wiki") == []


async def test_public_client_is_offered_no_client_secret(wiki: Centre, admin: Browser) -> None:
    await admin.post(f"{HERE}/authentication", {**FORM, "clientType": "public"})

    page = await admin.get(f"{HERE}/secrets")
    refused = await admin.post(f"{HERE}/secrets", {"description": "", "days": "90"})

    assert "is a public client and has none" in page.text
    assert "New client secret" not in page.text
    assert refused.status == 400


async def test_claims_of_tokens_are_edited_with_the_scope_that_releases_them(wiki: Centre, admin: Browser) -> None:
    added = await admin.post(f"{HERE}/claims/edit", {"name": "dept", "kind": "source", "value": "department"})
    page = await admin.get(f"{HERE}/claims?user={upn('anna')}")
    form = await admin.get(f"{HERE}/claims/edit?name=dept")

    assert added.status == 303
    assert "Token configuration" in page.text and "Add optional claim" in page.text
    assert "Name identifier format" not in page.text
    assert "dept openid user.department Sales" in page.text
    assert "email email user.mail" in page.text
    assert 'value="department"' in form.html
    assert "dept" in {claim.name for claim in (await openid(wiki)).claims}


async def test_trial_shows_the_id_token_and_what_is_missing(wiki: Centre, admin: Browser) -> None:
    page = await admin.get(f"{HERE}/test?user={upn('anna')}")

    assert f"{upn('anna')} cannot sign in" in page.text
    assert "Fails wiki has a client secret that has not expired" in page.text
    assert "ID token" in page.text and "Name ID" not in page.text
    assert f"{wiki.origin}/oauth2/authorize" in page.text
    assert f"Redirect URI {CALLBACK}" in page.text
    assert "UnknownReplyUrl" in page.text and "Explain the error" in page.text


async def test_signing_keys_are_rolled_once_applications_know_the_next_one(wiki: Centre, admin: Browser) -> None:
    context = wiki.hub.context
    first, second = await openid_keys.list_openid_keys(context)
    early = await admin.post("/settings/signing-keys/roll")
    await wiki.hub.fetch("update openid_key set published_at = now() - interval '61 minutes'")

    page = await admin.get("/settings/signing-keys")
    rolled = await admin.post("/settings/signing-keys/roll")
    after = await openid_keys.list_openid_keys(context)

    assert (early.status, "less than an hour ago" in early.text) == (400, True)
    assert first.kid in page.html and second.kid in page.html
    assert rolled.status == 303
    assert [(one.kid, one.state) for one in after if one.kid in (first.kid, second.kid)] == [
        (second.kid, "active"), (first.kid, "retired"),
    ]  # fmt: skip
    asked = await admin.post("/settings/signing-keys/roll", {"compromised": "yes"})
    assert "Withdraw the active key?" in asked.text
    assert [one.state for one in await openid_keys.list_openid_keys(context)] == ["active", "next", "retired"]
    await admin.post("/settings/signing-keys/roll", {"compromised": "yes", "confirmed": "yes"})
    assert second.kid not in {one.kid for one in await openid_keys.list_openid_keys(context)}


async def test_who_may_only_look_changes_nothing(wiki: Centre) -> None:
    auditor = await wiki.signed_in(Role.AUDITOR)

    for path in ("", "/authentication", "/secrets", "/claims", "/test"):
        page = await auditor.get(HERE + path)
        assert page.status == 200, path
        assert "New client secret" not in page.text
    for path, form in (
        ("/authentication", FORM), ("/secrets", {"days": "90"}), ("/secrets/remove", {"secret": "x", "confirmed": "yes"}),
        ("/method", {"mode": "disabled"}),
    ):  # fmt: skip
        assert (await auditor.post(HERE + path, form)).status == 403, path
    assert (await auditor.post("/settings/signing-keys/roll")).status == 403


async def test_form_that_is_older_than_somebody_elses_change_saves_nothing_until_it_is_sent_again(
    wiki: Centre, admin: Browser
) -> None:
    version = _version_in((await admin.get(f"{HERE}/authentication")).html)
    await settings.change_sign_on(wiki.hub.context, "wiki", {"signOnUrl": "https://wiki.test/login"})

    late = await admin.post(f"{HERE}/authentication", {**FORM, "redirectUris": CALLBACK, "version": version})
    assert late.status == 400
    assert "changed single sign-on of wiki in the meantime" in late.text
    assert (await openid(wiki)).redirect_uris == (CALLBACK, OTHER)
    again = await admin.post(
        f"{HERE}/authentication", {**FORM, "redirectUris": CALLBACK, "version": _version_in(late.html)}
    )
    assert again.status == 303


async def test_names_that_are_markup_stay_text(wiki: Centre, admin: Browser) -> None:
    evil = "<script>alert(1)</script>"
    await client_secrets.add_client_secret(wiki.hub.context, "wiki", evil)
    await settings.set_claim(wiki.hub.context, "wiki", evil, {"constant": evil})

    for path in ("", "/secrets", "/claims", "/test"):
        page = await admin.get(HERE + path)
        assert page.status == 200
        assert evil not in page.html


def _version_in(html: str) -> str:
    found = re.search(r'name="version" value="([^"]+)"', html)
    return found[1] if found else ""
