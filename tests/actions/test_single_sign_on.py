"""Single sign-on of applications: settings, claims, keys, and what the portal is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, audit, people, sources
from lockstep.actions.context import Context
from lockstep.actions.credentials import set_credentials
from lockstep.actions.single_sign_on import address, issuing, settings
from lockstep.configuration.document.strict_json import ConfigurationError
from lockstep.configuration.single_sign_on import ROLE_CLAIM, NameIdFormat, SignOnMode
from lockstep.errors import LockstepError
from lockstep.storage.audit_log import AuditFilter
from tests.support.hub import Hub, guid, person, upn, write_csv

CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
AT = "https://id.contoso.test"


@pytest.fixture
async def context(hub: Hub, tmp_path: Path) -> Context:
    """Documo, Anna with the role Editor, and Ben without an assignment."""
    rows = [
        person("anna", surname="Österreich", mail="anna.oe@contoso.test"),
        person("ben", surname="", manager=guid("anna")),
        person("cleo", accountEnabled="False"),
    ]
    columns = ("id", "userPrincipalName", "displayName", "givenName", "surname", "mail", "accountEnabled", "manager")
    file = write_csv(
        tmp_path / "people.csv",
        [{**dict.fromkeys(columns, ""), **{k: v for k, v in row.items() if k in columns}} for row in rows],
        columns=columns,
    )
    await sources.import_file(hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await applications.add_application(hub.context, "documo")
    await assignments.assign(hub.context, "documo", users=[upn("anna")], role="Editor")
    return hub.context


async def id_of(context: Context, name: str) -> str:
    return (await people.show_person(context, upn(name))).person.id


async def test_documo_has_the_defaults_of_the_gallery_and_no_key_until_saml_is_chosen(context: Context) -> None:
    view = await settings.show_sign_on(context, "documo", origin=AT)

    assert view.settings.mode is SignOnMode.DISABLED
    assert view.settings.identifiers == ("https://api.documo.com",)
    assert view.settings.reply_urls == ("https://api.documo.com/assert",)
    assert view.settings.sign_on_url == "https://app.documo.com/sso"
    assert [claim.name for claim in view.settings.claims] == [
        *(CLAIMS + name for name in ("emailaddress", "givenname", "surname", "name")), ROLE_CLAIM,
    ]  # fmt: skip
    assert (view.endpoints.login_url, view.certificates) == (f"{AT}/saml2/documo/sso", ())


async def test_the_host_of_the_tenant_url_takes_the_place_of_documos(context: Context) -> None:
    await set_credentials(context, "documo", tenant_url="https://docs.contoso.test/scim/v2")

    found = (await settings.show_sign_on(context, "documo")).settings

    assert (found.identifiers, found.reply_urls) == (
        ("https://docs.contoso.test",), ("https://docs.contoso.test/assert",),
    )  # fmt: skip


async def test_turning_saml_on_makes_one_active_key_that_only_the_vault_opens(hub: Hub, context: Context) -> None:
    await settings.change_sign_on(context, "documo", {"mode": "saml"})
    view = await settings.change_sign_on(context, "documo", {"signing": "both"})

    [certificate] = view.certificates
    key = await issuing.signing_key_of(context, "documo")
    [(sealed,)] = await hub.fetch("select private_key from signing_certificate")
    assert certificate.is_active
    assert key.certificate.thumbprint == certificate.thumbprint
    assert isinstance(sealed, bytes)
    assert b"PRIVATE KEY" not in sealed


async def test_claims_say_what_the_directory_says_now_with_the_role_that_provisioning_sends(context: Context) -> None:
    await settings.change_sign_on(context, "documo", {"mode": "saml"})
    await settings.set_claim(
        context, "documo", "initials", {"expression": 'Join(".", Left([givenName], 1), Left([surname], 1))'}
    )

    anna = await issuing.claims_for(context, "documo", await id_of(context, "anna"))
    ben = await issuing.claims_for(context, "documo", await id_of(context, "ben"))

    assert (anna.name_id, anna.name_id_format, anna.is_assigned, anna.role) == (
        upn("anna"), NameIdFormat.EMAIL_ADDRESS, True, "Editor",
    )  # fmt: skip
    assert anna.attributes == {
        f"{CLAIMS}emailaddress": ("anna.oe@contoso.test",),
        f"{CLAIMS}givenname": ("Anna",),
        f"{CLAIMS}surname": ("Österreich",),
        f"{CLAIMS}name": (upn("anna"),),
        ROLE_CLAIM: ("Editor",),
        "initials": ("A.Ö",),
    }
    assert (ben.is_assigned, ben.role) == (False, "")
    assert f"{CLAIMS}surname" not in ben.attributes
    assert ROLE_CLAIM not in ben.attributes


async def test_a_person_who_is_disabled_or_deleted_gets_no_claims(context: Context) -> None:
    await settings.change_sign_on(context, "documo", {"mode": "saml"})
    anna = await id_of(context, "anna")
    await people.delete(context, [upn("anna")])

    for one in (anna, await id_of(context, "cleo")):
        with pytest.raises(LockstepError) as refused:
            await issuing.claims_for(context, "documo", one)
        assert refused.value.code == "PersonNotActive"


async def test_an_empty_name_id_signs_nobody_in(context: Context) -> None:
    await settings.change_sign_on(
        context, "documo", {"mode": "saml", "nameId": {"format": "unspecified", "source": "employeeId"}}
    )

    with pytest.raises(LockstepError, match="cannot sign in to documo") as refused:
        await issuing.claims_for(context, "documo", await id_of(context, "anna"))

    assert refused.value.code == "ClaimsUnusable"


async def test_a_persistent_name_id_is_pairwise_and_stays_and_a_transient_one_is_new_each_time(
    context: Context,
) -> None:
    anna, ben = await id_of(context, "anna"), await id_of(context, "ben")
    await applications.add_application(context, "documo", name="other")
    for app in ("documo", "other"):
        await settings.change_sign_on(context, app, {"mode": "saml", "nameId": {"format": "persistent"}})

    first = (await issuing.claims_for(context, "documo", anna)).name_id
    await settings.change_sign_on(context, "documo", {"relayState": "start"})
    others = {
        (await issuing.claims_for(context, "documo", ben)).name_id,
        (await issuing.claims_for(context, "other", anna)).name_id,
    }
    assert (await issuing.claims_for(context, "documo", anna)).name_id == first
    assert len(others | {first}) == 3

    await settings.change_sign_on(context, "documo", {"nameId": {"format": "transient"}})
    assert len({(await issuing.claims_for(context, "documo", anna)).name_id for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "saml", "replyUrls": []}, "replyUrls"),
        ({"mode": "saml", "identifiers": []}, "identifiers"),
        ({"replyUrls": ["http://api.documo.com/assert"]}, "https://"),
        ({"replyUrls": ["https://*.documo.com/assert"]}, "wildcard"),
        ({"replyUrls": ["https://api.documo.com/assert#x"]}, "fragment"),
        ({"replyUrls": ["javascript:alert(1)"]}, "https://"),
        ({"signOnUrl": "https://user:pass@documo.com"}, "user name"),
        ({"nameId": {"format": "email"}}, "unknown value"),
        ({"nameId": {"format": "persistent", "source": "mail"}}, "made by Lockstep"),
        ({"claims": [{"name": "x", "expression": "Left([mail])"}]}, "Left needs"),
        ({"claims": [{"name": "x"}]}, "a claim needs one of"),
        ({"claims": [{"name": "x", "source": "mial"}]}, "mial"),
        ({"claims": [{"name": "x", "expression": "ToUpper([mial])"}]}, "mial"),
        ({"claims": [{"name": "x", "source": "mail"}, {"name": "x", "source": "mail"}]}, "twice"),
        ({"encryptionCertificate": "nonsense"}, "certificate"),
        ({"encryptionCertificate": "-----BEGIN PRIVATE KEY-----"}, "private key"),
        ({"requireSignedRequests": True}, "requestCertificates"),
        ({"notificationEmail": "nobody"}, "e-mail"),
        ({"mode": "oidc"}, "not available"),
        ({"replyUrl": ["https://x.test"]}, "replyUrls"),
    ],
)  # fmt: skip
async def test_settings_that_cannot_work_are_refused_and_change_nothing(
    hub: Hub, context: Context, changes: dict[str, object], message: str
) -> None:
    with pytest.raises((LockstepError, ConfigurationError)) as refused:
        await settings.change_sign_on(context, "documo", changes)

    assert message in f"{refused.value} {refused.value.why} {refused.value.next_step}"
    assert await hub.fetch("select * from application_sso") == []


async def test_an_assertion_goes_only_to_a_registered_reply_url(context: Context) -> None:
    urls = ["https://api.documo.com/assert", "https://eu.documo.com/assert"]
    await settings.change_sign_on(context, "documo", {"mode": "saml", "replyUrls": urls})
    facts = await issuing.facts_of(context, "documo", origin=AT)

    assert [facts.reply_url(), facts.reply_url(urls[1])] == urls
    for asked in ("https://api.documo.com/assert/", "https://API.documo.com/assert", "https://api.documo.com/assert?x"):
        with pytest.raises(LockstepError) as refused:
            facts.reply_url(asked)
        assert refused.value.code == "UnknownReplyUrl"


async def test_the_stored_public_address_counts_more_than_that_of_the_request(context: Context) -> None:
    await address.set_address(context, f"{AT}/")

    facts = await issuing.facts_of(context, "documo", origin="https://attacker.test")

    assert facts.endpoints.identifier == f"{AT}/saml2/documo/metadata"
    for wrong in ("http://id.contoso.test", f"{AT}/path", "id.contoso.test"):
        with pytest.raises(LockstepError):
            await address.set_address(context, wrong)


async def test_changes_are_in_the_audit_log_with_both_states(context: Context) -> None:
    await settings.change_sign_on(context, "documo", {"mode": "saml"})
    await settings.set_claim(context, "documo", ROLE_CLAIM, None)

    entries = {one.activity: one for one in reversed(await audit.list_entries(context, AuditFilter()))}

    update, added = entries["Update single sign-on"], entries["Add signing certificate"]
    assert update.before is not None
    assert update.after is not None
    assert len(update.before["claims"]) - len(update.after["claims"]) == 1
    assert "PRIVATE" not in str(added.after)
