"""Two accounts of Documo with one object of each kind, and browsers that are signed in without a password."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from documo import audit_log, documents, domains, member_records, members, roles
from documo.access import api_keys
from documo.access.member_sign_in import begin_session, caller_of_session
from documo.access.sso import own_keys, providers
from documo.access.sso.providers import SamlSetup
from documo.audit_log import AccountAuditFilter
from documo.identifiers import new_id
from documo.store import single_sign_on as attempts_table
from documo.store import sso_keys as keys_table
from documo.store.database import Store
from documo.store.sso_keys import SignOnKeyRow
from lockstep.credentials.issued_secrets import derived
from lockstep.kit import csrf
from tests.support.documo_client import Client
from tests.support.saml_provider import key_named

ROLES = ("Admin", "Editor", "Member", "Viewer", "Auditor")  # Auditor is a role that the account made itself
_NUMBERS = itertools.count(1)
NOWHERE = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Seen:
    """A response without the parts that differ from request to request. *goes_to* is "" unless it is a redirect."""

    status: int
    text: str
    goes_to: str

    @property
    def asks_to_sign_in(self) -> bool:
        return self.status == 303 and self.goes_to.startswith("/login")


@dataclass
class Household:
    """An account. Everything in it that a page may show contains *mark*."""

    api: Client
    mark: str
    members: dict[str, str]

    @property
    def store(self) -> Store:
        return self.api.store

    @property
    def tenant(self) -> int:
        return self.api.account.id

    async def session(self, role: str) -> str:
        """The secret of a new session of the member with this role."""
        async with self.store.tenant(self.tenant) as connection:
            made = await begin_session(
                connection, self.tenant, self.members[role], device=self.mark, address="", now=datetime.now(UTC)
            )
        return made.secret

    async def objects(self) -> dict[str, str]:
        """Create one object of each kind. Returns their ids by name; a test's table of routes uses the same names."""
        store, tenant, mark = self.store, self.tenant, self.mark
        number = next(_NUMBERS)
        user = await members.add_member(store, tenant, f"{mark}-{number}@x.org", role="Member")
        gone = await members.add_member(store, tenant, f"{mark}-gone-{number}@x.org", role="Member")
        await member_records.delete_member(store, self.api.account, gone)
        caller = await caller_of_session(store, await self.session("Admin"))
        assert caller is not None
        pieces = [b"", mark.encode()]

        async def read(_: int) -> bytes:
            return pieces.pop() if pieces else b""

        document = await documents.add_document(store, caller, f"{mark}.txt", len(mark), read)
        key = await api_keys.create_key(store, tenant, name=mark, member=self.members["Admin"])
        host = f"{mark}-{number}.example.com"
        await domains.set_domain(store, tenant, host)
        async with store.tenant(tenant) as connection:
            attempt = await attempts_table.note_attempt(
                connection, tenant, at=datetime.now(UTC), number="n1", detail=mark, person=f"{mark}@x.org"
            )
            request = await (
                await connection.execute(
                    "insert into request_log values (%s, %s, now(), 'GET', %s, 200, 1, null, 'curl', '{}', '', %s, '', '', '')"
                    " returning id",
                    (tenant, new_id(), f"/scim/v2/Users?filter={mark}", mark),
                )
            ).fetchone()
        assert request is not None
        (entry, *_) = await audit_log.find_entries(store, tenant, AccountAuditFilter(text=mark, kind="API key"), most=1)
        return {
            "user": user, "gone": gone, "document": document, "key": key.id, "host": host, "attempt": attempt,
            "entry": entry.id, "request": str(request[0]), "session": caller.session, "certificate": await self._next_certificate(),
        }  # fmt: skip

    async def _next_certificate(self) -> str:
        """The thumbprint of the account's second key of single sign-on, which is inserted if there is none."""
        keys = await own_keys.own_keys(self.store, self.tenant)
        if len(keys) > 1:
            return keys[1].thumbprint
        key = next(
            one
            for one in map(key_named, (f"{self.mark} one", f"{self.mark} two"))
            if one.certificate.thumbprint != keys[0].thumbprint
        )
        made = key.certificate
        async with self.store.tenant(self.tenant) as connection:
            row = SignOnKeyRow(made.thumbprint, "next", made.pem, key.private_pem, made.not_after)
            await keys_table.insert_key(connection, self.tenant, row)
        return made.thumbprint

    async def fingerprint(self) -> Mapping[str, str]:
        """A hash of the account's rows in each table."""
        async with self.store.tenant(self.tenant) as connection:
            found = await connection.execute(
                "select table_name from information_schema.columns join information_schema.tables using (table_schema, table_name)"
                " where column_name = 'tenant_id' and table_type = 'BASE TABLE' and table_schema = current_schema()"
            )
            names = sorted({str(row[0]) for row in await found.fetchall()})
            parts = " union all ".join(
                f"select '{name}', md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {name} t where tenant_id = %(id)s"
                for name in names
            )
            rows = await (await connection.execute(parts, {"id": self.tenant})).fetchall()
        return {str(name): str(digest) for name, digest in rows}


async def household(api: Client, mark: str) -> Household:
    await roles.add_role(api.store, api.account, "Auditor")
    made = {
        role: await members.add_member(api.store, api.account.id, f"{mark}-{role.lower()}@x.org", role=role)
        for role in ROLES
    }
    setup = SamlSetup(f"https://{mark}.example/", f"https://{mark}.example/saml2", key_named("contoso").certificate.pem)
    await providers.set_up(api.store, api.account.id, setup)
    return Household(api, mark, made)


@dataclass
class Browser:
    """Sends single requests, each with the session that is named."""

    http: aiohttp.ClientSession
    origin: str

    async def send(
        self,
        method: str,
        path: str,
        *,
        secret: str = "",
        form: Mapping[str, str] | None = None,
        origin: str | None = None,
        token_of: str | None = None,
    ) -> Seen:
        """Send one request. *secret* identifies the session. *origin* replaces the page's origin. *token_of* is the secret of another
        session whose form token is sent instead; "" sends no token.
        """
        headers = {"Cookie": f"documo_session={secret}"} if secret else {}
        data: dict[str, str] | None = None
        if method == "POST":
            headers["Origin"] = self.origin if origin is None else origin
            of = secret if token_of is None else token_of
            data = {**(form or {}), **({"csrf": csrf.masked(derived(of, "csrf"))} if of else {})}
        async with self.http.request(
            method, self.origin + path, data=data, headers=headers, allow_redirects=False
        ) as answer:
            body = (await answer.read()).decode("utf-8", "replace")
            return Seen(answer.status, plain(body), answer.headers.get("Location", ""))


def plain(page: str) -> str:
    """Return *page* without the parts that differ each time: tokens, and ids of requests and objects."""
    page = re.sub(r'name="csrf" (value|content)="[^"]*"', "", page)
    page = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", page)
    return re.sub(r"\b[0-9a-f]{16,32}\b", "NUMBER", page)
