"""Nothing that a person or a program changes in an account is missing from its audit log."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pyotp
import pytest

from documo import audit_log, domains, entry_ids, members
from documo.access import api_keys, password_links, second_factor
from documo.access import member_sign_in as sign_ins
from documo.access.sso import own_keys, providers
from documo.accounts import change_account
from documo.audit_log import AccountAuditFilter, AuditEntry
from documo.store.database import Store
from lockstep.credentials.issued_secrets import derived
from lockstep.kit import csrf
from tests.documo.test_documo_permissions import FORMS
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import PASSWORD
from tests.support.documo_world import Household, household
from tests.support.name_server import NameServer
from tests.support.saml_provider import key_named

# What a trigger notes of each table of an account. A table that is not here is in NOT_NOTED, with the reason.
NOTED: Mapping[str, str] = {
    "accounts": "INSERT UPDATE",  # with a deleted account its log goes too
    "api_keys": "INSERT UPDATE",
    "branding": "INSERT UPDATE",
    "documents": "DELETE INSERT",
    "domains": "DELETE INSERT UPDATE",
    "event_streams": "DELETE INSERT",
    "group_members": "DELETE INSERT",
    "member_links": "INSERT UPDATE",
    "member_second_factors": "DELETE UPDATE",  # counts once a first code was entered, which is an update
    "member_sessions": "DELETE",  # their beginning is noted as a sign-in
    "resources": "INSERT UPDATE",  # they are marked as deleted, which is an update
    "single_sign_on": "DELETE INSERT UPDATE",
    "sso_attempts": "INSERT",
    "sso_keys": "DELETE INSERT UPDATE",
    "trusted_issuers": "INSERT UPDATE",
}
NOT_NOTED: Mapping[str, str] = {
    "audit_log": "the log itself",
    "document_pieces": "the content of a document, which never changes",
    "member_last_sign_ins": "follows sign-ins, which are noted",
    "member_recovery_codes": "made and removed with the second factor; a sign-in with one is noted as such",
    "request_log": "a log of its own",
    "resource_counts": "derived from resources",
    "resource_search": "derived from resources",
    "sign_in_names": "derived from resources",
    "sso_tickets": "a sign-in under way; its end is noted",
}
# Columns of the tables with a trigger for single rows that no entry shows.
NOT_SHOWN: Mapping[str, set[str]] = {
    "accounts": {"id", "created_at", "metadata_id", "metadata_by_number"},
    "api_keys": {
        "id", "tenant_id", "member_id", "hash", "last_four", "client_id", "created_at", "last_used_at", "last_used_address", "name",
        "last_used_agent",
    },
    "branding": {"tenant_id", "logo", "logo_type"},  # a new logo has a new version
    "documents": {"tenant_id", "id", "owner_id", "created_at"},
    "domains": {"tenant_id", "proof", "created_at", "seen_txt", "seen_cname", "checked_at", "seen_tls"},
    "event_streams": {
        "id", "tenant_id", "url", "created_at", "delivered", "lost", "failures", "last_error", "last_delivered_at", "next_try_at",
    },
    "member_links": {"tenant_id", "member_id", "secret_hash"},
    "member_second_factors": {"tenant_id", "member_id", "seed", "last_step"},
    "member_sessions": {
        "id", "tenant_id", "member_id", "secret_hash", "seen_at", "expires_at", "name_id", "session_index", "confirmed_at",
    },
    "single_sign_on": {"tenant_id", "metadata_read_at", "metadata_problem", "changed_at", "domain_claimed_at"},
    "sso_attempts": {"tenant_id", "id", "at", "person", "is_test", "response", "is_genuine"},
    "sso_keys": {"tenant_id", "private_key", "thumbprint", "created_at"},
    "trusted_issuers": {"key_id"},
}  # fmt: skip

_TRIGGERS = """
select c.relname, t.tgtype, encode(t.tgargs, 'escape')
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
where p.proname like 'audit%' and c.relnamespace = current_schema()::regnamespace
"""
_EVENTS = {4: "INSERT", 8: "DELETE", 16: "UPDATE"}


@dataclass(frozen=True)
class Change:
    """The entry that sending the form of a page must add to the log. *after* and *before* are attributes that the entry shows."""

    activity: str
    kind: str
    form: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    file: tuple[str, bytes] | None = None


DETAILS = {"email": "new@x.org", "given_name": "An", "family_name": "Na"}
SETUP = {
    "entity_id": "https://other.example/", "sign_in_url": "https://other.example/saml2",
    "certificates": key_named("contoso").certificate.pem, "email_domain": "other.example",
}  # fmt: skip
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)

# Every form of Documo: what it adds to the audit log, or why it adds nothing.
CHANGES: Mapping[str, Change | str] = {
    "/documents": Change("create", "Document", after=("name", "size", "owner_name"), file=("document", b"text")),
    "/documents/{document}/delete": Change("delete", "Document", before=("name", "size")),
    "/own-account/password": Change(
        "set password", "User", {"password": PASSWORD, "new_password": "another sentence of words"}, after=("password",)
    ),
    "/own-account/second-factor": "counts once a first code was entered",
    "/own-account/second-factor/confirm": "needs the seed: test_second_factor_is_noted_from_its_first_code_to_its_end",
    "/own-account/second-factor/remove": "the same test",
    "/own-account/sessions/end": Change("end", "Session", {"session": "{session}"}, before=("device", "signed_in_at")),
    "/own-account/sessions/end-others": Change("end", "Session", before=("device", "signed_in_at")),
    "/confirm": "changes nothing: the change that it allows is noted",
    "/confirm/sso": "begins a sign-in; its end is noted",
    "/sign-out": Change("end", "Session", before=("device",)),
    "/users/new": Change("create", "User", {**DETAILS, "role": "Member"}, after=("userName", "roles")),
    "/users/{user}/activate": Change("activate", "User", after=("active",), before=("active",)),
    "/users/{user}/deactivate": Change("deactivate", "User", after=("active",)),
    "/users/{user}/delete": Change("delete", "User", {"confirmation": "{user name}"}),
    "/users/{user}/details": Change("change", "User", DETAILS | {"email": "o@x.org"}, after=("userName", "name"), before=("userName",)),
    "/users/{user}/link": Change("create", "Password link", after=("created_by", "expires_at")),
    "/users/{user}/role": Change("change", "User", {"role": "Editor"}, after=("roles",)),
    "/users/{user}/second-factor/reset": "the test of second factors",
    "/users/{user}/sessions/end": Change("end", "Session", {"session": "{session of user}"}, before=("device",)),
    "/users/{gone}/undelete": Change("restore", "User"),
    "/settings/api-keys": Change("create", "API key", {"name": "entra", "scope": "scim:read"}, after=("scopes", "created_by")),
    "/settings/api-keys/{key}/revoke": Change("revoke", "API key", {"confirmation": "contoso"}, after=("revoked_at",)),
    "/settings/api-keys/{key}/roll": Change("create", "API key", {"overlap": "24"}, after=("scopes", "prefix")),
    "/settings/branding": Change("create", "Branding", {"name": "Contoso Ltd", "accent": ""}, after=("name",)),
    "/settings/branding/domain": Change("create", "Domain", {"kind": "app", "host": "docs.contoso.example"}, after=("host", "kind")),
    "/settings/branding/domain/remove": Change("delete", "Domain", {"host": "{host}"}, before=("host",)),
    "/settings/branding/domain/verify": "a check that fails changes nothing: test_proof_of_a_domain_is_noted",
    "/settings/branding/logo": Change("change", "Branding", after=("logo_version",), file=("logo", PIXEL)),
    "/settings/branding/logo/remove": Change("change", "Branding", before=("logo_version",)),
    "/settings/scim/enabled": Change("change", "Account", {}, after=("scim_enabled",), before=("scim_enabled",)),
    "/settings/scim/logs/{request}/replay": "is rolled back",
    "/settings/scim/users": Change(
        "change", "Account", {"default_role": "Viewer", "deprovision_action": "deactivate"},
        after=("default_role", "deprovision_action"), before=("default_role", "deprovision_action"),
    ),
    "/settings/scim/self-test": "is rolled back",
    "/settings/security/certificates": Change("create", "Signing key", after=("state", "certificate", "expires_at")),
    "/settings/security/certificates/activate": Change(
        "change", "Signing key", {"thumbprint": "{certificate}"}, after=("state",), before=("state",)
    ),
    "/settings/security/certificates/remove": Change(
        "delete", "Signing key", {"thumbprint": "{certificate}", "confirmation": "Contoso"}, before=("certificate",)
    ),
    "/settings/security/enforce": Change(
        "change", "Single sign-on", {"enforced": "on", "break_glass": "contoso-admin@x.org"}, after=("is_enforced", "break_glass")
    ),
    "/settings/security/sso": Change("change", "Single sign-on", SETUP, after=("entity_id", "email_domain"), before=("entity_id",)),
    "/settings/security/sso/metadata": "fills the form and saves nothing",
    "/settings/security/sso/remove": Change("delete", "Single sign-on", {"confirmation": "Contoso"}, before=("entity_id",)),
    "/settings/security/test": "begins a sign-in that signs nobody in",
    "/links/nosuch": "test_documo_audit_log tests sign-ins; the link's test is test_password_that_a_link_sets_is_noted",
    "/login": "test_documo_audit_log.py tests sign-ins",
    "/look": "the theme of the browser",
    "/sso": "begins a sign-in; its end is noted",
    "/sso/finish/nosuch": "test_documo_sso.py tests sign-ins by a provider",
}  # fmt: skip


@pytest.fixture
async def home(documo: Documo) -> Household:
    made = await household(await documo.client("Contoso"), "contoso")
    await password_links.set_password(made.store, made.api.account, made.members["Admin"], PASSWORD)
    return made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as opened:
        yield opened


async def newest(home: Household, **given: Any) -> list[AuditEntry]:
    return await audit_log.find_entries(home.store, home.tenant, AccountAuditFilter(**given), most=50)


async def test_every_table_of_an_account_is_noted_or_says_why_not(store: Store) -> None:
    async with store.control() as connection:
        cursor = await connection.execute(
            "select distinct table_name from information_schema.columns join information_schema.tables using (table_schema, table_name)"
            " where column_name = 'tenant_id' and table_type = 'BASE TABLE' and table_schema = current_schema()"
        )
        tables = {str(row[0]) for row in await cursor.fetchall()} | {"accounts", "trusted_issuers"}
        triggers = [(str(row[0]), int(row[1])) for row in await (await connection.execute(_TRIGGERS)).fetchall()]

    events: dict[str, set[str]] = {}
    for table, kinds in triggers:
        events.setdefault(table, set()).update(name for bit, name in _EVENTS.items() if kinds & bit)
    assert {table: " ".join(sorted(names)) for table, names in events.items()} == NOTED
    assert tables == set(NOTED) | set(NOT_NOTED)


async def test_every_column_of_a_noted_row_is_shown_or_known_not_to_be(store: Store) -> None:
    hidden: dict[str, set[str]] = {}
    async with store.control() as connection:
        for table, _, arguments in await (await connection.execute(_TRIGGERS)).fetchall():
            if not arguments:
                continue  # the triggers of resources, which compare whole documents
            cursor = await connection.execute(
                "select column_name from information_schema.columns where table_name = %s and table_schema = current_schema()",
                (table,),
            )
            columns = {str(row[0]) for row in await cursor.fetchall()}
            shown = set(str(arguments).split("\\000")[3:-1])
            assert shown <= columns, f"{table}: a trigger names columns that do not exist: {shown - columns}"
            hidden[table] = hidden.get(table, columns) & (columns - shown)

    assert hidden == NOT_SHOWN


def test_every_form_is_in_the_table_of_changes() -> None:
    assert {row.path for row in FORMS} == set(CHANGES)


async def test_every_form_adds_an_entry_with_what_differs(home: Household, http: aiohttp.ClientSession) -> None:
    wrong: list[str] = []
    for path, change in CHANGES.items():
        if isinstance(change, str):
            continue
        names = await _prepared(home, path)
        before = {entry.id for entry in await newest(home)}
        secret = await home.session("Admin")
        form = {name: value.format(**names) for name, value in change.form.items()}
        status = await _send(http, home.api, path.format(**names), secret, form, change.file)
        added = [entry for entry in await newest(home) if entry.id not in before]
        found = [entry for entry in added if (entry.activity, entry.kind) == (change.activity, change.kind)]
        if status not in (200, 303) or not found:
            wrong.append(f"{path} ({status}) added {[(entry.activity, entry.kind) for entry in added]}")
        elif not (set(change.after) <= set(found[-1].after) and set(change.before) <= set(found[-1].before)):
            wrong.append(f"{path} shows {found[-1].before} and {found[-1].after}")
        elif (found[-1].actor_kind, found[-1].actor) != ("member", "contoso-admin@x.org"):
            wrong.append(f"{path} is said to be done by {found[-1].actor}")

    assert wrong == []


async def test_document_that_is_read_is_noted_with_who_read_it(home: Household, http: aiohttp.ClientSession) -> None:
    names, secret = await home.objects(), await home.session("Viewer")
    url = f"{home.api.url.removesuffix('/scim/v2')}/documents/{names['document']}"
    async with http.get(url, headers={"Cookie": f"documo_session={secret}"}) as answer:
        assert answer.status == 200

    (entry, *_) = await newest(home, kind="Document")
    assert (entry.activity, entry.title, entry.actor) == ("download", "Downloaded", "contoso-viewer@x.org")
    assert (entry.object_id, entry.object_name) == (names["document"], "contoso.txt")


async def test_second_factor_is_noted_from_its_first_code_to_its_end(home: Household) -> None:
    member, now = home.members["Member"], datetime.now(UTC)
    await password_links.set_password(home.store, home.api.account, member, PASSWORD)
    made = await second_factor.begin_second_factor(home.store, home.tenant, member, account="Contoso")
    assert await newest(home, kind="Second factor") == []

    session = "00000000-0000-0000-0000-000000000000"
    earlier = now - timedelta(seconds=30)
    codes = await second_factor.confirm_second_factor(
        home.store, home.tenant, member, pyotp.TOTP(made.seed).at(earlier), session=session, now=earlier
    )
    await sign_ins.sign_in(home.store, "contoso-member@x.org", PASSWORD, code=pyotp.TOTP(made.seed).at(now))
    await sign_ins.sign_in(home.store, "contoso-member@x.org", PASSWORD, code=codes[0])
    await second_factor.remove_second_factor(home.store, home.tenant, member, session=session)
    again = await second_factor.begin_second_factor(home.store, home.tenant, member, account="Contoso")
    await second_factor.confirm_second_factor(
        home.store, home.tenant, member, pyotp.TOTP(again.seed).at(now), session=session, now=now
    )
    await second_factor.reset_second_factor(home.store, home.api.account, member)

    factors = await newest(home, kind="Second factor")
    assert [entry.activity for entry in factors] == ["delete", "create", "delete", "create"]
    assert {entry.object_name for entry in factors} == {"contoso-member@x.org"}
    proofs = [entry.after["with"] for entry in await newest(home, kind="Sign-in", activity="sign in")]
    assert proofs == ["password and recovery code", "password and code"]
    assert made.seed not in repr(await newest(home)) and codes[0] not in repr(await newest(home))


async def test_password_that_a_link_sets_is_noted(home: Household) -> None:
    link = await password_links.password_link(home.store, home.api.account, home.members["Editor"], created_by="test")
    await password_links.accept_link(home.store, link.secret, PASSWORD)

    found = [(entry.activity, entry.kind, entry.actor) for entry in (await newest(home))[:2]]
    assert found == [("sign in", "Sign-in", "contoso-editor@x.org"), ("set password", "User", "contoso-editor@x.org")]


async def test_proof_of_a_domain_is_noted(home: Household, name_server: NameServer) -> None:
    host = "api.contoso.example"
    made = await domains.set_domain(home.store, home.tenant, host)
    name_server.records = {f"_documo.{host}": [made.proof]}
    await domains.verify_domain(home.store, home.tenant, host, name_server=name_server.address)
    await domains.remove_domain(home.store, home.tenant, host)

    removed, verified, added = await newest(home, text=host)
    assert [one.activity for one in (added, verified, removed)] == ["create", "verify", "delete"]
    assert list(verified.after) == ["verified_at"] and "verified_at" not in verified.before
    assert removed.before["host"] == host


async def test_key_that_is_rolled_notes_the_end_of_the_old_one_and_the_new_one(home: Household) -> None:
    old = await api_keys.create_key(home.store, home.tenant, name="entra")
    await api_keys.rotate_key(home.store, home.tenant, old.id, overlap=timedelta(hours=1))

    ends, begins, _ = await newest(home, kind="API key", text="entra")
    assert (ends.activity, list(ends.after), ends.object_id) == ("change", ["expires_at"], old.id)
    assert begins.activity == "create" and begins.object_id != old.id


async def test_enforcing_and_releasing_single_sign_on_is_noted(home: Household) -> None:
    await providers.enforce(home.store, home.tenant, break_glass="contoso-admin@x.org")
    await providers.stop_enforcing(home.store, home.tenant)
    await providers.remove_provider(home.store, home.tenant)

    removed, released, enforced, configured = await newest(home, kind="Single sign-on")
    assert (configured.activity, configured.after["entity_id"]) == ("create", "https://contoso.example/")
    assert (enforced.before["is_enforced"], enforced.after["is_enforced"]) == (False, True)
    assert (released.before["is_enforced"], released.after["is_enforced"]) == (True, False)
    assert removed.activity == "delete"


async def test_signing_key_is_noted_by_its_certificate_alone(home: Household) -> None:
    (old,) = await own_keys.own_keys(home.store, home.tenant)
    new = await own_keys.prepare_key(home.store, home.tenant)
    await own_keys.activate_key(home.store, home.tenant, new.thumbprint)
    await own_keys.remove_key(home.store, home.tenant, old.thumbprint)

    entries = await newest(home, kind="Signing key")
    told = [
        (entry.activity, entry.object_name, entry.before.get("state"), entry.after.get("state")) for entry in entries
    ]
    assert told[0] == ("delete", old.thumbprint, "retiring", None)
    assert set(told[1:3]) == {
        ("change", new.thumbprint, "next", "active"),
        ("change", old.thumbprint, "active", "retiring"),
    }
    assert told[3:] == [("create", new.thumbprint, None, "next"), ("create", old.thumbprint, None, "active")]
    assert entries[3].after["certificate"] == new.signing.certificate.pem and "PRIVATE" not in repr(entries)


async def test_session_that_ends_by_itself_is_not_noted(home: Household) -> None:
    await home.session("Member")
    async with home.store.tenant(home.tenant) as connection:
        await connection.execute("update member_sessions set expires_at = now() - interval '1 minute'")
    await home.session("Admin")  # which removes expired sessions

    assert await newest(home, kind="Session") == []


async def test_sessions_that_end_with_their_member_are_noted_with_the_key_that_did_it(home: Household) -> None:
    await home.session("Member")
    member = home.members["Member"]
    await home.api.patch(f"/Users/{member}", {"op": "replace", "path": "active", "value": False})

    (entry,) = await newest(home, kind="Session")
    assert (entry.activity, entry.actor_kind, entry.actor, entry.object_id) == ("end", "key", "key", member)
    assert entry.object_name == "contoso-member@x.org"


async def test_settings_that_an_operator_changes_are_noted_with_what_they_were(home: Household) -> None:
    settings = {"plan": "starter", "api_enabled": False, "seats": 50, "audit_days": 90, "default_role": "Viewer"}
    await change_account(home.store, home.api.account.name, settings)

    (entry, *_) = await newest(home, kind="Account")
    assert entry.after == settings
    assert entry.before == {"plan": "standard", "api_enabled": True, "audit_days": 400, "default_role": "Member"}


async def test_ids_of_entries_do_not_tell_how_many_others_there_are(home: Household, documo: Documo) -> None:
    other = await documo.client("Beta")
    before = (await newest(home))[0]
    for number in range(20):
        await other.user(f"u{number}@x.org")
    await change_account(home.store, home.api.account.name, {"seats": 50})
    after = (await newest(home))[0]

    assert re.fullmatch(r"[0-9a-f]{48}", before.id) and before.id != after.id
    secret = b"s" * entry_ids.SECRET_BYTES
    assert [entry_ids.seal(secret, 1, 7), entry_ids.unseal(secret, 1, entry_ids.seal(secret, 1, 7))] == [
        entry_ids.seal(secret, 1, 7), 7,
    ]  # fmt: skip
    assert entry_ids.unseal(secret, 2, entry_ids.seal(secret, 1, 7)) is None
    for wrong in ("", "7", "x" * 32, "é" * 32, entry_ids.seal(secret, 1, 7)[:-1]):
        assert entry_ids.unseal(secret, 1, wrong) is None


def test_no_id_of_an_audit_entry_looks_like_an_option_and_former_ids_are_still_found() -> None:
    secret = b"s" * entry_ids.SECRET_BYTES
    ids = [entry_ids.seal(secret, 1, number) for number in range(500)]
    former = [base64.urlsafe_b64encode(bytes.fromhex(one)).decode() for one in ids]

    assert [one for one in ids if one.startswith("-")] == []
    assert [entry_ids.unseal(secret, 1, one) for one in former] == list(range(500))


async def _prepared(home: Household, path: str) -> dict[str, str]:
    """The objects that the form at *path* needs, in the state in which it changes something."""
    names = await home.objects()
    async with home.store.tenant(home.tenant) as connection:
        cursor = await connection.execute(
            "select document ->> 'userName' from resources where id = %s", (names["user"],)
        )
        row = await cursor.fetchone()
        assert row is not None
        begun = await sign_ins.begin_session(
            connection, home.tenant, names["user"], device="Firefox", address="", now=datetime.now(UTC)
        )
    caller = await sign_ins.caller_of_session(home.store, begun.secret)
    assert caller is not None
    if path.endswith("/activate"):
        await members.disable(home.store, home.api.account, names["user"])
    if path == "/settings/security/certificates":
        await own_keys.remove_key(home.store, home.tenant, names["certificate"])
    return {**names, "user name": str(row[0]), "session of user": caller.session}


async def _send(
    http: aiohttp.ClientSession,
    api: Client,
    path: str,
    secret: str,
    form: Mapping[str, str],
    file: tuple[str, bytes] | None,
) -> int:
    origin = api.url.removesuffix("/scim/v2")
    data = aiohttp.FormData({**form, "csrf": csrf.masked(derived(secret, "csrf"))})
    if file is not None:
        data.add_field(file[0], file[1], filename="file.png", content_type="image/png")
    headers = {"Origin": origin, "Cookie": f"documo_session={secret}"}
    async with http.post(origin + path, data=data, headers=headers, allow_redirects=False) as answer:
        return answer.status
