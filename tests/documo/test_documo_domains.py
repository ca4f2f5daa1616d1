"""Custom API domains: proved by a TXT record from a name server on loopback."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from documo import domains
from documo.dns_txt import txt_records
from documo.store.database import Store
from lockstep.errors import LockstepError
from tests.support.documo_client import Client, Documo, documo_on
from tests.support.name_server import NameServer

HOST = "scim.contoso.example"


async def status_under(client: Client, host: str) -> int:
    return (await client.send("GET", "/Users", headers={"Host": host})).status


async def test_a_domain_is_served_from_the_moment_its_proof_stands_in_dns(api: Client, name_server: NameServer) -> None:
    made = await domains.set_domain(api.store, api.account.id, HOST)
    name_server.records[f"_documo.{HOST}"] = ["v=spf1 -all", "documo-proof=of-somebody-else"]
    before = await status_under(api, HOST)

    with pytest.raises(LockstepError, match="does not contain the proof yet") as refused:
        await domains.verify_domain(api.store, api.account.id, HOST, name_server=name_server.address)
    refused_status = await status_under(api, HOST)
    name_server.records[f"_documo.{HOST}"].append(made.proof)
    verified = await domains.verify_domain(api.store, api.account.id, HOST, name_server=name_server.address)

    assert (before, refused_status, made.verified, verified.verified) == (421, 421, False, True)
    assert "of-somebody-else" in str(refused.value.why) and made.proof in str(refused.value.next_step)
    assert set(name_server.questions) == {f"_documo.{HOST}", HOST}
    async with asyncio.timeout(5):
        while await status_under(api, HOST) != 200:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("public_url", ["", "https://api.documo.example", "https://api.documo.example:8443"])
async def test_addresses_in_answers_never_come_from_the_request(store: Store, public_url: str) -> None:
    async with documo_on(store, public_url=public_url) as documo:
        api = replace(await documo.client(), url=f"http://127.0.0.1:{documo.running.port}/scim/v2")
        await domains.set_domain(store, api.account.id, HOST, vouched=True)
        scheme, port = public_url.partition("://")[0] or "http", public_url.rpartition("example")[2]
        own = f"{scheme}://{HOST}{port or ('' if public_url else f':{documo.running.port}')}/scim/v2/"
        served = (HOST, HOST.upper(), f"{HOST}.", f"{HOST}:1", f"{HOST}:65535")
        odd = (
            ":80@evil.example",
            ":80/evil?",
            ':x"><script>',
            ":99999",
            ":",
            ":0",
            ":-1",
            ":1:2",
            ":\u00b2",
            "@evil.example",
        )

        for host in served:
            (user,) = (await api.send("GET", "/Users", headers={"Host": host})).body["Resources"]
            assert user["meta"]["location"] == f"{own}Users/{user['id']}", host
        for suffix in odd:
            reply = await api.send("GET", "/Users", headers={"Host": HOST + suffix})
            assert reply.status in (400, 421), suffix


async def test_two_host_headers_are_refused(api: Client) -> None:
    host, _, port = api.url.removeprefix("http://").partition("/")[0].partition(":")
    head = f"GET /scim/v2/Users HTTP/1.1\r\nHost: {host}:{port}\r\nHost: {HOST}\r\nAuthorization: Bearer {api.token}\r\n\r\n"
    reader, writer = await asyncio.open_connection(host, int(port))

    writer.write(head.encode())

    assert b" 400 " in await reader.readline()
    writer.close()


async def test_the_proof_of_one_account_does_not_verify_for_another(documo: Documo, name_server: NameServer) -> None:
    mine, other = await documo.client("Alpha"), await documo.client("Beta")
    made = await domains.set_domain(mine.store, mine.account.id, HOST)
    name_server.records[f"_documo.{HOST}"] = [made.proof]

    with pytest.raises(LockstepError, match="has no domain"):
        await domains.verify_domain(other.store, other.account.id, HOST, name_server=name_server.address)

    assert name_server.questions == []


async def test_long_texts_are_put_together_and_what_is_not_ours_is_ignored(name_server: NameServer) -> None:
    long = "x" * 450
    name_server.records["a.example"] = [long, "short"]
    name_server.noise = [b"", b"\x00", b"\xff" * 40]

    assert sorted(await txt_records("a.example", name_server=name_server.address)) == ["short", long]


async def test_an_answer_that_was_cut_short_is_asked_for_over_tcp(name_server: NameServer) -> None:
    many = [f"{number}" * 100 for number in range(10, 30)]
    name_server.records["a.example"] = many
    name_server.cuts_short = True

    found = await txt_records("a.example", name_server=name_server.address)

    assert sorted(found) == many


async def test_a_name_that_is_not_there_has_no_records(name_server: NameServer) -> None:
    name_server.rcode = dns.rcode.NXDOMAIN

    assert await txt_records("nowhere.example", name_server=name_server.address) == []


async def test_a_lost_answer_is_asked_for_again(name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("documo.dns_txt.TIMEOUT_SECONDS", 0.1)
    name_server.records["a.example"] = ["found"]
    name_server.is_silent = 1

    assert await txt_records("a.example", name_server=name_server.address) == ["found"]
    assert len(name_server.questions) == 2


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_name_server_that_fails_has_not_answered(name_server: NameServer, rcode: dns.rcode.Rcode) -> None:
    name_server.rcode = rcode

    with pytest.raises(LockstepError, match="did not respond"):
        await txt_records("a.example", name_server=name_server.address)

    assert len(name_server.questions) == 3


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("127.0.0.1#x", "is not the address of a name server"),
        ("127.0.0.1#70000", "is not the address of a name server"),
        ("ns1.example", "is not the address of a name server"),
    ],
)
async def test_an_invalid_address_of_a_name_server_is_refused(server: str, says: str) -> None:
    with pytest.raises(LockstepError, match=says):
        await txt_records("a.example", name_server=server)


async def test_a_port_where_nobody_listens_is_told() -> None:
    loop = asyncio.get_running_loop()
    transport, gone = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    transport.close()
    assert gone.address

    with pytest.raises(LockstepError, match="did not respond"):
        await txt_records("a.example", name_server=gone.address)


async def test_domain_that_the_account_has_already_is_told_with_its_use_and_how_to_go_on(
    api: Client, documo: Documo
) -> None:
    other = await documo.client("Beta")
    await domains.set_domain(api.store, api.account.id, HOST)
    with pytest.raises(LockstepError, match=r"already has the domain scim\.contoso\.example for the API") as own:
        await domains.set_domain(api.store, api.account.id, HOST, kind=domains.APP)
    await domains.set_domain(other.store, other.account.id, "app.contoso.example", vouched=True)

    with pytest.raises(LockstepError, match=r"Another account has the domain app\.contoso\.example"):
        await domains.set_domain(api.store, api.account.id, "app.contoso.example", vouched=True)
    assert f"documo domains verify {HOST}" in str(own.value.next_step)
    assert f"documo domains remove {HOST}" in str(own.value.next_step)
