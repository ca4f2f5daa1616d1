"""The TLS certificate of a custom domain, checked as its clients see it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from documo import domains
from documo.domain_tls import CertificateLook, CertificateState, look_for, observe_certificate
from documo.store.database import Store
from lockstep.http.outbound import OutboundRules
from tests.support.documo_client import Client, documo_on
from tests.support.documo_pages import signed_in
from tests.support.name_server import NameServer
from tests.support.target_servers import Authority

HOST = "api.contoso.example"
LOOPBACK = OutboundRules(["127.0.0.0/8"])


@asynccontextmanager
async def proxy(tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A server that only finishes the handshake; yields its port."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this process trusts."""
    made = Authority(tmp_path)
    file = tmp_path / "authority.pem"
    file.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return made


async def seen(port: int, name_server: NameServer, outbound: OutboundRules = LOOPBACK) -> CertificateState:
    name_server.addresses[HOST] = "127.0.0.1"
    return await observe_certificate(HOST, CertificateLook(port, outbound), name_server=name_server.address)


async def test_good_certificate_has_its_issuer_its_end_and_its_names(
    authority: Authority, name_server: NameServer
) -> None:
    async with proxy(authority.serving(name=HOST, days=(-1, 90))) as port:
        state = await seen(port, name_server)

    assert (state.problem, state.issuer, list(state.names)) == ("", "Test Authority", [HOST])
    assert state.expires_at is not None


@pytest.mark.parametrize(
    ("name", "days", "problem"),
    [
        (HOST, (-9, -1), f"The TLS certificate of {HOST} has expired"),
        (HOST, (2, 9), f"The TLS certificate of {HOST} is not valid yet"),
        ("other.example", (-1, 9), f"The TLS certificate is not for {HOST}"),
    ],
)
async def test_bad_certificate_is_explained_and_shown(
    authority: Authority, name_server: NameServer, name: str, days: tuple[int, int], problem: str
) -> None:
    async with proxy(authority.serving(name=name, days=days)) as port:
        state = await seen(port, name_server)

    assert (state.problem, state.issuer, list(state.names)) == (problem, "Test Authority", [name])
    assert state.remedy


async def test_unknown_authority_is_named(tmp_path: Path, name_server: NameServer) -> None:
    async with proxy(Authority(tmp_path).serving(name=HOST)) as port:
        state = await seen(port, name_server)

    assert "an authority that this machine does not trust" in state.problem and state.issuer == "Test Authority"


async def test_port_without_tls_and_a_refused_connection_are_explained(name_server: NameServer) -> None:
    async with proxy(None) as port:
        plain = await seen(port, name_server)
    refused = await seen(port, name_server)

    assert plain.problem and plain.issuer == ""
    assert refused.problem == f"{HOST} (127.0.0.1) refused the connection on port {port}"


async def test_private_address_is_refused_unless_the_operator_allows_it(
    authority: Authority, name_server: NameServer
) -> None:
    async with proxy(authority.serving(name=HOST)) as port:
        state = await seen(port, name_server, OutboundRules())

    assert "not a public address" in state.problem and state.issuer == ""


async def test_name_without_an_address_is_told_to_set_its_record(name_server: NameServer) -> None:
    state = await observe_certificate(HOST, CertificateLook(443, LOOPBACK), name_server=name_server.address)

    assert state.problem == f"{HOST} has no address in DNS" and "CNAME" in state.remedy


@pytest.mark.parametrize(
    ("url", "port"), [("https://api.documo.test", 443), ("https://a.test:8443", 8443), ("http://127.0.0.1:8081", None)]
)
def test_certificates_are_looked_at_where_the_service_is_reached_by_https(url: str, port: int | None) -> None:
    look = look_for(url, LOOPBACK)

    assert (look and look.port) == port


async def test_page_shows_the_certificate_that_was_seen_and_verifies_despite_a_bad_one(
    store: Store, authority: Authority, name_server: NameServer
) -> None:
    name_server.addresses[HOST] = "127.0.0.1"
    async with proxy(authority.serving(name="other.example")) as port:
        url, allowed = f"https://api.documo.test:{port}", ("127.0.0.0/8",)
        async with documo_on(store, name_server=name_server.address, public_url=url, outbound_allow=allowed) as documo:
            made = await documo.client()
            api = Client(
                made.session, f"http://127.0.0.1:{documo.running.port}/scim/v2", made.token, made.account, store
            )
            domain = await domains.set_domain(store, api.account.id, HOST)
            name_server.records[domain.record_name] = [domain.proof]
            async with signed_in(api) as ada:
                _, before = await ada.get("/settings/branding/domain")
                _, page = await ada.post("/settings/branding/domain/verify", host=HOST)

    assert "TLS certificate" in before and "Not checked yet" in before
    assert f"The TLS certificate is not for {HOST}" in page and "For other.example" in page
    assert (await domains.find_domain(store, api.account.id, HOST)).verified
