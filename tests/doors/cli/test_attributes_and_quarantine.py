"""Which attributes can be written, what would be written for a person, and how to leave quarantine."""

from __future__ import annotations

import asyncio
import time

from documo.accounts import change_account
from documo.store.database import open_store
from documo.tenant_schemas import Custom
from tests.support.command_line import DocumoThere, Installation, Lockstep
from tests.support.hub import upn

BADGE = "urn:acme:params:scim:schemas:Badge"
SAME_NAME = ("map", "set", "documo", "userName", "--expression", '"same@contoso.test"')


def test_the_attributes_that_an_application_has_are_asked_of_it(connected: Lockstep) -> None:
    rows = {
        row["name"]: row for row in connected("map", "attributes", "documo", "--discover", "-o", "json").json["items"]
    }

    assert rows["userName"]["mapped"] and rows["userName"]["required"]
    assert rows["active"]["type"] == "Boolean"
    assert not rows["nickName"]["mapped"]
    assert "name.familyName" in rows and "id" not in rows
    assert "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department" in rows


def test_what_an_application_says_of_its_own_attributes_is_put_on_the_list(
    connected: Lockstep, installation: Installation
) -> None:
    attributes = [{"name": "badge", "type": "integer"}, {"name": "tags", "type": "string", "multiValued": True}]
    custom = Custom.of([{"id": BADGE, "attributes": attributes}], [], [{"resource": "User", "schema": BADGE}])

    async def declare() -> None:
        async with open_store(installation.documo) as store:
            await change_account(store, "Contoso", {"custom": custom})

    asyncio.run(declare())
    give_up_at = time.monotonic() + 20
    while BADGE not in connected("map", "attributes", "documo", "--discover").out:
        assert time.monotonic() < give_up_at, "Documo does not show the schema"

    rows = {row["name"]: row for row in connected("map", "attributes", "documo", "-o", "json").json["items"]}
    assert rows[f"{BADGE}:badge"]["type"] == "Integer"
    assert rows[f"{BADGE}:tags"]["multiValued"] is True
    assert "displayName" not in rows, "what SCIM declares needs no entry"


def test_the_list_says_of_every_attribute_what_the_gallery_declares(contoso: Lockstep) -> None:
    contoso("map", "set", "documo", 'emails[type eq "work"].value', "--source", "mail")

    rows = {row["name"]: row for row in contoso("map", "attributes", "documo", "-o", "json").json["items"]}

    name = rows["userName"]
    assert (name["type"], name["required"], name["filterable"], name["multiValued"]) == ("String", True, True, False)
    assert rows["active"]["type"] == "Boolean"
    assert not rows["name.givenName"]["filterable"]
    assert rows['emails[type eq "work"].value']["type"] == "String", "what SCIM declares is known without a list"


def test_an_attribute_added_by_hand_is_on_the_list_and_can_be_mapped(contoso: Lockstep) -> None:
    badge = "urn:example:1.0:User:badge"
    contoso("map", "attributes", "documo", "--add", badge, "--type", "Integer")

    rows = contoso("map", "attributes", "documo", "-o", "json").json["items"]
    assert ("Integer", False) in [(row["type"], row["mapped"]) for row in rows if row["name"] == badge]
    assert contoso("map", "set", "documo", badge, "--constant", "7").code == 0
    assert contoso("map", "attributes", "documo", "--remove", badge).code == 0
    assert contoso("map", "attributes", "documo", "--remove", badge).code == 5


def test_eval_shows_what_the_mappings_give_and_writes_nothing(connected: Lockstep, documo: DocumoThere) -> None:
    said = connected("map", "eval", "documo", "--user", upn("anna"), "-o", "json")

    values = {row["target"]: row["value"] for row in said.json["items"]}
    assert said.code == 0
    assert values["userName"] == upn("anna")
    assert documo.users() == {}


def test_only_what_failed_with_a_code_is_tried_again(connected: Lockstep) -> None:
    connected(*SAME_NAME)
    connected("start", "documo")
    failures = connected("run", "documo", "--wait", "-o", "json").json["failures"]

    other = connected("retry", "documo", "--code", "SomethingElse", "-o", "json")
    same = connected("retry", "documo", "--code", failures[0]["code"], "-o", "json")

    assert (other.json["count"], same.json["count"]) == (0, 1)


def test_a_quarantine_is_shown_with_its_way_out_and_tried_again_on_request(
    started: Lockstep, documo: DocumoThere
) -> None:
    assert started("quarantine", "show", "documo").code == 0
    started("creds", "set", "documo", "--token-stdin", "--yes", stdin="dk_wrong_000000000000\n")
    started("run", "documo", "--wait", "--full")

    shown = started("quarantine", "show", "documo")
    assert shown.code == 6
    assert "is in quarantine" in shown.out and "reason" in shown.out and "next attempt" in shown.out

    started("creds", "set", "documo", "--token-stdin", stdin=f"{documo.key}\n")
    assert started("quarantine", "clear", "documo", "-o", "json").json["triesAgain"] is True
    assert started("run", "documo", "--wait").code == 0
    assert started("quarantine", "show", "documo").code == 0
    assert started("quarantine", "clear", "documo", "-o", "json").json["triesAgain"] is False
