"""The audit log: one entry for each change, through whatever interface it was made, with its author and the differences."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from documo import accounts, audit_log, domains, members, roles
from documo.access import api_keys, password_links
from documo.access import member_sign_in as sign_ins
from documo.audit_log import AccountAuditFilter, AuditEntry
from documo.migrations import versions
from documo.store.actors import command_actor
from documo.tenant_schemas import Custom
from lockstep.errors import LockstepError
from tests.support.documo_client import USER, Client
from tests.support.documo_pages import PASSWORD, signed_in

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


async def entries_of(api: Client, **given: Any) -> list[AuditEntry]:
    """The newest first."""
    return await audit_log.find_entries(api.store, api.account.id, AccountAuditFilter(**given), most=500)


async def last(api: Client, **given: Any) -> AuditEntry:
    return (await entries_of(api, **given))[0]


async def test_change_over_scim_names_the_key_and_what_differs(api: Client) -> None:
    user = await api.user("anna@x.org", title="Clerk", nickName="An")
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "Boss"})

    change, create = (await entries_of(api, text="anna@x.org"))[:2]
    assert (change.actor_kind, change.actor, change.activity, change.kind) == ("key", "key", "change", "User")
    assert (change.before, change.after) == ({"title": "Clerk"}, {"title": "Boss"})
    assert (create.activity, create.before, create.after["userName"]) == ("create", {}, "anna@x.org")


async def test_each_request_of_a_batch_is_noted_with_its_own_key(api: Client) -> None:
    second = await api_keys.create_key(api.store, api.account.id, name="second", scopes=["admin"])
    users = [await api.user(f"u{number}@x.org") for number in range(8)]
    tokens = [api.token, second.secret]
    operation = {"op": "replace", "path": "title", "value": "Boss"}

    await asyncio.gather(
        *(
            api.patch(f"/Users/{user}", operation, headers={"Authorization": f"Bearer {tokens[number % 2]}"})
            for number, user in enumerate(users)
        ),
        *(
            api.send(
                "POST",
                "/Users",
                {"schemas": [USER], "userName": f"new{number}@x.org"},
                headers={"Authorization": f"Bearer {tokens[number % 2]}"},
            )
            for number in range(8)
        ),
    )

    found = await entries_of(api, kind="User")
    by_name = {(one.object_name, one.activity): one.actor for one in found}
    for number in range(8):
        key = ("key", "second")[number % 2]
        assert by_name[f"u{number}@x.org", "change"] == key
        assert by_name[f"new{number}@x.org", "create"] == key


async def test_patch_that_changes_nothing_is_not_noted(api: Client) -> None:
    user = await api.user("anna@x.org", title="Boss")
    before = len(await entries_of(api))

    await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "Boss"})

    assert len(await entries_of(api)) == before


async def test_refused_request_is_not_noted(api: Client) -> None:
    await api.user("anna@x.org")
    before = len(await entries_of(api))

    assert (await api.send("POST", "/Users", {"schemas": [USER], "userName": "anna@x.org"})).status == 409

    assert len(await entries_of(api)) == before


async def test_deleting_and_restoring_are_noted_with_the_key(api: Client) -> None:
    user = await api.user("anna@x.org")
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": False})
    await api.send("DELETE", f"/Users/{user}")
    await api.user("anna@x.org")

    found = await entries_of(api, text="anna@x.org")
    assert [(one.activity, one.actor_kind) for one in found] == [
        ("restore", "key"), ("delete", "key"), ("deactivate", "key"), ("create", "key"),
    ]  # fmt: skip


async def test_group_that_loses_a_deleted_member_is_noted_once_with_the_name(api: Client) -> None:
    user = await api.user("anna@x.org")
    await api.group("Sales", user)
    await api.send("DELETE", f"/Users/{user}")

    left, joined, create = await entries_of(api, kind="Group")
    assert (left.before, left.after) == ({"members": ["anna@x.org"], "number of members": 1}, {})
    assert (joined.activity, joined.after["members"], joined.actor) == ("change", ["anna@x.org"], "key")
    assert create.activity == "create"


async def test_many_members_are_counted_and_the_first_named(api: Client) -> None:
    users = [await api.user(f"u{number:02}@x.org") for number in range(25)]
    group = await api.group("Sales")
    await api.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": user} for user in users]})

    entry = await last(api, kind="Group")
    assert (entry.object_name, len(entry.after["members"]), entry.after["number of members"]) == ("Sales", 20, 25)


async def test_operations_of_a_bulk_request_are_noted_one_by_one(api: Client) -> None:
    data = {"schemas": [USER], "userName": "anna@x.org"}
    post = {"method": "POST", "path": "/Users", "bulkId": "a", "data": data}
    await api.send("POST", "/Bulk", {"schemas": [BULK], "Operations": [post]})

    assert (await last(api, text="anna@x.org")).actor == "key"


async def test_change_in_the_pages_names_the_member(api: Client) -> None:
    user = await api.user("anna@x.org")
    async with signed_in(api) as ada:
        await ada.post(f"/users/{user}/role", role="Editor")

    entry = await last(api, text="anna@x.org", kind="User")
    assert (entry.actor_kind, entry.actor, entry.activity) == ("member", "ada@x.org", "change")
    assert entry.after["roles"] == [{"value": "Editor", "primary": True}]


async def test_change_by_a_command_names_the_command(api: Client) -> None:
    store = api.store.acting_as(command_actor("documo members disable"))
    await members.add_member(api.store, api.account.id, "anna@x.org", role="Member")
    await members.disable(store, api.account, "anna@x.org")
    await roles.add_role(store, api.account, "Auditor")
    await accounts.change_account(store, api.account.name, {"seats": 7})
    await domains.set_domain(store, api.account.id, "scim.x.org", vouched=True)

    found = (await entries_of(api))[:4]
    assert {one.actor for one in found} == {"documo members disable"}
    assert [(one.kind, one.activity) for one in found] == [
        ("Domain", "create"), ("Account", "change"), ("Role", "create"), ("User", "deactivate"),
    ]  # fmt: skip
    assert (found[1].before, found[1].after) == ({}, {"seats": 7})


async def test_keys_are_noted_without_their_secrets(api: Client) -> None:
    made = await api_keys.create_key(api.store, api.account.id, name="entra")
    await api_keys.revoke_key(api.store, api.account.id, made.id)

    revoke, create = (await entries_of(api, kind="API key"))[:2]
    assert (create.activity, create.object_name, create.after["scopes"]) == (
        "create",
        "entra",
        ["scim:read", "scim:users", "scim:groups"],
    )
    assert revoke.activity == "revoke" and list(revoke.after) == ["revoked_at"]
    assert made.secret[12:] not in repr(create) and "hash" not in create.after


async def test_no_password_is_in_the_log(api: Client) -> None:
    user = await api.user("anna@x.org", password="Kept-Quiet-1-and-long")
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "password", "value": "Kept-Quiet-2-and-long"})
    await password_links.set_password(api.store, api.account, "anna@x.org", "Kept-Quiet-3-and-long")
    link = await password_links.password_link(api.store, api.account, "anna@x.org", created_by="test")

    found = await entries_of(api)
    assert "Kept-Quiet" not in repr(found) and "argon2" not in repr(found) and link.secret not in repr(found)
    assert [one.kind for one in found[:3]] == ["Password link", "User", "User"]
    assert (found[1].activity, found[1].after) == ("set password", {"password": "***"})


async def test_sign_ins_are_noted_with_why_they_were_refused(api: Client) -> None:
    await api.user("anna@x.org", password=PASSWORD)
    await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, device="Firefox", address="192.0.2.7")
    with pytest.raises(LockstepError):
        await sign_ins.sign_in(api.store, "ANNA@x.org", "wrong", address="192.0.2.8")
    with pytest.raises(LockstepError):
        await sign_ins.sign_in(api.store, "nobody@x.org", "wrong", address="192.0.2.8")
    await members.disable(api.store, api.account, "anna@x.org")
    with pytest.raises(LockstepError):
        await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, address="192.0.2.8")

    inactive, refused, succeeded = await entries_of(api, kind="Sign-in")
    assert (succeeded.activity, succeeded.actor, succeeded.after) == (
        "sign in", "anna@x.org", {"with": "password", "address": "192.0.2.7", "device": "Firefox"},
    )  # fmt: skip
    assert (refused.activity, refused.object_name, refused.after["why"]) == (
        "refuse", "anna@x.org", "The password is wrong",
    )  # fmt: skip
    assert inactive.after["why"] == "The member is inactive"


async def test_lock_after_many_refusals_is_noted_once(api: Client) -> None:
    await api.user("anna@x.org", password=PASSWORD)
    for _ in range(12):
        with pytest.raises(LockstepError):
            await sign_ins.sign_in(api.store, "anna@x.org", "wrong", address="192.0.2.8")

    activities = [one.activity for one in await entries_of(api, kind="Sign-in")]
    assert activities.count("lock") == 1 and activities[0] == "lock"


async def test_accounts_see_their_own_entries_alone(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    await beta.user("secret@x.org")

    assert "secret@x.org" not in repr(await entries_of(alpha))
    foreign = await last(beta)
    with pytest.raises(LockstepError, match="does not have this entry"):
        await audit_log.show_entry(alpha.store, alpha.account.id, foreign.id)


async def test_nobody_can_change_an_entry(api: Client) -> None:
    await api.user("anna@x.org")
    async with api.store.tenant(api.account.id) as connection:
        cursor = await connection.execute(
            "update audit_log set actor_name = 'me' where tenant_id = %s", (api.account.id,)
        )

    assert cursor.rowcount == 0


async def test_entries_are_removed_after_the_days_of_the_account(api: Client) -> None:
    await api.user("anna@x.org")
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute(
            "insert into audit_log (tenant_id, at, actor_kind, actor_name, activity, kind, object_id, object_name)"
            " values (%s, now() - interval '401 days', 'system', '', 'create', 'User', '', 'old@x.org')",
            (api.account.id,),
        )
        await audit_log.remove_old(connection, api.account.id)

    names = [one.object_name for one in await entries_of(api)]
    assert "anna@x.org" in names and "old@x.org" not in names


async def test_account_is_deleted_with_its_log(pair: tuple[Client, Client]) -> None:
    alpha, _ = pair
    await alpha.user("anna@x.org")

    await accounts.delete_account(alpha.store, alpha.account.id)

    async with alpha.store.tenant(alpha.account.id) as connection:
        cursor = await connection.execute("select count(*) from audit_log")
        assert await cursor.fetchone() == (0,)


async def test_page_filters_and_shows_the_difference(api: Client) -> None:
    user = await api.user("anna@x.org", title="Clerk")
    await api.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "<script>alert(1)</script>"})
    entry = await last(api, text="anna@x.org")
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/audit?text=anna&kind=User&activity=change&range=1h")
        _, detail = await ada.get(f"/settings/audit/{entry.id}")
        _, none = await ada.get("/settings/audit?actor=nobody-like-this")
        _, odd = await ada.get("/settings/audit?kind=%3Cscript%3E&activity=moon&range=never&after=x")

    assert f"/settings/audit/{entry.id}" in page and ">Created<" not in page.partition("<tbody>")[2]
    assert "<del>Clerk</del>" in detail and "<ins>&lt;script&gt;alert(1)&lt;/script&gt;</ins>" in detail
    assert "No entry matches this filter" in none
    assert "anna@x.org" in odd


async def test_pages_of_the_log_have_every_entry_once(api: Client) -> None:
    for number in range(60):
        await roles.add_role(api.store, api.account, f"Role {number:02}")
    async with signed_in(api) as ada:
        _, first = await ada.get("/settings/audit?kind=Role")
        following = re.search(r'href="(/settings/audit\?[^"]*after=[^"&]+)"', first)
        assert following is not None
        _, second = await ada.get(following[1].replace("&amp;", "&"))

    names = re.findall(r"Role \d\d", first.partition("<tbody>")[2] + second.partition("<tbody>")[2])
    assert (len(names), len(set(names))) == (60, 60)


async def test_downloads_hold_what_the_filter_shows_and_no_formula(api: Client) -> None:
    await roles.add_role(api.store, api.account, "=1+1")
    async with signed_in(api) as ada:
        _, table = await ada.get("/settings/audit/download/AuditLog.csv?text=1%2B1")
        _, document = await ada.get("/settings/audit/download/AuditLog.json?text=1%2B1")
        status, _ = await ada.get("/settings/audit/download/else")

    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["object"], row["activity"]) == ("'=1+1", "create")
    assert [one["object"] for one in orjson.loads(document)] == ["=1+1"]
    assert status == 404


def test_every_kind_that_a_trigger_names_can_be_filtered_by() -> None:
    named = {
        kind
        for file in Path(versions.__path__[0]).glob("*.sql")
        for kind in re.findall(r"function audit_row\('([^']+)'", file.read_text())
    }

    assert {"Signing key", "Branding"} <= named <= set(audit_log.kinds_of(Custom()))
    assert {"User", "Group", "Role", "Sign-in"} <= set(audit_log.kinds_of(Custom()))
