"""Every condition in the code of the portal's pages is covered: without it, the answer to at least one request differs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from lockstep.actions import applications, assignments, identity_providers
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import ProviderChange
from lockstep.actions.openid_sign_in.answering import ResponseToApplication
from lockstep.actions.person_sign_in import passwords, setting
from lockstep.actions.person_sign_in.sessions import PASSWORD as BY_PASSWORD
from lockstep.actions.person_sign_in.sessions import begin_session, caller_of_person
from lockstep.actions.single_sign_on import settings
from lockstep.credentials.issued_secrets import secret_of_forms
from lockstep.credentials.passwords import OF_PEOPLE
from lockstep.errors import LockstepError
from lockstep.kit import csrf, opened_links, returning
from lockstep.portal import app, page
from lockstep.portal.cookies import SESSION_COOKIE
from lockstep.portal.page import PortalContext
from lockstep.portal.pages import openid, saml, second_factor, sessions, sign_in
from lockstep.saml.bindings import redirect_url
from lockstep.saml.requests import AuthnRequest, write_authn_request
from lockstep.storage import passkeys, person_credentials
from lockstep.storage.passkeys import PasskeyOwner
from lockstep.vault import Secret
from tests.portal.conftest import PASSWORD
from tests.portal.openid_world import HERE, OpenIdWorld, openid_world
from tests.support.admin_centre import Browser, Centre, Page, serving_centre
from tests.support.hub import Hub, upn
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.rogue_provider import CLIENT_ID, running_rogue_provider

pytestmark = pytest.mark.full

DELETED = (
    "passkey", "person_link", "person_session", "person_credential", "sign_in_attempt", "used_answer", "sign_in_log", "openid_grant",
)  # fmt: skip
FACTOR, PASSKEYS = "/myapps/second-factor", "/myapps/second-factor/passkeys"
ISSUER, REPLY = "https://saml.test", "https://saml.test/assert"
SEALED = re.compile(r"((?:request|code|state)(?:=|%3D)|/link/)[\w%.~-]+")
NUMBERS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{16,}\b|\bnow\b|\b\d+ (?:seconds?|minutes?) ago\b")


@dataclass
class World:
    """Anna and Ben have passwords; a provider, an OpenID Connect application (*docs*) and a SAML one (*archive*) are set up."""

    centre: Centre
    apps: OpenIdWorld
    digest: str

    @property
    def context(self) -> Context:
        return self.centre.context

    async def id_of(self, name: str) -> str:
        async with self.context.recording() as connection:
            found = await person_credentials.credential_named(connection, upn(name))
        assert found is not None
        return found.person

    async def session(self, name: str = "anna", *methods: str) -> str:
        person = await self.id_of(name)
        async with self.context.recording() as connection:
            begun = await begin_session(self.context, connection, person, methods or (BY_PASSWORD,), HERE, replaces="")
        return begun.secret

    async def visitor(self, name: str = "", *methods: str) -> Visitor:
        secret = await self.session(name, *methods) if name else ""
        browser = self.centre.browser()
        if secret:
            browser.http.cookie_jar.update_cookies({SESSION_COOKIE: secret})
        return Visitor(browser, secret)

    async def link(self, name: str) -> str:
        return (await passwords.new_sign_in_link(self.context, upn(name))).path

    async def add_passkeys(self, name: str = "anna") -> list[str]:
        owner = PasskeyOwner("person", await self.id_of(name))
        async with self.context.recording() as connection:
            for number in (1, 2):
                await passkeys.insert_passkey(
                    connection, owner, credential_id=bytes([number]) * 16, public_key=b"key", sign_count=0,
                    host="127.0.0.1", name=f"Key {number}", now=self.context.now(),
                )  # fmt: skip
            return [one.id for one in await passkeys.list_passkeys(connection, owner)]

    async def add_app(self, name: str = "anna") -> None:
        person = await self.id_of(name)
        async with self.context.recording() as connection:
            await person_credentials.add_seed(connection, person, b"sealed with another key")
            await person_credentials.confirm_seed(connection, person)

    def saml_query(self, **more: Any) -> str:
        usual: dict[str, Any] = {
            "id": "_1", "issuer": ISSUER, "destination": f"{self.centre.origin}/saml2/archive/sso", "reply_url": REPLY,
            "issued_at": self.context.now(),
        }  # fmt: skip
        location = redirect_url("x:", message=write_authn_request(AuthnRequest(**usual | more)), field="SAMLRequest")
        return "/saml2/archive/sso?" + location.partition("?")[2]


@dataclass
class Visitor:
    browser: Browser
    secret: str

    async def get(self, path: str, **headers: str) -> Page:
        return await self.browser.get(path, **headers)

    async def post(self, path: str, data: dict[str, str] | None = None, **headers: str) -> Page:
        token = csrf.masked(secret_of_forms(self.secret, "person csrf")) if self.secret else ""
        return await self.browser.post(path, {"csrf": token, **(data or {})}, **headers)

    async def follow(self, path: str) -> Page:
        """Open *path*, and one redirect from it on this server."""
        found = await self.get(path)
        return await self.get(found.location) if found.location.startswith("/") else found


Case = Callable[[World], Awaitable[object]]


async def seen(world: World, path: str, name: str = "", *methods: str) -> Page:
    return await (await world.visitor(name, *methods)).get(path)


async def sent(world: World, path: str, name: str = "", /, **form: str) -> Page:
    return await (await world.visitor(name)).post(path, form)


async def with_factor_required(world: World, work: Callable[[], Awaitable[object]]) -> object:
    await setting.change_sign_in_setting(world.context, needs_second_factor=True)
    try:
        return await work()
    finally:
        await setting.change_sign_in_setting(world.context, needs_second_factor=False)


async def with_app(world: World, work: Callable[[], Awaitable[object]]) -> object:
    await world.add_app()
    return await work()


async def link_page(world: World, owner: str, name: str = "", answer: str = "") -> Page:
    return await seen(world, f"{await world.link(owner)}?instead_of={answer}", name)


async def link_page_with_the_answer(world: World) -> Page:
    anna = await world.visitor("anna")
    caller = await caller_of_person(world.context, anna.secret)
    assert caller is not None
    return await anna.get(f"{await world.link('ben')}?instead_of={caller.session}")


async def link_sent(world: World, owner: str, name: str = "", password: str = PASSWORD) -> Page:
    return await sent(world, await world.link(owner), name, password=password)


async def passkey_page(world: World) -> str:
    anna = await world.visitor("anna")
    shown = [await anna.get(f"{PASSKEYS}?passkey={one}") for one in await world.add_passkeys()]
    return str([re.findall(r"Key \d", one.html) for one in shown])


async def passkey_removed_with_a_wrong_password(world: World) -> Page:
    anna = await world.visitor("anna")
    passkey, _ = await world.add_passkeys()
    return await anna.post(f"{PASSKEYS}/remove", {"passkey": passkey, "password": "wrong"})


async def by_saml(world: World, name: str = "", **more: Any) -> Page:
    return await (await world.visitor(name)).follow(world.saml_query(**more))


def authorize(world: World, **more: str) -> str:
    return "/oauth2/authorize?" + "&".join(f"{name}={value}" for name, value in world.apps.pairs("docs", **more))


async def continued(world: World) -> Page:
    """The request of an application, continued after signing in."""
    visitor = await world.visitor()
    first = await visitor.get(authorize(world))
    onward = dict(parse_qsl(urlsplit(first.location).query))["next"]
    visitor.browser.http.cookie_jar.update_cookies({SESSION_COOKIE: await world.session("anna")})
    return await visitor.get(onward)


async def sure_logout(world: World) -> Page:
    """An application proves that it means this session."""
    anna = await world.visitor("anna")
    answered = await world.apps.ask(anna.secret, world.apps.pairs("docs"))
    assert isinstance(answered, ResponseToApplication)
    tokens = await world.apps.redeem(dict(parse_qsl(urlsplit(answered.url).query))["code"])
    return await anna.get(f"/oauth2/logout?id_token_hint={tokens['id_token']}")


async def without_caller(world: World) -> object:
    return PortalContext(world.context).person()


async def of_no_session(_: World) -> object:
    return opened_links.is_answered("", "")


CASES: dict[str, Case] = {
    "sign-in page": lambda w: seen(w, "/myapps/sign-in"),
    "sign-in page of somebody signed in": lambda w: seen(w, "/myapps/sign-in", "anna"),
    "sign-in page, again": lambda w: seen(w, "/myapps/sign-in?again=yes", "anna"),
    "wrong password": lambda w: sent(w, "/myapps/sign-in", name=upn("anna"), password="wrong"),
    "second factor needed": lambda w: with_app(w, lambda: sent(w, "/myapps/sign-in", name=upn("anna"), password=PASSWORD)),
    "signed out": lambda w: seen(w, "/myapps/signed-out"),
    "link": lambda w: link_page(w, "ben"),
    "link of another": lambda w: link_page(w, "ben", "anna"),
    "link of another with a guess": lambda w: link_page(w, "ben", "anna", "yes"),
    "link of another with the answer": link_page_with_the_answer,
    "own link": lambda w: link_page(w, "anna", "anna"),
    "link of another accepted": lambda w: link_sent(w, "ben", "anna"),
    "weak password": lambda w: link_sent(w, "anna", password="short"),
    "link of somebody with an app": lambda w: with_app(w, lambda: link_sent(w, "anna")),
    "answer of no session": of_no_session,
    "factor lacking": lambda w: with_factor_required(w, lambda: seen(w, "/myapps", "anna")),
    "factor lacking at its page": lambda w: with_factor_required(w, lambda: seen(w, FACTOR, "anna")),
    "factor lacking though there is one": lambda w: with_factor_required(w, lambda: with_app(w, lambda: seen(w, FACTOR, "anna"))),
    "factor required of nobody": lambda w: with_factor_required(w, lambda: seen(w, "/myapps")),
    "factor required and used": lambda w: with_factor_required(w, lambda: seen(w, "/myapps", "anna", BY_PASSWORD, "code")),
    "factor page": lambda w: seen(w, FACTOR, "anna"),
    "no caller": without_caller,
    "app with a wrong password": lambda w: sent(w, FACTOR, "anna", password="wrong"),
    "wrong code": lambda w: sent(w, f"{FACTOR}/confirm", "anna", code="1"),
    "passkey with a wrong password": lambda w: sent(w, PASSKEYS, "anna", password="wrong"),
    "passkey without an answer": lambda w: sent(w, f"{PASSKEYS}/add", "anna", name="x"),
    "unknown passkey renamed": lambda w: sent(w, f"{PASSKEYS}/rename", "anna", passkey="x", name="y"),
    "unknown passkey removed": lambda w: sent(w, f"{PASSKEYS}/remove", "anna", passkey="x", password=PASSWORD),
    "passkey removed with a wrong password": passkey_removed_with_a_wrong_password,
    "page of a passkey": passkey_page,
    "page of an unknown passkey": lambda w: seen(w, f"{PASSKEYS}?passkey=x", "anna"),
    "unknown session ended": lambda w: sent(w, "/myapps/sessions/end", "anna", session="x"),
    "SAML request": by_saml,
    "SAML request that asks again": lambda w: by_saml(w, "anna", force_authn=True),
    "SAML request of somebody signed in": lambda w: by_saml(w, "anna"),
    "SAML that failed": lambda w: seen(w, "/saml2/archive/failed?number=7"),
    "request of an application": lambda w: seen(w, authorize(w)),
    "request that asks again": lambda w: seen(w, authorize(w, prompt="login"), "anna"),
    "request of somebody signed in": lambda w: seen(w, authorize(w), "anna"),
    "answer by form": lambda w: seen(w, authorize(w, response_mode="form_post"), "anna"),
    "request continued": continued,
    "sign-out by an application": lambda w: seen(w, f"/oauth2/logout?client_id={w.apps.ids['docs']}", "anna"),
    "sign-out without a session": lambda w: seen(w, f"/oauth2/logout?client_id={w.apps.ids['docs']}"),
    "sure sign-out": sure_logout,
    "asked for a page with a query": lambda w: seen(w, "/myapps/sessions?x=1"),
    "form after the session": lambda w: sent_after_the_session(w, "?x=1"),
    "form after the session, of an address without a query": lambda w: sent_after_the_session(w),
    "form after the session, of an invalid address": lambda w: sent_after_the_session(w, sender="http://["),
    **{
        f"next page {text}": partial(lambda text, w: seen(w, f"/myapps/sign-in?next={text}", "anna"), text)
        for text in ("/myapps/sessions", "//evil.test/myapps", "/%5Cevil.test", "https://evil.test/myapps", "myapps", "x:/myapps")
    },
    **{
        f"safe {text}": partial(lambda text, w: safe(text), text)
        for text in ("/ok", "ok", "///evil", "//evil", "/\\evil", "x:/y", "", "/\tx", "/ok?x=1")
    },
}  # fmt: skip


async def safe(text: str) -> str:
    return returning.safe_next(text)


async def sent_after_the_session(world: World, query: str = "", sender: str = "") -> Page:
    visitor, sender = await world.visitor(), sender or f"{world.centre.origin}/myapps/sessions{query}"
    return await visitor.post("/myapps/sessions/end", Referer=sender)


# An address that begins with a slash has no scheme, and one whose second character is no slash has no host.
IMPLIED = [("kit.returning.safe_next", "not parts.scheme"), ("kit.returning.safe_next", "not parts.netloc")]
PAGES: list[ModuleType] = [app, page, openid, saml, second_factor, sessions, sign_in, opened_links, returning]


@pytest.fixture
async def world(directory: Hub) -> AsyncIterator[World]:
    async with running_rogue_provider() as rogue, serving_centre(directory, allow=[rogue.issuer]) as centre:
        change = ProviderChange(name="Rogue", issuer=rogue.issuer, client_id=CLIENT_ID, secret=Secret("a secret"))
        await identity_providers.set_identity_provider(centre.context, change)
        await setting.change_sign_in_setting(centre.context, has_provider=True)
        apps = replace(await openid_world(centre), context=centre.context)
        await applications.add_application(centre.context, "documo", name="archive")
        await assignments.assign(centre.context, "archive", users=[upn("anna")], role="Editor")
        wanted = {"mode": "saml", "identifiers": [ISSUER], "replyUrls": [REPLY], "signOnUrl": None}
        await settings.change_sign_on(centre.context, "archive", wanted)
        yield World(centre, apps, await OF_PEOPLE.hash_password(PASSWORD))


async def outcome(case: Case, world: World) -> str:
    async with world.context.recording() as connection:
        for table in DELETED:
            await connection.execute(f"delete from {table}")
    for name in ("anna", "ben"):
        person = await world.id_of(name)
        async with world.context.recording() as connection:
            await person_credentials.save_password(connection, person, world.digest)
    try:
        found = await case(world)
    except LockstepError as refused:
        return f"{refused.code} {refused.detail}"
    except Exception as crash:  # only without one of the checks
        return f"crashed with {type(crash).__name__}"
    finally:
        await world.centre.close()  # its browsers: one address may have 256 connections
    if not isinstance(found, Page):
        return str(found)
    links = sorted(found.links)
    shown = f"{found.status} {found.location} {found.text} {links} {'Set-Cookie' in found.headers}"
    return NUMBERS.sub("N", SEALED.sub(r"\1SEALED", shown)).replace(world.centre.origin, "ORIGIN")


async def test_no_condition_of_the_pages_of_the_portal_can_be_left_out(
    world: World, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # reports of faults
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}
    checks = [one for module in PAGES for one in checks_of(module, parts=True)]

    assert len(checks) >= 35
    assert await unheld_checks(bound, checks, IMPLIED) == ""
