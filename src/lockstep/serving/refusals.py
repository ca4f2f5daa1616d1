"""Refuse requests before the application sees them. Pure.

This module has the response to send, and checks those rules of RFC 9112 that httptools does not enforce.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

HeaderList = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that the connection itself sends. *method* and *path* are "" until they are known."""

    status: int
    detail: str
    method: str = ""
    path: str = ""

    def about(self, method: str, path: str) -> Refusal:
        """Return the same refusal with the request's method and path."""
        return replace(self, method=method, path=path)

    def as_response(self, headers: HeaderList, media_type: bytes, body: bytes) -> bytes:
        """Return the bytes of the response, with *headers* and the rendered *body*."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"retry-after: 1"] if self.status == 503 else []
        lines += [b"content-type: " + media_type, b"content-length: %d" % len(body), b"connection: close", b"", b""]
        return b"\r\n".join(lines) + (b"" if self.method == "HEAD" else body)


class Refused(Exception):
    """Raised to stop reading a request."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(status, detail)


def check_head(version: str, headers: HeaderList) -> None:
    """Raise Refused if two servers could read the head differently. *version* is the HTTP version ("1.1"). Header names are in lower
    case.
    """
    if version not in ("1.1", "1.0"):
        raise Refused(505, f"HTTP/{version} is not supported: use HTTP/1.1.")
    hosts, codings = 0, []
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            codings.append(value.strip().lower())
    # RFC 9112, section 3.2
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise Refused(400, f"A request must have one Host header field; this one has {hosts}.")
    if not codings:
        return
    # RFC 9112, section 6.1
    if version == "1.0":
        raise Refused(400, "HTTP/1.0 does not support Transfer-Encoding.")
    if codings != [b"chunked"]:
        raise Refused(501, "The only supported Transfer-Encoding is chunked.")


def without_upgrade(method: bytes, target: bytes, headers: HeaderList) -> bytes:
    """Return the head of a request without its offer to change the protocol. Removes the header Upgrade, and `upgrade` from the header
    Connection.
    """
    lines = [b"%s %s HTTP/1.1" % (method, target)]
    for name, value in headers:
        if name == b"connection":
            options = [option for option in value.split(b",") if option.strip().lower() != b"upgrade"]
            value = b",".join(options)
        if name != b"upgrade":
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
