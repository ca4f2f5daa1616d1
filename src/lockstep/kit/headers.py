"""Security headers for every response of the pages. They forbid inline scripts and styles, resources from other servers, and framing."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "Content-Security-Policy"
# Excludes characters that could end the directive.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-:\[\]]+(?=[/?#]|\Z)")


def content_security_policy(sends_to: str = "") -> str:
    """Return the policy of a page whose forms are sent to this server and, if *sends_to* is given, to the server of that address."""
    found = _ORIGIN.match(sends_to)
    elsewhere = f" {found[0]}" if found else ""
    return "; ".join(
        [
            "default-src 'self'",
            "img-src 'self' data:",  # the styles contain the arrow of selects and the tick of check boxes
            "object-src 'none'",
            "base-uri 'none'",
            f"form-action 'self'{elsewhere}",
            "frame-ancestors 'none'",
        ]
    )


SECURITY_HEADERS = {
    POLICY: content_security_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HTTPS_ONLY = "max-age=31536000"
PRIVATE = "no-store"


class SecurityHeaders:
    """Adds the headers to the responses of *app*. A response without caching headers is private and is not stored."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", PRIVATE)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", HTTPS_ONLY)
            await send(message)

        await self._app(scope, receive, send_with_headers)
