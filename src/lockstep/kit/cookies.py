"""Cookies of the pages of both products, and the facts about the browser in a request's headers.

Scripts cannot read these cookies, and forms of other sites do not send them. Cookies that were set over https are never sent over http.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

_MOST_DEVICE = 200  # characters


def keep_cookie(
    response: Response, request: Request, name: str, value: str, *, until: datetime | timedelta, path: str = "/"
) -> None:
    """Set a cookie with *value* for the addresses below *path*. *until* is the time when it expires, or its lifetime."""
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
    """Delete the cookie that was set for *path*."""
    response.delete_cookie(name, path=path, secure=request.url.scheme == "https", httponly=True, samesite="lax")


def device_of(request: Request) -> str:
    """Return the header User-Agent, shortened."""
    return request.headers.get("user-agent", "")[:_MOST_DEVICE]


def address_of(request: Request) -> str:
    """Return the client's network address. Behind a trusted proxy, it is the address that the proxy reports."""
    return request.client.host if request.client is not None else ""


def origin_of(request: Request) -> str:
    """Return the origin of the pages, as the browser writes it."""
    return f"{request.url.scheme}://{request.url.netloc}"
