"""Check the TLS certificate that a custom domain serves, as the domain's clients see it.

The name is looked up in DNS, because the domain's clients look it up there. A private address is refused unless the operator allowed it,
because any Admin can enter any name.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from lockstep.errors import LockstepError
from lockstep.http.outbound import Blocked, OutboundRules
from lockstep.http.tls import tls_context, tls_sentence

SECONDS = 5.0
WARNED = timedelta(days=14)
_MOST_NAMES, _MOST_TEXT = 5, 200


@dataclass(frozen=True, slots=True)
class CertificateState:
    """The state of a certificate. *problem* is "" if clients accept the certificate; otherwise *remedy* says what to do. If the server
    presented no certificate, *issuer*, *expires_at* and *names* are empty.
    """

    problem: str = ""
    remedy: str = ""
    issuer: str = ""
    expires_at: datetime | None = None
    names: Sequence[str] = ()

    def ends_soon(self, now: datetime) -> bool:
        """Whether the certificate has expired or will expire within 14 days."""
        return self.expires_at is not None and self.expires_at < now + WARNED


@dataclass(frozen=True, slots=True)
class CertificateLook:
    """The parameters of a check: the port at which this service is reached from outside, and the rules for outbound connections."""

    port: int
    outbound: OutboundRules


def look_for(public_url: str, outbound: OutboundRules) -> CertificateLook | None:
    """Return the CertificateLook with which the certificates of domains are checked, or None if this service is reached without TLS."""
    parts = urlsplit(public_url)
    return CertificateLook(parts.port or 443, outbound) if parts.scheme == "https" else None


async def observe_certificate(host: str, look: CertificateLook, *, name_server: str | None) -> CertificateState:
    """Connect to *host* and return the state of its certificate. Never raises for an error at the other end."""
    from documo.dns_txt import addresses_of  # a server or command seldom asks a name server

    try:
        addresses = await addresses_of(host, name_server=name_server)
        for address in addresses:
            look.outbound.check_address(host, look.port, ip_address(address), what="proxy")
    except LockstepError as failed:
        return CertificateState(failed.detail, failed.next_step)
    except Blocked as refused:
        return CertificateState(str(refused), refused.next_step)
    if not addresses:
        return CertificateState(f"{host} has no address in DNS", "Set the CNAME record, then verify again")
    return await _observe(host, addresses[0], look.port)


async def _observe(host: str, address: str, port: int) -> CertificateState:
    try:
        return described(await _shown(host, address, port, tls_context()))
    except ssl.SSLCertVerificationError as failed:
        problem, remedy = tls_sentence(failed, host)
        try:
            return described(await _shown(host, address, port, _trusting_all()), problem, remedy)
        except (OSError, ValueError):
            return CertificateState(problem, remedy)
    except ssl.SSLError as failed:
        return CertificateState(*tls_sentence(failed, host))
    except TimeoutError:
        return CertificateState(
            f"{host} ({address}) did not answer on port {port} within {SECONDS:.0f} seconds",
            "Check that the proxy runs and that its firewall lets the port through",
        )
    except OSError as failed:
        why = "refused the connection" if isinstance(failed, ConnectionRefusedError) else "could not be reached"
        return CertificateState(
            f"{host} ({address}) {why} on port {port}",
            "Check that the record leads to your proxy and that the proxy is running",
        )


async def _shown(host: str, address: str, port: int, context: ssl.SSLContext) -> bytes:
    """Return the server's certificate as DER, after a handshake that *context* accepts."""
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
        try:
            return bytes(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        finally:
            writer.transport.abort()


def _trusting_all() -> ssl.SSLContext:
    """Return a TLS context that accepts every certificate. It is used only to read a certificate that was already refused. Nothing is sent
    over such a connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def described(der: bytes, problem: str = "", remedy: str = "") -> CertificateState:
    """Return the state of a certificate. Raises ValueError if the bytes are not a certificate."""
    certificate = x509.load_der_x509_certificate(der)
    issuers = [
        str(one.value)
        for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        for one in certificate.issuer.get_attributes_for_oid(kind)
    ]
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [
            *alternatives.get_values_for_type(x509.DNSName),
            *map(str, alternatives.get_values_for_type(x509.IPAddress)),
        ]
    except x509.ExtensionNotFound:
        names = []
    return CertificateState(
        problem,
        remedy,
        issuers[0][:_MOST_TEXT] if issuers else "an unnamed authority",
        certificate.not_valid_after_utc.astimezone(UTC),
        tuple(name[:_MOST_TEXT] for name in names[:_MOST_NAMES]),
    )
