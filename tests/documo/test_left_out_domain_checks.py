"""Every check before an account gets a domain, and every condition that separates the domains of accounts, is covered: at least one case
ends differently without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from documo import domains
from documo.accounts import TenantAccount, create_account
from documo.domain_tls import CertificateLook
from documo.domains import API, APP, EMAIL
from documo.store import branding
from documo.store import domains as table
from documo.store.database import Store
from lockstep.errors import LockstepError
from lockstep.http.outbound import OutboundRules
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import ending_of, sql_checks_of
from tests.support.name_server import NameServer
from tests.support.rolled_back_store import rolled_back

pytestmark = pytest.mark.full

HOST, OTHER = "docs.example.org", "a.example.org"
LOOK = CertificateLook(1, OutboundRules(["127.0.0.0/8"]))  # nothing listens on this port


@dataclass
class World:
    store: Store
    one: TenantAccount
    two: TenantAccount
    name_server: NameServer

    async def add(
        self,
        host: str = HOST,
        *,
        to: TenantAccount | None = None,
        kind: str = API,
        verified: bool = False,
        proves: bool = True,
    ) -> None:
        """Add a domain. Its owner *proves* it in DNS."""
        added = await domains.set_domain(self.store, (to or self.one).id, host, kind=kind, vouched=verified)
        if proves:
            self.name_server.records[added.record_name] = [added.proof]

    async def verify(self, host: str = HOST, *, look: CertificateLook | None = None) -> None:
        await domains.verify_domain(self.store, self.one.id, host, name_server=self.name_server.address, look=look)

    async def rows(self) -> list[tuple[object, ...]]:
        async with self.store.control() as connection:
            cursor = await connection.execute(
                "select a.name, d.host, d.kind, d.verified_at is not null, d.seen_txt is not null, d.seen_tls is not null"
                " from domains d join accounts a on a.id = d.tenant_id order by 1, 2"
            )
            return await cursor.fetchall()

    async def served(self) -> object:
        """The accounts whose API and pages are served at each host, and the hosts that the account *one* shows."""
        async with self.store.control() as connection:
            api = await table.verified(connection)
            app = [await branding.tenant_of_host(connection, host) for host in (HOST, OTHER)]
            shown = [await branding.read(connection, account.id) for account in (self.one, self.two)]
        return api, app, [(one.account, one.host_of_api, one.host_of_app) for one in shown if one is not None]


Case = Callable[[World], Awaitable[object]]


async def added(world: World, host: str = HOST, *, first: str = "") -> object:
    await world.add(OTHER)
    if first:
        to = {"own": world.one, "other": world.two, "other, not verified": world.two}[first]
        await world.add(to=to, verified=first == "other")
    await domains.set_domain(world.store, world.one.id, host, vouched=True)
    return "added"


async def verified(
    world: World,
    host: str = HOST,
    *,
    proves: bool = True,
    other: str = "",
    kind: str = API,
    look: CertificateLook | None = None,
) -> object:
    """Verify a domain of *one*, which has another one. The account *two* may have the same."""
    await world.add(OTHER)
    if other:
        await world.add(to=world.two)
    await world.add(kind=kind, proves=proves)
    if other == "verified":
        async with world.store.control() as connection:
            await table.mark_verified(connection, world.two.id, HOST)
    try:
        await world.verify(host, look=look)
        return "verified"
    except LockstepError as refused:
        return f"{refused.detail} {refused.why.replace(world.name_server.records.get(f'_documo.{HOST}', [''])[0], 'PROOF')}"


async def removed(world: World, host: str = HOST) -> object:
    await world.add(OTHER)
    await world.add()
    await world.add(to=world.two)
    await domains.remove_domain(world.store, world.one.id, host)
    return "removed"


async def served(world: World, kind: str, *, verified: bool = True) -> object:
    await world.add(kind=kind, verified=verified)
    return await world.served()


async def served_of_two(world: World, kind: str) -> object:
    await world.add(OTHER, to=world.two, kind=kind, verified=True)
    return await served(world, kind)


async def listed(world: World) -> object:
    await world.add(to=world.two)
    await world.add(OTHER)
    return [one.host for one in await domains.list_domains(world.store, world.one.id)]


CASES: dict[str, Case] = {
    "added": added,
    "added in another form": lambda w: added(w, f" {HOST.upper()}. "),
    "no host name": lambda w: added(w, "https://x"),
    "added twice": lambda w: added(w, first="own"),
    "added after another": lambda w: added(w, first="other"),
    "added after another who did not prove it": lambda w: added(w, first="other, not verified"),
    "verified": verified,
    "verified without a proof": lambda w: verified(w, proves=False),
    "verified by the proof of another": lambda w: verified(w, proves=False, other="added"),
    "verified, another has it too": lambda w: verified(w, other="added"),
    "verified after another": lambda w: verified(w, other="verified"),
    "verified without the domain": lambda w: verified(w, "b.example.org"),
    "verified with a certificate": lambda w: verified(w, look=LOOK),
    "verified with a certificate, another has it too": lambda w: verified(w, look=LOOK, other="added"),
    "email domain verified": lambda w: verified(w, kind=EMAIL, look=LOOK),
    "removed": removed,
    "removed without the domain": lambda w: removed(w, "b.example.org"),
    **{
        f"served for {kind}{', not verified' * (not is_verified)}": partial(served, kind=kind, verified=is_verified)
        for kind in (API, APP, EMAIL)
        for is_verified in (True, False)
    },
    **{f"served for {kind} of two": partial(served_of_two, kind=kind) for kind in (API, APP)},
    "listed": listed,
}
CHECKS = [
    *checks_of(domains, "set_domain", "find_domain", "verify_domain", parts=True),
    *sql_checks_of(table),
    *sql_checks_of(branding, "tenant_of_host", "read"),
]
# Row level security holds the account of the brand.
IMPLIED = [("documo.store.branding.read", "b.tenant_id = a.id")]


async def outcome(case: Case, world: World) -> str:
    """How *case* ends, with all domains afterwards. Its changes are rolled back."""
    world.name_server.records.clear()
    world.name_server.addresses[HOST] = "127.0.0.1"
    async with rolled_back(world.store) as store:
        here = replace(world, store=store)
        ended = await ending_of(case(here))
        return f"{ended} {await here.rows()}"


async def test_no_check_of_domains_can_be_left_out(store: Store, name_server: NameServer) -> None:
    one, two = [await create_account(store, name, admin=f"{name}@x.org") for name in ("One", "Two")]
    world = World(store, one, two, name_server)
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 25
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
