"""A session that somebody else put into a browser never becomes the session of the member who signs in there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel

import aiohttp
import pytest

from documo.access import member_sign_in as sign_ins
from documo.access import password_links
from documo.access.sso import providers
from documo.access.sso.providers import SamlSetup
from documo.store import sso_requests as tickets_table
from documo.store.database import Store
from documo.store.sso_requests import TicketRow
from documo.web.sessions import COOKIE
from lockstep.credentials.issued_secrets import derived, hash_of, new_secret
from lockstep.kit import csrf
from lockstep.serving.limits import ServingLimits
from tests.support.documo_client import Client, Documo, documo_on
from tests.support.documo_pages import PASSWORD
from tests.support.documo_world import Household, household
from tests.support.saml_provider import ENTITY_ID, SIGN_IN_URL, key_named

CHOSEN = "a-secret-that-the-attacker-chose-0123456789"


@dataclass(frozen=True)
class Signed:
    """The answer to a sign-in: where it leads, and the session cookie that it sets, if any."""

    status: int
    cookie: Morsel[str] | None


async def sent(api: Client, path: str, cookie: str, **form: str) -> Signed:
    """Send a form as the page shows it to a browser with this cookie."""
    origin = api.url.removesuffix("/scim/v2")
    given = {"Origin": origin, **({"Cookie": f"{COOKIE}={cookie}"} if cookie else {})}
    form |= {"csrf": csrf.masked(derived(cookie, "csrf"))} if cookie else {}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        async with http.post(origin + path, data=form, headers=given, allow_redirects=False) as answer:
            return Signed(answer.status, answer.cookies.get(COOKIE))


@pytest.fixture
async def home(documo: Documo) -> Household:
    made = await household(await documo.client("Contoso"), "contoso")
    await password_links.set_password(made.store, made.api.account, made.members["Member"], PASSWORD)
    return made


async def signed_in_as(home: Household, secret: str) -> str:
    caller = await sign_ins.caller_of_session(home.store, secret)
    return caller.user_name if caller is not None else ""


async def test_secret_that_the_browser_brings_is_never_the_session(home: Household) -> None:
    answer = await sent(home.api, "/login", CHOSEN, email="contoso-member@x.org", password=PASSWORD)

    assert answer.status == 303 and answer.cookie is not None
    assert answer.cookie.value != CHOSEN and len(answer.cookie.value) >= 43  # 256 bits
    assert await signed_in_as(home, answer.cookie.value) == "contoso-member@x.org"
    assert await signed_in_as(home, CHOSEN) == ""


async def test_session_of_an_attacker_ends_when_the_member_signs_in_over_it(home: Household) -> None:
    planted = await home.session("Viewer")

    answer = await sent(home.api, "/login", planted, email="contoso-member@x.org", password=PASSWORD)

    assert answer.cookie is not None and answer.cookie.value != planted
    assert await signed_in_as(home, planted) == ""
    assert await signed_in_as(home, answer.cookie.value) == "contoso-member@x.org"


async def test_refused_sign_in_sets_no_session_and_leaves_the_present_one(home: Household) -> None:
    present = await home.session("Member")

    answer = await sent(home.api, "/login", present, email="contoso-member@x.org", password="wrong")

    assert (answer.status, answer.cookie) == (401, None)
    assert await signed_in_as(home, present) == "contoso-member@x.org"


async def test_link_that_sets_a_password_begins_a_session_of_its_own(home: Household) -> None:
    planted = await home.session("Viewer")
    link = await password_links.password_link(home.store, home.api.account, home.members["Editor"], created_by="test")

    caller = await sign_ins.caller_of_session(home.store, planted)
    assert caller is not None

    answer = await sent(home.api, f"/links/{link.secret}", planted, password=PASSWORD, instead_of=caller.session)

    assert answer.cookie is not None and answer.cookie.value not in (planted, link.secret)
    assert await signed_in_as(home, planted) == ""
    assert await signed_in_as(home, answer.cookie.value) == "contoso-editor@x.org"


async def test_new_password_gives_the_browser_a_new_session(home: Household) -> None:
    first = await sent(home.api, "/login", "", email="contoso-member@x.org", password=PASSWORD)
    assert first.cookie is not None
    changed = await sent(
        home.api, "/own-account/password", first.cookie.value, password=PASSWORD,
        new_password="another sentence of words",
    )  # fmt: skip

    assert changed.cookie is not None and changed.cookie.value != first.cookie.value
    assert await signed_in_as(home, first.cookie.value) == ""


async def test_session_secret_is_kept_from_scripts_other_sites_and_addresses(home: Household) -> None:
    answer = await sent(home.api, "/login", "", email="contoso-member@x.org", password=PASSWORD)
    assert answer.cookie is not None

    assert (answer.cookie["httponly"], answer.cookie["samesite"], answer.cookie["path"]) == (True, "lax", "/")
    assert (answer.cookie["secure"], answer.cookie["domain"]) == ("", "")
    origin = home.api.url.removesuffix("/scim/v2")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        address = f"{origin}/?{COOKIE}={answer.cookie.value}&session={answer.cookie.value}"
        async with http.get(address, allow_redirects=False) as page:
            assert page.status == 303 and page.headers["Location"].startswith("/login")
        async with http.get(
            origin, headers={"Authorization": f"Bearer {answer.cookie.value}"}, allow_redirects=False
        ) as page:
            assert page.status == 303


async def test_member_of_one_account_who_signs_in_over_a_session_of_another_gets_nothing_of_it(documo: Documo) -> None:
    alpha = await household(await documo.client("Alpha"), "alpha")
    beta = await household(await documo.client("Beta"), "beta")
    await password_links.set_password(alpha.store, alpha.api.account, alpha.members["Admin"], PASSWORD)
    planted = await beta.session("Admin")

    answer = await sent(alpha.api, "/login", planted, email="alpha-admin@x.org", password=PASSWORD)

    assert answer.cookie is not None
    caller = await sign_ins.caller_of_session(alpha.store, answer.cookie.value)
    assert caller is not None and caller.account == "Alpha"
    assert await sign_ins.caller_of_session(beta.store, planted) is None


async def test_session_of_an_attacker_ends_when_the_member_signs_in_over_it_with_sso(home: Household) -> None:
    planted, secret = await home.session("Viewer"), new_secret()
    row = TicketRow(home.tenant, home.members["Member"], None, "contoso-member@x.org", "", None, None)
    async with home.store.tenant(home.tenant) as connection:
        ends = datetime.now(UTC) + timedelta(minutes=2)
        await tickets_table.insert_ticket(connection, hash_of(secret), row, ends)

    answer = await sent(home.api, f"/sso/finish/{secret}", planted)

    assert answer.cookie is not None and answer.cookie.value not in (planted, secret)
    assert await signed_in_as(home, planted) == ""
    assert await signed_in_as(home, answer.cookie.value) == "contoso-member@x.org"


HTTPS = {"X-Forwarded-Proto": "https"}
BEHIND_A_PROXY = ServingLimits(trusted_proxies=("127.0.0.1",))


async def test_over_https_only_a_cookie_of_this_very_host_is_a_session(store: Store) -> None:
    async with documo_on(store, limits=BEHIND_A_PROXY) as documo:
        home = await household(await documo.client("Contoso"), "contoso")
        secret, origin = await home.session("Member"), home.api.url.removesuffix("/scim/v2")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            seen = {}
            for name in (COOKIE, f"__Host-{COOKIE}"):
                given = HTTPS | {"Cookie": f"{name}={secret}"}
                async with http.get(f"{origin}/own-account", headers=given, allow_redirects=False) as page:
                    seen[name] = page.status

    assert seen == {COOKIE: 303, f"__Host-{COOKIE}": 200}


async def test_over_https_every_cookie_is_of_this_very_host(store: Store) -> None:
    """Also the cookies that bind a sign-in to its browser: with a planted one, a member would work in the session of a stranger."""
    async with documo_on(store, limits=BEHIND_A_PROXY) as documo:
        api = await documo.client("Contoso")
        home = await household(api, "contoso")
        await password_links.set_password(api.store, api.account, home.members["Member"], PASSWORD)
        setup = SamlSetup(ENTITY_ID, SIGN_IN_URL, key_named("contoso").certificate.pem, email_domain="contoso.example")
        await providers.set_up(api.store, api.account.id, setup)
        origin = api.url.removesuffix("/scim/v2")
        set_: list[Morsel[str]] = []
        given = HTTPS | {"Origin": origin.replace("http:", "https:")}
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            for path, form in (
                ("/login", {"email": "contoso-member@x.org", "password": PASSWORD}),
                ("/sso", {"email": "anna@contoso.example"}),
                ("/look", {"theme": "dark"}),
            ):
                async with http.post(origin + path, data=form, headers=given, allow_redirects=False) as answer:
                    set_ += answer.cookies.values()

    assert {one.key for one in set_} == {"__Host-documo_session", "__Host-documo_sso", "__Host-documo_theme"}
    assert {(one["secure"], one["path"], one["domain"]) for one in set_} == {(True, "/", "")}
