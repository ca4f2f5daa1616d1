"""Outbound rules: hostile URLs are refused by their text or when connecting."""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp import web

from lockstep.http.client import HttpClient
from lockstep.http.origins import read_entry
from lockstep.http.outbound import Blocked, OutboundRules
from lockstep.http.trouble import Trouble, WireError
from tests.support.target_servers import allowing, answering, serving

HOSTILE = [
    "http://example.com/scim/v2",
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1.:8443/",
    "https://127.255.255.254/",
    "https://0.0.0.0/",
    "https://0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.127.255.255/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://192.88.99.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://user@127.0.0.1/",
    "https://api.example.com@127.0.0.1/",
    "https://user:password@api.example.com/",
    "https://api.example.com./scim/v2",
    "https://api.example.com\\@127.0.0.1/",
    "https://api.example.com\t/",
    "https://api.example.com /",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%00.example.com/",
    "https:///etc/passwd",
    "https://",
    "https://:443/",
    "https://api.example.com:0/",
    "https://api.example.com:99999/",
    "https://api.example.com:/",
    "https:127.0.0.1/",
    "//127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://example.com/",
    "javascript:alert(1)",
    "https://1.2.3.4.5/",
    "https://0x.example.0x1/",
    "https://[::1/",
    "https://[1.2.3.4]/",
    "https://-bad-.example.com/",
    "https://a..b/",
    "https://" + "a" * 64 + ".example.com/",
    "https://example.com/" + "a" * 5000,
    "",
]


async def seconds_from_now(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def trouble_at(client: HttpClient, url: str) -> WireError:
    with pytest.raises(WireError) as caught:
        await client.send("GET", url, headers={}, deadline=await seconds_from_now(5))
    await client.close()
    return caught.value


@pytest.mark.parametrize("url", HOSTILE, ids=[repr(url)[:50] for url in HOSTILE])
async def test_hostile_url_is_refused_and_nothing_is_connected(url: str) -> None:
    error = await trouble_at(HttpClient(), url)

    assert error.trouble is Trouble.BLOCKED
    assert not error.trouble.was_sent


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "64:ff9b::a00:1", "0.0.0.0"],
)
async def test_name_that_stands_for_an_inside_address_is_refused(address: str) -> None:
    async def lookup(_: str, port: int) -> Any:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    error = await trouble_at(HttpClient(lookup=lookup), "https://api.example.com/scim/v2")

    assert error.trouble is Trouble.BLOCKED
    assert error.sentence.startswith("api.example.com resolves to ")


async def test_name_is_refused_when_only_one_of_its_addresses_is_inside() -> None:
    async def lookup(_: str, port: int) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("192.0.43.8", "127.0.0.1")]

    error = await trouble_at(HttpClient(lookup=lookup), "https://api.example.com/")

    assert error.trouble is Trouble.BLOCKED


async def test_rebinding_name_is_judged_by_the_address_that_is_connected_to() -> None:
    """The name resolves to a public address first and to this machine the second time."""
    answers = ["192.0.43.8", "127.0.0.1"]
    asked: list[str] = []

    async def lookup(host: str, port: int) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[min(len(asked), 2) - 1], port))]

    client = HttpClient(lookup=lookup)
    client.rules.check_address("rebind.example.com", 443, (await _first(lookup)))

    error = await trouble_at(client, "https://rebind.example.com/")

    assert error.trouble is Trouble.BLOCKED
    assert len(asked) == 2


async def _first(lookup: Any) -> Any:
    return ip_address((await lookup("rebind.example.com", 443))[0][4][0])


async def test_redirect_is_not_followed() -> None:
    async with serving(answering(200, {"secret": True})) as inside:
        async with serving(answering(302, headers={"Location": f"{inside.origin}/admin"})) as outside:
            client = allowing(outside.origin, inside.origin)

            response = await client.send("GET", f"{outside.origin}/", headers={}, deadline=await seconds_from_now(5))
            await client.close()

    assert response.status == 302
    assert inside.requests == []


async def test_allowed_origin_is_reached_and_its_neighbour_port_is_not() -> None:
    async with serving(answering(200, {})) as allowed, serving(answering(200, {})) as neighbour:
        client = allowing(allowed.origin)

        response = await client.send("GET", f"{allowed.origin}/", headers={}, deadline=await seconds_from_now(5))
        error = await trouble_at(client, f"{neighbour.origin}/")

    assert response.status == 200
    assert error.trouble is Trouble.BLOCKED
    assert neighbour.requests == []


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        ("10.0.0.0/8", "https://10.1.2.3:8443/scim"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081/scim/v2"),
        ("http://intranet:80", "http://intranet/scim"),
        ("https://[fd00:0:0::5]:443", "https://[fd00::5]/scim"),
    ],
)
def test_what_the_list_allows_is_allowed(allow: str, url: str) -> None:
    OutboundRules([allow]).check_url(url)


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        ("10.0.0.0/8", "http://10.1.2.3/"),  # a network alone does not allow to send the token in the clear
        ("10.0.0.0/8", "https://11.1.2.3@127.0.0.1/"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8082/"),
        ("https://127.0.0.1:8081", "http://127.0.0.1:8081/"),
        ("10.0.0.0/8", "https://[::ffff:10.0.0.1]/"),
        ("192.168.0.0/16", "https://172.16.0.1/"),
    ],
)
def test_what_the_list_does_not_allow_is_refused(allow: str, url: str) -> None:
    with pytest.raises(Blocked):
        OutboundRules([allow]).check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.documo.com/scim/v2",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:8443/scim",
        "HTTPS://API.Documo.com",
    ],
)
def test_plain_address_of_the_internet_is_allowed(url: str) -> None:
    OutboundRules().check_url(url)


def test_approved_origin_approves_nothing_else() -> None:
    rules = OutboundRules(["http://127.0.0.1:8081"])
    for approved in ("http://127.0.0.1:8081", "http://127.0.0.1:8081/scim", "https://api.example.com/scim"):
        rules.check_url(approved)

    for refused in (
        "http://127.0.0.1:808",
        "http://127.0.0.1:808/scim",
        "http://127.0.0.1:8081@127.0.0.1:22/scim",
        "http://127.0.0.1:8081\\@127.0.0.1:22/scim",
        "https://api.example.com/\r\nHost: inside",
        "https://api.example.com/" + "a" * 5000,
    ):
        with pytest.raises(Blocked):
            rules.check_url(refused)


def test_refusal_says_what_to_do() -> None:
    with pytest.raises(Blocked) as caught:
        OutboundRules().check_url("https://10.0.0.5/scim/v2")

    assert str(caught.value) == "10.0.0.5, which is a private address and not a public address"
    assert caught.value.next_step == (
        "If this application runs inside your network, allow it: lockstep outbound add https://10.0.0.5:443"
    )


METADATA = [
    "169.254.169.254", "169.254.170.2", "fe80::1", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
]  # fmt: skip


@pytest.mark.parametrize("address", METADATA)
def test_a_link_local_or_metadata_address_is_refused_whatever_is_allowed(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    rules = OutboundRules(("https://app.internal:8443", f"http://{literal}:80", "0.0.0.0/0", "::/0"))
    with pytest.raises(Blocked, match="never connects"):
        rules.check_address("app.internal", 8443, ip_address(address))
    with pytest.raises(Blocked, match="never connects"):
        rules.check_url(f"http://{literal}:80/scim/v2/")
    rules.check_address("app.internal", 8443, ip_address("10.1.2.3"))


WORDS = [
    ("http://LOCALHOST", "http://localhost:80"),
    ("https://[::1]:8443/", "https://[::1]:8443"),
    ("10.0.0.0/8", "10.0.0.0/8"),
    ("10.1.2.3", "10.1.2.3/32"),
]
MEANT = [
    ("app.internal:8443", "Did you mean https://app.internal:8443, or http://app.internal:8443?"),
    ("localhost", "Did you mean https://localhost:443, or http://localhost:80?"),
    ("https//app.internal", "Did you mean https://app.internal:443, or http://app.internal:80?"),
    ("https:app.internal", "Did you mean https://app.internal:443, or http://app.internal:80?"),
    ("htps://app.internal", "Did you mean https://app.internal:443, or http://app.internal:80?"),
    ("https://app.internal/scim", "Did you mean https://app.internal:443?"),
    ("10.1.2.3/8", "Did you mean 10.0.0.0/8, or only 10.1.2.3?"),
    ("https://u:secret@app.internal", "remove the part before the @"),
    ("https://127.1", "is not an origin"),
    ("*.internal", "an origin looks like"),
    ("169.254.0.0/16", "never connects to"),
    ("https://[fd00:ec2::254]", "never connects to"),
]


@pytest.mark.parametrize(("word", "entry"), WORDS)
def test_entry_of_the_list_has_one_spelling_that_the_rules_accept(word: str, entry: str) -> None:
    assert read_entry(word) == entry
    OutboundRules((entry,))


@pytest.mark.parametrize(("word", "meant"), MEANT)
def test_nonsense_in_the_list_is_refused_with_what_was_probably_meant(word: str, meant: str) -> None:
    with pytest.raises(ValueError, match=re.escape(meant)) as refused:
        read_entry(word)
    assert "secret" not in str(refused.value)


async def test_after_a_change_of_the_rules_a_request_under_way_ends_and_the_next_one_is_refused() -> None:
    arrived, gate = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        arrived.set()
        await gate.wait()
        return web.Response(text="{}")

    async with serving(slow) as server:
        client = HttpClient(OutboundRules((server.origin,)))
        deadline = asyncio.get_running_loop().time() + 10
        under_way = asyncio.create_task(client.send("GET", f"{server.origin}/", headers={}, deadline=deadline))
        await arrived.wait()

        client.rules.allow(())
        client.renew()
        gate.set()

        assert (await under_way).status == 200
        with pytest.raises(WireError) as refused:
            await client.send("GET", f"{server.origin}/", headers={}, deadline=deadline)
        assert refused.value.trouble is Trouble.BLOCKED
        await client.close()


async def test_after_a_change_of_the_rules_no_open_connection_is_used_again() -> None:
    peers: list[object] = []

    async def noting(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response(text="{}")

    async with serving(noting) as server:
        client = HttpClient(OutboundRules((server.origin,)))
        deadline = asyncio.get_running_loop().time() + 10
        for renews in (False, True, False):
            await client.send("GET", f"{server.origin}/", headers={}, deadline=deadline)
            if renews:
                client.renew()

        assert peers[0] == peers[1] != peers[2]
        await client.close()
