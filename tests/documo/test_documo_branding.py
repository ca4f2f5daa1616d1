"""Branding: name, colour, logo; domains of the pages and the API, with the records that the name server returned."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from documo import branding, domains
from documo.accounts import change_account
from documo.branding import ACCENTS, MOST_LOGO, logo_in
from documo.store.database import Store
from lockstep.errors import LockstepError
from tests.support.documo_client import Client, Documo, documo_on
from tests.support.documo_pages import PASSWORD, signed_in, visiting
from tests.support.name_server import NameServer

HERE = "/settings/branding"
STYLES = Path(branding.__file__).parent / "web" / "frontend" / "css" / "brand.css"


def png(width: int = 8, height: int = 8) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + b"rest"


def jpeg(width: int = 8, height: int = 8) -> bytes:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x04JF" + frame + b"rest"


@pytest.fixture
async def asking(store: Store, name_server: NameServer) -> AsyncIterator[Documo]:
    """A Documo at a public name, which asks *name_server* about domains."""
    async with documo_on(store, name_server=name_server.address) as running:
        yield running


async def test_name_and_colour_are_on_every_page(api: Client) -> None:
    async with signed_in(api) as ada:
        await ada.post(HERE, name="<b>Contoso & Co", accent="violet")
        _, page = await ada.get("/")

    assert "&lt;b&gt;Contoso &amp; Co" in page and 'data-accent="violet"' in page and "<b>Contoso" not in page


async def test_only_colours_of_the_list_are_saved_and_each_is_in_the_styles(api: Client) -> None:
    async with signed_in(api) as ada:
        status, page = await ada.post(HERE, name="", accent='"><script>')

    assert (status, "This colour is not available" in page) == (400, True)
    assert set(re.findall(r'data-accent="(\w+)"', STYLES.read_text())) == set(ACCENTS) - {""}


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_text_is_readable_on_every_colour_in_both_themes() -> None:
    for rule in re.findall(r"\{([^}]*--accent-text[^}]*)\}", STYLES.read_text()):
        pairs = dict(re.findall(r"(--[\w-]+): light-dark\((#\w+, #\w+)\)", rule))
        texts = pairs["--accent-text"].split(", ")
        for name in ("--accent", "--accent-hover"):
            for colour, text in zip(pairs[name].split(", "), texts, strict=True):
                assert _contrast(colour, text) >= 4.5, (name, colour, text)


@pytest.mark.parametrize(("content", "media_type"), [(png(), "image/png"), (jpeg(), "image/jpeg")])
async def test_logo_is_served_as_the_image_that_it_is_and_nothing_else(
    api: Client, content: bytes, media_type: str
) -> None:
    async with signed_in(api) as ada, visiting(api) as stranger:
        await ada.upload(f"{HERE}/logo", "logo", content, name="logo.svg")
        address = re.search(r"/branding/logo\?v=\w+", (await ada.get("/"))[1])
        assert address is not None
        async with ada.http.get(ada.origin + address[0]) as answer:
            assert (await answer.read(), answer.content_type) == (content, media_type)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert (await stranger.get(address[0]))[0] == 404
        await ada.post(f"{HERE}/logo/remove")
        assert (await ada.get(address[0]))[0] == 404


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not a PNG or JPEG"),
        (b"GIF89a", "not a PNG or JPEG"),
        (b"", "not a PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n<script>", "not a PNG or JPEG"),
        (b"\xff\xd8\xff" + b"\xff\xe0\x00\x00" * 100, "not a PNG or JPEG"),
        (png(5_000, 10), "5000 by 10 pixels"),
        (png(0, 10), "0 by 10 pixels"),
        (jpeg(10, 5_000), "10 by 5000 pixels"),
        (png() + b"x" * MOST_LOGO, "larger than 200 kB"),
    ],
)
def test_logo_that_is_no_small_raster_image_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(LockstepError, match=says):
        logo_in(content)


async def test_another_accounts_brand_is_not_seen(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    async with signed_in(alpha) as ada, signed_in(beta, email="bob@x.org") as bob:
        await ada.post(HERE, name="Secret", accent="rose")
        await ada.upload(f"{HERE}/logo", "logo", png(), name="logo.png")
        _, page = await bob.get("/")

        assert "Secret" not in page and "rose" not in page and "/branding/logo" not in page
        assert (await bob.get("/branding/logo"))[0] == 404


async def test_domain_is_added_verified_and_followed_by_the_addresses(asking: Documo, name_server: NameServer) -> None:
    api = await asking.client()
    host, port = "api.contoso.example", asking.running.port
    async with signed_in(api) as ada:
        _, page = await ada.post(f"{HERE}/domain", kind="api", host=host.upper())
        assert "Pending" in page and f"_documo.{host}" in page and "Not checked yet" in page
        name_server.records[f"_documo.{host}"] = ["<b>other"]
        name_server.aliases[host] = "somewhere.example"
        status, page = await ada.post(f"{HERE}/domain/verify", host=host)
        assert (status, "Not verified" in page, "&lt;b&gt;other" in page) == (409, True, True)
        (made,) = await domains.list_domains(api.store, api.account.id)
        assert made.seen_cname == "somewhere.example"
        assert f"127.0.0.1:{port}/scim/v2" in (await ada.get("/settings/account"))[1]

        name_server.records[f"_documo.{host}"].append(made.proof)
        _, page = await ada.post(f"{HERE}/domain/verify", host=host)
        assert "Verified" in page and "The proof" in page
        _, account = await ada.get("/settings/account")
        assert f"http://{host}:{port}/scim/v2" in account
        await ada.post(f"{HERE}/domain/remove", host=host)
        assert host not in (await ada.get("/settings/account"))[1]


async def test_domain_of_the_pages_serves_no_api_and_shows_the_brand_before_signing_in(documo: Documo) -> None:
    alpha, beta = await documo.client("Alpha"), await documo.client("Beta")
    await domains.set_domain(alpha.store, alpha.account.id, "docs.alpha.example", kind=domains.APP, vouched=True)
    await branding.save_brand(alpha.store, alpha.account.id, name="Alpha Documents", accent="blue")
    await branding.save_logo(alpha.store, alpha.account.id, png())
    for api in (alpha, beta):
        await api.user("anna@x.org", password=f"{PASSWORD} of {api.account.name}")
    own = {"Host": "docs.alpha.example", "Origin": "http://docs.alpha.example"}
    async with visiting(alpha) as anna:
        async with anna.http.get(f"{anna.origin}/login", headers=own) as answer:
            page = await answer.text()
        async with anna.http.get(f"{anna.origin}/branding/logo", headers=own) as answer:
            assert await answer.read() == png()
        signed: list[int] = []
        for account in ("Beta", "Alpha"):
            form = {"email": "anna@x.org", "password": f"{PASSWORD} of {account}", "account": "Alpha"}
            async with anna.http.post(f"{anna.origin}/login", data=form, headers=own, allow_redirects=False) as answer:
                signed.append(answer.status)

    assert "Alpha Documents" in page and 'data-accent="blue"' in page and "several accounts" not in page
    assert signed == [401, 303]
    assert (await alpha.send("GET", "/Users", headers={"Host": "docs.alpha.example"})).status == 421


async def test_link_to_set_a_password_leads_to_the_accounts_own_domain(api: Client) -> None:
    await domains.set_domain(api.store, api.account.id, "docs.contoso.example", kind=domains.APP, vouched=True)
    async with signed_in(api) as ada:
        _, page = await ada.post("/users/new", email="anna@x.org", role="Member")

    assert re.search(r"http://docs\.contoso\.example:\d+/links/[\w-]+", page)


async def test_account_page_says_what_a_directory_gets_when_the_seats_are_taken(documo: Documo) -> None:
    api = await documo.client(seats=2)
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/account")
        reply = await api.send("POST", "/Users", {"schemas": [], "userName": "anna@x.org"})
        await change_account(api.store, str(api.account.id), {"seats": None})
        _, unlimited = await ada.get("/settings/account")

    assert reply.status == 402
    assert "All 2 seats are taken" in page and "HTTP 402" in page and reply.body["detail"] in page
    assert "seats are not limited" in unlimited and "HTTP 402" not in unlimited
