"""Decide which page to show after signing in."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request


def page_asked_for(request: Request) -> str:
    """Return the address of the page to return to: the address of *request* or, after a POST or a partial update, the address of the page
    that sent it.
    """
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or request.headers.get("hx-request"):
        shown = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
        back = shown.path + (f"?{shown.query}" if shown.query else "")
    return safe_next(back)


def safe_next(text: str) -> str:
    """Return *text* if it is an address on this server, otherwise "/". Browsers treat `//host` and `/\\host` as addresses of another
    server.
    """
    parts = urlsplit(text)
    is_ours = text.startswith("/") and text[1:2] not in ("/", "\\") and not parts.scheme and not parts.netloc
    return text if is_ours and text.isprintable() and "\\" not in text else "/"
