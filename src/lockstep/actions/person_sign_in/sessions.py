"""Sessions of people of the directory: find the person of a session, sign out, and let administrators see and end sessions.

If a person is disabled or deleted, a database trigger ends their sessions in the transaction of that change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.outcomes import Visitor, refused
from lockstep.credentials.issued_secrets import hash_of, new_secret, renewed_secret, secret_of_forms
from lockstep.errors import Kind, LockstepError, not_found
from lockstep.postgres.pool import Connection, pipeline
from lockstep.storage import audit_log, people, person_credentials
from lockstep.storage import person_sessions as store
from lockstep.storage.person_sessions import PersonSessionRow as PersonSessionRow

IDLE = timedelta(hours=8)  # an unused session ends after this time
LONGEST = timedelta(hours=12)  # every session ends after this time
# The methods of a session. With the last one, the provider asked for credentials even in a known browser.
PASSWORD, CODE, PROVIDER, REENTERED = "password", "code", "provider", "reentered"
DIRECTORY = "directory"  # the password of the LDAP directory
PASSKEY = "passkey"
BY_PASSWORD, SECOND_FACTORS = frozenset({PASSWORD, DIRECTORY}), frozenset({CODE, PASSKEY})
_SEEN_AGAIN = timedelta(minutes=1)
_MOST_DEVICE = 200  # characters
_FORMS = "person csrf"


@dataclass(frozen=True, slots=True)
class PersonCaller:
    """An authenticated person of the directory. *methods* are the methods of the sign-in.

    If *lacks_factor* is true, the person has to add a second factor before they can do anything else.
    """

    person: str
    user_principal_name: str
    display_name: str
    session: str
    methods: Sequence[str]
    signed_in_at: datetime
    expires_at: datetime
    has_app: bool
    has_second_factor: bool
    lacks_factor: bool
    csrf_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PersonSignedIn:
    """A session that just began, or that just got a new secret. The secret is stored nowhere else."""

    secret: str = field(repr=False)
    expires_at: datetime


@open_to_all
async def caller_of_person(context: Context, secret: str) -> PersonCaller | None:
    """Return the person whose session has this secret. Returns None if the session has ended, or if the person is disabled or deleted."""
    if not secret:
        return None
    now = context.now()
    async with context.recording() as connection:
        session = await store.read_session(connection, hash_of(secret))
        if session is None or now >= min(session.expires_at, session.seen_at + IDLE):
            return None
        async with pipeline(connection):  # all queries in one round trip
            credential, setting, rows = await asyncio.gather(
                person_credentials.credential_of(connection, session.person),
                person_credentials.read_setting(connection),
                people.read_people(connection, [session.person]),
            )
        found = rows.get(session.person)
        if found is None or credential is None:
            return None
        if now - session.seen_at >= _SEEN_AGAIN:
            await store.note_seen(connection, session.id, now)
    return PersonCaller(
        person=found.id,
        user_principal_name=found.user_principal_name,
        display_name=found.display,
        session=session.id,
        methods=session.methods,
        signed_in_at=session.signed_in_at,
        expires_at=session.expires_at,
        has_app=credential.has_app,
        has_second_factor=credential.has_second_factor,
        lacks_factor=setting.needs_second_factor
        and not BY_PASSWORD.isdisjoint(session.methods)
        and SECOND_FACTORS.isdisjoint(session.methods),
        csrf_secret=secret_of_forms(secret, _FORMS),
    )


async def person_or_refusal(context: Context, secret: str) -> PersonCaller:
    """Return the person whose session has this secret. Raises LockstepError if the session has ended."""
    caller = await caller_of_person(context, secret)
    if caller is None:
        raise LockstepError(Kind.UNAUTHORIZED, "Your session has ended", next_step="Sign in again")
    return caller


async def begin_session(
    context: Context, connection: Connection, person: str, methods: Sequence[str], visitor: Visitor, *, replaces: str
) -> PersonSignedIn:
    """Begin a session with a new secret. *replaces* is the secret of the browser's previous session, which ends. If that was a session of
    the same person, forms which are open in other tabs can still be sent.

    Raises LockstepError if the person was disabled or deleted in the meantime.
    """
    now = context.now()
    previous = await store.read_session(connection, hash_of(replaces)) if replaces else None
    is_same = previous is not None and previous.person == person and now < previous.expires_at
    secret = renewed_secret(secret_of_forms(replaces, _FORMS)) if is_same else new_secret()
    made = PersonSignedIn(secret, now + LONGEST)
    if previous is not None:
        await store.end_session(connection, previous.id)
    begun = await store.insert_session(
        connection,
        person,
        hash_of(made.secret),
        methods=methods,
        device=visitor.device[:_MOST_DEVICE],
        address=visitor.address,
        now=now,
        expires_at=made.expires_at,
    )
    if not begun:
        raise refused()
    return made


@needs(Permission.PEOPLE_SIGN_IN)
async def list_person_sessions(context: Context, person: str) -> list[PersonSessionRow]:
    """Return the sessions of a person, the most recently used first."""
    async with context.reading() as connection:
        found = await find_person(connection, person)
        rows = await store.list_sessions(connection, found.id, context.now())
    return [row for row in rows if context.now() < row.seen_at + IDLE]


@needs(Permission.PEOPLE_SIGN_IN)
async def end_person_sessions(context: Context, person: str, session: str = "") -> int:
    """End the session *session* of a person, or all of the person's sessions if *session* is not given. Returns the number of ended
    sessions.

    Raises LockstepError for an unknown session or person.
    """
    async with context.recording() as connection:
        found = await find_person(connection, person)
        if session:
            own = {row.id for row in await store.list_sessions(connection, found.id, context.now())}
            if session.lower() not in own:
                raise not_found("This session does not exist or has ended")
            ended = int(await store.end_session(connection, session))
        else:
            ended = await store.end_sessions(connection, found.id)
        if ended:
            await audit_log.append(
                connection,
                actor=context.actor.name,
                activity="Revoke sign-in sessions",
                target=found.user_principal_name,
                after={"sessions": ended},
            )
    return ended
