"""Cookies of the pages of both products, and the facts about the browser in a request's headers.

Scripts cannot read these cookies, and browsers do not send them with forms of other sites. Over https, the name of each cookie begins with
`__Host-`: browsers accept such a cookie only over https, for the whole host, and from that host alone (RFC 6265bis, section 4.1.3.2).
Therefore neither another host of the same domain nor an attacker who modifies plain http can plant a session. Over http, the names have no
prefix, because browsers would refuse such cookies.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

_MOST_DEVICE = 200  # characters
_HOST_ONLY = "__Host-"


def keep_cookie(
    response: Response, request: Request, name: str, value: str, *, until: datetime | timedelta, path: str = "/"
) -> None:
    """Set the cookie *name* to *value*. *until* is the time when it expires, or its lifetime.

    Over http, browsers send the cookie only to addresses below *path*. Over https, they send it to the whole host, because the prefix
    demands it.
    """
    response.set_cookie(
        _sent_as(request, name),
        value,
        expires=until if isinstance(until, datetime) else None,
        max_age=int(until.total_seconds()) if isinstance(until, timedelta) else None,
        path="/" if _is_https(request) else path,
        secure=_is_https(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, request: Request, name: str, *, path: str = "/") -> None:
    """Delete the cookie that `keep_cookie` set with the same *name* and *path*."""
    response.delete_cookie(
        _sent_as(request, name),
        path="/" if _is_https(request) else path,
        secure=_is_https(request),
        httponly=True,
        samesite="lax",
    )


def cookie_in(request: Request, name: str) -> str:
    """Return the value that `keep_cookie` set for *name*, or "". Over https, a cookie without the prefix is ignored, because another host
    may have planted it.
    """
    return request.cookies.get(_sent_as(request, name), "")


def _sent_as(request: Request, name: str) -> str:
    return _HOST_ONLY + name if _is_https(request) else name


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"


def device_of(request: Request) -> str:
    """Return the header User-Agent, shortened."""
    return request.headers.get("user-agent", "")[:_MOST_DEVICE]


def address_of(request: Request) -> str:
    """Return the client's network address. Behind a trusted proxy, it is the address that the proxy reports."""
    return request.client.host if request.client is not None else ""


def origin_of(request: Request) -> str:
    """Return the origin of the pages, as the browser writes it."""
    return f"{request.url.scheme}://{request.url.netloc}"
