"""Decide which page to show after signing in."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from starlette.requests import Request
from starlette.routing import compile_path


def page_asked_for(request: Request) -> str:
    """Return the address of the page to return to: the address of *request* or, after a POST or a partial update, the address of the page
    that sent *request*.
    """
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or request.headers.get("hx-request"):
        shown = _parts(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
        back = shown.path + (f"?{shown.query}" if shown.query else "")
    return safe_next(back)


def nearest_page(address: str, paths: Collection[str]) -> str:
    """Return *address* if it has a page. Otherwise return the nearest parent address that has a page, or "/". *paths* are the addresses of
    all pages.

    The parent is needed because some addresses answer only a POST, and have no page for a GET.
    """
    path, patterns = urlsplit(address).path, [compile_path(one)[0] for one in paths]
    above = path
    while above and not any(pattern.match(above) for pattern in patterns):
        above = above.rpartition("/")[0]
    return address if above == path else above or "/"


def safe_next(text: str) -> str:
    """Return *text* if it is an address on this server, otherwise "/". Browsers treat `//host` and `/\\host` as addresses of another
    server.
    """
    parts = _parts(text)
    is_ours = text.startswith("/") and text[1:2] not in ("/", "\\") and not parts.scheme and not parts.netloc
    return text if is_ours and text.isprintable() and "\\" not in text else "/"


def _parts(address: str) -> SplitResult:
    """Return the parts of *address*. All parts of an invalid address, such as `//[`, are empty."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
