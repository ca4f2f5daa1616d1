"""Every cookie of both products is set, read and deleted in one place, which binds it to the host over https."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from lockstep.kit.cookies import cookie_in, drop_cookie, keep_cookie
from lockstep.portal.cookies import OPENID_BROWSER, SAML_BROWSER

SOURCE = Path(__file__).resolve().parents[2] / "src"
DIRECT = {"cookies", "set_cookie", "delete_cookie"}


def asked(scheme: str, cookies: str = "") -> Request:
    headers = [(b"host", b"id.contoso.test"), (b"cookie", cookies.encode())]
    return Request(
        {"type": "http", "scheme": scheme, "path": "/saml2/x", "method": "GET", "query_string": b"", "headers": headers}
    )


def set_by(response: Response) -> Morsel[str]:
    [morsel] = SimpleCookie(response.headers["set-cookie"]).values()
    return morsel


def places_that_touch_cookies() -> Iterator[str]:
    for file in SOURCE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if any(
            (isinstance(node, ast.Attribute) and node.attr in DIRECT)
            or (isinstance(node, ast.Constant) and str(node.value).lower() == "set-cookie")
            for node in ast.walk(tree)
        ):
            yield file.relative_to(SOURCE).as_posix()


def test_only_the_kit_touches_the_cookies_of_a_request_or_response() -> None:
    assert list(places_that_touch_cookies()) == ["lockstep/kit/cookies.py"]


@pytest.mark.parametrize(("scheme", "expected"), [("https", ("__Host-c", True, "/")), ("http", ("c", "", "/saml2"))])
def test_cookie_is_deleted_exactly_as_it_was_set(scheme: str, expected: tuple[str, object, str]) -> None:
    kept, dropped = Response(), Response()

    keep_cookie(kept, asked(scheme), "c", "v", until=timedelta(hours=1), path="/saml2")
    drop_cookie(dropped, asked(scheme), "c", path="/saml2")

    for one in (set_by(kept), set_by(dropped)):
        assert (one.key, one["secure"], one["path"]) == expected
        assert (one["httponly"], one["samesite"], one["domain"]) == (True, "lax", "")
    assert (set_by(kept).value, set_by(dropped).value) == ("v", "")


def test_over_https_a_cookie_without_the_prefix_is_ignored() -> None:
    both = "c=planted; __Host-c=ours"

    assert cookie_in(asked("https", both), "c") == "ours"
    assert cookie_in(asked("https", "c=planted"), "c") == ""
    assert cookie_in(asked("http", "c=ours"), "c") == "ours"


def test_saml_and_openid_connect_do_not_share_the_secret_of_a_browser() -> None:
    """Over https, both are sent to the whole host, so one name would let each end requests of the other."""
    assert SAML_BROWSER.name != OPENID_BROWSER.name
