"""Real HTTP servers on loopback for tests of outgoing requests."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lockstep.engine.records import ObjectKind
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.ports import TargetSettings
from lockstep.targets.scim_target import ScimTarget
from lockstep.vault import Secret

TOKEN = "canary/4f2a+sécret=7Q~key"
ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"
TOKEN_FOR_SCIM2 = "a-token-of-ours"
LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """A running server, the requests it received, and its answers."""

    origin: str
    requests: list[Seen] = field(default_factory=list)


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def serving(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve every request with *handler* on a free port of 127.0.0.1."""
    server = Server("")

    async def remember(request: web.BaseRequest) -> web.StreamResponse:
        server.requests.append(
            Seen(
                request.method,
                request.raw_path,
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
        )
        return await handler(request)  # type: ignore[arg-type]

    runner = web.ServerRunner(web.Server(remember, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    server.origin = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving_bytes(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve connections with *talk*, which reads and writes raw bytes, to imitate what no real HTTP server does. Yields the origin."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def answering(
    status: int, body: Any = None, *, text: str | None = None, headers: dict[str, str] | None = None
) -> Handler:
    """A handler that always returns the same answer."""

    async def handler(_: web.Request) -> web.StreamResponse:
        if text is not None:
            return web.Response(status=status, text=text, headers=headers)
        if body is None:
            return web.Response(status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers, content_type="application/scim+json")

    return handler


def allowing(*origins: str, tls: ssl.SSLContext | None = None, **more: Any) -> HttpClient:
    return HttpClient(OutboundRules(origins), tls=tls, **more)


def settings_for(origin: str, **more: Any) -> TargetSettings:
    given: dict[str, Any] = {
        "app": "documo",
        "display_name": "Documo",
        "tenant_url": f"{origin}/scim/v2",
        "secret": Secret(TOKEN),
        "deadline_seconds": 5.0,
        "kinds": (ObjectKind.USER, ObjectKind.GROUP),
    }
    return TargetSettings(**(given | more))


@asynccontextmanager
async def target_at(origin: str, **more: Any) -> AsyncIterator[ScimTarget]:
    client = allowing(origin)
    try:
        yield ScimTarget(settings_for(origin, **more), client)
    finally:
        await client.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def scim2_server() -> AsyncIterator[str]:
    """The strict third-party SCIM server; gives its origin."""
    port = free_port()
    program = Path(sys.executable).with_name("scim2-server")
    process = await asyncio.create_subprocess_exec(
        program,
        "--port",
        str(port),
        "--bearer-token",
        TOKEN_FOR_SCIM2,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@dataclass
class Authority:
    """A certificate authority of our own, and TLS contexts that trust it or serve with its certificates."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.certificate = self._issue("Test Authority", self.key, days=(-10, 100), is_authority=True)

    def trusting(self) -> ssl.SSLContext:
        text = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=text)

    def serving(self, *, days: tuple[int, int] = (-1, 30), name: str = "127.0.0.1") -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(name, key, days=days)
        file = self.folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _issue(
        self, name: str, key: ec.EllipticCurvePrivateKey, *, days: tuple[int, int], is_authority: bool = False
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Authority"),
                x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority"),
            ]
        )
        subject = issuer if is_authority else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if is_authority:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            try:
                named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
            except ValueError:
                named = x509.DNSName(name)
            builder = builder.add_extension(x509.SubjectAlternativeName([named]), critical=False)
        return builder.sign(self.key, hashes.SHA256())
