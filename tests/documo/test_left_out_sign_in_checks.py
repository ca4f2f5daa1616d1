"""Every check in the code for members' sign-ins, sessions, links, second factors and API keys is covered: at least one case ends
differently without it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyotp
import pytest

from documo import member_records, members
from documo.access import api_keys, confirming, member_sign_in, own_sign_in, password_links, scopes, second_factor
from documo.access.member_passwords import OF_MEMBERS
from documo.access.member_sign_in import MemberCaller, begin_session, caller_of_session, sign_in
from documo.access.sso import providers
from documo.accounts import TenantAccount, create_account
from documo.store import keys, second_factors, sign_ins
from documo.store.database import Store
from lockstep.errors import LockstepError
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of, sql_checks_of
from tests.support.rolled_back_store import rolled_back
from tests.support.saml_provider import ENTITY_ID, SIGN_IN_URL, key_named

pytestmark = pytest.mark.full
PASSWORD, OTHER, NEW = "a sentence of five words", "another sentence of words", "one more sentence of words"
ANNA, BEN, NOA, ADA, SHARED = (f"{name}@x.org" for name in ("anna", "ben", "noa", "ada", "shared"))
SEED, ANOTHER_SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRSXG5BAONSWKZBAKRSXG5BAONSWKZBA"
MINUTE = timedelta(minutes=1)


@dataclass
class World:
    """Anna and Ada, an Admin, have a password; Ben has one and is inactive; Noa has none. Somebody in both accounts has the same name."""

    store: Store
    one: TenantAccount
    two: TenantAccount

    async def id_of(self, name: str, account: TenantAccount | None = None) -> str:
        return str((await members.show(self.store, account or self.one, name))["id"])

    async def sign_in(self, name: str = ANNA, password: str = PASSWORD, **more: Any) -> object:
        return await self.shown((await sign_in(self.store, name, password, address="192.0.2.7", **more)).secret)

    async def shown(self, secret: str) -> str:
        caller = await caller_of_session(self.store, secret)
        return f"{caller.user_name} of {caller.account} as {caller.role}" if caller is not None else "nobody"

    async def session(
        self, name: str = ANNA, *, account: TenantAccount | None = None, at: datetime | None = None, **more: Any
    ) -> str:
        """The secret of a new session."""
        of = account or self.one
        member = await self.id_of(name, of)
        async with self.store.tenant(of.id) as connection:
            made = await begin_session(
                connection, of.id, member, device="", address="", now=at or datetime.now(UTC), **more
            )
        return made.secret

    async def caller(self, name: str = ANNA, **more: Any) -> MemberCaller:
        found = await caller_of_session(self.store, await self.session(name, **more))
        assert found is not None
        return found

    async def sessions(self) -> list[str]:
        """The names of those who have a session."""
        async with self.store.control() as connection:
            cursor = await connection.execute("select tenant_id, member_id::text, name_id from member_sessions")
            rows = await cursor.fetchall()
        names = []
        for tenant_id, member_id, name_id in rows:
            async with self.store.tenant(tenant_id) as connection:
                member = await sign_ins.read_member(connection, tenant_id, member_id)
            names.append(f"{member.user_name if member else 'nobody'} {name_id}")
        return sorted(names)

    async def link(self, name: str = ANNA, account: TenantAccount | None = None) -> str:
        return (await password_links.password_link(self.store, account or self.one, name, created_by="test")).secret

    async def with_factor(self, name: str = ANNA) -> list[str]:
        """Give the member a second factor and return the recovery codes."""
        member, now = await self.id_of(name), datetime.now(UTC)
        async with self.store.tenant(self.one.id) as connection:
            await second_factors.save_seed(connection, self.one.id, member, SEED)
        return await second_factor.confirm_second_factor(
            self.store, self.one.id, member, code(-1, now=now), session=NOBODY, now=now
        )

    async def audited(self) -> list[str]:
        async with self.store.tenant(self.one.id) as connection:
            cursor = await connection.execute(
                "select kind || ' ' || activity from audit_log where tenant_id = %s order by 1", (self.one.id,)
            )
            return [str(row[0]) for row in await cursor.fetchall()]


NOBODY = "00000000-0000-0000-0000-000000000000"
Case = Callable[[World], Awaitable[object]]


def code(steps: int = 0, *, now: datetime | None = None) -> str:
    return pyotp.TOTP(SEED).generate_otp(int((now or datetime.now(UTC)).timestamp()) // 30 + steps)


async def with_code(world: World, given: str | None, *, times: int = 1) -> object:
    codes = await world.with_factor()
    chosen = codes[0] if given is None else given
    return [await shown(world, world.sign_in(code=chosen)) for _ in range(times)]


async def shown(world: World, work: Awaitable[object]) -> str:
    try:
        return str(await work)
    except LockstepError as refused:
        return f"{refused.code} {refused.detail} {refused.why} {refused.next_step}"


async def after_failures(world: World, count: int, name: str = ANNA) -> object:
    for _ in range(count):
        await shown(world, world.sign_in(name, "wrong"))
    return await shown(world, world.sign_in(name))


async def many_times(world: World, name: str) -> object:
    return [await shown(world, world.sign_in(name)) for _ in range(7)]


async def after_success(world: World, name: str) -> object:
    """Failures, a success in the second account, failures again, and the right password."""
    other = OTHER if name == SHARED else PASSWORD
    ended = []
    for password in ("wrong", "wrong", "wrong", other, "wrong", "wrong", other):
        ended.append(await shown(world, world.sign_in(name, password)))
    return ended


async def enforced(world: World, work: Case, *, but: str = ADA) -> object:
    setup = providers.SamlSetup(ENTITY_ID, SIGN_IN_URL, key_named("contoso").certificate.pem)
    await providers.set_up(world.store, world.one.id, setup)
    await providers.enforce(world.store, world.one.id, break_glass=but)
    return await work(world)


async def changed_meanwhile(world: World, change: Case) -> object:
    """The member changes while the password is verified."""
    matches = OF_MEMBERS.matches

    async def slowly(password: str, digest: str | None) -> bool:
        found = await matches(password, digest)
        if found:
            await change(world)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OF_MEMBERS, "matches", slowly)
        return await shown(world, world.sign_in())


async def set_password(world: World, password: str, name: str = ANNA) -> None:
    await password_links.set_password(world.store, world.one, name, password)


async def ended_session(world: World, **more: Any) -> object:
    return await world.shown(await world.session(**more))


async def seen(world: World, hours: float) -> object:
    """The session was last used so long ago. It is used again now: until when does it last?"""
    secret = await world.session()
    await world.session(BEN)
    async with world.store.control() as connection:
        await connection.execute("update member_sessions set seen_at = now() - %s", (timedelta(hours=hours),))
    who = await world.shown(secret)
    async with world.store.control() as connection:
        cursor = await connection.execute(
            "select seen_at > now() - interval '1 minute' from member_sessions order by 1"
        )
        return who, await cursor.fetchall()


async def after(world: World, change: Case) -> object:
    """A session, after something happened to its member."""
    secret = await world.session()
    await change(world)
    return await world.shown(secret)


async def inactive_session(world: World) -> object:
    """A session of an inactive member, which no way leads to."""
    return await world.shown(await world.session(BEN))


async def renewed(world: World, who: str) -> object:
    renews = await world.caller()
    made = await caller_of_session(world.store, await world.session(who, renews=renews))
    assert made is not None
    return made.csrf_secret == renews.csrf_secret


async def confirmed_at(world: World, **more: Any) -> object:
    caller = await world.caller(**more)
    return caller.confirmed_at > datetime.now(UTC) - timedelta(minutes=1), caller.is_federated


async def signed_out(world: World, secret: str = "") -> object:
    mine, _ = await world.session(), await world.session(ADA)
    await member_sign_in.sign_out(world.store, secret or mine)
    return await world.sessions()


async def linked(
    world: World, password: str = NEW, *, name: str = ANNA, code: str = "", factor: bool = False
) -> object:
    """Set a password through a link, where the member and another one have sessions."""
    for who in (name, ADA):
        await world.session(who)
    if factor:
        await world.with_factor(name)
    made = await password_links.accept_link(world.store, await world.link(name), password, code=code)
    return await world.shown(made.secret), await world.sessions(), await shown(world, world.sign_in(name, password))


async def link_twice(world: World) -> object:
    secret = await world.link()
    await password_links.accept_link(world.store, secret, NEW)
    return await shown(world, password_links.accept_link(world.store, secret, OTHER))


async def used_meanwhile(world: World) -> object:
    """The link is used up while the new password is hashed."""
    secret, hashed = await world.link(), OF_MEMBERS.hash_password

    async def slowly(password: str) -> str:
        async with world.store.control() as connection:
            await connection.execute("delete from member_links")
        return await hashed(password)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OF_MEMBERS, "hash_password", slowly)
        return await password_links.accept_link(world.store, secret, NEW)


async def link_that_ends(world: World, sql: str) -> object:
    secret = await world.link()
    await world.link(ADA)
    async with world.store.control() as connection:
        await connection.execute(sql)
    owner = await shown(world, password_links.owner_of_link(world.store, secret))
    return owner, await shown(world, password_links.accept_link(world.store, secret, NEW))


async def link_of_another(world: World) -> object:
    """Using a link leaves those of other members as they are."""
    used, other = await world.link(), await world.link(ADA)
    await password_links.accept_link(world.store, used, NEW)
    return await shown(world, password_links.owner_of_link(world.store, other))


async def second_link(world: World) -> object:
    """A new link ends the earlier one of the same member, and no other."""
    secrets = [await world.link(ADA), await world.link(), await world.link()]
    return [await shown(world, password_links.owner_of_link(world.store, one)) for one in secrets]


async def owners(world: World) -> object:
    secrets = [await world.link(), await world.link(ADA), await world.link(SHARED), await world.link(SHARED, world.two)]
    found = [await password_links.owner_of_link(world.store, secret) for secret in secrets]
    return [(one.user_name, one.tenant_id == world.one.id) for one in found], await shown(
        world, password_links.owner_of_link(world.store, "nobody's")
    )


async def link_of(world: World, member: str) -> object:
    """A trigger removes the link of a member who becomes inactive or is deleted; here, one was made later."""
    secret = await world.link()
    async with world.store.control() as connection:
        await connection.execute("update member_links set member_id = %s", (member,))
    return await password_links.owner_of_link(world.store, secret)


async def link_of_ben(world: World) -> object:
    return await link_of(world, await world.id_of(BEN))


async def changed_password(world: World, password: str = PASSWORD, new: str = NEW) -> object:
    caller = await world.caller()
    await world.session(ADA)
    await world.session()
    made = await own_sign_in.change_password(world.store, caller, password, new, device="", address="")
    return await world.shown(made.secret), await world.sessions(), await shown(world, world.sign_in(ANNA, new))


async def changed_password_of_an_inactive_member(world: World) -> object:
    caller = await world.caller()
    await members.disable(world.store, world.one, ANNA)
    return await own_sign_in.change_password(world.store, caller, PASSWORD, NEW, device="", address="")


async def confirmed(world: World, password: str = PASSWORD, **more: Any) -> object:
    """Confirm a session that began long ago, while another member has one."""
    long_ago = datetime.now(UTC) - timedelta(hours=7)
    await world.session(ADA, at=long_ago)
    caller = await world.caller(at=long_ago, **more)
    made = await confirming.confirm(world.store, caller, password)
    async with world.store.control() as connection:
        cursor = await connection.execute(
            "select confirmed_at > now() - interval '1 minute' from member_sessions order by 1"
        )
        rows = await cursor.fetchall()
    return await world.shown(made.secret), rows


async def opened_form(
    world: World, *, hours: float, ours: bool = True, another: bool = False, confirmed: bool = False
) -> object:
    now = datetime.now(UTC)
    caller = await world.caller(at=now if confirmed else now - timedelta(hours=5))
    sealed = await confirming.seal_opened_form(
        world.store, await world.caller(ADA) if another else caller, now - timedelta(hours=hours)
    )
    await confirming.require_opened_form(world.store, caller, sealed if ours else f"{sealed.partition('.')[0]}.x", now)
    return "may be sent"


async def required(world: World, minutes: int) -> object:
    now = datetime.now(UTC)
    caller = await world.caller(at=now - timedelta(minutes=minutes))
    confirming.require_confirmed(caller, within=confirming.CONFIRMED, now=now)
    return "confirmed"


async def others_ended(world: World, how: Callable[[MemberCaller], Awaitable[object]]) -> object:
    """Which sessions go on after the caller ended some."""
    await world.session()
    await world.session(ADA)
    return await how(await world.caller()), await world.sessions()


async def factor(world: World, given: str, *, member: str = ANNA, again: bool = False, begins: bool = True) -> object:
    """Confirm a second factor with a code, while Ada has a seed that is not confirmed, and sessions of both are open."""
    caller = await world.caller(member)
    await world.session(member)
    await world.session(ADA)
    ada = await world.id_of(ADA)
    async with world.store.tenant(world.one.id) as connection:
        await second_factors.save_seed(connection, world.one.id, ada, ANOTHER_SEED)
    if begins:
        async with world.store.tenant(world.one.id) as connection:
            await second_factors.save_seed(connection, world.one.id, caller.member_id, SEED)
    found = []
    for _ in range(2 if again else 1):
        work = second_factor.confirm_second_factor(
            world.store, world.one.id, caller.member_id, given, session=caller.session, now=datetime.now(UTC)
        )
        found.append(re.sub(r"[a-z0-9]{4}(-[a-z0-9]{4}){3}", "CODE", await shown(world, work)))
    return (
        found,
        await world.sessions(),
        [await second_factor.has_second_factor(world.store, world.one.id, one) for one in (caller.member_id, ada)],
    )


async def two_members_with_a_factor(world: World, what: Callable[[str], Awaitable[object]]) -> object:
    """What is left for Ada when something happens to Anna's second factor."""
    await world.with_factor(ADA)
    codes = await world.with_factor()
    await what(codes[0])
    return [
        await second_factor.has_second_factor(world.store, world.one.id, await world.id_of(name))
        for name in (ANNA, ADA)
    ], await world.sessions()


async def begun_again(world: World, *, is_confirmed: bool) -> object:
    member = await world.id_of(ANNA)
    if is_confirmed:
        await world.with_factor()
    else:
        await second_factor.begin_second_factor(world.store, world.one.id, member, account="One")
    made = await second_factor.begin_second_factor(world.store, world.one.id, member, account="One")
    waiting = await second_factor.waiting_seed(world.store, world.one.id, member, account="One")
    return waiting is not None and waiting.seed == made.seed


async def begun_and_deleted(world: World) -> object:
    await second_factor.begin_second_factor(world.store, world.one.id, await world.id_of(ANNA), account="One")
    return await delete_anna(world)


async def waiting(world: World, *, begins: bool, then: Case | None = None) -> object:
    member = await world.id_of(ANNA)
    if then is not None:
        await then(world)
    if begins:
        await world.with_factor()
    return await second_factor.waiting_seed(world.store, world.one.id, member, account="One")


async def code_of_ada(world: World) -> object:
    """A recovery code of another member."""
    codes = await world.with_factor(ADA)
    await world.with_factor()
    return await world.sign_in(code=codes[0])


async def key(world: World, **more: Any) -> api_keys.NewKey:
    return await api_keys.create_key(world.store, world.one.id, **{"member": ADA, **more})


async def principal(world: World, secret: str) -> object:
    async with world.store.control() as connection:
        found = await keys.principal(connection, api_keys.hash_of(secret))
        ended = await keys.ended(connection, api_keys.hash_of(secret))
    known = f"{found.role} {sorted(found.scopes)} {found.kind}" if found is not None else "nobody"
    return known, ended is not None


async def used(world: World, change: Callable[[api_keys.NewKey], Awaitable[object]], **more: Any) -> object:
    """The caller of a key, and of another member's, after a change of the first."""
    other = await key(world, name="other", member=ANNA)
    made = await key(world, **more)
    changed = await shown(world, change(made))
    return (
        re.sub(r"NewKey\(.*|KeyRow\(.*", "", changed),
        await principal(world, made.secret),
        await principal(world, other.secret),
    )


async def owner_changes(world: World, change: Case) -> object:
    made = await key(world)
    await change(world)
    return await principal(world, made.secret)


async def sql(world: World, text: str) -> None:
    async with world.store.control() as connection:
        await connection.execute(text)


def in_one(text: str) -> Case:
    async def run(world: World) -> object:
        async with world.store.tenant(world.one.id) as connection:
            return await connection.execute(text)

    return run


async def may_provision(world: World, change: str = "", **more: Any) -> object:
    await key(world, **more)
    if change:
        await sql(world, change)
    async with world.store.tenant(world.one.id) as connection:
        return await keys.may_provision(connection, world.one.id)


async def token(world: World, *, ends: str) -> object:
    """A token of a key that was rotated or revoked, and one whose own time is over."""
    made = await key(world)
    issued = await key(world, kind="token", expires_in=timedelta(hours=1))
    await sql(world, f"update api_keys set client_id = '{made.id}' where id = '{issued.id}'")
    match ends:
        case "revoked":
            await api_keys.revoke_key(world.store, world.one.id, made.id)
        case "rotated":
            await api_keys.rotate_key(world.store, world.one.id, made.id, overlap=-MINUTE)
        case "over":
            await sql(world, f"update api_keys set expires_at = now() - interval '1 hour' where id = '{issued.id}'")
    return (
        await principal(world, issued.secret),
        await principal(world, made.secret),
        len(await api_keys.list_keys(world.store, world.one.id)),
    )


async def revoked_by_two(world: World) -> object:
    """Another request has revoked the key. The time does not change."""
    made = await key(world)
    await sql(world, f"update api_keys set revoked_at = '2026-01-01 00:00:00+00' where id = '{made.id}'")
    async with world.store.control() as connection:
        await keys.revoke(connection, world.one.id, made.id)
        cursor = await connection.execute("select revoked_at < '2026-01-02' from api_keys where id = %s", (made.id,))
        return await cursor.fetchall()


async def ended_for(world: World, *, account: TenantAccount) -> object:
    """Both ways to end a key, with the id of a key of the account *one*."""
    ended = []
    for name in ("first", "second"):
        made = await key(world, name=name)
        async with world.store.control() as connection:
            if name == "first":
                await keys.revoke(connection, account.id, made.id)
            else:
                await keys.expire(connection, account.id, made.id, datetime.now(UTC) - timedelta(minutes=1))
        ended.append(await principal(world, made.secret))
    return ended


async def may_provision_of_deleted(world: World) -> object:
    await key(world)
    await DELETE_ADA(world)
    async with world.store.tenant(world.one.id) as connection:
        return await keys.may_provision(connection, world.one.id)


async def unconfirmed(world: World) -> object:
    """The member has begun to set up a second factor, so the password alone is enough."""
    await second_factor.begin_second_factor(world.store, world.one.id, await world.id_of(ANNA), account="One")
    return await world.sign_in()


DELETE_ADA = in_one("update resources set deleted_at = now() where unique_name = 'ada@x.org'")


async def forms_of_keys(_: World) -> object:
    return [api_keys.looks_like_jwt(one) for one in (b"eyJa.b.c", b"abc.b.c", b"eyJa.b")]


async def session_of_nobody(world: World) -> object:
    """A trigger ends the sessions of a member who is deleted; here, one was left."""
    secret = await world.session()
    async with world.store.control() as connection:
        await connection.execute("update member_sessions set member_id = %s", (NOBODY,))
    return await world.shown(secret)


async def last_used(world: World) -> object:
    """A name and password of two accounts. The second was used last; another member of the first signed in even later."""
    await set_password(world, OTHER, SHARED)
    for name, account, minutes in ((SHARED, world.one, 3), (SHARED, world.two, 2), (ANNA, world.one, 1)):
        await world.session(name, account=account, at=datetime.now(UTC) - timedelta(minutes=minutes))
    return await world.sign_in(SHARED, OTHER)


async def may_nobody_sign_in(world: World) -> object:
    async with world.store.tenant(world.one.id) as connection:
        return await sign_ins.may_still_sign_in(connection, world.one.id, NOBODY)


async def may_sign_in_after_deletion(world: World) -> object:
    """The member is deleted, and still marked as active."""
    ada = await world.id_of(ADA)
    await DELETE_ADA(world)
    await in_one(f"update resources set active = true where id = '{ada}'")(world)
    async with world.store.tenant(world.one.id) as connection:
        return await sign_ins.may_still_sign_in(connection, world.one.id, ada)


async def roles_by_default(world: World) -> object:
    """The roles of keys whose owners have the default role of their accounts."""
    found = []
    for account, role in ((world.one, "Viewer"), (world.two, "Editor")):
        async with world.store.tenant(account.id) as connection:
            await connection.execute("update accounts set default_role = %s where id = %s", (role, account.id))
            await connection.execute("update resources set role = null where unique_name = %s", (SHARED,))
        made = await api_keys.create_key(world.store, account.id, member=SHARED)
        found.append(await principal(world, made.secret))
    return found


async def session_without_a_secret(world: World) -> object:
    """No cookie at all is nobody, even if there were such a session."""
    await world.session()
    async with world.store.control() as connection:
        await connection.execute("update member_sessions set secret_hash = sha256('')")
    return await world.shown("")


async def delete_anna(world: World) -> object:
    return await member_records.delete_member(world.store, world.one, ANNA)


async def confirmed_after_deletion(world: World) -> object:
    caller = await world.caller()
    await delete_anna(world)
    return await confirming.confirm(world.store, caller, PASSWORD)


async def disable(world: World) -> object:
    return await members.disable(world.store, world.one, ANNA)


CASES: dict[str, Case] = {
    "usual": lambda w: w.sign_in(),
    "in another case": lambda w: w.sign_in(f" {ANNA.upper()} "),
    "wrong password": lambda w: w.sign_in(password="wrong"),
    "nobody": lambda w: w.sign_in("nobody@x.org"),
    "no password": lambda w: w.sign_in(NOA),
    "inactive": lambda w: w.sign_in(BEN),
    "inactive, wrong password": lambda w: w.sign_in(BEN, "wrong"),
    "inactive, many times": lambda w: many_times(w, BEN),
    "in the first account": lambda w: w.sign_in(SHARED),
    "in the second account": lambda w: w.sign_in(SHARED, OTHER),
    "in a named account": lambda w: w.sign_in(SHARED, OTHER, account=" TWO"),
    "in the wrong account": lambda w: w.sign_in(SHARED, OTHER, account="one"),
    "after five failures": lambda w: after_failures(w, 5),
    "name in two accounts, the second used last": last_used,
    "may nobody sign in": may_nobody_sign_in,
    "may somebody deleted sign in": may_sign_in_after_deletion,
    "keys of the default role": roles_by_default,
    "after a success": lambda w: after_success(w, ANNA),
    "after a success, name in two accounts": lambda w: after_success(w, SHARED),
    "after four failures": lambda w: after_failures(w, 4),
    "enforced": lambda w: enforced(w, lambda w: w.sign_in()),
    "enforced, break-glass": lambda w: enforced(w, lambda w: w.sign_in(ADA)),
    "enforced, by a link": lambda w: enforced(w, linked),
    "enforced, password changed": lambda w: enforced(w, changed_password),
    "enforced, confirmed": lambda w: enforced(w, confirmed),
    "disabled meanwhile": lambda w: changed_meanwhile(w, disable),
    "password changed meanwhile": lambda w: changed_meanwhile(w, lambda w: set_password(w, OTHER)),
    "code missing": lambda w: with_code(w, " "),
    "code wrong": lambda w: with_code(w, "000000"),
    "code of now": lambda w: with_code(w, code(), times=2),
    "code that was used": lambda w: with_code(w, code(-1)),
    "recovery code": lambda w: with_code(w, None, times=2),
    "recovery code of another": code_of_ada,
    "code where none is needed": lambda w: w.sign_in(code="000000"),
    "no session": session_without_a_secret,
    "unknown session": lambda w: w.shown("nobody's"),
    "session after 12 hours": lambda w: ended_session(w, at=datetime.now(UTC) - timedelta(hours=13)),
    "session that the provider ended": lambda w: ended_session(w, ends_at=datetime.now(UTC) - timedelta(minutes=1)),
    "session unused for a minute": lambda w: seen(w, 0.02),
    "session unused for a while": lambda w: seen(w, 7.9),
    "session unused for long": lambda w: seen(w, 8.1),
    "session of a deleted member": session_of_nobody,
    "session of an inactive member": inactive_session,
    "session after the member was disabled": lambda w: after(w, disable),
    "session after the member was deleted": lambda w: after(w, delete_anna),
    "forms of the same member": lambda w: renewed(w, ANNA),
    "forms of another member": lambda w: renewed(w, ADA),
    "just signed in": confirmed_at,
    "signed in at a provider that asked": lambda w: confirmed_at(w, name_id="n", authenticated_at=datetime.now(UTC)),
    "signed in at a provider that did not ask": lambda w: confirmed_at(w, name_id="n"),
    "signed in at a provider in the future": lambda w: confirmed_at(
        w, name_id="n", authenticated_at=datetime.now(UTC) + timedelta(days=1)
    ),
    "signed out": signed_out,
    "signed out of nothing": lambda w: signed_out(w, "nobody's"),
    "link": linked,
    "link, short password": lambda w: linked(w, "short"),
    "link, second factor": lambda w: linked(w, factor=True),
    "link, wrong code": lambda w: linked(w, factor=True, code="000000"),
    "link, right code": lambda w: linked(w, factor=True, code=code()),
    "link twice": link_twice,
    "link used meanwhile": used_meanwhile,
    "link that expired": lambda w: link_that_ends(w, "update member_links set expires_at = now() - interval '1 minute'"),
    "link that is gone": lambda w: link_that_ends(w, "delete from member_links"),
    "link of a deleted member": lambda w: link_of(w, NOBODY),
    "link of an inactive member": link_of_ben,
    "link for an inactive member": lambda w: w.link(BEN),
    "link for nobody": lambda w: w.link("nobody@x.org"),
    "owners of links": owners,
    "second link": second_link,
    "link of another": link_of_another,
    "password set for nobody": lambda w: set_password(w, NEW, "nobody@x.org"),
    "password set for an inactive member": lambda w: set_password(w, NEW, BEN),
    "short password set": lambda w: set_password(w, "short"),
    "password changed": changed_password,
    "password changed, inactive meanwhile": changed_password_of_an_inactive_member,
    "password changed, wrong": lambda w: changed_password(w, "wrong"),
    "password changed, short": lambda w: changed_password(w, new="short"),
    "confirmed": confirmed,
    "confirmed, wrong password": lambda w: confirmed(w, "wrong"),
    "confirmed, session of a provider": lambda w: confirmed(w, name_id="n"),
    "required": lambda w: required(w, 9),
    "required, too old": lambda w: required(w, 10),
    "form": lambda w: opened_form(w, hours=0.9),
    "form that is too old": lambda w: opened_form(w, hours=1.1),
    "form of another session": lambda w: opened_form(w, hours=0.5, another=True),
    "form with another seal": lambda w: opened_form(w, hours=0.5, ours=False),
    "form that is too old, confirmed": lambda w: opened_form(w, hours=1.1, confirmed=True),
    "other sessions ended": lambda w: others_ended(w, lambda caller: own_sign_in.end_other_sessions(w.store, caller)),
    "all sessions ended": lambda w: others_ended(w, lambda caller: own_sign_in.end_sessions(w.store, w.one, ANNA)),
    "one session ended": lambda w: others_ended(
        w, lambda caller: own_sign_in.end_sessions(w.store, w.one, ANNA, only=caller.session)
    ),
    "session of another ended": lambda w: others_ended(
        w, lambda caller: own_sign_in.end_sessions(w.store, w.one, ADA, only=caller.session)
    ),
    "session that is none ended": lambda w: others_ended(
        w, lambda caller: own_sign_in.end_sessions(w.store, w.one, ANNA, only="x")
    ),
    "sessions of nobody ended": lambda w: own_sign_in.end_sessions(w.store, w.one, "nobody@x.org"),
    "sessions of nobody": lambda w: own_sign_in.sessions_of(w.store, w.one, "nobody@x.org"),
    "sessions": lambda w: others_ended(w, lambda caller: _count_of_sessions(w)),
    "has a password": lambda w: _has_password(w, ANNA),
    "has a password, deleted meanwhile": lambda w: _has_password(w, ANNA, then=delete_anna),
    "confirmed, deleted meanwhile": confirmed_after_deletion,
    "has no password": lambda w: _has_password(w, NOA),
    "factor": lambda w: factor(w, code()),
    "factor confirmed twice": lambda w: factor(w, code(), again=True),
    "factor, wrong code": lambda w: factor(w, "000000"),
    "factor that was not begun": lambda w: factor(w, code(), begins=False),
    "factor begun again": lambda w: begun_again(w, is_confirmed=False),
    "factor begun after one": lambda w: begun_again(w, is_confirmed=True),
    "factor for nobody": lambda w: second_factor.begin_second_factor(w.store, w.one.id, NOBODY, account="One"),
    "factor of a deleted member waiting": lambda w: waiting(w, begins=False, then=begun_and_deleted),
    "no factor waiting": lambda w: waiting(w, begins=False),
    "factor no longer waiting": lambda w: waiting(w, begins=True),
    "factor of one removed": lambda w: two_members_with_a_factor(w, lambda _: _removed(w)),
    "factor of one reset": lambda w: two_members_with_a_factor(
        w, lambda _: second_factor.reset_second_factor(w.store, w.one, ANNA)
    ),
    "factor not confirmed": unconfirmed,
    "code of the app of one used": lambda w: two_members_with_a_factor(w, lambda _: w.sign_in(code=code())),
    "code of one used": lambda w: two_members_with_a_factor(w, lambda one: w.sign_in(code=one)),
    "factor of nobody reset": lambda w: second_factor.reset_second_factor(w.store, w.one, "nobody@x.org"),
    "code without a factor": lambda w: _used_code(w),
    "key": lambda w: used(w, lambda made: _nothing()),
    "keys and JWTs": forms_of_keys,
    "key of nobody": lambda w: principal(w, "nobody's"),
    "key revoked": lambda w: used(w, lambda made: api_keys.revoke_key(w.store, w.one.id, made.id)),
    "key revoked by prefix": lambda w: used(w, lambda made: api_keys.revoke_key(w.store, w.one.id, made.prefix)),
    "key revoked by a short prefix": lambda w: used(w, lambda made: api_keys.revoke_key(w.store, w.one.id, made.prefix[:7])),
    "key revoked by the other's name": lambda w: used(w, lambda made: api_keys.revoke_key(w.store, w.one.id, "other")),
    "keys of one name": lambda w: used(w, lambda made: api_keys.revoke_key(w.store, w.one.id, "other"), name="other"),
    "key revoked twice": lambda w: used(w, lambda made: _revoked_twice(w, made)),
    "key rotated": lambda w: used(w, lambda made: api_keys.rotate_key(w.store, w.one.id, made.id, overlap=-MINUTE)),
    "key rotated with an overlap": lambda w: used(
        w, lambda made: api_keys.rotate_key(w.store, w.one.id, made.id, overlap=timedelta(hours=1))
    ),
    "key of another account": lambda w: used(w, lambda made: api_keys.revoke_key(w.store, w.two.id, made.id)),
    "key that expired": lambda w: used(w, lambda made: sql(w, f"update api_keys set expires_at = now() where id = '{made.id}'")),
    "key whose owner is inactive": lambda w: owner_changes(w, lambda w: members.disable(w.store, w.one, ADA, force=True)),
    # Disabling a member revokes the keys as well, in the same transaction.
    "key whose owner is inactive, not revoked": lambda w: owner_changes(
        w, in_one("update resources set active = false where unique_name = 'ada@x.org'")
    ),
    "key revoked by two": revoked_by_two,
    "keys ended": lambda w: ended_for(w, account=w.one),
    "keys ended for another account": lambda w: ended_for(w, account=w.two),
    "may provision, owner deleted": may_provision_of_deleted,
    "key whose owner is deleted": lambda w: owner_changes(w, DELETE_ADA),
    "key whose owner lost the role": lambda w: owner_changes(
        w, lambda w: members.set_role(w.store, w.one, ADA, "Member", force=True)
    ),
    "key without an owner": lambda w: key(w, member="nobody@x.org"),
    "key of an inactive owner": lambda w: key(w, member=BEN),
    "key of a role": lambda w: used(w, lambda made: _nothing(), member="", role="Admin"),
    "key of an unknown role": lambda w: key(w, member="", role="Nobody"),
    "key with a long name": lambda w: key(w, name="x" * 101),
    "key with a line break": lambda w: key(w, name="a\nb"),
    "key without a name": lambda w: _name_of(w),
    "key without a scope": lambda w: key(w, scopes=()),
    "key with an unknown scope": lambda w: key(w, scopes=("scim:everything",)),
    "key with one scope": lambda w: used(w, lambda made: _nothing(), scopes=("read",)),
    **{f"token, {ends or 'valid'}": partial(token, ends=ends) for ends in ("", "revoked", "rotated", "over")},
    "may provision": may_provision,
    "may provision, read only": lambda w: may_provision(w, scopes=("scim:read",)),
    "may provision, revoked": lambda w: may_provision(w, "update api_keys set revoked_at = now()"),
    "may provision, expired": lambda w: may_provision(w, "update api_keys set expires_at = now()"),
    "may provision, a token": lambda w: may_provision(w, "update api_keys set kind = 'token'"),
    "may provision, owner inactive": lambda w: _may_provision_of_ben(w),
}  # fmt: skip


async def _nothing() -> str:
    return ""


async def _count_of_sessions(world: World) -> object:
    await world.session(at=datetime.now(UTC) - timedelta(hours=13))
    return len(await own_sign_in.sessions_of(world.store, world.one, ANNA))


async def _has_password(world: World, name: str, then: Case | None = None) -> object:
    caller = await world.caller(name)
    if then is not None:
        await then(world)
    return await own_sign_in.has_password(world.store, caller)


async def _removed(world: World) -> object:
    caller = await world.caller()
    await world.session()
    await world.session(ADA)
    await second_factor.remove_second_factor(world.store, world.one.id, caller.member_id, session=caller.session)
    return ""


async def _used_code(world: World) -> object:
    """A code of a seed that was not confirmed."""
    member = await world.id_of(ANNA)
    async with world.store.tenant(world.one.id) as connection:
        nothing = await second_factor.use_code(connection, world.one.id, member, code(), now=datetime.now(UTC))
        await second_factors.save_seed(connection, world.one.id, member, SEED)
        return nothing, await second_factor.use_code(connection, world.one.id, member, code(), now=datetime.now(UTC))


async def _revoked_twice(world: World, made: api_keys.NewKey) -> object:
    await api_keys.revoke_key(world.store, world.one.id, made.id)
    return await api_keys.revoke_key(world.store, world.one.id, made.id)


async def _name_of(world: World) -> object:
    return (await key(world, name="")).name


async def _may_provision_of_ben(world: World) -> object:
    await key(world)
    await sql(world, f"update api_keys set member_id = '{await world.id_of(BEN)}'")
    async with world.store.tenant(world.one.id) as connection:
        return await keys.may_provision(connection, world.one.id)


MODULES = (own_sign_in, password_links, confirming, second_factor, api_keys, scopes)
OF_SIGN_IN = (
    "sign_in",
    "check_code",
    "caller_of_session",
    "sign_out",
    "_with_password",
    "forget_failures",
    "begin_session",
)
# Row level security holds the conditions on the account, see test_documo_walls. Keys are ended without the transaction of an account.
SQL = [
    *sql_checks_of(
        sign_ins, "members_named", "may_still_sign_in", "read_session", "note_seen", "confirm_session", "end_session",
        "sessions_of", "end_sessions", "end_other_sessions", "link_owner", "use_link", "set_password",
    ),
    *sql_checks_of(second_factors),
]  # fmt: skip
CHECKS = [
    *(one for module in MODULES for one in checks_of(module, parts=True)),
    *checks_of(member_sign_in, *OF_SIGN_IN, parts=True),
    *(one for one in SQL if one.part != "tenant_id = %s"),
    *sql_checks_of(keys, "principal", "ended", "revoke", "expire", "may_provision", "rows"),
]
IMPLIED = [
    # No member has the id None, and no time step is None.
    ("documo.access.password_links._active_member", "member_id"),
    ("documo.access.second_factor._is_newest_code", "step is not None"),
    # A session refers to its account.
    ("documo.access.member_sign_in.caller_of_session", "account is None or brand is None"),
    ("documo.access.member_sign_in.caller_of_session", "account is None"),
    ("documo.access.member_sign_in.caller_of_session", "brand is None"),
    # The id of a member is unique in all accounts, so this only lets PostgreSQL use the index.
    ("documo.store.sign_ins.members_named", "l.tenant_id = n.tenant_id"),
    # Row level security of the members holds the account.
    ("documo.store.keys.may_provision", "r.tenant_id = k.tenant_id"),
    ("documo.store.keys.may_provision", "k.tenant_id = %s"),
    ("documo.store.keys.principal", "tenant_id = %s"),
]


@pytest.fixture
async def world(store: Store) -> World:
    one, two = await create_account(store, "One", admin=ADA), await create_account(store, "Two", admin="ida@x.org")
    for account, names in ((one, (ANNA, BEN, NOA, SHARED)), (two, (SHARED,))):
        for name in names:
            await members.add_member(store, account.id, name, role="Member")
    for account, name, password in (
        (one, ADA, PASSWORD), (one, ANNA, PASSWORD), (one, BEN, PASSWORD), (one, SHARED, PASSWORD), (two, SHARED, OTHER),
    ):  # fmt: skip
        await password_links.set_password(store, account, name, password)
    await members.disable(store, one, BEN)
    return World(store, one, two)


async def outcome(case: Case, world: World) -> str:
    """How *case* ends, with what is in the audit log of the account. Its changes are rolled back."""
    async with rolled_back(world.store) as store:
        here = replace(world, store=store)
        ended = await ending_of(case(here))
        text = f"{ended} {await here.audited()}"
    return re.sub(
        r"\d+ seconds|datetime.datetime\([^)]*\)|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|dk_\w+", "VALUE", text
    )


async def test_no_check_of_sign_ins_and_keys_can_be_left_out(world: World) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 80
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
