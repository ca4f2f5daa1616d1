"""Every check that protects the forms of both products from other sites, and every condition of their cookies, is covered: at least one
case ends differently without it.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from starlette.requests import Request
from starlette.responses import Response

from lockstep.kit import cookies, csrf
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of

pytestmark = pytest.mark.full

SECRET, OTHER = "the secret of a session", "the secret of a stranger"
HOST = "id.contoso.test"
Case = Callable[[], Awaitable[object]]


def request(scheme: str = "https", *, client: str = "192.0.2.9", **headers: str) -> Request:
    return Request({
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "scheme": scheme, "server": (HOST, 443),
        "client": (client, 1) if client else None,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": HOST, **headers}.items()],
    })  # fmt: skip


async def token(given: str, secret: str = SECRET) -> object:
    csrf.require_token(given, secret)
    return csrf.is_token_of(given, secret)


async def origin(scheme: str = "https", **headers: str) -> object:
    csrf.require_same_origin(
        {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}, scheme=scheme
    )
    return "same"


async def kept(scheme: str, until: datetime | timedelta) -> object:
    response = Response()
    cookies.keep_cookie(response, request(scheme), "session", "x", until=until, path="/sso")
    dropped = Response()
    cookies.drop_cookie(dropped, request(scheme), "session", path="/sso")
    return response.headers["set-cookie"], dropped.headers["set-cookie"].partition("expires")[0]


async def read(scheme: str, cookie: str) -> object:
    return cookies.cookie_in(request(scheme, cookie=cookie), "session")


async def browser(client: str) -> object:
    found = request(client=client, user_agent="x" * 300)
    return cookies.address_of(found), cookies.device_of(found), cookies.origin_of(found)


def odd(secret: str) -> str:
    """The token of *secret* with one more byte, which a comparison of both halves overlooks."""
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(csrf.masked(secret)) + b"x").decode()


CASES: dict[str, Case] = {
    "token": lambda: token(csrf.masked(SECRET)),
    "token of another session": lambda: token(csrf.masked(OTHER)),
    "token of no session": lambda: token(csrf.masked(""), ""),
    "token with one more byte": lambda: token(odd(SECRET)),
    "token that is no Base64": lambda: token("%"),
    "token with characters outside Base64": lambda: token(csrf.masked(SECRET) + "\u00e9"),
    "no token": lambda: token(""),
    **{f"site {site}": partial(origin, sec_fetch_site=site, origin=f"https://{HOST}")
       for site in ("same-origin", "same-site", "cross-site", "none", "")},
    **{f"origin {given}": partial(origin, origin=given)
       for given in (f"https://{HOST}", f"http://{HOST}", "https://evil.test", "null", "", f"https://{HOST}:8443", f"https://{HOST}/path")},
    "no host and no origin": lambda: origin(host="", origin=""),
    "no host and an origin without one": lambda: origin(host="", origin="https:"),
    "origin over http": lambda: origin("http", origin=f"http://{HOST}"),
    **{f"kept over {scheme} until {until}": partial(kept, scheme=scheme, until=until)
       for scheme in ("http", "https") for until in (timedelta(hours=1), datetime(2027, 1, 1, tzinfo=UTC))},
    **{f"read over {scheme}: {cookie}": partial(read, scheme=scheme, cookie=cookie)
       for scheme in ("http", "https") for cookie in ("session=planted", "__Host-session=own")},
    **{f"browser at {client or 'no address'}": partial(browser, client=client) for client in ("192.0.2.9", "")},
}  # fmt: skip
CHECKS = [*checks_of(csrf, parts=True), *checks_of(cookies, parts=True)]


async def test_no_check_of_forms_and_cookies_can_be_left_out() -> None:
    bound = {name: partial(outcome, case) for name, case in CASES.items()}

    assert len(CHECKS) >= 10
    assert await unheld_checks(bound, CHECKS) == ""


async def outcome(case: Case) -> str:
    return await ending_of(case())
