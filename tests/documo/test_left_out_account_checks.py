"""Every check of the parts of an account on which sign-in depends is covered: its roles, its own keys, its domains, the requests to its
provider, and the metadata that is read daily. At least one case ends differently without it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from documo import domains, members, roles
from documo.access.sso import asking, own_keys, providers, refreshing
from documo.access.sso.own_keys import KeyState, OwnKey
from documo.access.sso.refreshing import MAX_METADATA, MetadataReader
from documo.access.sso.requests import SignInHost
from documo.accounts import account_with_id, change_settings
from documo.domain_tls import CertificateState
from documo.domains import API, APP, EMAIL
from documo.store import domains as domains_table
from documo.store import roles as roles_table
from documo.store import single_sign_on, sso_requests
from documo.store.database import Store
from documo.store.single_sign_on import KEPT_FORGED
from documo.store.sso_requests import TicketRow
from lockstep.http.outbound import OutboundRules
from lockstep.saml import certificates
from lockstep.saml.bindings import read_redirect
from tests.documo.sso_world import ADA, ANNA, DAN, URL, World, sso_world
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of, sql_checks_of
from tests.support.rolled_back_store import rolled_back
from tests.support.saml_provider import Provider, key_named

pytestmark = pytest.mark.full

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
BAD_CERTIFICATE = CertificateState("It is bad", "Replace it", "x")
GENERATED = re.compile(
    r"\b[0-9A-F]{40,64}\b|\d{4}-\d\d-\d\d[T ][0-9:.+Z]+|[0-9a-f]{8}-[0-9a-f-]{27}|documo-proof=\w+|certificate '[^']+'"
)


@dataclass
class AccountWorld:
    """The two accounts of `sso_world`, and a server that answers with the metadata of the provider."""

    base: World
    metadata: str

    @property
    def store(self) -> Store:
        return self.base.store

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        async with self.store.control() as connection:
            cursor = await connection.execute(text.encode())
            return sorted(await cursor.fetchall(), key=repr) if cursor.description else []

    async def sql_in_one(self, text: str) -> list[tuple[Any, ...]]:
        """Run a statement in the account *one*, whose rows of most tables no other account sees."""
        async with self.store.tenant(self.base.one.id) as connection:
            cursor = await connection.execute(text.encode())
            return sorted(await cursor.fetchall(), key=repr) if cursor.description else []


Case = Callable[[AccountWorld], Awaitable[object]]


async def role_names(world: AccountWorld) -> object:
    account = await account_with_id(world.store, world.base.one.id)
    other = await roles.list_roles(world.store, world.base.two)
    return [
        (one["value"], one["members"], one["is_default"]) for one in await roles.list_roles(world.store, account)
    ], other


async def added(world: AccountWorld, value: str, display: str = "") -> object:
    await roles.add_role(world.store, world.base.one, value, display=display)
    return await role_names(world)


async def removed(world: AccountWorld, value: str, default: str = "") -> object:
    await roles.add_role(world.store, world.base.one, "Unused")
    await roles.add_role(world.store, world.base.two, "Unused")
    account = world.base.one
    if default:
        account = await change_settings(world.store, account, {"default_role": default})
    await roles.remove_role(world.store, account, value)
    return await role_names(world)


async def removed_again(world: AccountWorld) -> object:
    """A role is removed, added and removed again. A group has its value too."""
    await world.sql_in_one(
        """update resources set document = document || '{"value": "Unused"}' where unique_name = 'anna@contoso.example'"""
    )
    for _ in range(2):
        await roles.add_role(world.store, world.base.one, "Unused")
        await roles.remove_role(world.store, world.base.one, "Unused")
    counts = await world.sql_in_one(
        f"select kind, total from resource_counts where tenant_id = {world.base.one.id} order by 1"
    )
    return counts, await world.sql_in_one(
        f"select kind, deleted_at is null, version from resources where tenant_id = {world.base.one.id} order by 1, 2, 3"
    )


async def counted(world: AccountWorld, before: str) -> object:
    """The members of each role, after a change of them."""
    await world.sql_in_one(before)
    return await role_names(world)


async def keys_of(world: AccountWorld) -> object:
    one = [(key.state, key.warns(NOW)) for key in await own_keys.find_own_keys(world.store, world.base.one.id)]
    two = [key.state for key in await own_keys.find_own_keys(world.store, world.base.two.id)]
    return one, two


async def prepared(world: AccountWorld, *changes: str, thumbprint: str = "") -> object:
    """The keys after a next one was made, and after further changes: activate or remove the other key, or the active one."""
    account, named = world.base.one.id, {}
    for key in await own_keys.find_own_keys(world.store, account):
        named[key.thumbprint] = "first"
    made = await own_keys.prepare_key(world.store, account)
    named[made.thumbprint] = "second"
    for change in changes:
        known = await own_keys.find_own_keys(world.store, account)
        chosen: OwnKey = known[0] if change.endswith("active") else known[-1]
        act = own_keys.activate_key if change.startswith("activate") else own_keys.remove_key
        await act(world.store, account, thumbprint or chosen.thumbprint)
    after = [(named[one.thumbprint], one.state) for one in await own_keys.find_own_keys(world.store, account)]
    return after, named[(await own_keys.signing_key(world.store, account)).certificate.thumbprint], await keys_of(world)


async def prepared_twice(world: AccountWorld, *, activates: bool) -> object:
    made = await own_keys.prepare_key(world.store, world.base.one.id)
    if activates:
        await own_keys.activate_key(world.store, world.base.one.id, made.thumbprint)
    return await own_keys.prepare_key(world.store, world.base.one.id)


async def abbreviated(world: AccountWorld, length: int, *, form: str = "") -> object:
    made = await own_keys.prepare_key(world.store, world.base.one.id)
    short = made.thumbprint[:length]
    return (await own_keys.activate_key(world.store, world.base.one.id, form.format(short) if form else short)).state


async def ambiguous(world: AccountWorld) -> object:
    await own_keys.prepare_key(world.store, world.base.one.id)
    await world.sql(f"update sso_keys set thumbprint = 'ABCD' || thumbprint where tenant_id = {world.base.one.id}")
    keys = await own_keys.find_own_keys(world.store, world.base.one.id)
    same = [replace(key, signing=keys[0].signing) for key in keys]
    return own_keys.key_to_activate(same, keys[0].thumbprint[:8])


async def first_key(world: AccountWorld) -> object:
    await world.sql("delete from sso_keys")
    first = await own_keys.own_keys(world.store, world.base.one.id)
    again = await own_keys.own_keys(world.store, world.base.one.id)
    return first == again, await keys_of(world)


async def warned(_: AccountWorld, days: float, state: KeyState) -> object:
    key = OwnKey(state, certificates.new_signing_key("x", now=NOW, years=1))
    return key.warns(key.expires_at - days * DAY)


async def asked(world: AccountWorld, *, by_post: bool = False, signed: bool = False, **more: bool) -> object:
    await world.base.set_up(world.base.one, requests_by_post=by_post, requests_signed=signed)
    found = await asking.ask(world.store, world.base.one.id, api_url=URL, place=SignInHost.PUBLIC, **more)
    if found.fields:
        return found.url, sorted(found.fields), "Signature" in str(found.fields)
    base, _, query = found.url.partition("?")
    return base, "Signature=" in query, b'ForceAuthn="true"' in read_redirect(query).message


async def asked_without_a_provider(world: AccountWorld) -> object:
    return await asking.ask(world.store, world.base.two.id, api_url=URL, place=SignInHost.PUBLIC)


def reader(world: AccountWorld, rules: OutboundRules | None = None) -> MetadataReader:
    return MetadataReader(world.store, rules or OutboundRules([world.metadata]))


async def refreshed(
    world: AccountWorld,
    path: str = "/metadata",
    *,
    read: timedelta | None = None,
    all_due: bool = False,
    rules: OutboundRules | None = None,
) -> object:
    """What is known of the provider after its metadata was read again. *read* ago, it was read before."""
    await world.base.set_up(world.base.one, metadata_url=world.metadata + path if path else "", logout_url="")
    await world.base.set_up(world.base.two, metadata_url="", logout_url="")
    if read is not None:
        await world.sql(
            f"update single_sign_on set metadata_read_at = now() - interval '{read.total_seconds()} seconds'"
        )
    metadata = reader(world, rules)
    try:
        if all_due:
            await metadata.refresh_due(datetime.now(UTC))
        else:
            await metadata.refresh(world.base.one.id, now=datetime.now(UTC))
    finally:
        await metadata.close()
    return await world.sql(
        "select tenant_id, metadata_problem, logout_url <> '', metadata_read_at > now() - interval '1 hour' from single_sign_on order by 1"
    )


async def refreshed_without_a_provider(world: AccountWorld) -> object:
    await reader(world).refresh(9_999, now=NOW)
    return await world.sql("select tenant_id, metadata_problem from single_sign_on")


async def changed_while_it_is_read(world: AccountWorld) -> object:
    """An Admin changes the provider while its metadata is fetched."""
    await world.base.set_up(world.base.one, metadata_url=f"{world.metadata}/metadata", logout_url="")
    metadata = reader(world)
    fetch = metadata.fetch

    async def slow(url: str) -> bytes:
        found = await fetch(url)
        await world.base.set_up(world.base.one, metadata_url="", logout_url="", email_domain="changed.example")
        return found

    metadata.fetch = slow  # type: ignore[method-assign]
    try:
        await metadata.refresh(world.base.one.id, now=NOW)
    finally:
        await metadata.close()
    return await world.sql("select email_domain, logout_url, metadata_url from single_sign_on")


async def attempts(world: AccountWorld, *, genuine: bool, count: int, before: str = "") -> object:
    """How many attempts of each kind are kept in both accounts, after so many more."""
    for account in (world.base.one, world.base.two):
        for is_genuine in (True, False):
            await note(world, account.id, 0, genuine=is_genuine)
    await note(world, world.base.one.id, 999, genuine=not genuine)
    for number in range(count):
        await note(world, world.base.one.id, number + 1, genuine=genuine)
    kept = await world.sql(
        "select tenant_id, is_genuine, count(*), min(number::int) from sso_attempts group by 1, 2 order by 1, 2"
    )
    async with world.store.tenant(world.base.one.id) as connection:
        listed = await single_sign_on.attempts(connection, world.base.one.id, most=3)
        each = [await single_sign_on.attempt(connection, world.base.one.id, one.id) for one in listed]
    return kept, [one.number for one in listed], [one.number for one in each if one]


async def note(world: AccountWorld, account: int, number: int, *, genuine: bool) -> None:
    async with world.store.tenant(account) as connection:
        await single_sign_on.note_attempt(
            connection, account, at=NOW + timedelta(seconds=number), number=str(number), is_genuine=genuine
        )


async def in_progress(
    world: AccountWorld, change: Callable[[Any], Awaitable[object]], *, account: bool = False
) -> object:
    """The responses and used messages that are left. Each account has a response that has expired and one that has not."""
    for owner in (world.base.one, world.base.two):
        for secret, expires_at in (("old", NOW - DAY), ("new", NOW + DAY)):
            async with world.store.tenant(owner.id) as connection:
                row = TicketRow(owner.id, None, None, secret, "", None, None)
                await sso_requests.insert_ticket(connection, f"{owner.id} {secret}".encode(), row, expires_at)
    async with world.store.control() as connection:
        for used, expires_at in ((b"old", NOW - DAY), (b"new", NOW + DAY)):
            await sso_requests.use_once(connection, used, expires_at)
    async with world.store.tenant(world.base.one.id) if account else world.store.control() as connection:
        ended = await change(connection)
    tickets = await world.sql("select tenant_id, name_id from sso_tickets order by 1, 2")
    return ended, tickets, await world.sql("select to_jsonb(t)::text from sso_used t order by 1")


async def domains_of(world: AccountWorld) -> object:
    listed = [await domains.list_domains(world.store, one.id) for one in (world.base.one, world.base.two)]
    return [[(one.host, one.kind, one.verified) for one in found] for found in listed]


async def domain(world: AccountWorld, *hosts: str, removes: str = "") -> object:
    for host in hosts:
        for account in (world.base.one, world.base.two):
            await domains.set_domain(world.store, account.id, host)
    if removes:
        await domains.remove_domain(world.store, world.base.one.id, removes)
    return await domains_of(world)


async def added_twice(world: AccountWorld, kind: str, *, vouched: bool) -> object:
    await domains.set_domain(world.store, world.base.one.id, "a.example.org", kind=kind, vouched=vouched)
    return await domains.set_domain(world.store, world.base.one.id, "a.example.org")


async def seen(world: AccountWorld, ends: str) -> object:
    await domains.set_domain(world.store, world.base.one.id, "a.example.org")
    state = replace(BAD_CERTIFICATE, expires_at=NOW if ends == "ends" else None)
    async with world.store.control() as connection:
        await domains_table.note_certificate(connection, world.base.one.id, "a.example.org", asdict(state))
    [found] = await domains.list_domains(world.store, world.base.one.id)
    return found.seen_tls


async def role_in_use(world: AccountWorld, *names: str) -> None:
    await roles.add_role(world.store, world.base.one, "Helper")
    for name in names:
        await members.set_role(world.store, world.base.one, name, "Helper")
    await roles.remove_role(world.store, world.base.one, "Helper")


async def provider_removed(world: AccountWorld) -> object:
    """Both accounts have the provider; only one is removed."""
    await world.base.set_up(world.base.two)
    await providers.remove_provider(world.store, world.base.one.id)
    return await world.sql("select tenant_id from single_sign_on")


async def no_longer_enforced(world: AccountWorld) -> object:
    await providers.enforce(world.store, world.base.one.id, break_glass=ADA)
    await providers.stop_enforcing(world.store, world.base.one.id)
    return await world.sql("select is_enforced, break_glass is null from single_sign_on")


async def url(_: AccountWorld, host: str, public: str) -> object:
    return domains.url_of(host, public)


CASES: dict[str, Case] = {
    "roles": role_names,
    **{f"role {value[:20]!r} added": partial(added, value=value)
       for value in ("Helper", "", " ", " Helper", "x" * 200, "x" * 201, "a\x01", "member", "Admin")},
    "role with a name": lambda w: added(w, "Helper", "Helps"),
    **{f"role {value} removed": partial(removed, value=value) for value in ("Unused", "unused", "Admin", "Member", "Viewer", "Nothing")},
    "default role removed": lambda w: removed(w, "Unused", "Unused"),
    **{f"roles, {text[:40]}": partial(counted, before=text) for text in (
        "update resources set role = null where unique_name = 'anna@contoso.example'",
        "update resources set deleted_at = now() where unique_name = 'anna@contoso.example'",
        "update resources set deleted_at = now() where kind = 'Role' and document->>'value' = 'Viewer'",
        "update resources set kind = 'Group' where unique_name = 'anna@contoso.example'",
    )},
    "removed again": removed_again,
    "role of one removed": lambda w: role_in_use(w, ANNA),
    "role of two removed": lambda w: role_in_use(w, ANNA, DAN),
    "keys": keys_of,
    "first key": first_key,
    "prepared": prepared,
    "activated": lambda w: prepared(w, "activate"),
    "activated and back": lambda w: prepared(w, "activate", "activate"),
    "activated and removed": lambda w: prepared(w, "activate", "remove"),
    "prepared and removed": lambda w: prepared(w, "remove"),
    "the active one removed": lambda w: prepared(w, "remove active"),
    "the active one activated": lambda w: prepared(w, "activate active"),
    "an unknown one activated": lambda w: prepared(w, "activate", thumbprint="0000"),
    "prepared twice": lambda w: prepared_twice(w, activates=False),
    "prepared while one retires": lambda w: prepared_twice(w, activates=True),
    **{f"activated by {length} characters": partial(abbreviated, length=length) for length in (3, 4, 40)},
    "activated in another form": lambda w: abbreviated(w, 8, form=" {}: "),
    "ambiguous": ambiguous,
    **{f"warned {days} days before, {state}": partial(warned, days=days, state=state)
       for days in (31, 29, -1) for state in (KeyState.ACTIVE, KeyState.RETIRING)},
    "asked": asked,
    "asked by form": lambda w: asked(w, by_post=True),
    "asked, signed": lambda w: asked(w, signed=True),
    "asked by form, signed": lambda w: asked(w, by_post=True, signed=True),
    "asked in a test": lambda w: asked(w, is_test=True),
    "asked again": lambda w: asked(w, is_again=True),
    "asked without a provider": asked_without_a_provider,
    "metadata": refreshed,
    "metadata at no address": lambda w: refreshed(w, ""),
    "metadata where nothing listens": lambda w: refreshed(replace(w, metadata="http://127.0.0.1:1")),
    **{f"metadata at {path}": partial(refreshed, path=path) for path in ("/other", "/missing", "/large", "/wrong")},
    "metadata at a place that is not allowed": lambda w: refreshed(w, rules=OutboundRules()),
    **{f"due after {hours} hours": partial(refreshed, read=timedelta(hours=hours), all_due=True) for hours in (1, 23, 25)},
    "due, never read": lambda w: refreshed(w, all_due=True),
    "due without an address": lambda w: refreshed(w, "", all_due=True),
    "metadata of nobody": refreshed_without_a_provider,
    "metadata, changed while it is read": changed_while_it_is_read,
    "few attempts": lambda w: attempts(w, genuine=True, count=2),
    "many forged attempts": lambda w: attempts(w, genuine=False, count=KEPT_FORGED + 2),
    "expired": lambda w: in_progress(w, lambda c: sso_requests.remove_expired(c, NOW)),
    "tickets removed": lambda w: in_progress(w, lambda c: sso_requests.remove_tickets(c, w.base.one.id)),
    "used again": lambda w: in_progress(w, lambda c: sso_requests.use_once(c, b"new", NOW + DAY)),
    "used": lambda w: in_progress(w, lambda c: sso_requests.use_once(c, b"newer", NOW + DAY)),
    "provider removed": provider_removed,
    "no longer enforced": no_longer_enforced,
    "provider removed where there is none": lambda w: providers.remove_provider(w.store, w.base.two.id),
    "domains": lambda w: domain(w, "a.example.org", "b.example.org"),
    **{f"domain with a certificate that {ends}": partial(seen, ends=ends) for ends in ("ends", "could not be seen")},
    "domain removed": lambda w: domain(w, "a.example.org", "b.example.org", removes="a.example.org"),
    "unknown domain removed": lambda w: domain(w, "a.example.org", removes="c.example.org"),
    **{f"domain added twice, {kind}, {vouched}": partial(added_twice, kind=kind, vouched=vouched)
       for kind in (API, APP, EMAIL) for vouched in (True, False)},
    **{f"{host} at {public}": partial(url, host=host, public=public)
       for host in ("a.example.org",) for public in ("https://documo.example", "http://127.0.0.1:8081")},
}  # fmt: skip
# Row level security holds the conditions on the account, see test_documo_walls.
OF_TENANT = (
    "tenant_id = %s",
    "tenant_id = %(tenant)s",
    "m.tenant_id = r.tenant_id",
    "r.tenant_id = %s",
    "c.tenant_id = gone.tenant_id",
)
# The statements of test_left_out_sso_checks.
ELSEWHERE = ("tenant_of_domain", "tenants_of_issuer", "tenants_to_leave", "domain_owner", "read_ticket", "use_ticket")
CHECKS = [
    *(one for module in (roles, own_keys, refreshing, asking) for one in checks_of(module, parts=True)),
    *checks_of(domains, "list_domains", "_domain", "remove_domain", "_is_there", "url_of", parts=True),
    *checks_of(providers, "remove_provider", "stop_enforcing", "setup_of", parts=True),
    *(one for module in (roles_table, single_sign_on, sso_requests) for one in sql_checks_of(module) if one.part not in OF_TENANT
      and not any(name in one.place for name in ELSEWHERE)),
]  # fmt: skip
IMPLIED = [
    ("documo.roles.add_role", ""),  # only for two requests at once; the value is looked up before
    ("documo.access.sso.own_keys.own_keys", "found"),  # the key that is made in vain is discarded
    ("documo.access.sso.refreshing.MetadataReader.close", "self._client is not None"),  # no result depends on it
    ("documo.store.single_sign_on.due_for_refresh", "metadata_url <> ''"),  # `refresh` leaves such an account as it is
]


@pytest.fixture
async def metadata() -> AsyncIterator[str]:
    """The address of a server with the metadata of the provider, and with documents that cannot be used."""
    provider = Provider(URL, key=key_named("contoso"))
    documents = {
        "/metadata": provider.metadata(), "/other": Provider(URL, entity_id="https://other.example").metadata(),
        "/large": b" " * (MAX_METADATA + 1), "/wrong": b"<x/>",
    }  # fmt: skip

    async def answer(request: web.Request) -> web.Response:
        found = documents.get(request.path)
        return web.Response(status=404) if found is None else web.Response(body=found)

    app = web.Application()
    app.router.add_get("/{name}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def world(store: Store, metadata: str, monkeypatch: pytest.MonkeyPatch) -> AccountWorld:
    monkeypatch.setattr(certificates, "KEY_BITS", 2048)  # making larger keys takes most of the time
    return AccountWorld(await sso_world(store), metadata)


async def outcome(case: Case, world: AccountWorld) -> str:
    """How *case* ends. Its changes are rolled back."""
    async with rolled_back(world.store) as store:
        ended = await ending_of(case(replace(world, base=replace(world.base, store=store))))
    return GENERATED.sub("VALUE", ended.replace(world.metadata, "SERVER"))


async def test_no_check_of_what_sign_in_depends_on_can_be_left_out(world: AccountWorld) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 45
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
