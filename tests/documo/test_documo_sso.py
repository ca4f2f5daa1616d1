"""Members of Documo sign in through their company's identity provider: who is signed in, in which browser, and what is shown to everybody
else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from yarl import URL

from documo import members
from documo.access.sso import answering, own_keys, providers
from documo.access.sso.providers import SamlSetup
from documo.access.sso.refreshing import MetadataReader
from documo.access.sso.service import metadata_address
from documo.accounts import create_account
from documo.domains import EMAIL, set_domain
from documo.migrations import versions
from documo.store.single_sign_on import attempts
from lockstep.errors import LockstepError, unreachable
from lockstep.http.outbound import OutboundRules
from lockstep.saml.bindings import read_post
from lockstep.saml.requests import read_authn_request
from lockstep.saml.responses import Signing
from tests.support.documo_client import Client
from tests.support.documo_pages import PASSWORD, Visitor, signed_in, visiting
from tests.support.saml_provider import ENTITY_ID, LOGOUT_URL, SIGN_IN_URL, Asked, Provider, key_named, logout_on

ANNA = "anna@contoso.example"
ADDRESSES_OF_METADATA = Path(next(iter(versions.__path__)), "0022_addresses_of_metadata.sql")


@pytest.fixture
async def provider(api: Client) -> Provider:
    """The provider of the account of *api*, whose people have addresses at contoso.example."""
    made = Provider(api.url.removesuffix("/scim/v2"))
    await providers.set_up(api.store, api.account.id, setup(made))
    return made


def setup(provider: Provider, **changed: object) -> SamlSetup:
    plain = SamlSetup(ENTITY_ID, SIGN_IN_URL, provider.certificate.pem, email_domain="contoso.example")
    return replace(plain, **changed)  # type: ignore[arg-type]


async def ask(visitor: Visitor, email: str = ANNA, next_: str = "/") -> str:
    status, page = await visitor.post("/sso", on="/sso", email=email, next=next_)
    assert status == 200, page
    return page


async def bring(visitor: Visitor, form: Mapping[str, str], *, confirms: bool = True) -> tuple[int, str, str]:
    """Bring the response as the provider's page does: status, text and address of where it leads. Says yes if it asks, if *confirms*."""
    headers = {"Origin": "https://login.contoso.example", "Sec-Fetch-Site": "cross-site"}
    async with visitor.http.post(f"{visitor.origin}/assert", data=form, headers=headers) as answer:
        status, page, path = answer.status, await answer.text(), answer.url.path
    if not confirms or "If this is not you" not in page:
        return status, page, path
    token = re.search(r'name="csrf" value="([^"]*)"', page)
    data = {"csrf": token[1] if token else ""}
    async with visitor.http.post(f"{visitor.origin}{path}", data=data, headers={"Origin": visitor.origin}) as answer:
        return answer.status, await answer.text(), answer.url.path


async def refused(visitor: Visitor, form: Mapping[str, str]) -> bool:
    _, page, _ = await bring(visitor, form)
    return "Sign-in failed" in page and "Sign in" in (await visitor.get("/"))[1]


async def last_sign_in(api: Client) -> str:
    async with signed_in(api, email="admin-looks@x.org") as admin:
        page = (await admin.get("/settings/security"))[1]
        row = page.split("Sign-ins with SSO", 2)[-1]
        link = row.split('href="', 1)[1].split('"', 1)[0]
        return (await admin.get(link))[1]


@pytest.mark.parametrize("form", [{"password": ""}, {"password": PASSWORD, "way": "sso"}, {}])
async def test_form_to_sign_in_leads_an_email_of_the_domain_to_the_provider(
    api: Client, provider: Provider, form: dict[str, str]
) -> None:
    await api.user(ANNA)
    async with visiting(api) as anna:
        _, page = await anna.post("/login", on="/login", email=f" {ANNA.upper()}", next="/own-account", **form)
        asked = provider.asked_on(page)
        _, page, path = await bring(anna, provider.response(ANNA, asked=asked))

    assert path == "/own-account" and ANNA in page


async def test_form_to_sign_in_keeps_an_email_of_another_domain_and_says_what_is_missing(
    api: Client, provider: Provider
) -> None:
    async with visiting(api) as eve:
        for form, status, said in (
            ({}, 400, "The password is missing"),
            ({"way": "sso"}, 404, "No account uses single sign-on for this email domain"),
            ({"way": "sso", "email": ""}, 400, "The email is missing"),
        ):
            given = {"email": "eve@fabrikam.example", **form}
            seen, page = await eve.post("/login", on="/login", **given)
            assert (seen, said in page, f'value="{given["email"]}"' in page) == (status, True, True)


async def test_refused_password_says_that_the_domain_of_the_email_uses_single_sign_on(
    api: Client, provider: Provider
) -> None:
    said = "contoso.example uses single sign-on"
    async with visiting(api) as anna:
        for email in (ANNA, "nobody@contoso.example"):
            assert said in (await anna.post("/login", on="/login", email=email, password="wrong"))[1]
        assert "uses single sign-on" not in (await anna.post("/login", on="/login", email="a@x.org", password="no"))[1]


@pytest.mark.parametrize("signing", Signing)
async def test_provisioned_member_signs_in_at_the_provider(api: Client, provider: Provider, signing: Signing) -> None:
    await api.user(ANNA, displayName="Anna Berg")
    async with visiting(api) as anna:
        asked = provider.asked_on(await ask(anna, next_="/own-account"))
        status, page, path = await bring(anna, provider.response(ANNA.upper(), asked=asked, signing=signing))

    assert (status, path) == (200, "/own-account")
    assert ANNA in page


@pytest.mark.parametrize("is_signed", [False, True])
async def test_request_goes_by_post_to_a_provider_that_takes_it_so(
    api: Client, provider: Provider, is_signed: bool
) -> None:
    await api.user(ANNA)
    changed = setup(provider, requests_by_post=True, requests_signed=is_signed)
    await providers.set_up(api.store, api.account.id, changed)
    async with visiting(api) as anna:
        page = await ask(anna)
        form = dict(re.findall(r'name="(SAMLRequest|RelayState)" value="([^"]*)"', page))
        (key,) = await own_keys.own_keys(api.store, api.account.id)
        incoming = read_post(form, certificates=[key.signing.certificate])
        request = read_authn_request(incoming.message)

        assert f'action="{SIGN_IN_URL}"' in page and "SAMLRequest=" not in page
        assert (incoming.signed, request.reply_url) == (is_signed, f"{provider.audience}/assert")
        answer = Asked(request, incoming.relay_state, "")
        assert (await bring(anna, provider.response(ANNA, asked=answer)))[0] == 200
        assert ANNA in (await anna.get("/own-account"))[1]


async def test_sign_in_may_begin_at_the_provider_unless_the_account_forbids_it(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    async with visiting(api) as anna:
        assert (await bring(anna, provider.response(ANNA)))[2] == "/"

    await providers.set_up(api.store, api.account.id, setup(provider, allows_unsolicited=False))
    async with visiting(api) as anna:
        assert await refused(anna, provider.response(ANNA))
    assert "Unsolicited" in await last_sign_in(api)


async def test_response_helps_only_the_browser_that_asked(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    async with visiting(api) as mallory, visiting(api) as anna:
        asked = provider.asked_on(await ask(mallory))
        _, page, _ = await bring(anna, provider.response(ANNA, asked=asked))
        assert "This sign-in was started in another browser" in page
        assert "Sign in" in (await anna.get("/"))[1]


async def test_assertion_signs_in_once(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    form = provider.response(ANNA)
    async with visiting(api) as anna, visiting(api) as thief:
        assert (await bring(anna, form))[2] == "/"
        assert await refused(thief, form)
    assert "This sign-in was already used" in await last_sign_in(api)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"audience": "https://other.example"}, "WrongAudience"),
        ({"recipient": "https://other.example/assert"}, "WrongRecipient"),
        ({"now": datetime(2020, 1, 1, tzinfo=UTC)}, "Expired"),
        ({"now": datetime.now(UTC) + timedelta(hours=1)}, "NotYetValid"),
        ({"issuer": "https://other.example"}, "WrongIssuer"),
    ],
)
async def test_refusal_shows_the_person_a_number_and_the_admin_the_reason(
    api: Client, provider: Provider, changed: dict[str, object], code: str
) -> None:
    await api.user(ANNA)
    async with visiting(api) as anna:
        asked = provider.asked_on(await ask(anna))
        _, page, _ = await bring(anna, provider.response(ANNA, asked=asked, **changed))  # type: ignore[arg-type]

    assert "Ask your administrator" in page and code not in page and "other.example" not in page
    shown = await last_sign_in(api)
    assert code in shown or "WrongDestination" in shown


async def test_response_signed_with_a_foreign_key_is_refused(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    provider.key = key_named("mallory")
    async with visiting(api) as anna:
        assert await refused(anna, provider.response(ANNA))
    assert "WrongCertificate" in await last_sign_in(api)


async def test_provider_of_one_account_signs_nobody_in_to_another(api: Client, provider: Provider) -> None:
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    await members.add_member(api.store, other.id, "eve@fabrikam.example", role="Admin")
    async with visiting(api) as eve:
        assert await refused(eve, provider.response("eve@fabrikam.example"))


async def test_response_to_a_request_of_another_account_is_refused(api: Client, provider: Provider) -> None:
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    mallory = Provider(provider.audience, "https://sts.fabrikam.example/", key_named("mallory"))
    await providers.set_up(
        api.store, other.id, replace(setup(mallory), entity_id=mallory.entity_id, email_domain="fabrikam.example")
    )
    await api.user(ANNA)
    async with visiting(api) as visitor:
        asked = provider.asked_on(await ask(visitor))
        assert await refused(visitor, mallory.response(ANNA, asked=asked))


async def test_inactive_and_unknown_people_get_no_session(api: Client, provider: Provider) -> None:
    await api.user(ANNA, active=False)
    async with visiting(api) as anna:
        assert await refused(anna, provider.response(ANNA))
        assert await refused(anna, provider.response("nobody@contoso.example"))
        assert await refused(anna, provider.response(f"{ANNA} "))


async def test_disabling_a_member_ends_the_session_that_the_provider_began(api: Client, provider: Provider) -> None:
    member = await api.user(ANNA)
    async with visiting(api) as anna:
        await bring(anna, provider.response(ANNA))
        assert ANNA in (await anna.get("/own-account"))[1]
        await api.patch(f"/Users/{member}", {"op": "replace", "path": "active", "value": False})
        assert "Sign in" in (await anna.get("/own-account"))[1]


async def test_session_ends_when_the_provider_says(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    form = provider.response(ANNA, session_lifetime=timedelta(seconds=1), now=datetime.now(UTC) - timedelta(seconds=60))
    async with visiting(api) as anna:
        await bring(anna, form)  # accepted within the skew of the clocks, and over already
        assert "Sign in" in (await anna.get("/own-account"))[1]


async def test_encrypted_assertion_is_accepted(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    ours = (await own_keys.signing_key(api.store, api.account.id)).certificate
    async with visiting(api) as anna:
        assert (await bring(anna, provider.response(ANNA, encrypt_to=ours)))[2] == "/"


async def test_identity_comes_from_the_configured_field_and_from_nothing_else(api: Client, provider: Provider) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, identity_attribute="mail"))
    await api.user(ANNA)
    async with visiting(api) as anna:
        assert await refused(anna, provider.response(ANNA))
        assert await refused(anna, provider.response("x", attributes={"mail": [ANNA, "other@contoso.example"]}))
        assert (await bring(anna, provider.response("x", attributes={"mail": [ANNA]})))[2] == "/"


async def test_missing_field_shows_all_claims_of_the_assertion_however_long_their_list_is(
    api: Client, provider: Provider
) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, identity_attribute="mail"))
    names = [f"http://schemas.example.com/ws/2005/05/identity/claims/attribute{number:03}" for number in range(60)]
    claims = {name: ["a value " * 300] for name in names}
    async with signed_in(api, email="ada@x.org") as ada:
        _, leave = await ada.post("/settings/security/test", on="/settings/security")
        _, tested, _ = await bring(ada, provider.response(ANNA, asked=provider.asked_on(leave), attributes=claims))
        await bring(ada, provider.response(ANNA, attributes=claims))
        signed_on = await last_sign_in(api)

    received = tested.partition("<dt>Received</dt>")[2].partition("</dd>")[0]
    assert [name for name in names if name not in received] == []
    assert [name for name in names if name not in signed_on] == []
    assert "&lt;/samlp:Response&gt;" in tested


async def test_enforcing_ends_passwords_but_for_the_admin_who_keeps_the_way_in(api: Client, provider: Provider) -> None:
    await api.user(ANNA, password=PASSWORD)
    async with signed_in(api, email="ada@x.org"), visiting(api) as anna, visiting(api) as ada:
        with pytest.raises(LockstepError, match="cannot be the Admin who signs in without SSO"):
            await providers.enforce(api.store, api.account.id, break_glass=ANNA)
        await providers.enforce(api.store, api.account.id, break_glass="ada@x.org")

        status, page = await anna.post("/login", on="/login", email=ANNA, password=PASSWORD, next="/")
        assert (status, "only through your company" in page) == (403, True)
        assert (await ada.post("/login", on="/login", email="ada@x.org", password=PASSWORD, next="/"))[0] == 200


async def test_security_warns_while_no_admin_can_sign_in_without_the_provider(api: Client, provider: Provider) -> None:
    await api.user(ANNA, roles=[{"value": "Admin", "primary": True}])
    async with signed_in(api, email="ada@x.org"), visiting(api) as anna:
        await providers.enforce(api.store, api.account.id, break_glass="ada@x.org")
        await bring(anna, provider.response(ANNA))
        _, before = await anna.get("/settings/security")
        await members.disable(api.store, api.account, "ada@x.org")
        _, after = await anna.get("/settings/security")

    assert "Enforce</h2>" in before and "No Admin can sign in without SSO" not in before
    assert "No Admin can sign in without SSO" in after


async def test_security_says_where_sign_ins_must_start_without_an_email_domain(api: Client, provider: Provider) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, email_domain=""))
    async with signed_in(api, email="ada@x.org") as ada:
        _, page = await ada.get("/settings/security")

    assert "must start at your identity provider, with no Sign on URL there" in page


async def test_unknown_email_domain_says_what_to_do(api: Client, provider: Provider) -> None:
    async with visiting(api) as anna:
        status, page = await anna.post("/sso", on="/sso", email="anna@else.example", next="/")
    assert (status, "No account uses single sign-on" in page) == (404, True)


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example/", "/\\evil.example"])
async def test_sign_in_leads_to_no_other_server(api: Client, provider: Provider, next_: str) -> None:
    await api.user(ANNA)
    async with visiting(api) as anna:
        asked = provider.asked_on(await ask(anna, next_=next_))
        assert (await bring(anna, provider.response(ANNA, asked=asked)))[2] == "/"


@pytest.mark.parametrize("relay_state", ["https://evil.example/", "<script>alert(1)</script>", "a\r\nSet-Cookie: x=1"])
async def test_relay_state_of_a_stranger_leads_nowhere(api: Client, provider: Provider, relay_state: str) -> None:
    await api.user(ANNA)
    async with visiting(api) as anna:
        asked = provider.asked_on(await ask(anna))
        assert await refused(anna, {**provider.response(ANNA, asked=asked), "RelayState": relay_state})


async def test_what_is_no_response_is_refused_with_a_number(api: Client, provider: Provider) -> None:
    async with visiting(api) as anna:
        assert await refused(anna, {"SAMLResponse": "%%%"})
        assert await refused(anna, {"SAMLResponse": base64.b64encode(b"<a/>").decode()})
        assert await refused(anna, {})
        assert await refused(anna, {"SAMLResponse": "A" * 600_000})


async def test_signing_out_ends_both_sessions(api: Client, provider: Provider) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, logout_url=LOGOUT_URL))
    await api.user(ANNA)
    async with visiting(api) as anna:
        await bring(anna, provider.response(ANNA))
        _, page = await anna.post("/sign-out", on="/own-account")
        assert "LogoutRequest" in logout_on(page).message.decode()
        assert "Sign in" in (await anna.get("/"))[1]


async def test_signed_logout_request_of_the_provider_ends_the_sessions_that_it_names(
    api: Client, provider: Provider
) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, logout_url=LOGOUT_URL))
    await api.user(ANNA)
    async with visiting(api) as anna, visiting(api) as browser:
        await bring(anna, provider.response(ANNA))
        for key, works in ((None, False), (key_named("mallory"), False), (provider.key, True)):
            address = provider.logout_request(ANNA, key=key)
            async with browser.http.get(URL(address, encoded=True), allow_redirects=False) as answer:
                assert answer.status == (303 if works else 400)
                assert ("Your identity provider could not sign you out of Documo" in await answer.text()) is not works
            assert ("Sign in" in (await anna.get("/own-account"))[1]) is works
        assert "LogoutResponse" in logout_on(answer.headers["Location"]).message.decode()


async def test_logout_request_ends_the_sessions_in_every_account_and_answers_where_one_ended(
    api: Client, provider: Provider
) -> None:
    """The first account only names the provider, as anybody may who knows its public certificate."""
    elsewhere = setup(provider, logout_url="https://elsewhere.example/logout")
    await providers.set_up(api.store, api.account.id, elsewhere)
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    await providers.set_up(api.store, other.id, setup(provider, logout_url=LOGOUT_URL, email_domain=""))
    await members.add_member(api.store, other.id, ANNA, role="Viewer")
    async with visiting(api) as anna, visiting(api) as browser:
        await bring(anna, provider.response(ANNA))
        assert ANNA in (await anna.get("/own-account"))[1]
        address = URL(provider.logout_request(ANNA, key=provider.key), encoded=True)
        async with browser.http.get(address, allow_redirects=False) as answer:
            assert answer.headers["Location"].startswith(LOGOUT_URL)
        assert "Sign in" in (await anna.get("/own-account"))[1]


async def test_logout_request_works_once(api: Client, provider: Provider) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, logout_url=LOGOUT_URL))
    await api.user(ANNA)
    address = URL(provider.logout_request(ANNA, key=provider.key), encoded=True)
    async with visiting(api) as anna, visiting(api) as thief:
        await bring(anna, provider.response(ANNA))
        async with thief.http.get(address, allow_redirects=False) as first:
            assert first.status == 303
        await bring(anna, provider.response(ANNA))
        async with thief.http.get(address, allow_redirects=False) as again:
            assert again.status == 400
            assert "could not sign you out of Documo" in await again.text()

        assert ANNA in (await anna.get("/own-account"))[1]


async def test_logout_request_ends_the_session_in_the_last_of_many_accounts(api: Client, provider: Provider) -> None:
    last = await _twelve_accounts(api, provider)
    async with visiting(api) as anna, visiting(api) as browser:
        assert (await bring(anna, provider.response(ANNA)))[2] == "/"
        assert last in (await anna.get("/own-account"))[1]
        address = URL(provider.logout_request(ANNA, key=provider.key), encoded=True)
        async with browser.http.get(address, allow_redirects=False) as answer:
            assert answer.status == 303
        assert "Sign in" in (await anna.get("/own-account"))[1]


async def test_sign_in_that_begins_at_the_provider_reaches_the_last_of_many_accounts(
    api: Client, provider: Provider
) -> None:
    last = await _twelve_accounts(api, provider)
    async with visiting(api) as anna:
        status, page, path = await bring(anna, provider.response(ANNA))

    assert (status, path) == (200, "/") and last in page


async def test_person_whose_account_is_not_clear_is_led_to_the_sign_in_page(
    api: Client, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _twelve_accounts(api, provider)
    monkeypatch.setattr(answering, "MOST_ACCOUNTS", 11)
    async with visiting(api) as anna:
        _, page, path = await bring(anna, provider.response(ANNA))
        asked = provider.asked_on(await ask(anna))
        status, _, _ = await bring(anna, provider.response(ANNA, asked=asked))

    assert (
        path == "/sso/failed" and "cannot tell which account to sign you in to" in page and "enter your email" in page
    )
    assert status == 403  # the account of the domain has no such member


async def _twelve_accounts(api: Client, provider: Provider) -> str:
    """Eleven more accounts of the provider, of which the last one has Anna. Returns its name."""
    for number in range(2, 13):
        account = await create_account(api.store, f"Branch {number}", admin=f"admin@branch{number}.example")
        await providers.set_up(api.store, account.id, setup(provider, email_domain="", logout_url=LOGOUT_URL))
    await members.add_member(api.store, account.id, ANNA, role="Viewer")
    return account.name


async def test_admin_sets_up_sso_by_the_labels_of_the_form_and_tests_it(api: Client) -> None:
    provider = Provider(api.url.removesuffix("/scim/v2"))
    await api.user(ANNA)
    async with signed_in(api) as admin:
        form = (await admin.get("/settings/security/sso"))[1]
        for label in (
            "Entity Id", "SSO URL (Redirect URL)", "Email Domain", "Field Name in SAML Token containing Identity email",
            "Signer Certificate", "Submit",
        ):  # fmt: skip
            assert label in form
        status, page = await admin.post(
            "/settings/security/sso",
            entity_id=ENTITY_ID,
            sign_in_url=SIGN_IN_URL,
            email_domain="contoso.example",
            identity_attribute="",
            certificates=provider.certificate.base64,
            allows_unsolicited="on",
        )
        assert (status, provider.certificate.thumbprint in page) == (200, True)

        asked = provider.asked_on((await admin.post("/settings/security/test", on="/settings/security"))[1])
        assert asked.request.force_authn
        _, page, path = await bring(admin, provider.response(ANNA, asked=asked))
        assert "Single sign-on works" in page and path.startswith("/settings/security/sign-ins/")
        assert "ada@x.org" in (await admin.get("/own-account"))[1]  # a test signs nobody in

        asked = provider.asked_on((await admin.post("/settings/security/test", on="/settings/security"))[1])
        _, page, _ = await bring(admin, provider.response(ANNA, asked=asked, audience="https://wrong.example"))
        assert "WrongAudience" in page and "https://wrong.example" in page and provider.audience in page


async def test_form_keeps_what_was_entered_and_says_what_is_wrong(api: Client) -> None:
    async with signed_in(api) as admin:
        status, page = await admin.post(
            "/settings/security/sso", entity_id="https://sts", sign_in_url="javascript:alert(1)", certificates="x"
        )
        assert (status, "SSO URL is not a valid URL" in page, "javascript:alert(1)" in page) == (400, True, True)
        _, page = await admin.post(
            "/settings/security/sso", entity_id="e", sign_in_url=SIGN_IN_URL, certificates="not a certificate"
        )
        assert "No certificate can be read" in page


async def test_metadata_fills_the_form_and_saves_nothing(api: Client) -> None:
    provider = Provider(api.url.removesuffix("/scim/v2"))
    async with signed_in(api) as admin:
        status, page = await admin.post("/settings/security/sso/metadata", pasted=provider.metadata().decode())
        assert (status, SIGN_IN_URL in page, "Nothing is saved yet" in page) == (200, True, True)
    assert await providers.find_provider(api.store, api.account.id) is None


async def test_email_domain_is_of_the_account_that_verified_it_and_otherwise_of_the_first(
    api: Client, provider: Provider
) -> None:
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    await providers.set_up(api.store, other.id, setup(provider))
    assert await providers.tenant_for_email(api.store, ANNA) == api.account.id

    await set_domain(api.store, api.account.id, "contoso.example", kind=EMAIL)
    await set_domain(api.store, other.id, "contoso.example", kind=EMAIL, vouched=True)
    assert await providers.tenant_for_email(api.store, ANNA) == other.id


async def test_beginning_a_sign_in_writes_nothing(api: Client, provider: Provider) -> None:
    async with visiting(api) as anna:
        await ask(anna)
    async with api.store.tenant(api.account.id) as connection:
        for name in ("sso_used", "sso_tickets", "sso_attempts"):
            assert await (await connection.execute(f"select 1 from {name}")).fetchone() is None


async def test_forged_responses_push_no_real_one_out_of_the_list(api: Client, provider: Provider) -> None:
    forger = Provider(provider.audience, key=key_named("mallory"))
    async with visiting(api) as anna:
        assert await refused(anna, provider.response(ANNA, audience="https://other.example"))
        for _ in range(60):
            await bring(anna, forger.response(ANNA))
    async with api.store.tenant(api.account.id) as connection:
        found = await attempts(connection, api.account.id, most=300)
    assert [one.result for one in found].count("WrongAudience") == 1
    assert len(found) < 60


async def test_sign_in_from_elsewhere_is_confirmed_once_in_each_browser(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    async with visiting(api) as anna:
        _, page, _ = await bring(anna, provider.response(ANNA), confirms=False)
        assert f"Sign in as {ANNA}?" in page and "Sign in" in (await anna.get("/own-account"))[1]
        assert (await bring(anna, provider.response(ANNA)))[2] == "/"
        assert (await bring(anna, provider.response(ANNA), confirms=False))[2] == "/"


async def test_metadata_that_is_read_again_brings_the_new_certificate_and_no_other_provider(
    api: Client, provider: Provider
) -> None:
    row = (await providers.provider_of(api.store, api.account.id)).row
    new = Provider(provider.audience, key=key_named("next"))
    now = datetime.now(UTC)

    changed = providers.read_again(row, new.metadata(), now=now)
    assert (changed.certificates, changed.metadata_read_at) == (new.certificate.pem, now)
    with pytest.raises(LockstepError, match="belongs to a different provider"):
        providers.read_again(row, Provider(provider.audience, "https://other.example/").metadata(), now=now)


async def test_problem_with_the_metadata_stays_known_until_it_is_read_or_belongs_to_another_provider(
    api: Client, provider: Provider
) -> None:
    class Unreachable(MetadataReader):
        async def fetch(self, url: str) -> bytes:
            raise unreachable("idp.example does not respond")

    account, now, later = api.account.id, datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)
    stored = setup(provider, metadata_url="https://idp.example/metadata")
    await providers.set_up(api.store, account, stored)
    await Unreachable(api.store, OutboundRules()).refresh(account, now=now)

    told = [
        (changed.row.metadata_problem, changed.row.metadata_read_at)
        for changed in (
            await providers.set_up(api.store, account, replace(stored, creates_members=True)),
            await providers.set_up(api.store, account, stored, metadata_read_at=later),
            await providers.set_up(api.store, account, replace(stored, entity_id="https://other.example/")),
        )
    ]

    assert told == [("idp.example does not respond", now), ("", later), ("", None)]


async def test_expired_metadata_is_refused_and_leaves_the_certificates_as_they_are(
    api: Client, provider: Provider
) -> None:
    row, now = (await providers.provider_of(api.store, api.account.id)).row, datetime.now(UTC)
    for ends_at, is_refused in ((now - timedelta(seconds=1), True), (now + timedelta(days=1), False)):
        ended = Provider(provider.audience, key=key_named("next")).metadata(valid_until=ends_at)
        if is_refused:
            with pytest.raises(LockstepError, match="The metadata expired on"):
                providers.read_again(row, ended, now=now)
        else:
            assert providers.read_again(row, ended, now=now).certificates != row.certificates


async def test_metadata_of_documo_names_the_custom_domain(api: Client) -> None:
    address = await metadata_address(api.store, api.account.id, "")
    async with visiting(api) as visitor:
        assert (await visitor.get(address))[0] == 404
        await own_keys.own_keys(api.store, api.account.id)
        status, xml = await visitor.get(address)
        assert (status, f'Location="{visitor.origin}/assert"' in xml) == (200, True)
        await set_domain(api.store, api.account.id, "scim.contoso.example", vouched=True)
        _, xml = await visitor.get(address)
        assert "//scim.contoso.example" in xml and f'Location="{visitor.origin}/assert"' not in xml


async def test_address_of_the_metadata_cannot_be_guessed_from_the_number_of_the_account(api: Client) -> None:
    other = await create_account(api.store, "Without keys", admin="eve@x.org")
    await own_keys.own_keys(api.store, api.account.id)
    guesses = [str(api.account.id), str(other.id), "99999", "", "1-2", str(UUID(int=0))]
    guesses.append((await metadata_address(api.store, other.id, "")).partition("=")[2])
    async with visiting(api) as visitor:
        pages = [await visitor.get(f"/saml/metadata?account={one}") for one in guesses]

    assert {status for status, _ in pages} == {404}
    assert len({re.sub("[0-9a-f]{16}", "NUMBER", page) for _, page in pages}) == 1


async def test_former_address_of_the_metadata_works_for_accounts_that_had_it(api: Client) -> None:
    other = await create_account(api.store, "Without keys", admin="eve@x.org")
    await own_keys.own_keys(api.store, api.account.id)
    async with api.store.control() as connection:
        await connection.execute(ADDRESSES_OF_METADATA.read_text().rpartition(";\n")[0].rpartition(";\n")[2])
    await own_keys.own_keys(api.store, other.id)
    async with visiting(api) as visitor:
        former = [await visitor.get(f"/saml/metadata?account={one.id}") for one in (api.account, other)]
        present = await visitor.get(await metadata_address(api.store, api.account.id, ""))

    assert [status for status, _ in former] == [200, 404]
    assert former[0] == present


async def test_first_sign_in_creates_a_member_only_if_the_account_says_so(api: Client, provider: Provider) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, creates_members=True, default_role="Viewer"))
    async with visiting(api) as anna:
        assert (await bring(anna, provider.response(ANNA)))[2] == "/"
        assert "Viewer" in (await anna.get("/own-account"))[1]


async def test_account_that_names_the_provider_of_another_makes_no_members_of_its_people(
    api: Client, provider: Provider
) -> None:
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    claimed = setup(provider, email_domain="", creates_members=True, default_role="Viewer")
    await providers.set_up(api.store, other.id, claimed)
    await api.user(ANNA)
    async with visiting(api) as anna:
        assert (await bring(anna, provider.response(ANNA)))[2] == "/"
        _, page, _ = await bring(anna, provider.response("bo@contoso.example"))
        assert "Sign-in failed" in page
    found = await members.find_members(api.store, other, search="", after="", most=10)
    assert [member.user_name for member in found] == ["admin@fabrikam.example"]


@pytest.mark.parametrize("is_member", [True, False])
async def test_account_that_verified_the_domain_has_its_people_whoever_else_added_them(
    api: Client, provider: Provider, is_member: bool
) -> None:
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    await providers.set_up(api.store, other.id, setup(provider, email_domain=""))
    await members.add_member(api.store, other.id, ANNA, role="Viewer")
    if is_member:
        await api.user(ANNA)
        async with visiting(api) as anna:
            assert "Sign-in failed" in (await bring(anna, provider.response(ANNA)))[1]

    await set_domain(api.store, api.account.id, "contoso.example", kind=EMAIL, vouched=True)
    async with visiting(api) as anna:
        _, page, path = await bring(anna, provider.response(ANNA))
    assert (path == "/") == is_member
    assert ("Sign-in failed" in page) != is_member
    async with api.store.tenant(other.id) as connection:
        assert await (await connection.execute("select 1 from member_sessions")).fetchone() is None


async def test_assertion_that_one_account_used_is_used_in_all(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    form = provider.response(ANNA)
    async with visiting(api) as anna:
        assert (await bring(anna, form))[2] == "/"
    other = await create_account(api.store, "Fabrikam", admin="admin@fabrikam.example")
    await providers.remove_provider(api.store, api.account.id)
    await providers.set_up(api.store, other.id, setup(provider))
    await members.add_member(api.store, other.id, ANNA, role="Viewer")
    async with visiting(api) as anna:
        assert await refused(anna, form)
        assert (await bring(anna, provider.response(ANNA)))[2] == "/"


async def test_changes_of_single_sign_on_end_the_sessions_that_they_concern(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    async with signed_in(api) as ada, signed_in(api, email="bo@x.org") as bo, visiting(api) as anna:
        await bring(anna, provider.response(ANNA))
        await providers.enforce(api.store, api.account.id, break_glass="ada@x.org")
        inside = [(await one.get("/own-account"))[1].count("Own account") > 0 for one in (ada, bo, anna)]
        assert inside == [True, False, True]

        await providers.remove_provider(api.store, api.account.id)
        inside = [(await one.get("/own-account"))[1].count("Own account") > 0 for one in (ada, bo, anna)]
        assert inside == [True, False, False]


async def test_response_of_a_provider_that_was_removed_begins_no_session(api: Client, provider: Provider) -> None:
    await api.user(ANNA)
    async with visiting(api) as anna:
        form = provider.response(ANNA)
        async with anna.http.post(f"{anna.origin}/assert", data=form, allow_redirects=False) as answer:
            finish = answer.headers["Location"]
        await providers.remove_provider(api.store, api.account.id)
        async with anna.http.get(finish) as answer:
            assert "This sign-in has ended" in await answer.text()


async def test_response_that_comes_again_makes_no_member(api: Client, provider: Provider) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, creates_members=True))
    form = provider.response(ANNA)
    async with visiting(api) as anna, visiting(api) as thief:
        assert (await bring(anna, form))[2] == "/"
        [member] = (await api.find(f'userName eq "{ANNA}"')).ids
        await api.send("DELETE", f"/Users/{member}")
        assert await refused(thief, form)

    assert (await api.find(f'userName eq "{ANNA}"')).ids == []


async def test_test_of_sso_makes_no_member(api: Client, provider: Provider) -> None:
    await providers.set_up(api.store, api.account.id, setup(provider, creates_members=True))
    async with signed_in(api) as admin:
        asked = provider.asked_on((await admin.post("/settings/security/test", on="/settings/security"))[1])
        assert "Single sign-on works" in (await bring(admin, provider.response(ANNA, asked=asked)))[1]

    assert (await api.find(f'userName eq "{ANNA}"')).ids == []
