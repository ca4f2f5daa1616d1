"""Every check in the code that answers OpenID Connect applications is covered: at least one case ends differently without it."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from lockstep.actions.openid_sign_in import (
    answering,
    authenticating,
    back_channel,
    client,
    leaving,
    opening,
    origins,
    redeeming,
    telling,
)  # fmt: skip
from lockstep.actions.openid_sign_in.answering import OpenidSignInFirst, ResponseToApplication
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import CODE, PASSWORD, PROVIDER, REENTERED, caller_of_person
from lockstep.actions.person_sign_in.setting import change_sign_in_setting
from lockstep.actions.single_sign_on import settings
from lockstep.errors import LockstepError
from lockstep.openid.faults import OAuthFault
from lockstep.openid.requests import read_request, reply_to, single
from lockstep.storage.openid_logouts import LogoutRow
from tests.portal.openid_world import BYE, CALLBACK, DOCS, HERE, NOW, OTHER, OpenIdWorld
from tests.support.left_out_checks import Check, checks_of, unheld_checks

Case = Callable[[OpenIdWorld], Awaitable[object]]
MINUTE = timedelta(minutes=1)
LONG = "x" * 2_000


async def asked(world: OpenIdWorld, app: str = "docs", name: str = "anna", *methods: str, **more: str | None) -> object:
    return await world.ask(await world.session(name, *methods), world.pairs(app, **more))


async def asked_late(world: OpenIdWorld, *methods: str, **more: str | None) -> object:
    """The person signed in five minutes before."""
    return await world.ask(await world.session("anna", *methods, at=NOW - 5 * MINUTE), world.pairs(**more))


async def resumed(world: OpenIdWorld, after: timedelta, *, browser: str = "") -> object:
    """The request continues in the browser that brought it, or in the given one."""
    first = await world.ask("", world.pairs())
    assert isinstance(first, OpenidSignInFirst)
    return await world.later(after).resume(first.sealed, await world.session(at=NOW + after), browser or first.browser)


async def repeated(world: OpenIdWorld) -> object:
    return await world.ask(await world.session(), [*world.pairs(), ("state", "t")])


async def with_many(world: OpenIdWorld) -> object:
    return await world.ask(await world.session(), [*world.pairs(), *((f"p{n}", "1") for n in range(40))])


async def without_second_factor(world: OpenIdWorld) -> object:
    secret = await world.session()
    await change_sign_in_setting(world.context, needs_second_factor=True)
    try:
        return await world.ask(secret, world.pairs())
    finally:
        await change_sign_in_setting(world.context, needs_second_factor=False)


async def session_that_ends(world: OpenIdWorld) -> object:
    """It ends between the look for it and the code."""
    app = await client.application_of(world.context, world.ids["docs"], origin=world.centre.origin)
    caller = await caller_of_person(world.context, await world.session())
    assert app is not None and caller is not None
    given = single(world.pairs())
    request = read_request(given, app.rules, reply_to(given, app.rules))
    return await answering._signed_in(world.context, HERE, app, request, replace(caller, session=str(uuid4())), "")


async def hinted(world: OpenIdWorld, of: str = "docs", name: str = "anna", app: str = "docs") -> object:
    token = (await world.tokens(of))["id_token"]
    return await asked(world, app, name, id_token_hint=token)


ANSWERS: dict[str, Case] = {
    "usual": asked,
    "form post": lambda w: asked(w, response_mode="form_post"),
    "unknown client": lambda w: asked(w, client_id=str(uuid4())),
    "client id that is no UUID": lambda w: asked(w, client_id="docs"),
    "client id in capitals": lambda w: asked(w, client_id=w.ids["docs"].upper()),
    "application of SAML": lambda w: asked(w, "files"),
    "application without single sign-on": lambda w: asked(w, "plain"),
    "stranger's redirect URI": lambda w: asked(w, redirect_uri="https://evil.test/callback"),
    "redirect URI with a slash": lambda w: asked(w, redirect_uri=CALLBACK + "/"),
    "repeated parameter": repeated,
    "many parameters": with_many,
    "long request": lambda w: asked(w, a=LONG, b=LONG, c=LONG),
    "no openid": lambda w: asked(w, scope="profile"),
    "hint that is none": lambda w: asked(w, id_token_hint="x.y.z"),
    "hint of another application": lambda w: hinted(w, "other"),
    "hint of the same person": hinted,
    "hint of another person": lambda w: hinted(w, "everybody", "ben", "everybody"),
    "nobody": lambda w: w.ask("", w.pairs()),
    "nobody, without a page": lambda w: w.ask("", w.pairs(prompt="none")),
    "without second factor": without_second_factor,
    "signed in before": asked_late,
    "too long ago": lambda w: asked_late(w, max_age="60"),
    "not too long ago": lambda w: asked_late(w, max_age="600"),
    "again": lambda w: asked_late(w, prompt="login"),
    "just now": lambda w: asked(w, prompt="login"),
    "just now, by a provider that did not ask": lambda w: asked(w, "docs", "anna", PROVIDER, prompt="login"),
    "just now, by a provider that asked": lambda w: asked(w, "docs", "anna", PROVIDER, REENTERED, prompt="login"),
    "not assigned": lambda w: asked(w, name="ben"),
    "not assigned, without a page": lambda w: asked(w, name="ben", prompt="none"),
    "no assignment required": lambda w: asked(w, "everybody", "ben"),
    "switched off": lambda w: asked(w, "off"),
    "switched off, without a page": lambda w: asked(w, "off", prompt="none"),
    "claims that cannot be evaluated": lambda w: asked(w, "broken"),
    "session that ends": session_that_ends,
    "no envelope": lambda w: w.resume("00", ""),
    "envelope": lambda w: resumed(w, MINUTE),
    "envelope in another browser": lambda w: resumed(w, MINUTE, browser="another"),
    "envelope that is too old": lambda w: resumed(w, 30 * MINUTE),
}


async def twice(world: OpenIdWorld) -> object:
    code = await world.code(scope="openid offline_access")
    first = await world.redeem(code)
    return await ended(world, world.redeem(code), world.refresh(first["refresh_token"]))


async def ended(world: OpenIdWorld, *steps: Awaitable[object]) -> list[str]:
    """How each step ends; refused ones do not keep the next from being tried."""
    return [await outcome_of(one) for one in steps]


async def refreshed(world: OpenIdWorld, app: str = "docs", at: str = "", **form: str | None) -> object:
    return await world.refresh((await world.tokens(app))["refresh_token"], at or app, **form)


async def refreshed_twice(world: OpenIdWorld) -> object:
    first = await world.tokens()
    second = await world.refresh(first["refresh_token"])
    return await ended(world, world.refresh(first["refresh_token"]), world.refresh(second["refresh_token"]))


async def refused_to_another(world: OpenIdWorld) -> object:
    """A refresh token and a code at another application, used and unused: neither ends what belongs to the first."""
    code = await world.code(scope="openid offline_access")
    first = await world.redeem(code)
    second = await world.refresh(first["refresh_token"])
    return await ended(
        world, world.redeem(code, "other"), world.refresh(first["refresh_token"], "other"), world.refresh(second["refresh_token"])
    )  # fmt: skip


async def after_change(world: OpenIdWorld, change: dict[str, object], back: dict[str, object]) -> object:
    """Refresh and user info after a change of the application."""
    found = await world.tokens()
    await settings.change_sign_on(world.context, "docs", change)
    try:
        return await ended(world, world.refresh(found["refresh_token"]), world.user_info(found["access_token"]))
    finally:
        await settings.change_sign_on(world.context, "docs", back)


async def after_unassigning(world: OpenIdWorld) -> object:
    return await after_change(
        world,
        {"openIdConnect": {"redirectUris": [CALLBACK], "claims": [{"name": "year", "expression": YEAR}]}},
        {"openIdConnect": DOCS},
    )


YEAR = 'FormatDateTime([displayName], , "yyyy", "yyyy")'


async def ben_after_assignment_is_required(world: OpenIdWorld) -> object:
    answered = await asked(world, "everybody", "ben", scope="openid offline_access")
    assert isinstance(answered, ResponseToApplication)
    found = await world.redeem(answered.url.partition("code=")[2].partition("&")[0], "everybody")
    await settings.change_sign_on(world.context, "everybody", {"assignmentRequired": True})
    try:
        return await world.refresh(found["refresh_token"], "everybody")
    finally:
        await settings.change_sign_on(world.context, "everybody", {"assignmentRequired": False})


async def locked_out(world: OpenIdWorld) -> object:
    code = await world.code()
    wrong = [await outcome_of(world.redeem(code, "docs", "wrong")) for _ in range(6)]
    return wrong, await world.redeem(code)


async def posted(world: OpenIdWorld, **form: str) -> object:
    return await redeeming.redeem(world.context, "", list(form.items()), visitor=HERE, origin=world.centre.origin)


async def redeemed(world: OpenIdWorld, app: str = "docs", at: str = "", /, **form: str | None) -> object:
    return await world.redeem(await world.code(app), at or app, **form)


async def redeemed_with(world: OpenIdWorld, secret: str) -> object:
    return await world.redeem(await world.code(), "docs", secret)


async def redeemed_late(world: OpenIdWorld) -> object:
    code = await world.code()
    return await world.later(MINUTE).redeem(code)


async def told(world: OpenIdWorld, kind: str = "access_token", *, after: timedelta = timedelta()) -> object:
    found = await world.tokens()
    return await world.later(after).user_info(found[kind])


async def told_of_method(world: OpenIdWorld) -> object:
    return await after_change(
        world, {"mode": "saml", "identifiers": ["x:"], "replyUrls": ["https://docs.test/a"]}, {"mode": "oidc"}
    )


async def revoked(world: OpenIdWorld, kind: str, app: str = "docs", secret: str = "") -> object:
    found = await world.tokens()
    return await ended(
        world, world.revoke(found[kind], app, secret), world.user_info(found["access_token"]),
        world.refresh(found["refresh_token"]),
    )  # fmt: skip


TOKENS: dict[str, Case] = {
    "usual": redeemed,
    "through a group": lambda w: w.tokens("docs", PASSWORD, CODE),
    "by a provider": lambda w: w.tokens("docs", PROVIDER),
    "public client": lambda w: redeemed(w, "page"),
    "twice": twice,
    "late": redeemed_late,
    "unknown code": lambda w: w.redeem("nothing"),
    "code of another": lambda w: redeemed(w, "docs", "other"),
    "used and of another": refused_to_another,
    "without verifier": lambda w: redeemed(w, code_verifier=None),
    "another verifier": lambda w: redeemed(w, code_verifier="w" * 43),
    "another redirect URI": lambda w: redeemed(w, redirect_uri=OTHER),
    "another grant type": lambda w: redeemed(w, grant_type="password"),
    "wrong secret": lambda w: redeemed_with(w, "wrong"),
    "locked out": locked_out,
    "unknown client": lambda w: posted(w, client_id=str(uuid4()), grant_type="authorization_code"),
    "no client": lambda w: posted(w, grant_type="authorization_code"),
    "public without secret": lambda w: posted(w, client_id=w.ids["docs"], grant_type="authorization_code"),
    "refreshed": refreshed,
    "refreshed twice": refreshed_twice,
    "refreshed by another": lambda w: refreshed(w, "docs", "other"),
    "refreshed with an access token": lambda w: _refreshed_with_access(w),
    "unknown refresh token": lambda w: w.refresh("nothing"),
    "fewer scopes": lambda w: refreshed(w, scope="openid"),
    "more scopes": lambda w: refreshed(w, scope="openid email"),
    "after it was switched off": lambda w: after_change(w, {"enabledForSignIn": False}, {"enabledForSignIn": True}),
    "after a claim broke": after_unassigning,
    "after the method changed": told_of_method,
    "after assignment is required": ben_after_assignment_is_required,
    "user info": told,
    "user info with a refresh token": lambda w: told(w, "refresh_token"),
    "user info late": lambda w: told(w, after=60 * MINUTE),
    "user info with nothing": lambda w: w.user_info(""),
    "user info with an unknown token": lambda w: w.user_info("nothing"),
    "access token revoked": lambda w: revoked(w, "access_token"),
    "refresh token revoked": lambda w: revoked(w, "refresh_token"),
    "revoked by another": lambda w: revoked(w, "refresh_token", "other"),
    "revoked with a wrong secret": lambda w: revoked(w, "refresh_token", "docs", "wrong"),
    "unknown token revoked": lambda w: w.revoke("nothing"),
}  # fmt: skip


async def _refreshed_with_access(world: OpenIdWorld) -> object:
    return await world.refresh((await world.tokens())["access_token"])


async def left(world: OpenIdWorld, app: str = "docs", *, elsewhere: bool = False, **given: str) -> object:
    """Anna asks to sign out with a hint of *app*; *elsewhere*: from another session."""
    code = await world.code(app)
    token = (await world.redeem(code, app))["id_token"]
    secret = await world.session() if elsewhere else ""
    return await world.leave(secret, id_token_hint=token, **given)


async def left_here(world: OpenIdWorld, **given: str) -> object:
    """Anna asks to sign out in the session in which she signed in."""
    secret = await world.session()
    answered = await world.ask(secret, world.pairs())
    assert isinstance(answered, ResponseToApplication)
    token = (await world.redeem(answered.url.partition("code=")[2].partition("&")[0]))["id_token"]
    return await world.leave(secret, id_token_hint=token, **given)


async def opened(world: OpenIdWorld, app: str, name: str = "anna") -> object:
    return await world.open(await world.session(name), app)


async def notified(world: OpenIdWorld, app: str, *, readable: bool = True) -> object:
    context = world.context if readable else replace(world.context, vault=world.other_vault)
    return await back_channel._tell(context, LogoutRow(str(uuid4()), world.ids[app], "x:", "anna", "", 1))


async def noted(world: OpenIdWorld, app: str) -> object:
    """An entry of the log, with and without an application."""
    found = await client.application_of(world.context, world.ids[app], origin=world.centre.origin)
    await client.note(world.context, Visitor(), found, detail="noted")
    return await world.centre.hub.fetch("select app is null, app_display from sign_in_log order by seq desc limit 1")


LEAVING: dict[str, Case] = {
    "nothing": lambda w: w.leave(""),
    "in the same session": left_here,
    "from another session": lambda w: left(w, elsewhere=True),
    "without a session": left,
    "back": lambda w: left_here(w, post_logout_redirect_uri=BYE),
    "back with state": lambda w: left_here(w, post_logout_redirect_uri=BYE, state="s"),
    "state without an address": lambda w: left_here(w, state="s"),
    "to a stranger": lambda w: left_here(w, post_logout_redirect_uri="https://evil.test"),
    "client alone": lambda w: w.leave("", client_id=w.ids["docs"], post_logout_redirect_uri=BYE),
    "address alone": lambda w: w.leave("", post_logout_redirect_uri=BYE),
    "hint and another client": lambda w: left(w, client_id=w.ids["other"]),
    "hint and a client of SAML": lambda w: left(w, client_id=w.ids["files"]),
    "hint that is none": lambda w: w.leave("", id_token_hint="x.y.z"),
    "client that is unknown": lambda w: w.leave("", client_id=str(uuid4())),
    "session without a hint": lambda w: _left_with_client(w),
    "opened": lambda w: opened(w, "docs"),
    "opened by its id": lambda w: opened(w, w.ids["docs"]),
    "opened without a name": lambda w: opened(w, "nothing"),
    "opened though it has SAML": lambda w: opened(w, "files"),
    "opened without assignment": lambda w: opened(w, "docs", "ben"),
    "opened where everybody may": lambda w: opened(w, "everybody", "ben"),
    "opened though switched off": lambda w: opened(w, "off"),
    "opened without a Sign on URL": lambda w: opened(w, "page"),
    "origin of a public client": lambda w: origins.is_of_public_client(w.context, "https://page.test"),
    "origin of a confidential client": lambda w: origins.is_of_public_client(w.context, "https://other.test"),
    "origin of an application that left": lambda w: _origin_of_saml(w),
    "application without an address for logout": lambda w: notified(w, "docs"),
    "application of SAML": lambda w: notified(w, "files"),
    "application that cannot be reached": lambda w: notified(w, "other"),
    "key that cannot be read": lambda w: notified(w, "other", readable=False),
    "entry of an application": lambda w: noted(w, "docs"),
    "entry of none": lambda w: noted(w, "files"),
}


async def _left_with_client(world: OpenIdWorld) -> object:
    return await world.leave(await world.session(), client_id=world.ids["docs"])


async def _origin_of_saml(world: OpenIdWorld) -> object:
    """It was a public client and uses SAML now."""
    saml = {"mode": "saml", "identifiers": ["x:"], "replyUrls": ["https://page.test/a"]}
    await settings.change_sign_on(world.context, "page", saml)
    try:
        return await origins.is_of_public_client(world.context, "https://page.test")
    finally:
        await settings.change_sign_on(world.context, "page", {"mode": "oidc"})


SUITES: dict[str, tuple[dict[str, Case], list[Check]]] = {
    "answers": (ANSWERS, [*checks_of(answering, parts=True), *checks_of(client, "application_of", parts=True)]),
    "tokens": (TOKENS, [one for module in (authenticating, redeeming, telling) for one in checks_of(module, parts=True)]),
    "logout": (
        LEAVING,
        [one for module in (leaving, opening, origins, back_channel) for one in checks_of(module, parts=True)]
        + [*checks_of(client, "note", parts=True)],
    ),
}  # fmt: skip
# Conditions that another one implies; the type checker needs both.
IMPLIED = {
    "answers": [
        ("actions.openid_sign_in.client.application_of", "row is None"),
        ("actions.openid_sign_in.client.application_of", "found is None"),
    ],
    "tokens": [
        ("actions.openid_sign_in.redeeming._redeem_code", "row is None"),
        ("actions.openid_sign_in.redeeming._redeem_code", "row.grant_id is None"),
        ("actions.openid_sign_in.redeeming._refresh", "grant is None"),
        ("actions.openid_sign_in.telling.user_info", "token is None"),
        ("actions.openid_sign_in.telling.user_info", "grant is None"),
        ("actions.openid_sign_in.telling.revoke", "token is None"),
        ("actions.openid_sign_in.telling.revoke", "grant is None"),
    ],
    "logout": [("actions.openid_sign_in.leaving.logout_asked", "app is not None")],
}


async def outcome(case: Case, world: OpenIdWorld) -> str:
    await world.clean()
    found = await outcome_of(case(world))
    return f"{found} {await world.logged()}"


async def outcome_of(step: Awaitable[object]) -> str:
    try:
        return shown(await step)
    except LockstepError as refused:
        # The person is not told what was wrong.
        reason = refused.__context__
        told = f"{reason.error} {reason.detail}" if isinstance(reason, OAuthFault) else ""
        return f"{refused.code} {refused.detail} {getattr(refused, 'error', '')} {told}"
    except Exception as crash:  # only without one of the checks
        return f"crashed with {type(crash).__name__}"


def shown(found: object) -> str:
    """The response that the application or the browser gets, without the parts that differ each time."""
    match found:
        case ResponseToApplication():
            return f"answered {found.url.partition('code=')[0]} {sorted(found.fields)} {found.fields.get('error', '')}"
        case OpenidSignInFirst():
            return f"sign in first {found.again} {found.name}"
        case {"id_token": str(token), "scope": scope, **others}:
            payload = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            told = {name: payload.get(name) for name in ("groups", "amr", "nonce", "name", "nbf")}
            return f"tokens {sorted(map(str, others))} {scope} {told}"
    return f"{type(found).__name__} {found}"


@pytest.mark.full
@pytest.mark.parametrize("suite", SUITES)
async def test_no_check_of_openid_connect_can_be_left_out(suite: str, world: OpenIdWorld) -> None:
    cases, checks = SUITES[suite]
    bound = {name: partial(outcome, case, world) for name, case in cases.items()}

    assert await unheld_checks(bound, checks, IMPLIED[suite]) == ""
