"""Every condition in the SQL of sessions, codes, tokens, used responses, credentials and keys is covered: without it, a statement returns
or changes the rows of somebody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import ModuleType

import pytest

from lockstep.credentials import failed_attempts
from lockstep.credentials.failed_attempts import SignInAttempts
from lockstep.credentials.issued_secrets import hash_of
from lockstep.postgres.pool import Connection
from lockstep.storage import (
    administrator_sessions,
    application_sso,
    client_secrets,
    identity_providers,
    one_time_links,
    openid_grants,
    openid_keys,
    openid_logouts,
    passkeys,
    person_credentials,
    person_sessions,
    second_factors,
    session_applications,
    sign_in_log,
    signing_certificates,
)
from lockstep.storage.passkeys import PasskeyOwner
from lockstep.storage.session_applications import SessionApplication
from tests.portal.sign_on_rows import DAY, MINUTE, NOW, insert_rows, readable, row_id, rows_of
from tests.support.hub import Hub
from tests.support.left_out_checks import unheld_checks
from tests.support.left_out_conditions import ending_of, sql_checks_of

pytestmark = pytest.mark.full

Case = Callable[[Connection], Awaitable[object]]
ANNA_S, ADA_S = PasskeyOwner("person", row_id("anna")), PasskeyOwner("administrator", row_id("ada"))
NEW = SignInAttempts(1, NOW, None)


def begun(name: str) -> Case:
    return lambda c: person_sessions.insert_session(
        c, row_id(name), hash_of("new"), methods=["password"], device="", address="", now=NOW, expires_at=NOW + DAY
    )


def coded(session: str) -> Case:
    return lambda c: openid_grants.insert_code(
        c, hash_of("new"), app=row_id("docs"), session=row_id(session), redirect_uri="x:", scopes=["openid"], nonce="", challenge="",
        expires_at=NOW + MINUTE, sign_in=row_id("sign-in 1"),
    )  # fmt: skip


def used_app(session: str) -> Case:
    row = SessionApplication(row_id(session), row_id("docs"), "anna", "", "_9")
    return lambda c: session_applications.note_application(c, row, NOW)


async def claimed(connection: Connection) -> object:
    return await openid_logouts.claim_due(connection, NOW, again_at=NOW + DAY, most=10)


async def administrator_begun(connection: Connection) -> None:
    await administrator_sessions.insert_session(
        connection, row_id("ada"), hash_of("new"), device="", now=NOW, expires_at=NOW + DAY
    )


SESSIONS: dict[str, Case] = {
    "begun": begun("anna"),
    "begun by somebody disabled": begun("cleo"),
    "begun by somebody deleted": begun("dora"),
    **{f"read: {name}": partial(lambda name, c: person_sessions.read_session(c, hash_of(name)), name)
       for name in ("anna 1", "ben 1", "cleo 1", "dora 1")},
    "listed": lambda c: person_sessions.list_sessions(c, row_id("anna"), NOW),
    "seen": lambda c: person_sessions.note_seen(c, row_id("anna 1"), NOW),
    "method added": lambda c: person_sessions.add_method(c, row_id("anna 1"), "code", hash_of("new")),
    "ended": lambda c: person_sessions.end_session(c, row_id("anna 1")),
    "all ended": lambda c: person_sessions.end_sessions(c, row_id("anna")),
    "others ended": lambda c: person_sessions.end_sessions(c, row_id("anna"), except_for=row_id("anna 1")),
    "application used": used_app("anna 1"),
    "applications": lambda c: session_applications.applications_of(c, row_id("anna 1")),
    "sessions of a name": lambda c: session_applications.sessions_named(c, row_id("docs"), "anna", ()),
    "session of a name": lambda c: session_applications.sessions_named(c, row_id("docs"), "anna", ("_1",)),
    "administrator begun": administrator_begun,
    "administrator's": lambda c: administrator_sessions.read_session(c, hash_of("ada 2")),
    "administrator's listed": lambda c: administrator_sessions.list_sessions(c, row_id("ada")),
    "administrator seen": lambda c: administrator_sessions.note_seen(c, row_id("ada 1"), NOW),
    "administrator confirmed": lambda c: administrator_sessions.step_up(c, row_id("ada 1"), hash_of("new"), NOW),
    "administrator's ended": lambda c: administrator_sessions.end_session(c, row_id("ada 1")),
    "administrator's others ended": lambda c: administrator_sessions.end_sessions(c, row_id("ada"), except_for=row_id("ada 1")),
}  # fmt: skip
OPENID: dict[str, Case] = {
    "code": coded("anna 1"),
    "codes of sign-ins": lambda c: openid_grants.codes_of_sign_ins(c, row_id("docs"), [row_id("sign-in 1"), row_id("sign-in 2")]),
    "code of one sign-in": lambda c: openid_grants.codes_of_sign_ins(c, row_id("docs"), [row_id("sign-in 3")]),
    **{f"code {number} locked": partial(lambda number, c: openid_grants.lock_code(c, hash_of(f"code {number}")), number)
       for number in (1, 2, 3, 4)},
    "redeemed": lambda c: openid_grants.note_redeemed(c, hash_of("code 1"), row_id("grant 1")),
    **{f"grant {number}": partial(lambda number, c: openid_grants.read_grant(c, row_id(f"grant {number}")), number) for number in (1, 4)},
    "people": lambda c: openid_grants.people_signed_in(c, row_id("wiki")),
    **{f"grant of token {number}": partial(lambda number, c: openid_grants.lock_grant_of(c, hash_of(f"token {number}")), number)
       for number in (1, 4)},
    **{f"token {number}": partial(lambda number, c: openid_grants.read_token(c, hash_of(f"token {number}")), number) for number in (1, 4)},
    "token used": lambda c: openid_grants.note_used(c, hash_of("token 2"), NOW),
    "access ended": lambda c: openid_grants.end_access(c, hash_of("token 1")),
    "grant ended": lambda c: openid_grants.end_grant(c, row_id("grant 1")),
    "logouts claimed": claimed,
    "logout done": lambda c: openid_logouts.delete_logout(c, row_id("logout 1")),
    "logout put off": lambda c: openid_logouts.put_off(c, row_id("logout 1"), NOW + DAY),
    "answer used": lambda c: identity_providers.use_answer(c, hash_of("answer new"), now=NOW, expires_at=NOW + DAY),
    "answer that was forgotten": lambda c: identity_providers.use_answer(c, hash_of("answer old"), now=NOW, expires_at=NOW + DAY),
}  # fmt: skip
CREDENTIALS: dict[str, Case] = {
    "of a person": lambda c: person_credentials.credential_of(c, row_id("ben")),
    "of somebody deleted": lambda c: person_credentials.credential_of(c, row_id("dora")),
    "with mail of somebody without credentials": lambda c: person_credentials.credential_with_mail(c, "finn@mail.test"),
    "named": lambda c: person_credentials.credential_named(c, "ANNA@contoso.test"),
    "named Ben": lambda c: person_credentials.credential_named(c, "ben@contoso.test"),
    "with mail": lambda c: person_credentials.credential_with_mail(c, "Anna@mail.test"),
    "with mail of two": lambda c: person_credentials.credential_with_mail(c, "both@mail.test"),
    "with mail of nobody": lambda c: person_credentials.credential_with_mail(c, "nobody@mail.test"),
    **{f"at {issuer} as {subject}": partial(lambda i, s, c: person_credentials.credential_at(c, i, s), issuer, subject)
       for issuer, subject in (("x:one", "1"), ("x:one", "2"), ("x:two", "1"), ("x:two", "2"))},
    "password": lambda c: person_credentials.has_password(c, row_id("anna"), "hash of anna"),
    "password of another": lambda c: person_credentials.has_password(c, row_id("anna"), "hash of ben"),
    **{f"seed of {name}": partial(lambda name, c: person_credentials.sealed_seed(c, row_id(name)), name) for name in ("anna", "ben")},
    **{f"seed added by {name}": partial(lambda name, c: person_credentials.add_seed(c, row_id(name), b"new"), name)
       for name in ("anna", "ben", "dora")},
    "seed removed": lambda c: person_credentials.remove_seed(c, row_id("ben")),
    "seed confirmed": lambda c: person_credentials.confirm_seed(c, row_id("anna")),
    **{f"step {step}": partial(lambda step, c: person_credentials.use_step(c, row_id("anna"), step), step) for step in (5, 6)},
    **{f"link of {name}": partial(lambda name, c: person_credentials.link_owner(c, hash_of(f"link of {name}"), NOW), name)
       for name in ("anna", "ben", "cleo", "nobody")},
    "link used": lambda c: person_credentials.use_link(c, hash_of("link of anna")),
    "passkeys": lambda c: passkeys.list_passkeys(c, ANNA_S),
    "passkeys of an administrator": lambda c: passkeys.list_passkeys(c, ADA_S),
    "passkey used": lambda c: passkeys.note_used(c, row_id("key 1"), sign_count=2, now=NOW),
    "passkey renamed": lambda c: passkeys.rename_passkey(c, ANNA_S, row_id("key 1").upper(), "Mine"),
    "passkey of another renamed": lambda c: passkeys.rename_passkey(c, ANNA_S, row_id("key 3"), "Mine"),
    "passkey deleted": lambda c: passkeys.delete_passkey(c, ANNA_S, row_id("key 1").upper()),
    "passkey of another deleted": lambda c: passkeys.delete_passkey(c, ANNA_S, row_id("key 3")),
    "passkeys deleted": lambda c: passkeys.delete_passkeys(c, ANNA_S),
    **{f"seed of administrator {name}":
       partial(lambda name, c: second_factors.sealed_seed(c, row_id(name)), name) for name in ("ada", "eve")},
    "seed of an administrator saved": lambda c: second_factors.save_seed(c, row_id("ada"), b"new"),
    **{f"step {step} of an administrator": partial(lambda step, c: second_factors.use_step(c, row_id("ada"), step), step)
       for step in (5, 6)},
    "factor of an administrator confirmed": lambda c: _confirmed(c),
    "recovery code used": lambda c: second_factors.use_recovery_code(c, row_id("ada"), hash_of("code 1")),
    "unknown recovery code used": lambda c: second_factors.use_recovery_code(c, row_id("ada"), hash_of("code 9")),
    **{f"link of administrators {number}": partial(lambda number, c: one_time_links.find_link(c, hash_of(f"link {number}")), number)
       for number in (1, 2, 9)},
    "link of an administrator used": lambda c: one_time_links.use_link(c, row_id("link 1")),
    "links of an administrator void": lambda c: one_time_links.void_links(c, row_id("ada")),
    "link replaced": lambda c: _replaced(c, row_id("ada")),
    "first link replaced": lambda c: _replaced(c, None),
}  # fmt: skip
KEYS: dict[str, Case] = {
    "secrets": lambda c: client_secrets.read_secrets(c, row_id("docs")),
    "secret deleted": lambda c: client_secrets.delete_secret(c, row_id("docs"), row_id("secret 1")),
    "secret of another deleted": lambda c: client_secrets.delete_secret(c, row_id("docs"), row_id("secret 3")),
    **{f"secret {number} used":
       partial(lambda number, c: client_secrets.use_secret(c, row_id("docs"), hash_of(f"secret {number}"), NOW), number)
       for number in (1, 2, 3, 9)},
    "certificates": lambda c: signing_certificates.read_certificates(c, [row_id("docs")]),
    "sealed keys": lambda c: signing_certificates.sealed_keys(c, row_id("docs")),
    "sealed keys of all": lambda c: signing_certificates.sealed_keys(c),
    "certificate activated again": lambda c: signing_certificates.activate(c, row_id("docs"), "AA"),
    "certificate activated": lambda c: signing_certificates.activate(c, row_id("docs"), "BB"),
    **{f"reminder of {app} {thumbprint} {days}":
       partial(lambda a, t, d, c: signing_certificates.note_reminder(c, row_id(a), t, days=d), app, thumbprint, days)
       for app, thumbprint, days in (("docs", "AA", 7), ("docs", "AA", 30), ("docs", "BB", 7), ("wiki", "AA", 7), ("wiki", "CC", 60))},
    "certificate deleted": lambda c: signing_certificates.delete_certificate(c, row_id("wiki"), "AA"),
    "next key activated": lambda c: openid_keys.activate_next(c, NOW),
    "retired keys deleted": lambda c: openid_keys.delete_retired(c, NOW - 2 * DAY),
    "retired keys deleted, nothing is old": lambda c: openid_keys.delete_retired(c, NOW - 9 * DAY),
    "settings": lambda c: application_sso.read_sign_ons(c, [row_id("docs")]),
    "applications that sign in": lambda c: application_sso.signing_on(c, [row_id("docs"), row_id("wiki")]),
    "application that signs in": lambda c: application_sso.signing_on(c, [row_id("wiki")]),
}  # fmt: skip
ATTEMPTS: dict[str, Case] = {
    "locked": lambda c: failed_attempts.lock_attempts(c, hash_of("anna"), now=NOW, forgotten=NOW - DAY),
    "saved": lambda c: failed_attempts.save_attempts(c, hash_of("anna"), NEW),
    "forgotten": lambda c: failed_attempts.forget_attempts(c, hash_of("anna")),
    "taken back": lambda c: failed_attempts.uncount_attempt(c, hash_of("anna")),
    "locked until": lambda c: failed_attempts.locked_until(c, [hash_of("anna")]),
    "refusals": lambda c: sign_in_log.records_of_refusals(c, hash_of("one"), since=NOW - 2 * MINUTE),
    "refusal counted": lambda c: sign_in_log.count_refusal(c, hash_of("one")),
    "people signed in": lambda c: sign_in_log.people_signed_in(c, row_id("docs"), protocol="saml", since=NOW - DAY),
}  # fmt: skip
SUITES: dict[str, tuple[dict[str, Case], tuple[ModuleType, ...]]] = {
    "sessions": (SESSIONS, (person_sessions, session_applications, administrator_sessions)),
    "OpenID Connect": (OPENID, (openid_grants, openid_logouts)),
    "credentials": (CREDENTIALS, (person_credentials, passkeys, second_factors, one_time_links)),
    "keys": (KEYS, (client_secrets, signing_certificates, openid_keys, application_sso)),
    "attempts": (ATTEMPTS, (failed_attempts,)),
}
MORE = {
    "OpenID Connect": list(sql_checks_of(identity_providers, "use_answer")),
    "attempts": list(sql_checks_of(sign_in_log, "records_of_refusals", "count_refusal", "people_signed_in")),
}
IMPLIED = {
    # The statement finds only people outside the recycle bin.
    "credentials": [("storage.person_credentials.credential_with_mail", "person.deleted_at is null")],
    # This statement only locks a session. Without the condition, it locks more.
    "OpenID Connect": [("storage.openid_grants.lock_code", "id = (select session from openid_code where code_hash = %s)")],
    "keys": [
        ("storage.signing_certificates.activate", "is_active"),  # the others are inactive already
        ("storage.openid_keys.delete_retired", "state = 'retired'"),  # only retired keys have a time of retirement
    ],
}  # fmt: skip


async def _confirmed(connection: Connection) -> None:
    await connection.execute("update administrator set second_factor_confirmed = false")
    await second_factors.confirm(connection, row_id("ada"), [hash_of("code 3")])


async def _replaced(connection: Connection, administrator: str | None) -> None:
    await one_time_links.replace_link(
        connection, purpose="reset" if administrator else "first", administrator=administrator, secret_hash=hash_of("new"), now=NOW,
        actor="ada", expires_at=NOW + DAY,
    )  # fmt: skip


@pytest.fixture
async def rows(hub: Hub) -> AsyncIterator[Connection]:
    """A transaction that contains the rows, and is rolled back."""
    async with hub.pool.connection() as connection, connection.transaction(force_rollback=True):
        await insert_rows(connection)
        yield connection


async def outcome(case: Case, connection: Connection) -> str:
    """What the statement returns, and all rows afterwards. Its changes are rolled back."""
    async with connection.transaction(force_rollback=True):
        ended = await ending_of(case(connection))
        return f"{readable(ended)}\n{await rows_of(connection)}" if "crashed" not in ended else ended


@pytest.mark.parametrize("suite", SUITES)
async def test_no_condition_of_a_statement_that_guards_sign_in_can_be_left_out(suite: str, rows: Connection) -> None:
    cases, modules = SUITES[suite]
    bound = {name: partial(outcome, case, rows) for name, case in cases.items()}
    checks = [*(one for module in modules for one in sql_checks_of(module)), *MORE.get(suite, ())]

    assert len(checks) >= 6
    assert await unheld_checks(bound, checks, IMPLIED.get(suite, ())) == ""
