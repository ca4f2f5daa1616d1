"""Single sign-on of applications: settings, claims, keys, and the data that the portal gets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, audit, people, roles, sources
from lockstep.actions.configuration import plan_configuration
from lockstep.actions.configuration_apply import apply_configuration
from lockstep.actions.configuration_export import export_everything
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.credentials import set_credentials
from lockstep.actions.single_sign_on import address, certificates, issuing, metadata, settings, trying
from lockstep.configuration.document.strict_json import ConfigurationError
from lockstep.configuration.files.file import read_documents
from lockstep.configuration.single_sign_on import ROLE_CLAIM, NameIdKind, SignOnMode, sign_on_to_json
from lockstep.errors import LockstepError
from lockstep.saml.certificates import new_signing_key
from lockstep.saml.metadata import SpMetadata, read_idp_metadata, write_sp_metadata
from lockstep.saml.names import Binding
from lockstep.storage.audit_log import AuditFilter
from lockstep.targets.opener import ScimTargets
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
    assert view.settings.logout_url == "https://api.documo.com/saml/logout"
    assert [claim.name for claim in view.settings.claims] == [
        *(CLAIMS + name for name in ("emailaddress", "givenname", "surname", "name")), ROLE_CLAIM,
    ]  # fmt: skip
    assert (view.endpoints.login_url, view.certificates) == (f"{AT}/saml2/documo/sso", ())


async def test_the_host_of_the_tenant_url_takes_the_place_of_documos(context: Context) -> None:
    await set_credentials(context, "documo", tenant_url="https://docs.contoso.test/scim/v2")

    found = (await settings.show_sign_on(context, "documo")).settings

    assert (found.identifiers, found.reply_urls, found.logout_url) == (
        ("https://docs.contoso.test",), ("https://docs.contoso.test/assert",), "https://docs.contoso.test/saml/logout",
    )  # fmt: skip
    assert found.sign_on_url == "https://app.documo.com/sso"


async def test_documo_on_this_machine_is_opened_there(context: Context) -> None:
    await set_credentials(context, "documo", tenant_url="http://127.0.0.1:8081/scim/v2")

    found = (await settings.show_sign_on(context, "documo")).settings

    assert (found.sign_on_url, found.logout_url) == ("http://127.0.0.1:8081/sso", "http://127.0.0.1:8081/saml/logout")


async def test_application_that_was_set_up_without_a_logout_url_stays_without_one(context: Context) -> None:
    await settings.change_sign_on(context, "documo", {"mode": "saml", "logoutUrl": None})

    changed = await settings.change_sign_on(context, "documo", {"signing": "both"})

    assert changed.settings.logout_url == ""


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
        upn("anna"), NameIdKind.EMAIL_ADDRESS, True, "Editor",
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


async def test_disabled_role_is_no_claim_until_it_is_enabled_again(context: Context) -> None:
    await settings.change_sign_on(context, "documo", {"mode": "saml"})

    await roles.set_role_enabled(context, "documo", "Editor", is_enabled=False)
    without = await issuing.claims_for(context, "documo", await id_of(context, "anna"))
    await roles.set_role_enabled(context, "documo", "Editor", is_enabled=True)
    again = await issuing.claims_for(context, "documo", await id_of(context, "anna"))

    assert (without.is_assigned, without.role, ROLE_CLAIM in without.attributes) == (True, "", False)
    assert (again.role, again.attributes[ROLE_CLAIM]) == ("Editor", ("Editor",))


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
    ("change", "name_id"),
    [
        ({"source": "mail"}, {"format": "unspecified", "source": "mail"}),
        ({"constant": "x"}, {"format": "unspecified", "constant": "x"}),
        ({"format": "emailAddress"}, {"format": "emailAddress", "source": "employeeId"}),
        ({"format": "persistent"}, {"format": "persistent"}),
    ],
)
async def test_change_of_the_name_id_keeps_what_is_not_given(
    context: Context, change: dict[str, str], name_id: dict[str, str]
) -> None:
    await settings.change_sign_on(context, "documo", {"nameId": {"format": "unspecified", "source": "employeeId"}})

    view = await settings.change_sign_on(context, "documo", {"nameId": change})

    assert sign_on_to_json(view.settings)["nameId"] == name_id


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
        ({"nameId": {"format": "persistent", "source": "mail"}}, "generated by Lockstep"),
        ({"claims": [{"name": "x", "expression": "Left([mail])"}]}, "Left needs"),
        ({"claims": [{"name": "x"}]}, "a claim needs one of"),
        ({"claims": [{"name": "x", "source": "mial"}]}, "mial"),
        ({"claims": [{"name": "x", "expression": "ToUpper([mial])"}]}, "mial"),
        ({"claims": [{"name": "x", "source": "mail"}, {"name": "x", "source": "mail"}]}, "twice"),
        ({"encryptionCertificate": "nonsense"}, "certificate"),
        ({"encryptionCertificate": "-----BEGIN PRIVATE KEY-----"}, "private key"),
        ({"requireSignedRequests": True}, "requestCertificates"),
        ({"notificationEmail": "nobody"}, "e-mail"),
        ({"mode": "oidc"}, "redirectUris: is missing"),
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


async def test_a_file_sets_single_sign_on_up_and_applying_the_export_changes_nothing(context: Context) -> None:
    context = replace(context, opener=ScimTargets(()))
    file = f"""
apiVersion: lockstep/v1
kind: Application
metadata: {{ name: documo }}
spec:
  template: documo
  singleSignOn:
    mode: saml
    identifiers: [urn:documo]
    replyUrls: [https://docs.contoso.test/assert]
    nameId: {{ format: persistent }}
    claims: [{{ name: department, expression: 'ToUpper([department])' }}]
    requestCertificates: []
---
apiVersion: lockstep/v1
kind: Tenant
metadata: {{ name: Contoso }}
spec: {{ publicAddress: {AT}/ }}
"""

    application, tenant = read_documents(file, "test.yaml")
    await apply_configuration(context, [application], prune=True)
    await apply_configuration(context, [tenant])
    view = await settings.show_sign_on(context, "documo")
    exported = read_documents(await export_everything(context), "export.yaml")
    plan = await plan_configuration(context, exported)

    assert (view.settings.mode, view.settings.identifiers) == (SignOnMode.SAML, ("urn:documo",))
    assert [claim.name for claim in view.settings.claims] == ["department"]
    assert (view.endpoints.login_url, len(view.certificates)) == (f"{AT}/saml2/documo/sso", 1)
    assert plan.changes == ()


async def test_a_file_with_an_unknown_attribute_is_refused_before_anything_changes(context: Context) -> None:
    context = replace(context, opener=ScimTargets(()))
    file = """
apiVersion: lockstep/v1
kind: Application
metadata: { name: documo }
spec:
  template: documo
  singleSignOn: { claims: [{ name: x, source: mial }] }
"""

    with pytest.raises(LockstepError, match=r"test\.yaml:7:"):
        await plan_configuration(context, read_documents(file, "test.yaml"))


async def test_a_prepared_certificate_does_not_sign_until_it_is_made_active(context: Context) -> None:
    [first] = (await settings.change_sign_on(context, "documo", {"mode": "saml"})).certificates
    view = await certificates.add_certificate(context, "documo")
    [second] = [one for one in view.certificates if one.thumbprint != first.thumbprint]
    assert (await issuing.signing_key_of(context, "documo")).certificate.thumbprint == first.thumbprint

    await certificates.activate_certificate(context, "documo", second.thumbprint[:8].lower())

    assert (await issuing.signing_key_of(context, "documo")).certificate.thumbprint == second.thumbprint
    facts = await issuing.facts_of(context, "documo")
    assert facts.certificates == (second.certificate, first.certificate)
    with pytest.raises(LockstepError, match="cannot be removed"):
        await certificates.remove_certificate(context, "documo", second.thumbprint)
    assert len((await certificates.remove_certificate(context, "documo", first.thumbprint)).certificates) == 1


@pytest.mark.parametrize(
    ("left", "shown"),
    [(61, None), (60, False), (8, False), (7, True), (-1, True)],
)
async def test_a_certificate_is_brought_to_attention_from_60_days_and_is_urgent_from_7(
    context: Context, left: int, shown: bool | None
) -> None:
    [one] = (await settings.change_sign_on(context, "documo", {"mode": "saml"})).certificates
    then = replace(context, now=lambda: one.not_after - timedelta(days=left))

    found = await certificates.expiring_certificates(then)

    assert [ending.is_urgent for ending in found] == ([] if shown is None else [shown])
    await settings.change_sign_on(context, "documo", {"mode": "disabled"})
    assert await certificates.expiring_certificates(then) == []


async def test_metadata_of_the_application_fills_the_settings_and_ours_names_all_certificates(context: Context) -> None:
    await address.set_address(context, AT)
    key = new_signing_key("sp", now=datetime.now(UTC))
    theirs = SpMetadata(
        "urn:docs", ["https://docs.test/acs"], [key.certificate], [key.certificate],
        logout={Binding.REDIRECT: "https://docs.test/slo"}, authn_requests_signed=True, name_id_formats=[NameIdKind.PERSISTENT.urn],
    )  # fmt: skip

    await metadata.upload_metadata(context, "documo", write_sp_metadata(theirs))
    found = (await settings.change_sign_on(context, "documo", {"mode": "saml"})).settings
    await certificates.add_certificate(context, "documo")
    ours = read_idp_metadata(await metadata.federation_metadata(context, "documo"))

    assert (found.identifiers, found.reply_urls, found.logout_url) == (
        ("urn:docs",), ("https://docs.test/acs",), "https://docs.test/slo",
    )  # fmt: skip
    assert found.requires_signed_requests
    assert found.request_certificates == (key.certificate.pem.strip(),)
    assert found.encryption_certificate == key.certificate.pem.strip()
    assert found.name_id_format is NameIdKind.PERSISTENT
    assert (ours.entity_id, len(ours.certificates)) == (f"{AT}/saml2/documo/metadata", 2)
    assert ours.sign_on[Binding.POST] == f"{AT}/saml2/documo/sso"
    with pytest.raises(LockstepError, match="metadata cannot be used"):
        await metadata.upload_metadata(context, "documo", b"<x/>")
    with pytest.raises(LockstepError, match="The metadata expired on"):
        ended = replace(theirs, valid_until=datetime.now(UTC) - timedelta(days=1))
        await metadata.upload_metadata(context, "documo", write_sp_metadata(ended))


async def test_metadata_is_public_only_for_applications_that_people_sign_in_to(context: Context) -> None:
    nobody = replace(context, actor=NOT_SIGNED_IN)
    refusals = []
    for app in ("documo", "unknown"):
        with pytest.raises(LockstepError) as refused:
            await metadata.federation_metadata(nobody, app)
        refusals.append((refused.value.kind, refused.value.detail.replace(app, "X")))

    assert refusals[0] == refusals[1]


async def test_administrator_is_told_that_an_application_without_saml_has_no_metadata(context: Context) -> None:
    with pytest.raises(LockstepError, match="documo does not use SAML") as refused:
        await metadata.federation_metadata(context, "documo")

    assert "lockstep sso set documo --mode saml" in refused.value.next_step


async def test_a_trial_names_each_condition_and_signs_nothing(context: Context) -> None:
    before = await trying.try_sign_on(context, "documo", upn("ben"), origin=AT)
    await settings.change_sign_on(context, "documo", {"mode": "saml"})
    anna = await trying.try_sign_on(context, "documo", origin=AT)

    assert before is not None
    assert anna is not None
    assert [one.holds for one in before.conditions] == [False, True, False, True, False]
    assert (anna.person, anna.would_sign_in) == (upn("anna"), True)
    assert (anna.audience, anna.recipient) == ("https://api.documo.com", "https://api.documo.com/assert")
