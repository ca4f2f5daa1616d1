"""Every check in the OpenID Connect endpoints that programs call is covered: without it, the answer to at least one request differs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from lockstep.actions.openid_sign_in import redeeming, telling
from lockstep.errors import Kind, LockstepError
from lockstep.portal import openid_endpoints
from tests.portal.openid_world import CALLBACK, OpenIdWorld
from tests.support.left_out_checks import checks_of, unheld_checks

pytestmark = pytest.mark.full

FORM = "application/x-www-form-urlencoded"
PAGE, STRANGER = "https://page.test", "https://evil.test"
SHOWN = (
    "access-control-allow-origin", "access-control-allow-headers", "access-control-allow-methods", "access-control-max-age", "vary",
    "cross-origin-resource-policy", "cache-control", "www-authenticate", "retry-after", "location",
)  # fmt: skip
Case = Callable[[OpenIdWorld], Awaitable[object]]


async def sent(
    world: OpenIdWorld, method: str, path: str, body: object = None, kind: str = FORM, **headers: str
) -> str:
    """The answer as far as programs and browsers act on it."""
    given = {**({"Content-Type": kind} if body is not None else {}), **headers}
    data = urlencode(body).encode() if isinstance(body, dict) else body
    http = world.centre.browser().http
    async with http.request(
        method, world.centre.origin + path, data=data, headers=given, allow_redirects=False
    ) as answer:
        shown = {name: answer.headers.get(name) for name in SHOWN if name in answer.headers}
        return f"{answer.status} {shown} {await answer.text()}".replace(world.centre.origin, "ORIGIN")


async def posted(world: OpenIdWorld, body: object, path: str = "/oauth2/token", **more: Any) -> str:
    return await sent(world, "POST", path, body, **more)


def credentials(world: OpenIdWorld, **more: str) -> dict[str, str]:
    return {"client_id": world.ids["docs"], "client_secret": world.secrets["docs"], **more}


async def asked(world: OpenIdWorld, method: str, path: str, origin: str) -> str:
    return await sent(world, method, path, {} if method == "POST" else None, Origin=origin)


async def told(world: OpenIdWorld, authorization: str = "Bearer nothing") -> str:
    return await sent(world, "GET", "/oauth2/userinfo", Authorization=authorization)


async def failing(world: OpenIdWorld, fault: Exception) -> str:
    """The action behind the endpoint fails."""

    async def fail(*_: object, **__: object) -> object:
        raise fault

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "user_info", fail)
        patch.setattr(redeeming, "redeem", fail)
        return await told(world) + await posted(world, {})


async def signed_out(world: OpenIdWorld, **given: str) -> str:
    return await sent(world, "GET", f"/oauth2/logout?{urlencode(given)}")


THROTTLED = LockstepError(Kind.THROTTLED, "Too many", next_step="Wait", retry_after_seconds=7)
CASES: dict[str, Case] = {
    "discovery": lambda w: asked(w, "GET", "/.well-known/openid-configuration", PAGE),
    "discovery for a stranger": lambda w: asked(w, "GET", "/.well-known/openid-configuration", STRANGER),
    "no origin": lambda w: posted(w, {}),
    "script of a public client": lambda w: asked(w, "POST", "/oauth2/token", PAGE),
    "script of a stranger": lambda w: asked(w, "POST", "/oauth2/token", STRANGER),
    "question of a browser first": lambda w: asked(w, "OPTIONS", "/oauth2/token", PAGE),
    "question of a stranger's page first": lambda w: asked(w, "OPTIONS", "/oauth2/userinfo", STRANGER),
    "user info with another scheme": lambda w: told(w, "Basic eDp5"),
    "user info without a token": lambda w: told(w, ""),
    "user info with an unknown token": told,
    "user info with small letters": lambda w: told(w, "bearer nothing"),
    "form of another kind": lambda w: posted(w, b"{}", kind="application/json"),
    "form with a character set": lambda w: posted(w, {}, kind=FORM + "; charset=utf-8"),
    "parameters in the address": lambda w: posted(w, {}, f"/oauth2/token?client_id={w.ids['docs']}"),
    "bytes that are no text": lambda w: posted(w, b"grant_type=\xff\xfe"),
    "many fields": lambda w: posted(w, "&".join(f"a{n}=1" for n in range(60)).encode()),
    "a NUL": lambda w: posted(w, credentials(w, grant_type="x\0")),
    "large form": lambda w: posted(w, {"a": "x" * openid_endpoints.MAX_FORM}),
    "wrong secret": lambda w: posted(w, credentials(w, client_secret="wrong", grant_type="authorization_code")),
    "unknown code": lambda w: posted(w, credentials(w, grant_type="authorization_code", code="x", redirect_uri=CALLBACK)),
    "unknown token revoked": lambda w: posted(w, credentials(w, token="nothing"), "/oauth2/revoke"),
    "request by form": lambda w: posted(w, {"client_id": "x", "state": "a b"}, "/oauth2/authorize"),
    "too many requests": lambda w: failing(w, THROTTLED),
    "invalid in another way": lambda w: failing(w, LockstepError(Kind.INVALID, "Wrong", next_step="Right")),
    "conflict": lambda w: failing(w, LockstepError(Kind.CONFLICT, "Taken", next_step="Another")),
    "bug": lambda w: failing(w, ZeroDivisionError("secret")),
}  # fmt: skip


async def outcome(case: Case, world: OpenIdWorld) -> str:
    await world.clean()
    return str(await case(world))


async def test_no_check_of_the_endpoints_can_be_left_out(
    world: OpenIdWorld, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}
    checks = list(checks_of(openid_endpoints, parts=True))

    assert len(checks) >= 10
    assert await unheld_checks(bound, checks) == ""
