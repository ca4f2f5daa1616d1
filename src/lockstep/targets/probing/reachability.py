"""Probe the network path to an application step by step: URL, DNS, TCP, TLS. These are the first four lines of the connection test.

Every step checks the outbound rules itself, so that a test cannot be used to explore the internal network.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from lockstep.http.client import CONNECT_SECONDS, HttpClient
from lockstep.http.outbound import Blocked, Destination
from lockstep.http.tls import tls_sentence
from lockstep.ports import Probe

FEW_DAYS = 21
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ReachabilityStep:
    """One line of the test. *found* is the result that the next step needs; without it the next step is not tried."""

    probe: Probe
    found: Any = None


def try_url(client: HttpClient, tenant_url: str) -> ReachabilityStep:
    """Check the text of the tenant URL. *found* in the result is its `Destination`."""
    url = tenant_url.strip()
    try:
        place = client.rules.check_url(url)
    except Blocked as refused:
        return ReachabilityStep(Probe("URL", False, f"The tenant URL cannot be used: {refused}", refused.next_step))
    path = urlsplit(url).path.rstrip("/")
    suggested = suggested_url(url)
    sentences = ["The tenant URL is well formed"]
    remedy = ""
    if suggested:
        sentences.append(
            f"it does not end with /scim/v2{'' if path else ' (it has no path)'}, as most applications require"
        )
        remedy = f"If the tests below fail, try {suggested}"
    if place.scheme == "http" and place.host not in _LOOPBACK:
        sentences.append("it uses http, so the secret token is sent unencrypted")
        remedy = remedy or "Use https if the application supports it"
    return ReachabilityStep(Probe("URL", True, "; ".join(sentences), remedy), place)


def suggested_url(tenant_url: str) -> str:
    """The tenant URL with /scim/v2 appended, or "" if its path mentions SCIM already."""
    parts = urlsplit(tenant_url.strip())
    path = parts.path.rstrip("/")
    if "scim" in path.lower():
        return ""
    return f"{parts.scheme}://{parts.netloc}{path}/scim/v2" + (f"?{parts.query}" if parts.query else "")


async def try_dns(client: HttpClient, place: Destination) -> ReachabilityStep:
    """Resolve the host name. *found* in the result is the list of its addresses, all of which the outbound rules allow."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            entries = await client.lookup(place.host, place.port)
        addresses = list(dict.fromkeys(entry[4][0] for entry in entries))
        for address in addresses:
            client.rules.check_address(place.host, place.port, ip_address(address.partition("%")[0]))
    except Blocked as refused:
        return ReachabilityStep(
            Probe("DNS", False, f"Lockstep refuses to connect: {refused}", refused.next_step, _since(started))
        )
    except TimeoutError:
        sentence = f"No name server answered within {CONNECT_SECONDS:.0f} seconds"
        return ReachabilityStep(Probe("DNS", False, sentence, "Check the network of this machine", _since(started)))
    except (OSError, UnicodeError):
        sentence = f"Host name not found: {place.host}"
        return ReachabilityStep(Probe("DNS", False, sentence, "Check the spelling of the tenant URL", _since(started)))
    sentence = f"{place.host} has the address {', '.join(addresses[:4])}"
    if addresses == [place.host]:
        sentence = f"{place.host} is an IP address; no name lookup needed"
    return ReachabilityStep(Probe("DNS", True, sentence, "", _since(started)), addresses)


async def try_tcp(place: Destination, addresses: list[str]) -> ReachabilityStep:
    """Connect to the addresses in turn. *found* in the result is the first one that accepts a connection."""
    started = time.monotonic()
    sentence, remedy = "", ""
    for address in addresses:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(address, place.port)
        except TimeoutError:
            sentence = (
                f"{place.host} did not accept a connection on port {place.port} within {CONNECT_SECONDS:.0f} seconds"
            )
            remedy = "Check the port, and any firewalls between this machine and the application"
        except OSError as failed:
            why = "connection refused" if isinstance(failed, ConnectionRefusedError) else "host unreachable"
            sentence = f"Cannot connect to {place.host} on port {place.port}: {why}"
            remedy = "Check that the application runs, and that the port in the tenant URL is right"
        else:
            await _hang_up(writer)
            return ReachabilityStep(
                Probe("TCP", True, f"Port {place.port} accepts connections", "", _since(started)), address
            )
    return ReachabilityStep(Probe("TCP", False, sentence, remedy, _since(started)))


async def try_tls(client: HttpClient, place: Destination, address: str) -> ReachabilityStep:
    """Open a TLS connection and read the certificate. *found* in the result is True if both succeed."""
    if place.scheme == "http":
        return ReachabilityStep(Probe("TLS", True, "Not used: the tenant URL uses http"), found=True)
    started = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address, place.port, ssl=client.tls, server_hostname=place.host)
    except TimeoutError:
        sentence = f"{place.host} did not finish the TLS handshake within {CONNECT_SECONDS:.0f} seconds"
        return ReachabilityStep(Probe("TLS", False, sentence, "Check that this is the https port", _since(started)))
    except ssl.SSLError as failed:
        return ReachabilityStep(Probe("TLS", False, *tls_sentence(failed, place.host), _since(started)))
    except OSError:
        sentence = f"{place.host} closed the connection during the TLS handshake"
        return ReachabilityStep(Probe("TLS", False, sentence, "Check that this is the https port", _since(started)))
    connection = writer.get_extra_info("ssl_object")
    certificate = connection.getpeercert() or {}
    version = connection.version() or "TLS"
    await _hang_up(writer)
    return ReachabilityStep(_certificate_probe(certificate, version, place, _since(started)), found=True)


def _certificate_probe(certificate: dict[str, Any], version: str, place: Destination, seconds: float) -> Probe:
    issuer = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    issued_by = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed authority"
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (ends_at - datetime.now(UTC)).days
    sentence = f"{version.replace('TLSv', 'TLS ')}, certificate issued by {issued_by}, {days} days left"
    remedy = f"Renew the certificate of {place.host} before {ends_at:%d %b %Y}" if days < FEW_DAYS else ""
    return Probe("TLS", True, sentence, remedy, seconds)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(1):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass  # the server may close first, or without a TLS close


def _since(started: float) -> float:
    return time.monotonic() - started
