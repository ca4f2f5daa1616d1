"""Cookies that a browser keeps for the pages of both products, and what a request says of its browser.

No script reads such a cookie, no other site's form sends it, and on https it never leaves over http.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

_MOST_DEVICE = 200  # characters


def keep_cookie(
    response: Response, request: Request, name: str, value: str, *, until: datetime | timedelta, path: str = "/"
) -> None:
    """Have the browser keep *value* for the addresses below *path*. *until*: the time when it ends, or how long it lasts."""
    response.set_cookie(
        name,
        value,
        expires=until if isinstance(until, datetime) else None,
        max_age=int(until.total_seconds()) if isinstance(until, timedelta) else None,
        path=path,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, request: Request, name: str, *, path: str = "/") -> None:
    """Have the browser forget the cookie that was kept for *path*."""
    response.delete_cookie(name, path=path, secure=request.url.scheme == "https", httponly=True, samesite="lax")


def device_of(request: Request) -> str:
    """What the browser calls itself."""
    return request.headers.get("user-agent", "")[:_MOST_DEVICE]


def address_of(request: Request) -> str:
    """The client's network address. Behind a trusted proxy it is the one that the proxy names."""
    return request.client.host if request.client is not None else ""


def origin_of(request: Request) -> str:
    """The origin of the pages, as the browser writes it."""
    return f"{request.url.scheme}://{request.url.netloc}"
