"""Rows of every table that decides who is signed in. For each row, there is a similar one that a statement must not touch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from lockstep.credentials.issued_secrets import hash_of
from lockstep.postgres.pool import Connection

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
TABLES = (
    "person_session", "person_session_application", "openid_code", "openid_grant", "openid_token", "openid_logout", "used_answer",
    "person_credential", "person_link", "passkey", "client_secret", "signing_certificate", "openid_key", "application_sso",
    "single_sign_on", "single_sign_on_role", "administrator_session", "one_time_link", "recovery_code", "administrator",
    "sign_in_attempt", "sign_in_log",
)  # fmt: skip
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KNOWN = (
    "dora", "anna", "ben", "cleo", "finn", "docs", "wiki", "ada", "eve", "anna 1", "anna 2", "anna old", "ben 1", "cleo 1",
    "dora 1", "grant 1", "grant 2", "grant 3", "grant 4", "sign-in 1", "sign-in 2", "sign-in 3", "logout 1", "logout 2",
    "logout 3", "key 1", "key 2", "key 3", "key 4", "secret 1", "secret 2", "secret 3", "ada 1", "ada 2", "ada old", "eve 1",
    "link 1", "link 2", "link 3",
)  # fmt: skip


def row_id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"row {name}"))


_NAMES = {row_id(name): name for name in _KNOWN}


def readable(text: object) -> str:
    """Return *text* with the names of the rows in place of their ids. An id that a statement has generated becomes NEW."""
    return _ID.sub(lambda found: _NAMES.get(found[0], "NEW"), str(text))


async def rows_of(connection: Connection) -> str:
    """Return the contents of all tables, without the times that the database sets."""
    found = []
    for table in TABLES:
        cursor = await connection.execute(
            f"select (to_jsonb(t) - 'created_at' - 'changed_at' - 'seq')::text from {table} as t"
        )
        found += [table, *sorted(readable(row[0]) for row in await cursor.fetchall())]
    return "\n".join(found)


async def insert_rows(connection: Connection) -> None:
    """Anna, Ben and Finn are active; Finn has no credentials. Cleo is disabled. Dora is deleted and had Anna's name and address.

    Ada and Eve are administrators.
    """
    people = (
        ("dora", "anna", True, NOW - DAY), ("anna", "anna", True, None), ("ben", "ben", True, None), ("cleo", "cleo", False, None),
        ("finn", "finn", True, None),
    )  # fmt: skip
    for name, named, is_enabled, deleted_at in people:
        mail = "both" if name in ("ben", "cleo") else named
        await connection.execute(
            """insert into person (id, source, anchor, user_principal_name, account_enabled, attributes, deleted_at)
            values (%s, 'hr', %s, %s, %s, jsonb_build_object('mail', %s::text), %s)""",
            (row_id(name), name, f"{named}@contoso.test", is_enabled, f"{mail}@mail.test", deleted_at),
        )
    for name in ("docs", "wiki"):
        await connection.execute(
            "insert into application (id, name, display_name, template) values (%s, %s, %s, 'custom')",
            (row_id(name), name, name),
        )
    await _insert_sessions(connection)
    await _insert_openid(connection)
    await _insert_proofs(connection)
    await _insert_keys(connection)
    await _insert_administrators(connection)
    await _insert_attempts(connection)


async def _insert_sessions(connection: Connection) -> None:
    for name, expires_at in (
        ("anna 1", NOW + DAY), ("anna 2", NOW + DAY), ("anna old", NOW - MINUTE), ("ben 1", NOW + DAY), ("cleo 1", NOW + DAY),
        ("dora 1", NOW + DAY),
    ):  # fmt: skip
        await connection.execute(
            """insert into person_session (id, person, secret_hash, methods, signed_in_at, seen_at, expires_at)
            values (%s, %s, %s, %s, %s, %s, %s)""",
            (row_id(name), row_id(name.split()[0]), hash_of(name), ["password"], NOW - DAY, NOW - MINUTE, expires_at),
        )
    for session, app, name, index in (
        ("anna 1", "docs", "anna", "_1"), ("anna 1", "wiki", "anna", "_2"), ("anna 2", "docs", "anna", "_3"),
        ("ben 1", "docs", "ben", "_4"), ("ben 1", "wiki", "ben", "_1"),
    ):  # fmt: skip
        await connection.execute(
            "insert into person_session_application values (%s, %s, %s, %s, '', %s)",
            (row_id(session), row_id(app), index, name, NOW - DAY),
        )


async def _insert_openid(connection: Connection) -> None:
    for number, app, session in ((1, "docs", "anna 1"), (2, "wiki", "anna 1"), (3, "docs", "ben 1")):
        await connection.execute(
            """insert into openid_code (code_hash, app, session, redirect_uri, scopes, nonce, challenge, expires_at, sign_in)
            values (%s, %s, %s, 'https://docs.test', '{openid}', '', '', %s, %s)""",
            (hash_of(f"code {number}"), row_id(app), row_id(session), NOW + MINUTE, row_id(f"sign-in {number}")),
        )
    for number, app, name, held in (
        (1, "docs", "anna", "anna 1"), (2, "docs", "anna", None), (3, "wiki", "ben", None), (4, "docs", "ben", "ben 1"),
    ):  # fmt: skip
        await connection.execute(
            """insert into openid_grant (id, app, person, session, is_offline, scopes, issuer, subject, sid, methods, authenticated_at,
                created_at, ends_at) values (%s, %s, %s, %s, %s, '{openid}', 'x:', %s, '', '{}', %s, %s, %s)""",
            (
                row_id(f"grant {number}"), row_id(app), row_id(name), held and row_id(held), held is None, name, NOW, NOW, NOW + DAY,
            ),
        )  # fmt: skip
        await connection.execute(
            "insert into openid_token (token_hash, grant_id, is_refresh, scopes, expires_at) values (%s, %s, %s, '{}', %s)",
            (hash_of(f"token {number}"), row_id(f"grant {number}"), number % 2 == 0, NOW + DAY),
        )
    for number, due_at in ((1, NOW - DAY), (2, NOW + DAY), (3, NOW - MINUTE)):
        await connection.execute(
            "insert into openid_logout (id, app, issuer, subject, sid, due_at) values (%s, %s, 'x:', 'anna', '', %s)",
            (row_id(f"logout {number}"), row_id("docs"), due_at),
        )


async def _insert_proofs(connection: Connection) -> None:
    for name, is_confirmed, issuer, subject in (
        ("anna", False, "x:one", "1"), ("ben", True, "x:one", "2"), ("cleo", False, "x:two", "1"),
    ):  # fmt: skip
        await connection.execute(
            "insert into person_credential values (%s, %s, %s, %s, 5, %s, %s)",
            (row_id(name), f"hash of {name}", f"seed of {name}".encode(), is_confirmed, issuer, subject),
        )
    for name, expires_at in (("anna", NOW + DAY), ("ben", NOW - MINUTE), ("cleo", NOW + DAY)):
        await connection.execute(
            "insert into person_link values (%s, %s, 'ada', %s)", (row_id(name), hash_of(f"link of {name}"), expires_at)
        )
    for number, kind, name in ((1, "person", "anna"), (2, "person", "anna"), (3, "person", "ben")):
        await connection.execute(
            f"""insert into passkey (id, {kind}, name, host, credential_id, public_key, sign_count, created_at)
            values (%s, %s, %s, 'localhost', %s, 'key', 1, %s)""",
            (row_id(f"key {number}"), row_id(name), f"Key {number}", f"key {number}".encode(), NOW),
        )
    for state, expires_at in (("old", NOW - MINUTE), ("new", NOW + MINUTE)):
        await connection.execute("insert into used_answer values (%s, %s)", (hash_of(f"answer {state}"), expires_at))


async def _insert_keys(connection: Connection) -> None:
    for number, app, expires_at in ((1, "docs", NOW + DAY), (2, "docs", NOW - MINUTE), (3, "wiki", NOW + DAY)):
        await connection.execute(
            """insert into client_secret (id, app, secret_hash, hint, created_at, created_by, expires_at)
            values (%s, %s, %s, '', %s, 'ada', %s)""",
            (row_id(f"secret {number}"), row_id(app), hash_of(f"secret {number}"), NOW - DAY, expires_at),
        )
    for app, thumbprint, is_active, reminded in (
        ("docs", "AA", True, 30), ("docs", "BB", False, None), ("wiki", "AA", False, 30), ("wiki", "CC", True, None),
    ):  # fmt: skip
        await connection.execute(
            """insert into signing_certificate (app, thumbprint, certificate, private_key, not_before, not_after, is_active, created_by,
                reminded_days) values (%s, %s, 'pem', %s, %s, %s, %s, 'ada', %s)""",
            (row_id(app), thumbprint, f"{app} {thumbprint}".encode(), NOW - DAY, NOW + DAY, is_active, reminded),
        )
    for kid, state, retired_at in (
        ("k1", "active", None), ("k2", "next", None), ("k3", "retired", NOW - DAY), ("k4", "retired", NOW - 3 * DAY),
    ):  # fmt: skip
        await connection.execute(
            "insert into openid_key values (%s, '{}', 'private', %s, %s, %s, %s, 'ada')",
            (kid, state, NOW - DAY, NOW - DAY, retired_at),
        )
    for app, mode in (("docs", "saml"), ("wiki", "disabled")):
        await connection.execute(
            "insert into application_sso (app, config, pairwise_salt, changed_by)"
            " values (%s, jsonb_build_object('mode', %s::text), %s, 'ada')",
            (row_id(app), mode, f"salt of {app}".encode()),
        )


async def _insert_administrators(connection: Connection) -> None:
    for number, name in ((1, "ada"), (2, "eve")):
        await connection.execute(
            """insert into administrator (id, email, second_factor, second_factor_confirmed, last_step, created_by)
            values (%s, %s, %s, true, 5, 'ada')""",
            (row_id(name), f"{name}@contoso.test", f"seed of {name}".encode()),
        )
        await connection.execute(
            "insert into one_time_link (id, purpose, administrator, secret_hash, created_at, created_by, expires_at)"
            " values (%s, 'reset', %s, %s, %s, 'ada', %s)",
            (row_id(f"link {number}"), row_id(name), hash_of(f"link {number}"), NOW, NOW + DAY),
        )
        for code in ("1", "2"):
            await connection.execute(
                "insert into recovery_code values (%s, %s)", (row_id(name), hash_of(f"code {code}"))
            )
    await connection.execute(
        "insert into one_time_link (id, purpose, secret_hash, created_at, created_by, expires_at)"
        " values (%s, 'first', %s, %s, 'ada', %s)",
        (row_id("link 3"), hash_of("link 3"), NOW, NOW + DAY),
    )
    for name, expires_at in (
        ("ada 1", NOW + DAY),
        ("ada 2", NOW + DAY),
        ("ada old", NOW - MINUTE),
        ("eve 1", NOW + DAY),
    ):
        await connection.execute(
            """insert into administrator_session (id, administrator, secret_hash, signed_in_at, seen_at, stepped_up_at, expires_at)
            values (%s, %s, %s, %s, %s, %s, %s)""",
            (row_id(name), row_id(name.split()[0]), hash_of(name), NOW - DAY, NOW - DAY, NOW - DAY, expires_at),
        )
    await connection.execute(
        """insert into passkey (id, administrator, name, host, credential_id, public_key, sign_count, created_at)
        values (%s, %s, 'Key 4', 'localhost', 'key 4', 'key', 1, %s)""",
        (row_id("key 4"), row_id("ada"), NOW),
    )


async def _insert_attempts(connection: Connection) -> None:
    for name, last_at, locked_until in (
        ("anna", NOW - MINUTE, NOW + MINUTE), ("ben", NOW, NOW + DAY), ("cleo", NOW - 2 * DAY, None),
    ):  # fmt: skip
        await connection.execute(
            "insert into sign_in_attempt values (%s, 6, %s, %s)", (hash_of(name), last_at, locked_until)
        )
    for refused_to, at, app, result, protocol, person in (
        ("one", NOW - MINUTE, "docs", "failure", "saml", None), ("one", NOW - DAY, "docs", "failure", "saml", None),
        ("two", NOW - MINUTE, "docs", "failure", "saml", None), (None, NOW - MINUTE, "docs", "success", "saml", "anna"),
        (None, NOW - MINUTE, "wiki", "success", "saml", "ben"), (None, NOW - MINUTE, "docs", "success", "oidc", "cleo"),
        (None, NOW - MINUTE, "docs", "failure", "saml", "dora"), (None, NOW - 2 * DAY, "docs", "success", "saml", "ben"),
    ):  # fmt: skip
        await connection.execute(
            """insert into sign_in_log (id, at, person, app, result, protocol, refused_to, detail)
            values (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s)""",
            (
                at,
                person and row_id(person),
                row_id(app),
                result,
                protocol,
                refused_to and hash_of(refused_to),
                str(refused_to),
            ),
        )
