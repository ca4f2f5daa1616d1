"""Signing in through npm's oidc-provider: who gets in, with which roles, and what a refusal says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from lockstep.actions import access_tokens, administrators, audit, identity_providers
from lockstep.actions.audit import AuditFilter
from lockstep.actions.identity_providers import CALLBACK, ProviderChange
from lockstep.actions.permissions import Role
from lockstep.errors import LockstepError
from lockstep.storage import administrators as table
from lockstep.vault import Secret
from lockstep.web.callers import SESSION_COOKIE
from tests.support.admin_centre import Browser, Centre, Page, serving_centre
from tests.support.hub import Hub
from tests.support.oidc_provider import OidcProvider, running_oidc_provider

ANNA: Mapping[str, Any] = {
    "email": "Anna@contoso.test", "email_verified": True, "name": "Anna Berg", "groups": ["all", "lockstep-operators"],
}  # fmt: skip
OPERATORS = ("lockstep-operators", Role.OPERATOR, "")
AUDITORS = ("lockstep-auditors", Role.AUDITOR, "")


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with running_oidc_provider() as running:
        yield running


@pytest.fixture
async def centre(hub: Hub, provider: OidcProvider) -> AsyncIterator[Centre]:
    async with serving_centre(hub, allow=[provider.issuer]) as running:
        yield running


class Firm:
    """An admin centre with single sign-on through *provider*."""

    def __init__(self, centre: Centre, provider: OidcProvider) -> None:
        self.centre = centre
        self.provider = provider
        self.context = centre.context

    async def set_up(self, **changes: Any) -> None:
        client_id, secret = self.provider.register(self.centre.origin + CALLBACK)
        change = {
            "name": "Contoso ID", "issuer": self.provider.issuer, "client_id": client_id, "secret": Secret(secret),
            "scopes": ("openid", "profile", "email", "groups"), "roles": (OPERATORS, AUDITORS),
        }  # fmt: skip
        await identity_providers.set_identity_provider(self.context, ProviderChange(**{**change, **changes}))

    async def callback(self, browser: Browser, name: str = "anna", *, start: str = "/sign-in/sso") -> str:
        """Leave for the provider and sign in there as *name*: the address to which the provider sends the browser back."""
        departure = await browser.get(start)
        assert departure.status == 303, departure.text
        url = await self.provider.sign_in(browser.http, departure.location, name)
        assert url.startswith(self.centre.origin + CALLBACK)
        return url.removeprefix(self.centre.origin)

    async def sign_in(self, browser: Browser, name: str = "anna", *, start: str = "/sign-in/sso") -> Page:
        return await browser.get(await self.callback(browser, name, start=start))

    async def activities(self) -> list[tuple[str, str, str]]:
        entries = await audit.list_entries(self.context, AuditFilter())
        return [(one.actor, one.activity, one.object) for one in reversed(entries)]

    async def roles(self, email: str = "anna@contoso.test") -> tuple[Role, ...]:
        return {one.email: one.roles for one in await administrators.list_administrators(self.context)}[email]


@pytest.fixture
async def firm(centre: Centre, provider: OidcProvider) -> Firm:
    provider.put_people({"anna": ANNA})
    made = Firm(centre, provider)
    await made.set_up()
    return made


async def test_somebody_whose_group_has_a_role_signs_in_and_comes_back_to_the_page(firm: Firm) -> None:
    browser = firm.centre.browser()
    sign_in = await browser.get("/sign-in?next=/apps%3Fshow%3Don")

    arrived = await firm.sign_in(browser, start=next(link for link in sign_in.links if link.startswith("/sign-in/sso")))

    assert "Sign in with Contoso ID" in sign_in.text
    assert (arrived.status, arrived.location) == (303, "/apps?show=on")
    assert (await browser.get("/apps")).status == 200
    assert await firm.roles() == (Role.OPERATOR,)
    actor = "Contoso ID (single sign-on)"
    assert (await firm.activities())[-3:] == [
        (actor, "Add administrator", "anna@contoso.test"),
        (actor, "Change roles", "anna@contoso.test"),
        ("anna@contoso.test", "Sign in", "anna@contoso.test"),
    ]


async def test_roles_follow_the_groups_at_each_sign_in_and_other_sessions_end(firm: Firm) -> None:
    first, second = firm.centre.browser(), firm.centre.browser()
    await firm.sign_in(first)
    firm.provider.put_people({"anna": {**ANNA, "groups": ["lockstep-auditors"], "email": "anna.berg@contoso.test"}})

    await firm.sign_in(second)

    assert await firm.roles("anna.berg@contoso.test") == (Role.AUDITOR,)
    assert (await first.get("/apps")).status == 303
    assert (await second.get("/logs/audit")).status == 200


async def test_somebody_without_a_group_that_has_a_role_is_told_so_and_loses_what_was_before(firm: Firm) -> None:
    before, browser = firm.centre.browser(), firm.centre.browser()
    await firm.sign_in(before)
    firm.provider.put_people({"anna": {**ANNA, "groups": ["all"]}})

    refused = await firm.sign_in(browser)

    assert refused.status == 403
    assert "anna@contoso.test has no role in Lockstep" in refused.text
    assert "Ask a Global administrator" in refused.text
    assert await firm.roles() == ()
    assert (await before.get("/apps")).status == 303
    assert (await browser.get("/apps")).status == 303


@pytest.mark.parametrize("claims", [{"groups": []}, {"groups": None}, {"groups": {"lockstep-operators": True}}, {}])
async def test_nobody_gets_in_by_default(firm: Firm, claims: Mapping[str, Any]) -> None:
    plain = {name: value for name, value in ANNA.items() if name != "groups"}
    firm.provider.put_people({"anna": {**plain, **claims}})

    assert (await firm.sign_in(firm.centre.browser())).status == 403
    assert await administrators.list_administrators(firm.context) == []


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email_verified": None}, {"email": None}])
async def test_an_address_that_the_provider_does_not_vouch_for_is_refused(
    firm: Firm, claims: Mapping[str, Any]
) -> None:
    firm.provider.put_people({"anna": {**ANNA, **claims}})

    refused = await firm.sign_in(firm.centre.browser())

    assert (refused.status, await administrators.list_administrators(firm.context)) == (403, [])
    assert "Contoso ID sent no verified e-mail address for you" in refused.text


async def test_a_provider_whose_addresses_are_trusted_need_not_say_that_they_are_verified(firm: Firm) -> None:
    await firm.set_up(trusts_email=True)
    unsaid = {name: value for name, value in ANNA.items() if name != "email_verified"}
    firm.provider.put_people({"anna": unsaid, "ben": {**ANNA, "email": "ben@contoso.test", "email_verified": False}})

    assert (await firm.sign_in(firm.centre.browser())).status == 303
    assert (await firm.sign_in(firm.centre.browser(), "ben")).status == 403


async def test_the_email_of_a_local_administrator_does_not_open_that_account(firm: Firm) -> None:
    local = await firm.centre.signed_in(email="anna@contoso.test")
    browser = firm.centre.browser()

    refused = await firm.sign_in(browser)

    assert refused.status == 403
    assert "A different Lockstep administrator already has the e-mail address anna@contoso.test" in refused.text
    assert (await browser.get("/apps")).status == 303
    assert (await local.get("/apps")).status == 200
    assert await firm.roles() == (Role.GLOBAL_ADMINISTRATOR,)


async def test_another_person_with_the_same_email_does_not_get_the_account(firm: Firm) -> None:
    await firm.sign_in(firm.centre.browser())
    firm.provider.put_people({"anna2": {**ANNA, "groups": ["lockstep-auditors"]}})

    assert (await firm.sign_in(firm.centre.browser(), "anna2")).status == 403
    assert await firm.roles() == (Role.OPERATOR,)


async def test_a_disabled_administrator_cannot_come_back_through_the_provider(firm: Firm, admin: Browser) -> None:
    await firm.sign_in(firm.centre.browser())
    await administrators.set_enabled(firm.context, "anna@contoso.test", is_enabled=False)

    refused = await firm.sign_in(firm.centre.browser())

    assert refused.status == 403 and "anna@contoso.test is disabled in Lockstep" in refused.text


async def test_a_new_key_of_the_provider_is_accepted_at_once(firm: Firm) -> None:
    await firm.sign_in(firm.centre.browser())

    firm.provider.rotate_keys()

    assert (await firm.sign_in(firm.centre.browser())).status == 303


async def test_an_answer_works_once_and_only_in_the_browser_that_asked(firm: Firm) -> None:
    browser, other = firm.centre.browser(), firm.centre.browser()
    callback = await firm.callback(browser)

    stolen = await other.get(callback)
    kept = {one.key: one.value for one in browser.http.cookie_jar if one.key == "lockstep_sso"}
    first = await browser.get(callback)
    browser.http.cookie_jar.update_cookies(kept)
    again = await browser.get(callback)

    assert (stolen.status, first.status, again.status) == (401, 303, 401)
    assert "started in another browser" in stolen.text
    assert (await other.get("/apps")).status == 303


async def test_the_session_is_new_and_its_cookie_and_that_of_the_attempt_are_protected(firm: Firm) -> None:
    browser = firm.centre.browser("a-session-that-an-attacker-chose")

    departure = await browser.get("/sign-in/sso")
    arrived = await browser.get(
        (await firm.provider.sign_in(browser.http, departure.location, "anna")).removeprefix(firm.centre.origin)
    )

    [attempt] = departure.headers.getall("Set-Cookie")  # type: ignore[attr-defined]
    session, gone = arrived.headers.getall("Set-Cookie")  # type: ignore[attr-defined]
    assert "a-session-that-an-attacker-chose" not in session
    assert all(flag in session for flag in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert all(flag in attempt for flag in ("HttpOnly", "SameSite=lax", "Path=/sign-in/sso", "Max-Age=600"))
    assert 'lockstep_sso="";' in gone
    assert arrived.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("elsewhere", ["//evil.test", "https://evil.test/", "/%5Cevil.test", "%2F%2Fevil.test"])
async def test_coming_back_leads_to_no_other_server(firm: Firm, elsewhere: str) -> None:
    arrived = await firm.sign_in(firm.centre.browser(), start=f"/sign-in/sso?next={elsewhere}")

    assert (arrived.status, arrived.location) == (303, "/")


async def test_the_request_to_the_provider_has_state_nonce_and_a_challenge_of_its_own_each_time(firm: Firm) -> None:
    browser = firm.centre.browser()
    queries = [urlsplit((await browser.get("/sign-in/sso")).location).query for _ in range(2)]

    for name in ("state=", "nonce=", "code_challenge="):
        values = {part for query in queries for part in query.split("&") if part.startswith(name)}
        assert len(values) == 2, name
    assert "code_challenge_method=S256" in queries[0]


async def test_what_needs_the_password_again_asks_the_provider_to_ask_again(firm: Firm) -> None:
    await firm.set_up(roles=[("lockstep-operators", Role.GLOBAL_ADMINISTRATOR, "")])
    browser = firm.centre.browser()
    await firm.sign_in(browser)
    invitation = {"email": "ben@contoso.test", "role": "auditor"}
    await browser.get("/settings/admins")

    asked = await browser.post("/settings/admins", invitation)
    page = await browser.get(asked.location)
    [start] = [link for link in page.links if link.startswith("/step-up/sso")]
    departure = await browser.get(start)
    confirmed = await firm.sign_in(browser, start=start)
    await browser.get("/settings/admins")
    done = await browser.post("/settings/admins", invitation)

    assert asked.location.startswith("/step-up?next=")
    assert "Confirm with Contoso ID" in page.text and 'type="password"' not in page.html
    assert "prompt=login" in departure.location and "max_age=0" in departure.location
    assert confirmed.status == 303
    assert done.status == 200 and "/invitations/" in done.text


async def test_form_that_is_open_in_another_tab_can_be_sent_after_a_confirmation_at_the_provider(firm: Firm) -> None:
    browser = firm.centre.browser()
    await firm.sign_in(browser)
    tab = (await browser.get("/")).token

    await firm.sign_in(browser, start="/step-up/sso?next=/")
    await browser.get("/")
    left = await browser.post("/sign-out", {"csrf": tab})

    assert (left.status, left.location) == (303, "/signed-out")


async def test_somebody_else_at_the_provider_does_not_confirm_a_session(firm: Firm) -> None:
    firm.provider.put_people({"anna": ANNA, "ben": {**ANNA, "email": "ben@contoso.test"}})
    browser, other = firm.centre.browser(), firm.centre.browser()
    await firm.sign_in(browser)
    await firm.sign_in(other, "ben")
    departure = await browser.get("/step-up/sso")

    refused = await browser.get(
        (await firm.provider.sign_in(other.http, departure.location, "ben")).removeprefix(firm.centre.origin)
    )

    assert refused.status == 403 and "You signed in with an account other than anna@contoso.test" in refused.text


async def test_who_comes_from_the_provider_has_no_password_and_no_roles_to_change_here(firm: Firm) -> None:
    await firm.sign_in(firm.centre.browser())

    for work in (
        administrators.reset_password(firm.context, "anna@contoso.test"),
        administrators.change_roles(firm.context, "anna@contoso.test", [Role.GLOBAL_ADMINISTRATOR]),
    ):
        with pytest.raises(LockstepError, match="signs in through single sign-on"):
            await work
    page = await firm.centre.browser().post("/sign-in", {"email": "anna@contoso.test", "password": ""})
    assert page.status == 401


async def test_signing_out_ends_the_session_and_leads_to_the_provider_for_the_rest(firm: Firm) -> None:
    browser = firm.centre.browser()
    await firm.sign_in(browser)
    await browser.get("/apps")

    gone = await browser.post("/sign-out")
    page = await browser.get(gone.location)

    assert (gone.location, (await browser.get("/apps")).status) == ("/signed-out", 303)
    assert any(link.startswith(f"{firm.provider.issuer}/session/end?client_id=") for link in page.links)


async def test_without_the_provider_its_administrators_are_out_and_local_ones_stay(firm: Firm, admin: Browser) -> None:
    browser = firm.centre.browser()
    await firm.sign_in(browser)
    token = await access_tokens.create_personal_token(firm.context, "script", ["logs.read"], owner="anna@contoso.test")
    assert await access_tokens.caller_of_token(firm.context, token.secret) is not None

    await identity_providers.remove_identity_provider(firm.context)

    assert (await browser.get("/apps")).status == 303
    assert await access_tokens.caller_of_token(firm.context, token.secret) is None
    assert (await admin.get("/apps")).status == 200
    assert "Sign in with" not in (await browser.get("/sign-in")).text
    assert (await browser.get("/sign-in/sso")).status == 404


async def test_a_token_of_somebody_whom_the_provider_no_longer_vouches_for_ends(firm: Firm) -> None:
    await firm.sign_in(firm.centre.browser())
    token = await access_tokens.create_personal_token(firm.context, "script", ["logs.read"], owner="anna@contoso.test")
    async with firm.context.recording() as connection:
        found = await table.find_administrator(connection, "anna@contoso.test")
        assert found is not None
        await table.note_sign_in(connection, found.id, firm.context.now() - access_tokens.VOUCHED_FOR * 1.01)

    assert await access_tokens.caller_of_token(firm.context, token.secret) is None


async def test_the_last_global_administrator_is_one_with_a_password(firm: Firm, admin: Browser) -> None:
    await firm.set_up(roles=[("lockstep-operators", Role.GLOBAL_ADMINISTRATOR, "")])
    await firm.sign_in(firm.centre.browser())

    with pytest.raises(LockstepError, match="last enabled Global administrator with a password"):
        await administrators.set_enabled(firm.context, "globaladministrator@contoso.test", is_enabled=False)


async def test_the_stored_secret_does_not_go_to_another_issuer(firm: Firm, provider: OidcProvider) -> None:
    change = ProviderChange("Contoso ID", provider.issuer, "another client")

    view = await identity_providers.set_identity_provider(firm.context, change)

    assert not view.has_secret


async def test_the_settings_page_sets_up_changes_tests_and_removes_the_provider(
    centre: Centre, provider: OidcProvider, admin: Browser
) -> None:
    client_id, secret = provider.register(centre.origin + CALLBACK)
    form = {
        "name": "Contoso <ID>", "issuer": provider.issuer, "client_id": client_id, "client_secret": secret,
        "scopes": "openid email profile groups", "roles_claim": "groups", "value": "<b>ops</b>", "role": "operator", "app": "",
    }  # fmt: skip

    before = await admin.get("/settings/sso")
    refused = await admin.post("/settings/sso", form | {"issuer": provider.issuer + "/elsewhere"})
    saved = await admin.post("/settings/sso", form)
    page = await admin.get("/settings/sso")
    tested = await admin.post("/settings/sso/test")
    mistyped = await admin.post("/settings/sso/remove", {"confirmation": "no"})
    removed = await admin.post("/settings/sso/remove", {"confirmation": "remove"})

    assert "Single sign-on is not set up" in before.text and centre.origin + CALLBACK in before.text
    assert refused.status == 400 and 'value="&lt;b&gt;ops&lt;/b&gt;"' in refused.html
    assert (saved.status, saved.location) == (303, "/settings/sso")
    assert "<b>ops" not in page.html and secret not in page.html and "selected>Operator" in page.html
    assert tested.status == 200 and f"{provider.issuer} answers" in tested.text
    assert (mistyped.status, removed.status) == (400, 303)
    assert "Single sign-on is not set up" in (await admin.get("/settings/sso")).text


async def test_only_a_global_administrator_changes_single_sign_on_and_an_auditor_sees_it(firm: Firm) -> None:
    auditor = await firm.centre.signed_in(Role.AUDITOR)
    operator = await firm.centre.signed_in(Role.OPERATOR)

    assert (await auditor.get("/settings/sso")).status == 200
    assert (await auditor.post("/settings/sso/remove", {"confirmation": "remove"})).status == 403
    assert (await operator.get("/settings/sso")).status == 403
    assert await identity_providers.provider_name(firm.context) == "Contoso ID"


async def test_behind_https_the_cookies_are_secure_and_the_provider_leads_back_to_https(
    hub: Hub, provider: OidcProvider
) -> None:
    async with serving_centre(hub, allow=[provider.issuer], trusted_proxies=("127.0.0.1",)) as centre:
        await Firm(centre, provider).set_up()

        departure = await centre.browser().get("/sign-in/sso", **{"X-Forwarded-Proto": "https"})

    assert "; Secure" in departure.headers["Set-Cookie"]
    assert f"redirect_uri=https%3A%2F%2F{urlsplit(centre.origin).netloc.replace(':', '%3A')}" in departure.location


async def test_signing_in_again_ends_the_session_that_the_browser_had(firm: Firm) -> None:
    browser = firm.centre.browser()
    await firm.sign_in(browser)
    [before] = [one.value for one in browser.http.cookie_jar if one.key == SESSION_COOKIE]

    await firm.sign_in(browser)

    assert (await browser.get("/apps")).status == 200
    assert (await firm.centre.browser(before).get("/apps")).status == 303
