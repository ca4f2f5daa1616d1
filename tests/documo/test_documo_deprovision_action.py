"""The rules for users of a directory, set on the page *SCIM*: the default role, and what a DELETE does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from documo import audit_log, members
from documo.accounts import change_account, find_account
from documo.audit_log import AccountAuditFilter
from documo.member_records import delete_member
from documo.store import request_log
from lockstep.errors import LockstepError
from tests.support.documo_client import USER, Client, Documo
from tests.support.documo_pages import Visitor, signed_in

HERE = "/settings/scim"


async def keeping(documo: Documo, **settings: Any) -> Client:
    return await documo.client("Contoso", deprovision_action="deactivate", **settings)


async def save(visitor: Visitor, *, role: str = "Member", action: str = "delete") -> tuple[int, str]:
    return await visitor.post(f"{HERE}/users", on=HERE, default_role=role, deprovision_action=action)


async def states(api: Client, name: str = "anna") -> dict[str, str]:
    """The state in which the list of users shows each one with *name*."""
    found = {}
    for only in ("active", "inactive", "deleted"):
        for one in await members.find_members(api.store, api.account, search=name, only=only, after="", most=9):
            found[one.id] = only
    return found


async def total(api: Client) -> int:
    return int((await api.get("/Users", count="0")).body["totalResults"])


async def test_action_that_the_page_sets_applies_to_the_following_deletes(api: Client) -> None:
    before = await api.user("anna@x.org")
    await api.send("DELETE", f"/Users/{before}")
    async with signed_in(api) as ada:
        await save(ada, action="deactivate")
        _, page = await ada.get(HERE)
        async with asyncio.timeout(10):
            while "inactive" not in (await states(api)).values():
                await api.send("DELETE", f"/Users/{await api.user('anna2@x.org')}")
        _, inactive = await ada.get("/users?show=inactive")

    assert (await states(api))[before] == "deleted"
    assert "gone from SCIM (404)" in page and "anna2@x.org" in inactive


async def test_kept_user_is_gone_from_scim_signed_out_and_without_a_seat(documo: Documo) -> None:
    api = await keeping(documo, seats=3)
    group_member, total_before = await api.user("olga@x.org"), await total(api)
    async with signed_in(api, "Member", "anna@x.org") as anna:
        (found,) = (await api.find('userName eq "anna@x.org"')).ids
        group = await api.group("Sales", found, group_member)
        reply = await api.send("DELETE", f"/Users/{found}")
        _, page = await anna.get("/")
        assert "Sign in" in page

    assert reply.status == 204 and (await api.get(f"/Users/{found}")).status == 404
    assert (await api.find('userName eq "anna@x.org"')).body["totalResults"] == 0
    assert await api.member_ids(group) == {group_member} and await total(api) == total_before
    assert await states(api) == {found: "inactive"}
    assert (await api.send("POST", "/Users", {"schemas": [USER], "userName": "new@x.org"})).status == 201


async def test_kept_user_stays_after_the_undelete_period(documo: Documo) -> None:
    api = await keeping(documo, undelete_days=0)
    kept = await api.user("anna@x.org")
    await api.send("DELETE", f"/Users/{kept}")

    async with api.store.tenant(api.account.id) as connection:
        await request_log.purge_deleted(connection, api.account.id)

    assert await states(api) == {kept: "inactive"}


async def test_admin_activates_a_kept_user_who_is_in_scim_again(documo: Documo) -> None:
    api = await keeping(documo)
    kept = await api.user("anna@x.org")
    before = await total(api)
    await api.send("DELETE", f"/Users/{kept}")
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/users/{kept}")
        status, _ = await ada.post(f"/users/{kept}/activate", on=f"/users/{kept}")

    assert "Deactivated by your directory" in page and status == 200
    again = await api.get(f"/Users/{kept}")
    assert (again.status, again.body["active"]) == (200, True)
    assert await total(api) == before + 1, "ada was added"


async def test_admin_deletes_a_kept_user_once_for_the_totals(documo: Documo) -> None:
    api = await keeping(documo)
    kept = await api.user("anna@x.org")
    await api.send("DELETE", f"/Users/{kept}")
    before = await total(api)

    await delete_member(api.store, api.account, "anna@x.org")

    assert await states(api) == {kept: "deleted"} and await total(api) == before
    await members.undelete(api.store, api.account.id, kept, window_days=30)
    assert await total(api) == before + 1


@pytest.mark.parametrize(("policy", "status"), [("restore", 201), ("conflict", 409), ("new", 201)])
async def test_restore_policy_decides_about_a_kept_user_without_a_time_limit(
    documo: Documo, policy: str, status: int
) -> None:
    api = await keeping(documo, restore_policy=policy, undelete_days=0)
    kept = await api.user("anna@x.org")
    await api.send("DELETE", f"/Users/{kept}")

    reply = await api.send("POST", "/Users", {"schemas": [USER], "userName": "anna@x.org"})

    assert reply.status == status
    if policy == "restore":
        assert reply.body["id"] == kept and await states(api) == {kept: "active"}
    if policy == "new":
        assert await states(api) == {kept: "inactive", reply.body["id"]: "active"}
        with pytest.raises(LockstepError, match="now belongs to another member"):
            await members.enable(api.store, api.account, kept)


async def test_audit_log_calls_it_what_it_is(documo: Documo) -> None:
    api = await keeping(documo)
    kept = await api.user("anna@x.org")
    await api.send("DELETE", f"/Users/{kept}")
    await members.enable(api.store, api.account, kept)
    await api.send("DELETE", f"/Users/{kept}")
    await delete_member(api.store, api.account, kept)

    entries = await audit_log.find_entries(
        api.store, api.account.id, AccountAuditFilter(kind="User", text="anna"), most=9
    )

    assert [one.activity for one in entries] == ["delete", "deactivate", "activate", "deactivate", "create"]


async def test_default_role_of_the_page_is_that_of_users_without_a_role(api: Client) -> None:
    await api.user("anna@x.org")
    async with signed_in(api) as ada:
        assert (await save(ada, role="Viewer"))[0] == 200
        _, users = await ada.get("/users?role=Viewer")
        _, account = await ada.get("/settings/account")

    assert "anna@x.org" in users and "Viewer" in account
    changed = await find_account(api.store, str(api.account.id))
    shown = await members.show(api.store, changed, "anna@x.org")
    assert (changed.default_role, shown["role"]) == ("Viewer", "Viewer")


@pytest.mark.parametrize(("role", "action"), [("Owner", "delete"), ("Member", "destroy"), ("", "delete")])
async def test_unknown_role_or_action_is_refused_with_the_choices(api: Client, role: str, action: str) -> None:
    async with signed_in(api) as ada:
        status, page = await save(ada, role=role, action=action)

    assert status == 400 and ("Roles: Admin, Editor" in page or "delete, deactivate" in page)
    account = await find_account(api.store, str(api.account.id))
    assert (account.default_role, account.deprovision_action) == ("Member", "delete")


async def test_default_role_that_would_leave_no_admin_is_refused(api: Client) -> None:
    await change_account(api.store, str(api.account.id), {"default_role": "Admin"})
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute("update resources set role = null where tenant_id = %s", (api.account.id,))

    with pytest.raises(LockstepError, match="only because it is the default"):
        await change_account(api.store, str(api.account.id), {"default_role": "Member"})

    assert (await find_account(api.store, str(api.account.id))).default_role == "Admin"
