"""A real mail server on a real socket, whose answers the test decides, with certificates from a separate authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "lockstep", "correct horse"


@dataclass
class MailSink:
    """The messages that arrived. *refuses* gets the stage (MAIL, RCPT or DATA) and the address, and returns a refusal or ""."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    is_encrypted: list[bool] = field(default_factory=list)
    refuses: Callable[[str, str], str] = lambda stage, address: ""
    wait: asyncio.Event | None = None  # if set, a message is answered only after this event
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.refuses("MAIL", address) or "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self.refuses("RCPT", address) or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        refusal = self.refuses("DATA", envelope.rcpt_tos[0])
        if not refusal:
            self._accept(session, envelope)
        self.reached.set()
        if self.wait is not None:
            await self.wait.wait()
        return refusal or "250 Accepted"

    def _accept(self, session: Session, envelope: Envelope) -> None:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        parsed = message_from_bytes(content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        self.recipients += envelope.rcpt_tos
        self.is_encrypted.append(session.ssl is not None)

    def check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        if is_right:
            self.users.append(USER)
        return AuthResult(success=is_right, handled=False)


@asynccontextmanager
async def mail_sink(
    sink: MailSink | None = None,
    *,
    context: ssl.SSLContext | None = None,
    is_tls: bool = False,
    needs_sign_in: bool = False,
    port: int = 0,
) -> AsyncIterator[MailSink]:
    """Serve *sink* on 127.0.0.1. With *context* it offers STARTTLS, or with *is_tls* speaks TLS from the first byte."""
    sink = sink or MailSink()
    loop = asyncio.get_running_loop()

    def new() -> SMTP:
        return SMTP(
            sink, hostname="sink.test", tls_context=None if is_tls else context, authenticator=sink.check,
            auth_required=needs_sign_in, auth_require_tls=context is not None and not is_tls, loop=loop,
        )  # fmt: skip

    server = await loop.create_server(new, "127.0.0.1", port, ssl=context if is_tls else None)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()


def new_authority(folder: Path, *, names: tuple[str, ...] = ("localhost",)) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate for *names* and 127.0.0.1, signed by a new authority; return a server's context and the authority's file."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    now = datetime.now(UTC)

    def signed(subject: x509.Name, public: Any, extension: x509.ExtensionType, *, is_ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1)).add_extension(extension, critical=is_ca)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )  # fmt: skip
        return builder.sign(ca_key, hashes.SHA256())

    authority = signed(ca_name, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=None), is_ca=True)
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
    certificate = signed(own, key.public_key(), alternatives, is_ca=False)
    ca_file, chain = folder / "ca.pem", folder / "chain.pem"
    pem = serialization.Encoding.PEM
    ca_file.write_bytes(authority.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, ca_file
