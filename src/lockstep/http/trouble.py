"""The errors of a request, and whether the request may have been sent. A write that may have taken effect must not be repeated."""

from __future__ import annotations

import ssl
from enum import StrEnum

from lockstep.http.outbound import Blocked, Destination
from lockstep.http.tls import tls_sentence


class Trouble(StrEnum):
    """The kind of network failure. The first five values mean that nothing was sent."""

    BLOCKED = "blocked"
    NO_SUCH_HOST = "noSuchHost"
    NOT_CONNECTED = "notConnected"
    TLS = "tls"
    CONNECT_TIMEOUT = "connectTimeout"
    TIMEOUT = "timeout"
    CUT_OFF = "cutOff"
    TOO_LARGE = "tooLarge"
    NOT_HTTP = "notHttp"

    @property
    def was_sent(self) -> bool:
        """Whether the request may have reached the server."""
        return self not in _SURELY_NOT_SENT


_SURELY_NOT_SENT = frozenset(
    (Trouble.BLOCKED, Trouble.NO_SUCH_HOST, Trouble.NOT_CONNECTED, Trouble.TLS, Trouble.CONNECT_TIMEOUT)
)


class WireError(Exception):
    """Raised if there was no complete response. *sentence* says why, and contains no secret."""

    def __init__(self, trouble: Trouble, sentence: str, next_step: str = "", *, seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.trouble = trouble
        self.sentence = sentence
        self.next_step = next_step
        self.seconds = seconds


def too_large(largest: int) -> WireError:
    return WireError(Trouble.TOO_LARGE, f"The response is larger than {largest // 1024 // 1024} MB")


def timed_out(trouble: Trouble, place: Destination, seconds: float) -> WireError:
    if trouble is Trouble.CONNECT_TIMEOUT:
        sentence = f"{place.host} did not accept a connection on port {place.port} within {max(1, seconds):.0f} seconds"
        return WireError(trouble, sentence, "Check the address, the port and any firewall in between", seconds=seconds)
    return WireError(trouble, f"{place.host} did not answer within {seconds:.0f} seconds", seconds=seconds)


def explained(failed: Exception, place: Destination) -> WireError:
    """Convert an aiohttp error to a WireError. The order of the cases matters: the error classes inherit from one another."""
    import aiohttp  # most commands send no request, and it takes long to load

    inner: BaseException = getattr(failed, "os_error", None) or getattr(failed, "certificate_error", None) or failed
    if isinstance(inner, Blocked):
        return WireError(Trouble.BLOCKED, str(inner), inner.next_step)
    if isinstance(failed, aiohttp.ClientConnectorDNSError):
        return WireError(Trouble.NO_SUCH_HOST, f"Host name not found: {place.host}", "Check the spelling of the URL")
    if isinstance(inner, ssl.SSLError) and isinstance(failed, aiohttp.ClientConnectorError):
        return WireError(Trouble.TLS, *tls_sentence(inner, place.host))
    if isinstance(failed, aiohttp.ClientConnectorCertificateError) and isinstance(inner, ssl.CertificateError):
        return WireError(Trouble.TLS, *tls_sentence(inner, place.host))
    if isinstance(failed, aiohttp.ClientConnectorError):
        return WireError(
            Trouble.NOT_CONNECTED,
            f"Cannot connect to {place.host} on port {place.port}: {_why_not_connected(inner)}",
            "Check that the application runs and that the port is right",
        )
    if isinstance(failed, aiohttp.InvalidURL):
        return WireError(Trouble.BLOCKED, "Not a valid URL")
    if isinstance(failed, (aiohttp.ClientResponseError, ValueError)):
        return WireError(Trouble.NOT_HTTP, f"The response of {place.host} is not HTTP")
    return WireError(Trouble.CUT_OFF, f"{place.host} closed the connection before the response was complete")


def _why_not_connected(failed: BaseException) -> str:
    if isinstance(failed, ConnectionRefusedError):
        return "connection refused"
    if isinstance(failed, OSError) and failed.strerror:
        return failed.strerror.split("[")[0].strip().lower()
    return "host unreachable"
