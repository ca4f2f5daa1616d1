"""Single sign-on of an application: the method, the five cards, claims, certificates, downloads and the trial."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, sources
from lockstep.actions.permissions import Role
from lockstep.actions.single_sign_on import issuing, settings
from lockstep.saml.certificates import certificates_in, new_signing_key
from lockstep.saml.metadata import SpMetadata, read_idp_metadata, write_sp_metadata
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import person, upn, write_csv

HERE = "/apps/documo/sso"


@pytest.fixture
async def documo(centre: Centre, tmp_path: Path) -> Centre:
    """Documo with Anna, who is an Editor."""
    context = centre.hub.context
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", [person("anna"), person("ben")]))}]}
    await sources.import_file(context, "staff", config, is_kept=True)
    await applications.add_application(context, "documo")
    await assignments.assign(context, "documo", users=[upn("anna")], role="Editor")
    return centre


async def saml(centre: Centre) -> None:
    await settings.change_sign_on(centre.hub.context, "documo", {"mode": "saml"})


async def test_selecting_saml_leads_to_the_five_cards_with_the_defaults_of_the_gallery(
    documo: Centre, admin: Browser
) -> None:
    choice = await admin.get(HERE)
    selected = await admin.post(f"{HERE}/method", {"mode": "saml"})
    page = await admin.get(HERE)

    assert "Select a single sign-on method" in choice.text
    assert [one in choice.html for one in ("Select SAML", "Select OpenID Connect")] == [True, True]
    assert (selected.status, selected.location) == (303, HERE)
    assert re.findall(r"<h2 id[^>]*>([^<]+)</h2>", page.html)[:5] == [
        "Basic SAML Configuration", "Attributes &amp; Claims", "SAML Signing Certificate", "Set up Documo",
        "Test single sign-on with Documo",
    ]  # fmt: skip
    for label in (
        "Identifier (Entity ID)", "Reply URL (Assertion Consumer Service URL)", "Sign on URL", "Relay State", "Logout URL",
        "Unique User Identifier (Name ID)", "Status", "Thumbprint", "Expiration", "Notification Email",
        "App Federation Metadata URL", "Certificate (Base64)", "Certificate (Raw)", "Federation Metadata XML", "Login URL",
        "Lockstep Identifier",
    ):  # fmt: skip
        assert f"<dt>{label}</dt>" in page.html
    assert "https://api.documo.com/assert" in page.text
    assert f"{documo.origin}/saml2/documo/sso" in page.text
    assert "No mail server is set up, so no mail is sent" in page.text


async def test_the_addresses_are_edited_and_a_mistake_stands_beside_its_field_with_what_was_typed(
    documo: Centre, admin: Browser
) -> None:
    await saml(documo)
    form = {
        "identifiers": "urn:docs",
        "replyUrls": "http://docs.test/acs",
        "signOnUrl": "",
        "relayState": "",
        "logoutUrl": "",
    }

    wrong = await admin.post(f"{HERE}/basic", form)
    right = await admin.post(f"{HERE}/basic", {**form, "replyUrls": "https://docs.test/acs\nhttps://docs.test/acs2"})

    assert wrong.status == 400
    assert "http://docs.test/acs</textarea>" in wrong.html
    assert 'id="replyUrls-error"' in wrong.html
    assert (right.status, right.location) == (303, HERE)
    stored = (await settings.show_sign_on(documo.hub.context, "documo")).settings
    assert stored.reply_urls == ("https://docs.test/acs", "https://docs.test/acs2")
    assert stored.sign_on_url == ""


async def test_an_application_without_addresses_gets_them_while_saml_is_selected(
    documo: Centre, admin: Browser
) -> None:
    await applications.add_application(documo.hub.context, "custom-scim", name="own")

    asked = await admin.post("/apps/own/sso/method", {"mode": "saml"})
    saved = await admin.post(
        "/apps/own/sso/basic", {"mode": "saml", "identifiers": "urn:own", "replyUrls": "https://own.test/acs"}
    )

    assert (asked.status, 'name="mode" value="saml"' in asked.html) == (400, True)
    assert saved.status == 303
    assert (await settings.show_sign_on(documo.hub.context, "own")).settings.mode == "saml"


async def test_claims_show_the_values_of_a_sample_person_and_are_added_changed_and_removed(
    documo: Centre, admin: Browser
) -> None:
    await saml(documo)
    added = await admin.post(
        f"{HERE}/claims/edit", {"name": "dept", "kind": "expression", "value": "ToUpper([department])"}
    )
    page = await admin.get(f"{HERE}/claims?user={upn('anna')}")
    renamed = await admin.post(
        f"{HERE}/claims/edit", {"was": "dept", "name": "unit", "kind": "source", "value": "user.department"}
    )
    wrong = await admin.post(f"{HERE}/claims/edit", {"name": "x", "kind": "expression", "value": "Left([mail])"})
    live = await admin.post(
        f"{HERE}/claims/value", {"kind": "expression", "value": "ToUpper([givenName])", "user": upn("anna")}
    )

    assert (added.status, renamed.status, wrong.status) == (303, 303, 400)
    assert "ToUpper([department]) SALES" in page.text
    assert "Editor" in page.text
    assert "Left needs 2 arguments" in wrong.text
    assert "ANNA" in live.text
    names = [claim.name for claim in (await settings.show_sign_on(documo.hub.context, "documo")).settings.claims]
    assert ("unit" in names, "dept" in names) == (True, False)
    await admin.post(f"{HERE}/claims/remove", {"name": "unit"})
    names = [claim.name for claim in (await settings.show_sign_on(documo.hub.context, "documo")).settings.claims]
    assert "unit" not in names


async def test_name_id_is_chosen_with_its_format(documo: Centre, admin: Browser) -> None:
    await saml(documo)

    assert (
        await admin.post(f"{HERE}/claims/name-id", {"format": "persistent", "kind": "source", "value": "mail"})
    ).status == 303
    persistent = (await settings.show_sign_on(documo.hub.context, "documo")).settings
    assert (
        await admin.post(f"{HERE}/claims/name-id", {"format": "unspecified", "kind": "source", "value": "mial"})
    ).status == 400

    assert persistent.name_id_format == "persistent"


async def test_a_certificate_is_prepared_downloaded_and_made_active(documo: Centre, admin: Browser) -> None:
    await saml(documo)
    [first] = (await settings.show_sign_on(documo.hub.context, "documo")).certificates
    await admin.post(f"{HERE}/certificates/new")
    certificates = (await settings.show_sign_on(documo.hub.context, "documo")).certificates
    [second] = [one for one in certificates if one.thumbprint != first.thumbprint]

    base64 = await admin.get(f"{HERE}/download/base64")
    ours = await admin.get(f"{HERE}/download/metadata")
    await admin.post(f"{HERE}/certificates/activate", {"thumbprint": second.thumbprint})
    page = await admin.get(f"{HERE}/certificates")

    assert certificates_in(base64.html)[0].thumbprint == first.thumbprint
    assert base64.headers["Content-Disposition"] == 'attachment; filename="documo.cer"'
    assert len(read_idp_metadata(ours.html.encode()).certificates) == 2
    assert (await issuing.signing_key_of(documo.hub.context, "documo")).certificate.thumbprint == second.thumbprint
    assert page.text.index("Active") < page.text.index("Inactive")
    assert "PRIVATE KEY" not in page.html


async def test_certificate_is_deleted_with_its_key_only_after_a_question(documo: Centre, admin: Browser) -> None:
    await saml(documo)
    [first] = (await settings.show_sign_on(documo.hub.context, "documo")).certificates
    await admin.post(f"{HERE}/certificates/new")
    _, second = (await settings.show_sign_on(documo.hub.context, "documo")).certificates

    asked = await admin.post(f"{HERE}/certificates/remove", {"thumbprint": second.thumbprint})
    kept = (await settings.show_sign_on(documo.hub.context, "documo")).certificates
    done = await admin.post(f"{HERE}/certificates/remove", {"thumbprint": second.thumbprint, "confirmed": "yes"})
    of_the_active = await admin.post(f"{HERE}/certificates/remove", {"thumbprint": first.thumbprint})

    assert f"Delete the certificate {second.thumbprint}?" in asked.text and "cannot be restored" in asked.text
    assert (asked.status, len(kept), done.status) == (200, 2, 303)
    assert (await settings.show_sign_on(documo.hub.context, "documo")).certificates == (first,)
    assert "Delete the certificate" not in of_the_active.text


async def test_metadata_of_the_application_is_uploaded(documo: Centre, admin: Browser) -> None:
    key = new_signing_key("sp", now=documo.hub.context.now())
    xml = write_sp_metadata(SpMetadata("urn:docs", ["https://docs.test/acs"], [key.certificate]))
    form = {"url": ""}

    nothing = await admin.post(f"{HERE}/metadata", form)
    private = await admin.post(f"{HERE}/metadata", {"url": "https://10.0.0.1/metadata"})
    uploaded = await admin.post(f"{HERE}/metadata", {**form, "file": io.BytesIO(xml)})

    assert (nothing.status, private.status, uploaded.status) == (400, 400, 303)
    assert "10.0.0.1" in private.text
    found = (await settings.show_sign_on(documo.hub.context, "documo")).settings
    assert (found.identifiers, found.reply_urls) == (("urn:docs",), ("https://docs.test/acs",))


async def test_the_trial_shows_the_assertion_of_a_person_and_why_another_cannot_sign_in(
    documo: Centre, admin: Browser
) -> None:
    await saml(documo)

    anna = await admin.get(f"{HERE}/test")
    ben = await admin.get(f"{HERE}/test?user={upn('ben')}")
    unknown = await admin.get(f"{HERE}/test?user=nobody")

    assert f"{upn('anna')} can sign in" in anna.text
    assert "Audience https://api.documo.com" in anna.text
    assert f"{upn('ben')} cannot sign in" in ben.text
    assert "the application > Users and groups" in ben.text
    assert 'Unknown person "nobody"' in unknown.text


async def test_who_may_only_look_sees_the_cards_and_cannot_change_them(documo: Centre) -> None:
    await saml(documo)
    auditor = await documo.signed_in(Role.AUDITOR)

    page = await auditor.get(HERE)

    assert "Set up single sign-on with SAML" in page.text
    assert "Edit Basic" not in page.html
    for path, form in (
        ("method", {"mode": "disabled"}), ("basic", {"identifiers": "x"}), ("certificates", {}), ("certificates/new", {}),
        ("claims/edit", {"name": "x", "kind": "source", "value": "mail"}), ("claims/name-id", {"format": "persistent"}),
        ("metadata", {"url": "https://x.test"}),
    ):  # fmt: skip
        assert (await auditor.post(f"{HERE}/{path}", form)).status == 403, path


async def test_names_that_are_markup_stay_text(documo: Centre, admin: Browser) -> None:
    evil = "<script>alert(1)</script>"
    await settings.set_claim(documo.hub.context, "documo", evil, {"constant": evil})
    await saml(documo)

    for path in ("", "/claims", "/test", "/claims/edit?name=%3Cscript%3Ealert(1)%3C/script%3E"):
        page = await admin.get(HERE + path)
        assert page.status == 200
        assert evil not in page.html


async def test_a_certificate_that_ends_is_something_that_needs_somebody_on_home(documo: Centre, admin: Browser) -> None:
    await saml(documo)
    assert "signing certificate" not in (await admin.get("/")).text

    await documo.hub.fetch("update signing_certificate set not_after = now() + interval '20 days'")

    page = await admin.get("/")
    assert "1 thing needs you" in page.text
    assert "The signing certificate of Documo expires in 19 days" in page.text
    assert f"{HERE}/certificates" in page.links


@pytest.mark.parametrize(
    ("page", "typed", "kept"),
    [
        (
            f"{HERE}/basic",
            {"identifiers": "https://mine.test", "replyUrls": "https://mine.test/acs"},
            "https://mine.test/acs",
        ),
        (f"{HERE}/certificates", {"signing": "both", "assignmentRequired": "on"}, "Sign SAML response and assertion"),
        (f"{HERE}/claims/edit", {"name": "unit", "kind": "source", "value": "department"}, 'value="unit"'),
        ("/apps/documo/properties", {"enabledForSignIn": "no", "assignmentRequired": "yes"}, "Enabled for users"),
    ],
)
async def test_form_that_is_older_than_somebody_elses_change_saves_nothing_until_it_is_sent_again(
    documo: Centre, admin: Browser, page: str, typed: dict[str, str], kept: str
) -> None:
    await saml(documo)
    version = _version_in((await admin.get(page)).html)
    await settings.change_sign_on(documo.hub.context, "documo", {"relayState": "of somebody else"})
    before = (await settings.show_sign_on(documo.hub.context, "documo")).settings

    late = await admin.post(page, {**typed, "version": version})

    assert late.status == 400 and kept in late.html
    assert f"{documo.hub.context.actor.name} changed single sign-on of Documo in the meantime" in late.text
    assert (await settings.show_sign_on(documo.hub.context, "documo")).settings == before
    again = await admin.post(page, {**typed, "version": _version_in(late.html)})
    assert again.status == 303


def _version_in(html: str) -> str:
    found = re.search(r'name="version" value="([^"]+)"', html)
    return found[1] if found else ""
