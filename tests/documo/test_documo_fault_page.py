"""The sandbox's page *Fault injection*: a fault that is switched on happens to clients, every page says so, and no other Documo has this
page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from documo.sandbox.fault_injection import FaultInjector, Rule, read_faults
from documo.sandbox.fault_page import HERE, KINDS, fault_pages
from documo.server import serving
from documo.settings import DocumoSettings
from documo.store.database import Store
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import Visitor, signed_in

NOTICE = "misbehaves on purpose"


@pytest.fixture
def rules(tmp_path: Path) -> list[Rule]:
    file = tmp_path / "faults.yaml"
    file.write_text("faults: [{method: GET, path: /Users, do: status, status: 503}]")
    return read_faults(file)


@pytest.fixture
async def sandbox(store: Store, rules: list[Rule]) -> AsyncIterator[Client]:
    """A client of a Documo with faults."""
    settings = DocumoSettings(Path(), port=0)
    more = fault_pages(rules)
    async with serving(store, settings, wrap=lambda app: FaultInjector(app, rules, seed=0), extension=more) as running:
        async with aiohttp.ClientSession() as session:
            yield await Documo(store, running, session).client()


async def add(visitor: Visitor, **entered: str) -> tuple[int, str]:
    return await visitor.post(HERE, on=HERE, **entered)


async def test_switch_decides_whether_clients_get_the_fault(sandbox: Client) -> None:
    async with signed_in(sandbox) as ada:
        on = (await sandbox.get("/Users")).status
        await ada.post(f"{HERE}/1/switch", on=HERE)
        off = (await sandbox.get("/Users")).status
        await ada.post(f"{HERE}/1/switch", on=HERE)
        on_again = (await sandbox.get("/Users")).status
        _, page = await ada.post(f"{HERE}/all-off", on=HERE)
        all_off = (await sandbox.get("/Users")).status

    assert (on, off, on_again, all_off) == (503, 200, 503, 200)
    assert "Switch all off" not in page and "All faults are off" in page


async def test_added_fault_acts_and_a_removed_one_does_not(sandbox: Client, rules: list[Rule]) -> None:
    async with signed_in(sandbox) as ada:
        await ada.post(f"{HERE}/1/remove", on=HERE)
        await add(ada, kind="429", method="POST", path="/Users$", every="2")
        first = await sandbox.send("POST", "/Users", {})
        second = await sandbox.send("POST", "/Users", {})
        _, page = await ada.get(HERE)

    assert (first.status, second.status, second.headers["Retry-After"]) == (400, 429, "2")
    assert "one in 2" in page and "Status 429, Retry-After 2" in page and len(rules) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_every_fault_of_the_form_is_a_rule_and_is_described(sandbox: Client, kind: str) -> None:
    async with signed_in(sandbox) as ada:
        status, page = await add(ada, kind=kind, path="/Nothing")

    assert status == 200 and "/Nothing" in page and "Added" in page


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"kind": "429", "path": "("}, "invalid value"),
        ({"kind": "429", "every": "0"}, "every must be from 1"),
        ({"kind": "delay", "seconds": "inf"}, "seconds must be from 0"),
        ({"kind": "explode"}, "needs the key &#34;do&#34;"),
    ],
)
async def test_fault_that_makes_no_sense_is_refused_on_the_form(
    sandbox: Client, rules: list[Rule], entered: dict[str, str], said: str
) -> None:
    async with signed_in(sandbox) as ada:
        status, page = await add(ada, **entered)

    assert status == 400 and said in page and len(rules) == 1


async def test_every_page_says_that_faults_are_on_and_only_an_admin_changes_them(sandbox: Client) -> None:
    async with signed_in(sandbox) as ada, signed_in(sandbox, "Editor", "eve@x.org") as eve:
        _, of_editor = await eve.get("/")
        refused = [(await eve.get(HERE))[0], (await eve.post(f"{HERE}/all-off"))[0], (await add(eve, kind="500"))[0]]
        _, on = await ada.get("/users")
        await ada.post(f"{HERE}/all-off", on=HERE)
        _, off = await ada.get("/users")

    assert NOTICE in of_editor and HERE not in of_editor and refused == [403, 403, 403]
    assert NOTICE in on and HERE in on and NOTICE not in off and HERE in off


async def test_faults_never_concern_the_pages_that_switch_them_off(sandbox: Client) -> None:
    async with signed_in(sandbox) as ada:
        await add(ada, kind="drop_before", path="")

        assert (await ada.get(HERE))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await sandbox.get("/Groups")


async def test_text_of_a_rule_is_escaped(sandbox: Client) -> None:
    async with signed_in(sandbox) as ada:
        _, page = await add(ada, kind="500", path="<script>alert(1)</script>")

    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


async def test_documo_that_is_no_sandbox_has_no_such_page(api: Client) -> None:
    async with signed_in(api) as ada:
        status, _ = await ada.get(HERE)
        _, home = await ada.get("/")

    assert status == 404 and HERE not in home and NOTICE not in home
