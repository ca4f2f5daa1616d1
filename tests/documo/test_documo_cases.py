"""The requests of tests/cases/documo-*, sent to a service, get the expected responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.documo_client import GROUP, USER, Client, Documo, Reply

CASES = Path(__file__).parents[1] / "cases"
PROFILES = ("strict", "lenient", "entra", "okta", "onelogin", "jumpcloud", "google")


def case(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(next(CASES.glob(f"{name}-*.json")).read_bytes())
    return found


def version(reply: Reply) -> tuple[str, str]:
    return reply.body["meta"]["version"], reply.body["meta"]["lastModified"]


async def test_members_who_are_there_or_gone_already_leave_version_and_time(documo: Documo) -> None:
    for profile in PROFILES:
        await check_unchanged_members(await documo.client(profile, profile=profile))


async def check_unchanged_members(api: Client) -> None:
    member = await api.user("a@f.test")
    group = await api.group("Sales", member)
    before = await api.get(f"/Groups/{group}")
    body = {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": member}]}

    for request in case("documo-01")["requests"]:
        if "PATCH" in request:
            sent = orjson.loads(orjson.dumps(request["PATCH"]).replace(b'"A"', b'"%s"' % member.encode()))
            reply = await api.send("PATCH", f"/Groups/{group}", sent, headers={"If-Match": version(before)[0]})
        else:
            reply = await api.send("PUT", f"/Groups/{group}", body, headers={"If-Match": version(before)[0]})
        assert reply.status in (200, 204), reply.raw
        assert version(await api.get(f"/Groups/{group}")) == version(before), request

    assert await api.member_ids(group) == {member}


async def test_members_who_change_move_the_version_in_every_way_of_saying_it(api: Client) -> None:
    anna, bert = await api.user("anna@f.test"), await api.user("bert@f.test")
    group = await api.group("Sales", anna)
    whole = {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": anna}]}
    seen = [version(await api.get(f"/Groups/{group}"))]

    for operation in (
        {"op": "add", "path": "members", "value": [{"value": bert}]},
        {"op": "remove", "path": f'members[value eq "{anna}"]'},
        {"op": "replace", "path": "members", "value": [{"value": anna}]},
        {"op": "remove", "path": "members"},
    ):
        assert (await api.patch(f"/Groups/{group}", operation)).status == 200
        seen.append(version(await api.get(f"/Groups/{group}")))
    assert (await api.send("PUT", f"/Groups/{group}", whole)).status == 200
    seen.append(version(await api.get(f"/Groups/{group}")))

    assert len({tag for tag, _ in seen}) == len({time for _, time in seen}) == 6


async def test_operations_on_members_are_judged_one_after_the_other(api: Client) -> None:
    anna, bert = await api.user("anna@f.test"), await api.user("bert@f.test")
    group = await api.group("Sales", anna)
    before = version(await api.get(f"/Groups/{group}"))
    remove = {"op": "remove", "path": f'members[value eq "{bert}"]'}
    add = {"op": "add", "path": "members", "value": [{"value": bert}]}

    await api.patch(f"/Groups/{group}", remove, {"op": "add", "path": "members", "value": [{"value": anna}]})
    same = version(await api.get(f"/Groups/{group}"))
    await api.patch(f"/Groups/{group}", remove, add)

    assert same == before != version(await api.get(f"/Groups/{group}"))
    assert await api.member_ids(group) == {anna, bert}


async def test_other_quotes_are_read_as_quotes_or_refused(documo: Documo) -> None:
    for profile in PROFILES:
        for quotes in ("''", "\u2018\u2019", "\u201c\u201d", "\u201e\u201c", "\u00ab\u00bb", "``"):
            api = await documo.client(f"{profile}{ord(quotes[0])}{ord(quotes[1])}", profile=profile)
            await check_quotes(api, quotes, forgives=profile in case("documo-02")["profiles"])


async def check_quotes(api: Client, quotes: str, *, forgives: bool) -> None:
    user = await api.user("a@f.test", emails=[{"type": "work", "value": "old@f.test"}])
    group = await api.group("Sales", user)
    find, change, leave = case("documo-02")["requests"]

    def quoted(text: str) -> str:
        before, inner, after = text.split("'")
        return f"{before}{quotes[0]}{inner}{quotes[1]}{after}"

    found = await api.find(quoted(find["GET"].partition("filter=")[2]))
    change["PATCH"]["Operations"][0]["path"] = quoted(change["PATCH"]["Operations"][0]["path"])
    changed = await api.send("PATCH", f"/Users/{user}", change["PATCH"])
    leave["PATCH group"]["Operations"][0]["path"] = quoted(
        leave["PATCH group"]["Operations"][0]["path"].replace("A", user)
    )
    left = await api.send("PATCH", f"/Groups/{group}", leave["PATCH group"])

    emails = (await api.get(f"/Users/{user}")).body["emails"]
    if forgives:
        assert found.ids == [user] and changed.status in (200, 204) and left.status in (200, 204)
        assert emails == [{"type": "work", "value": "new@f.test"}] and await api.member_ids(group) == set()
    else:
        assert (found.status, found.body["scimType"]) == (400, "invalidFilter")
        assert (changed.status, changed.body["scimType"], left.status) == (400, "invalidPath", 400)
        assert emails == [{"type": "work", "value": "old@f.test"}] and await api.member_ids(group) == {user}


async def test_quotes_without_an_end_are_refused_and_apostrophes_are_letters(api: Client) -> None:
    user = await api.user("sean@f.test", name={"familyName": "O'Neil"}, title="Head of 'Sales'")

    for asked in ("name.familyName eq O'Neil", "name.familyName eq 'O'Neil'", r"name.familyName eq 'O\'Neil'"):
        assert (await api.find(asked)).ids == [user], asked
    assert (await api.find("title co \u201c'Sales'\u201d")).ids == [user]
    for asked in ("userName eq 'sean@f.test", "userName eq \u201csean@f.test", "userName eq 'sean@f.test' and"):
        reply = await api.find(asked)
        assert (reply.status, reply.body["scimType"]) == (400, "invalidFilter"), asked


async def test_put_after_active_was_removed_leaves_a_disabled_member_disabled(api: Client) -> None:
    user = await api.user("a@f.test", active=False)
    remove, put = case("documo-04")["requests"]

    removed = await api.send("PATCH", f"/Users/{user}", remove["PATCH"])
    found = (await api.find("active eq false")).ids, (await api.find("active eq true")).ids
    replaced = await api.send("PUT", f"/Users/{user}", {**put["PUT"], "userName": "a@f.test"})

    assert removed.status == 200
    assert user in found[0] and user not in found[1], "a disabled member is found as such"
    assert (replaced.status, replaced.body["active"]) == (200, False)


@pytest.mark.parametrize("profile", case("documo-05")["profiles"])
async def test_empty_text_clears_every_attribute_of_several_values(documo: Documo, profile: str) -> None:
    api = await documo.client(profile=profile)
    values = {
        name: [{"value": "x", "type": "work"}]
        for name in ("roles", "emails", "phoneNumbers", "entitlements", "ims", "photos")
    }
    user = await api.user("a@f.test", **values, addresses=[{"locality": "Ulm"}], x509Certificates=[{"value": "YQ=="}])
    names = [*values, "addresses", "x509Certificates"]

    for name in names:
        operation = {**case("documo-05")["PATCH"]["Operations"][0], "path": name}
        assert (await api.patch(f"/Users/{user}", operation)).status in (200, 204), name

    shown = (await api.get(f"/Users/{user}")).body
    assert [name for name in names if name in shown] == []
    assert (await api.send("POST", "/Users", {"schemas": [USER], "userName": "b@f.test", "roles": ""})).status == 201
