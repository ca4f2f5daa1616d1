"""Every check in the code for members, their roles and the last Admin is covered: at least one case ends differently without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from documo import member_records, members, permissions
from documo.access import api_keys
from documo.accounts import TenantAccount, account_with_id, change_settings, create_account
from documo.member_records import MemberDetails
from documo.permissions import MemberPermission, require
from documo.store import members as table
from documo.store.database import Store
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of, sql_checks_of
from tests.support.rolled_back_store import rolled_back

pytestmark = pytest.mark.full

ADA, EVE, ANNA, BEN, GONE, IDA = (f"{name}@x.org" for name in ("ada", "eve", "anna", "ben", "gone", "ida"))


@dataclass
class World:
    """Ada is an Admin, Anna a Member, Ben an inactive Admin; Gone is deleted. The account *two* has an Anna too."""

    store: Store
    one: TenantAccount
    two: TenantAccount

    async def rows(self) -> list[tuple[object, ...]]:
        """The members of both accounts, and their keys."""
        found: list[tuple[object, ...]] = []
        for account in (self.one, self.two):
            async with self.store.tenant(account.id) as connection:
                cursor = await connection.execute(
                    "select r.document->>'userName', r.role, r.active, r.deleted_at is null, (select count(*) from api_keys k"
                    " where k.member_id = r.id and k.revoked_at is null) from resources r where r.kind = 'User' order by 1"
                )
                found += await cursor.fetchall()
        return found

    async def sql(self, text: str) -> None:
        async with self.store.tenant(self.one.id) as connection:
            await connection.execute(text)


Case = Callable[[World], Awaitable[object]]


async def with_keys(world: World, change: Case) -> object:
    for who in (ADA, ANNA):
        await api_keys.create_key(world.store, world.one.id, member=who)
    return await change(world)


async def with_eve(world: World, change: Case, **more: Any) -> object:
    """Another Admin, so that Ada is not the last one."""
    await members.add_member(world.store, world.one.id, EVE, role="Admin", **more)
    return await change(world)


async def by_default(world: World, change: Case) -> object:
    """Everybody without a role is an Admin, such as Anna."""
    await world.sql("update resources set role = null where unique_name = 'anna@x.org'")
    changed = await change_settings(world.store, world.one, {"default_role": "Admin"})
    return await change(replace(world, one=changed))


async def by_all(world: World, change: Case) -> object:
    """Members without a role are Admins, and all members have one."""
    changed = await change_settings(world.store, world.one, {"default_role": "Admin"})
    return await change(replace(world, one=changed))


async def without_seats(world: World, change: Case, seats: int = 2) -> object:
    async with world.store.control() as connection:
        await connection.execute("update accounts set seats = %s", (seats,))
    return await change(world)


async def with_group(world: World, change: Case) -> object:
    """A group, which has no role and is no member."""
    group = "'0198b8a0-0000-7000-8000-000000000001', 'Group', 'group', 'scim', '{}'"
    await world.sql(
        f"insert into resources (tenant_id, id, kind, unique_name, source, document) values ({world.one.id}, {group})"
    )
    return await change(world)


async def after_sql(world: World, text: str, change: Case) -> object:
    await world.sql(text)
    return await change(world)


def disable(who: str, **more: Any) -> Case:
    return lambda w: members.disable(w.store, w.one, who, **more)


def set_role(who: str, role: str, **more: Any) -> Case:
    return lambda w: members.set_role(w.store, w.one, who, role, **more)


def delete(who: str, **more: Any) -> Case:
    return lambda w: member_records.delete_member(w.store, w.one, who, **more)


def undelete(who: str, days: int = 30) -> Case:
    return lambda w: members.undelete(w.store, w.one.id, who, window_days=days)


async def deleted_long_ago(world: World) -> object:
    await world.sql("update resources set deleted_at = now() - interval '31 days' where deleted_at is not null")
    return await undelete(GONE)(world)


async def two_deleted(world: World) -> object:
    await delete(ANNA)(world)
    return await undelete(GONE)(world)


async def name_taken(world: World) -> object:
    await members.add_member(world.store, world.one.id, GONE, role="Member")
    return await undelete(GONE)(world)


async def named_by_the_id_of_another(world: World) -> object:
    """A deleted member has Anna's id as the user name. Anna is not deleted."""
    await world.sql(
        "update resources set unique_name = (select id::text from resources where unique_name = 'anna@x.org')"
        " where deleted_at is not null"
    )
    async with world.store.tenant(world.one.id) as connection:
        anna = await table.find_member(connection, world.one.id, ANNA)
    assert anna is not None
    return await undelete(anna)(world)


async def admins(world: World) -> object:
    """The Admins of whom one may become the exception from single sign-on."""
    await members.add_member(world.store, world.one.id, EVE, role="Admin")
    await world.sql("update resources set password_hash = 'x' where unique_name <> 'eve@x.org'")
    async with world.store.tenant(world.one.id) as connection:
        return [name for _, name in await table.admins_with_password(connection, world.one.id)]


async def deleted_admins(world: World) -> object:
    await world.sql(
        "update resources set password_hash = 'x', active = true where unique_name in ('ada@x.org', 'ben@x.org')"
    )
    await world.sql("update resources set deleted_at = now() where unique_name = 'ben@x.org'")
    async with world.store.tenant(world.one.id) as connection:
        return [
            name for _, name in await table.admins_with_password(connection, world.one.id)
        ], await table.find_with_role(connection, world.one.id, "Admin") is not None


async def first_with_role(world: World, role: str, before: str = "") -> object:
    if before:
        await world.sql(before)
    async with world.store.tenant(world.one.id) as connection:
        found = await table.find_with_role(connection, world.one.id, role)
        return (await table.member_row(connection, world.one.id, found))["user_name"] if found else None


async def changed_details(world: World, *, provisioned: bool = False, key: bool = False, **more: Any) -> object:
    if provisioned:
        await world.sql("update resources set source = 'scim' where unique_name = 'anna@x.org'")
    if key:
        await api_keys.create_key(world.store, world.one.id, member=ADA)
    given = {"user_name": ANNA, "given_name": "Anna", "family_name": "", "phone": "", **more}
    force = bool(given.pop("force", False))
    await member_records.change_details(world.store, world.one, ANNA, MemberDetails(**given), force=force)
    return await member_records.details_of(world.store, world.one, str(given["user_name"]))


async def required(world: World, role: str, permission: MemberPermission) -> object:
    require(role, permission)
    return "allowed"


CASES: dict[str, Case] = {
    "disabled": lambda w: with_keys(w, disable(ANNA)),
    "disabled after a key was revoked": lambda w: with_keys(
        w, lambda w: after_sql(w, "update api_keys set revoked_at = '2026-01-01 00:00:00+00'", disable(ANNA))
    ),
    "last Admin disabled": disable(ADA),
    "last Admin disabled by force": disable(ADA, force=True),
    "Admin disabled": lambda w: with_eve(w, disable(ADA)),
    "Admin by default disabled": lambda w: by_default(w, disable(ADA)),
    "last Admin disabled, another has the default role": lambda w: after_sql(
        w, "update resources set role = null where unique_name = 'anna@x.org'", disable(ADA)
    ),
    "last Admin disabled, another is deleted": lambda w: after_sql(
        w, "update resources set role = 'Admin', active = true where deleted_at is not null", disable(ADA)
    ),
    "last Admin disabled, a group by default": lambda w: with_group(w, lambda w: by_all(w, disable(ADA))),
    "added to the last seat beside a group": lambda w: without_seats(
        w, lambda w: with_group(w, lambda w: members.add_member(w.store, w.one.id, EVE, role="Member")), 3
    ),
    "added to the last seat beside a deleted member": lambda w: without_seats(
        w,
        lambda w: after_sql(
            w,
            "update resources set active = true where deleted_at is not null",
            lambda w: members.add_member(w.store, w.one.id, EVE, role="Member"),
        ),
        3,
    ),
    "nobody disabled": disable("nobody@x.org"),
    "enabled": lambda w: members.enable(w.store, w.one, BEN),
    "enabled without a seat": lambda w: without_seats(w, lambda w: members.enable(w.store, w.one, BEN)),
    "added without a seat": lambda w: without_seats(w, lambda w: members.add_member(w.store, w.one.id, EVE, role="Member")),
    "added": lambda w: with_eve(w, lambda _: _done()),
    "added with an unknown role": lambda w: members.add_member(w.store, w.one.id, EVE, role="Nobody"),
    **{
        f"added as {name!r}": partial(lambda name, w: members.add_member(w.store, w.one.id, name, role="Member"), name)
        for name in ("eve", "e ve@x.org", f"{'e' * 320}@x.org", "eve\u200b@x.org", ADA)
    },
    "role": set_role(ANNA, "editor"),
    "role of the last Admin": set_role(ADA, "Member"),
    "role of the last Admin, Admin": set_role(ADA, "Admin"),
    "role of the last Admin by force": set_role(ADA, "Member", force=True),
    "role of an Admin": lambda w: with_eve(w, set_role(ADA, "Member")),
    "unknown role": set_role(ANNA, "Nobody"),
    "role of nobody": set_role("nobody@x.org", "Member"),
    "deleted": lambda w: with_keys(w, delete(ANNA)),
    "last Admin deleted": delete(ADA),
    "last Admin deleted by force": delete(ADA, force=True),
    "nobody deleted": delete("nobody@x.org"),
    "restored": undelete(GONE),
    "restored without a seat": lambda w: without_seats(w, undelete(GONE)),
    "restored too late": deleted_long_ago,
    "restored, name taken": name_taken,
    "restored, not deleted": undelete(ANNA),
    "restored, by the id of another": named_by_the_id_of_another,
    "restored, nobody": undelete("nobody@x.org"),
    "Admins with a password": admins,
    "deleted Admins with a password": deleted_admins,
    "first Admin": lambda w: first_with_role(w, "Admin"),
    "first Admin, inactive": lambda w: first_with_role(w, "Admin", "update resources set active = false where kind = 'User'"),
    "first Viewer, deleted": lambda w: first_with_role(
        w, "Viewer", "update resources set role = 'Viewer', active = true where deleted_at is not null"
    ),
    "group restored": lambda w: with_group(
        w, lambda w: after_sql(w, "update resources set deleted_at = now() where kind = 'Group'", undelete("group"))
    ),
    "kept member restored": lambda w: after_sql(
        w, "update resources set is_kept = true where deleted_at is not null", undelete(GONE)
    ),
    "one of two restored": two_deleted,
    "added without a seat, the other account has no limit": lambda w: after_sql(
        w, f"update accounts set seats = 2 where id = {w.one.id}", lambda w: members.add_member(w.store, w.one.id, EVE, role="Member")
    ),
    "first Viewer": lambda w: first_with_role(w, "Viewer"),
    "roles": lambda w: _roles(w),
    "details": changed_details,
    "details of a provisioned member": lambda w: changed_details(w, provisioned=True, key=True),
    "details of a provisioned member by force": lambda w: changed_details(w, provisioned=True, key=True, force=True),
    "details of a provisioned member, no key": lambda w: changed_details(w, provisioned=True),
    "details of a local member": lambda w: changed_details(w, key=True),
    "same details of a provisioned member": lambda w: changed_details(w, provisioned=True, key=True, given_name=""),
    "long name": lambda w: changed_details(w, given_name="x" * 201),
    "name with a line break": lambda w: changed_details(w, given_name="a\nb"),
    "no email": lambda w: changed_details(w, user_name="anna"),
    "email of another": lambda w: changed_details(w, user_name=ADA),
    **{
        f"{permission.name} for {role}": partial(required, role=role, permission=permission)
        for permission in (MemberPermission.API_KEYS, MemberPermission.DOCUMENTS_DELETE_ALL, MemberPermission.DOCUMENTS_UPLOAD)
        for role in ("Admin", "Editor", "Member", "Viewer", "Auditor")
    },
}  # fmt: skip
OF_TENANT = ("tenant_id = %s", "tenant_id = %(tenant)s", "o.tenant_id = %(tenant)s")
CHECKS = [
    *checks_of(members, "refuse_bad_email", "set_role", "disable", "undelete", "effective_role", "known_role", "match_role",
               "_refuse_beyond_seats", "refuse_last_admin", "_member_id", parts=True),
    *checks_of(member_records, "change_details", "delete_member", "management_of", "_member_id", parts=True),
    *checks_of(permissions, parts=True),
    # Row level security holds the conditions on the account, see test_documo_walls.
    *(one for one in sql_checks_of(table, "find_with_role", "find_deleted", "active_admins", "admins_with_password", "set_role",
                                   "set_active", "undelete", "seats", "end_keys") if one.part not in OF_TENANT),
]  # fmt: skip


IMPLIED = [
    ("documo.members.effective_role", "member_id is not None"),  # no member has the id None
    ("documo.store.members.seats", "r.tenant_id = a.id"),  # held by row level security
    ("documo.store.members.find_with_role", "kind in ('User', 'Operator')"),  # groups have no role
    ("documo.store.members.admins_with_password", "kind in ('User', 'Operator')"),  # and no password
]


async def _done() -> str:
    return "added"


async def _roles(world: World) -> object:
    return [
        await members.effective_role(world.store, world.one, ADA),
        await members.effective_role(world.store, world.one, "nobody@x.org"),
        await members.effective_role(world.store, world.one, GONE, deleted_within=30),
        await members.find_role(world.store, world.one, "ADMIN"),
    ]


async def outcome(case: Case, world: World) -> str:
    """How *case* ends, with all members afterwards. Its changes are rolled back."""
    async with rolled_back(world.store) as store:
        here = replace(world, store=store)
        ended = await ending_of(case(here))
        return f"{ended if '-7' not in ended else 'an id'} {await here.rows()}"


async def test_no_check_of_members_and_their_roles_can_be_left_out(store: Store) -> None:
    one, two = await create_account(store, "One", admin=ADA), await create_account(store, "Two", admin=IDA)
    for account, name, role in (
        (one, ANNA, "Member"),
        (one, BEN, "Admin"),
        (one, GONE, "Member"),
        (two, ANNA, "Member"),
    ):
        await members.add_member(store, account.id, name, role=role)
    await members.disable(store, one, BEN)
    await member_records.delete_member(store, one, GONE)
    world = World(store, await account_with_id(store, one.id), two)
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 30
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
