"""Every condition of people's sessions, of the ways to sign in, of who may reset a sign-in, and of the sign-in log is covered: at least one
case ends differently without it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in import guarding, outcomes, own_sessions, sessions, setting
from lockstep.actions.person_sign_in.outcomes import MOST_RECORDS, SignInCode, Visitor
from lockstep.actions.person_sign_in.sessions import IDLE, PASSWORD, begin_session, caller_of_person
from lockstep.credentials.issued_secrets import hash_of, secret_of_forms
from lockstep.storage import person_credentials
from tests.support.hub import Hub, upn
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of

pytestmark = pytest.mark.full

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HERE = Visitor("a browser", "192.0.2.9", "7")
GENERATED = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|secret of \S+")


@dataclass
class World:
    """The people of `directory`, at a time that stands still."""

    context: Context

    def after(self, length: timedelta) -> World:
        return World(replace(self.context, now=lambda: NOW + length))

    def allowed(self, *permissions: str) -> World:
        return World(replace(self.context, actor=replace(self.context.actor, permissions=frozenset(permissions))))

    async def begin(self, name: str = "anna", *, replaces: str = "") -> str:
        async with self.context.recording() as connection:
            person = await person_credentials.credential_named(connection, upn(name))
            assert person is not None
            return (
                await begin_session(self.context, connection, person.person, (PASSWORD,), HERE, replaces=replaces)
            ).secret

    async def live(self, *secrets: str) -> list[bool]:
        return [await caller_of_person(self.context, one) is not None for one in secrets]

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        async with self.context.recording() as connection:
            cursor = await connection.execute(statement.encode())
            return sorted(await cursor.fetchall(), key=repr)

    async def sql(self, statement: str) -> None:
        async with self.context.recording() as connection:
            await connection.execute(statement.encode())


Case = Callable[[World], Awaitable[object]]


async def begun(world: World, former: str = "", after: timedelta = timedelta()) -> object:
    """Whether forms of the former session still work, and which sessions live."""
    first = await world.begin(former) if former else "nothing"
    later = world.after(after)
    second = await later.begin(replaces=first if former else "")
    forms = [await caller_of_person(later.context, one) for one in (second,)]
    kept = secret_of_forms(first, "person csrf") == (forms[0].csrf_secret if forms[0] else "")
    return kept, await later.live(first, second)


async def begun_by_somebody_disabled(world: World) -> object:
    await world.sql("update person set account_enabled = false")
    async with world.context.recording() as connection:
        person = await find_person(connection, upn("anna"))
        return await begin_session(world.context, connection, person.id, (PASSWORD,), HERE, replaces="")


async def three(world: World) -> list[str]:
    """Two sessions of Anna and one of Ben."""
    return [await world.begin("anna"), await world.begin("anna"), await world.begin("ben")]


async def ended_by_administrator(world: World, which: str = "") -> object:
    secrets = await three(world)
    session = ""
    if which:
        known = [await caller_of_person(world.context, one) for one in secrets]
        chosen = known[{"own": 0, "another's": 2}.get(which, 0)]
        session = (
            "nothing"
            if which == "unknown" or chosen is None
            else chosen.session.upper()
            if which == "own"
            else chosen.session
        )
    ended = await ending_of(sessions.end_person_sessions(world.context, upn("anna"), session))
    entries = await world.rows("select activity, object from audit_log where activity like 'Revoke%'")
    return ended, await world.live(*secrets), entries


async def ended_where_there_is_none(world: World) -> object:
    ended = await sessions.end_person_sessions(world.context, upn("carla"))
    return ended, await world.rows("select activity from audit_log where activity like 'Revoke%'")


async def listed(world: World, after: timedelta) -> object:
    [first, *_] = await three(world)
    later = world.after(after)
    own = await ending_of(own_sessions.list_own_sessions(later.context, first))
    return len(await sessions.list_person_sessions(later.context, upn("anna"))), own.count("PersonSessionRow")


async def one_idle(world: World) -> object:
    """One of two sessions was not used for a long time."""
    first, _, _ = await three(world)
    await world.sql(
        f"update person_session set seen_at = seen_at - interval '{IDLE.total_seconds()} seconds' where secret_hash <> "
        f"'\\x{hash_of(first).hex()}'"
    )
    return len(await own_sessions.list_own_sessions(world.context, first)), len(
        await sessions.list_person_sessions(world.context, upn("anna"))
    )  # fmt: skip


async def ended_by_owner(world: World, which: str) -> object:
    secrets = await three(world)
    known = [await caller_of_person(world.context, one) for one in secrets]
    chosen = known[{"other": 1, "another's": 2}[which]]
    assert chosen is not None
    ended = await ending_of(own_sessions.end_own_session(world.context, secrets[0], chosen.session))
    return ended, await world.live(*secrets)


async def others_ended(world: World, *, alone: bool = False) -> object:
    secrets = [await world.begin("anna")] if alone else await three(world)
    ended = await own_sessions.end_other_sessions(world.context, secrets[0])
    return (
        ended,
        await world.live(*secrets),
        await world.rows("select activity from audit_log where activity like 'End own%'"),
    )


async def set_to(world: World, *, provider: bool = False, **changes: object) -> object:
    if provider:
        await world.sql(
            "insert into single_sign_on (name, issuer, client_id, scopes, roles_claim, trusts_email, changed_at, changed_by)"
            " values ('Contoso', 'x:', 'x', '{}', '', false, now(), 'ada')"
        )
    ended = await ending_of(setting.change_sign_in_setting(world.context, **changes))  # type: ignore[arg-type]
    entries = await world.rows("select before::text, after::text from audit_log where activity like 'Change sign-in%'")
    return ended, await setting.ways_to_sign_in(world.context), entries


async def guarded(
    world: World, attributes: str = "{}", email: str = "nobody@contoso.test", *permissions: str
) -> object:
    await world.sql(f"insert into administrator (email, created_by) values ('{email}', 'ada')")
    await world.sql(
        f"update person set attributes = attributes || '{attributes}' where user_principal_name = '{upn('anna')}'"
    )
    async with world.context.recording() as connection:
        person = await find_person(connection, upn("anna"))
        await guarding.refuse_for_administrators(world.allowed(*permissions).context, connection, person)
    return "allowed"


async def logged(
    world: World, times: int, *, person: bool = False, result: str = "", after: timedelta = timedelta()
) -> object:
    """Which records such attempts leave, with how many more each stands for."""
    known = None
    async with world.context.recording() as connection:
        if person:
            known = await person_credentials.credential_named(connection, upn("anna"))
    for number in range(times):
        later = world.after(after * number)
        await outcomes.note_sign_in(
            later.context, HERE, person=known, code=None if result else SignInCode.UNKNOWN_PERSON, result=result
        )
    return await world.rows(
        "select person_display, code, result, more, count(*) from sign_in_log group by 1, 2, 3, 4 order by 1, 2, 3, 4"
    )


async def logged_of_application(world: World, code: SignInCode | None, number: str) -> object:
    await outcomes.note_application_sign_in(
        world.context, replace(HERE, number=number), protocol="saml", app=None, code=code, detail="why"
    )
    return await world.rows("select code, result, detail, person_display, methods from sign_in_log")


WHICH = ("", "own", "another's", "unknown")
CASES: dict[str, Case] = {
    "begun": begun,
    "begun again": lambda w: begun(w, "anna"),
    "begun after another person": lambda w: begun(w, "ben"),
    "begun after the former one ended": lambda w: begun(w, "anna", timedelta(hours=13)),
    "begun by somebody disabled": begun_by_somebody_disabled,
    **{f"ended by an administrator: {which}": partial(ended_by_administrator, which=which) for which in WHICH},
    "ended where there is none": ended_where_there_is_none,
    **{f"listed after {hours} hours": partial(listed, after=timedelta(hours=hours)) for hours in (0, 7, 9)},
    "one idle": one_idle,
    **{f"ended by the owner: {which}": partial(ended_by_owner, which=which) for which in ("other", "another's")},
    "others ended": others_ended,
    "no others ended": lambda w: others_ended(w, alone=True),
    "set to nothing": set_to,
    "set to the same": lambda w: set_to(w, has_password=True),
    "passwords off": lambda w: set_to(w, has_password=False),
    "provider": lambda w: set_to(w, has_provider=True),
    "provider that is set up": lambda w: set_to(w, provider=True, has_provider=True),
    "provider that is not used": lambda w: set_to(w, provider=True, contact="Help"),
    "directory": lambda w: set_to(w, has_ldap=True),
    **{f"contact {text[:9]!r}": partial(set_to, contact=text) for text in ("Help", " Help ", "", "x" * 200, "x" * 201, "a\x01b", "\n")},
    "guarded": guarded,
    "guarded, same name": lambda w: guarded(w, "{}", upn("anna")),
    "guarded, same name, by somebody who may": lambda w: guarded(w, "{}", upn("anna"), Permission.ADMINISTRATORS_WRITE),
    **{f"guarded, {attributes}": partial(guarded, attributes=attributes, email="a@b.test") for attributes in (
        '{"mail": "A@b.test"}', '{"otherMails": ["x@b.test", "a@b.test"]}', '{"proxyAddresses": ["SMTP:a@b.test"]}', '{"mail": null}',
    )},
    **{f"{times} attempts": partial(logged, times=times) for times in (1, MOST_RECORDS, MOST_RECORDS + 1, MOST_RECORDS + 3)},
    "slow attempts": lambda w: logged(w, MOST_RECORDS + 3, after=timedelta(minutes=2)),
    "attempts of somebody": lambda w: logged(w, MOST_RECORDS + 3, person=True),
    "interruptions": lambda w: logged(w, MOST_RECORDS + 3, result="interrupted"),
    "successes": lambda w: logged(w, MOST_RECORDS + 3, result="success"),
    **{f"at an application, {code}, {number}": partial(logged_of_application, code=code, number=number)
       for code in (None, SignInCode.NOT_SIGNED) for number in ("", "9")},
}  # fmt: skip
CHECKS = [
    *checks_of(sessions, "begin_session", "list_person_sessions", "end_person_sessions", parts=True),
    *(one for module in (own_sessions, setting, guarding, outcomes) for one in checks_of(module, parts=True)),
]
IMPLIED = [("actions.person_sign_in.sessions.begin_session", "replaces")]  # no session has an empty secret


async def outcome(case: Case, world: World) -> str:
    """How *case* ends. Its changes are rolled back."""
    async with world.context.pool.connection() as connection, connection.transaction(force_rollback=True):
        return GENERATED.sub("VALUE", await ending_of(case(World(replace(world.context, within=connection)))))


async def test_no_condition_of_the_sessions_of_people_can_be_left_out(directory: Hub) -> None:
    world = World(replace(directory.context, now=lambda: NOW))
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 20
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
