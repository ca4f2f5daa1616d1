"""Every check before Documo accepts a provider's response, or ends sessions at a provider's request, is covered: at least one case ends
differently without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from documo import domains, member_records, members
from documo.access.member_passwords import OF_MEMBERS
from documo.access.member_sign_in import begin_session
from documo.access.sso import addresses, answering, collecting, leaving, noting, own_keys, providers, requests, service
from documo.access.sso.collecting import stranger_of
from documo.access.sso.requests import SignInHost, new_request, read_request, request_key
from documo.domains import API, APP
from documo.store import sign_ins, single_sign_on, sso_keys, sso_requests
from documo.store.database import Store
from lockstep.saml.metadata import read_sp_metadata
from tests.documo.sso_world import ADA, ANNA, BEN, BOB, CLEO, DAN, PASSWORD, URL, World, outcome
from tests.support.left_out_checks import checks_of, unheld_checks
from tests.support.left_out_conditions import sql_checks_of
from tests.support.saml_provider import ENTITY_ID, Provider, key_named

pytestmark = pytest.mark.full
Case = Callable[[World], Awaitable[object]]
NEW, EMAIL = "new@contoso.example", "email"
STRANGER = Provider(URL, key=key_named("stranger"))


async def twice(world: World, *, is_test: bool = False) -> object:
    asked, browser = await world.ask(is_test=is_test)
    form = world.provider.response(ANNA, asked=asked)
    return await world.collected(await world.take(form), browser), await world.take(form)


async def two_responses(world: World) -> object:
    asked, _ = await world.ask()
    return [await world.take(world.provider.response(ANNA, asked=asked)) for _ in range(2)]


async def unsolicited_twice(world: World) -> object:
    form = world.provider.response(ANNA)
    return [await world.take(form) for _ in range(2)]


async def with_relay_state(world: World, relay_state: str | None) -> object:
    asked, browser = await world.ask()
    form = world.provider.response(ANNA, asked=asked)
    form |= {"RelayState": relay_state} if relay_state is not None else {}
    if relay_state is None:
        del form["RelayState"]
    return await world.collected(await world.take(form), browser)


async def in_a_test(world: World, name: str = ANNA, **changed: Any) -> object:
    audience = {"audience": changed.pop("audience")} if "audience" in changed else {}
    await world.set_up(world.one, **changed)
    asked, browser = await world.ask(is_test=True)
    return await world.collected(await world.take(world.provider.response(name, asked=asked, **audience)), browser)


async def set_up(
    world: World, *args: Any, name: str = ANNA, asks: bool = True, more: Any = None, **changed: Any
) -> object:
    await world.set_up(world.one, **changed)
    return await world.sign_in(name, asks=asks, **(more or {}))


async def with_field(world: World, name: str, value: str) -> object:
    await world.set_up(world.one, **{name: value})
    return await world.sign_in()


async def in_two(
    world: World, name: str, *, verified: str = "", kind: str = EMAIL, asks: bool = False, **changed: Any
) -> object:
    """Both accounts have the provider; one of them may have proved the domain."""
    await world.set_up(world.two, **changed)
    if verified:
        await world.verify({"one": world.one, "two": world.two}[verified], kind)
    return await world.sign_in(name, asks=asks)


async def in_two_with_one_name(world: World, verified: str = "", kind: str = EMAIL) -> object:
    await members.add_member(world.store, world.two.id, "new@contoso.example", role="Member")
    await members.add_member(world.store, world.one.id, "new@contoso.example", role="Member")
    return await in_two(world, "new@contoso.example", verified=verified, kind=kind)


async def refused_by_both(world: World) -> object:
    await world.set_up(world.two)
    return await world.sign_in(ANNA, asks=False, audience="https://other.example")


async def named_by(world: World, attributes: dict[str, list[str]]) -> object:
    await world.set_up(world.one, identity_attribute="mail")
    return await world.sign_in("somebody", attributes=attributes)


async def gone_meanwhile(world: World) -> object:
    asked, _ = await world.ask()
    await providers.remove_provider(world.store, world.one.id)
    return await world.take(world.provider.response(ANNA, asked=asked))


async def without_seats(world: World) -> object:
    async with world.store.control() as connection:
        await connection.execute("update accounts set seats = 1 where id = %s", (world.one.id,))
    return await set_up(world, name=NEW, creates_members=True)


async def made_meanwhile(world: World, *, is_active: bool = True) -> object:
    """Somebody else creates the member of a first sign-in after it has looked."""
    inner = members.add_member

    async def add_member(store: Store, tenant_id: int, email: str, *, role: str) -> str:
        made = await inner(store, tenant_id, email, role="Editor")
        if not is_active:
            await members.disable(store, world.one, made)
        return await inner(store, tenant_id, email, role=role)

    members.add_member = add_member  # type: ignore[assignment]
    try:
        return await set_up(world, name=NEW, creates_members=True)
    finally:
        members.add_member = inner


async def under_an_id(world: World, change: Callable[[str], str]) -> object:
    asked, browser = await world.ask()
    ticket = await world.take(world.provider.response(ANNA, asked=asked, in_response_to=change(asked.request.id)))
    return await world.collected(ticket, browser)


async def read_id(world: World, change: Callable[[str], str], minutes: int = 0) -> object:
    key, now = await request_key(world.store), datetime.now(UTC)
    made = new_request(key, world.one.id, SignInHost.PUBLIC, is_test=False, now=now - timedelta(minutes=minutes))
    return read_request(key, change(made.id), now) is not None


async def in_another_browser(world: World, *, is_test: bool = False) -> object:
    asked, _ = await world.ask(is_test=is_test)
    return await world.collected(await world.take(world.provider.response(ANNA, asked=asked)), "another")


async def collected_twice(world: World) -> object:
    ticket = await world.take(world.provider.response(ANNA))
    return await world.collected(ticket), await world.collected(ticket)


async def late(world: World, *, asks_first: bool = False) -> object:
    ticket = await world.take(world.provider.response(ANNA))
    async with world.store.control() as connection:
        await connection.execute("update sso_tickets set expires_at = now() - interval '1 minute'")
    return await (stranger_of(world.store, ticket, "") if asks_first else world.collected(ticket))


async def disabled_meanwhile(world: World) -> object:
    ticket = await world.take(world.provider.response(ANNA))
    await members.disable(world.store, world.one, ANNA)
    return await world.collected(ticket)


async def strangers(world: World) -> object:
    """Whether a browser is asked: one that began the sign-in, one that did not, one that knows Anna, and one of a test."""
    asked, browser = await world.ask()
    begun = await world.take(world.provider.response(ANNA, asked=asked))
    brought = await world.take(world.provider.response(ANNA))
    asked, _ = await world.ask(is_test=True)
    test = await world.take(world.provider.response(ANNA, asked=asked))
    found = [await stranger_of(world.store, ticket, "") for ticket in (begun, brought, test)]
    collected = await collecting.collect(world.store, brought, browser, device="", address="")
    again = await world.take(world.provider.response(ANNA))
    return found, await stranger_of(world.store, again, collected.known), await stranger_of(world.store, again, "x")


async def forged(world: World, provider: Provider | None = None) -> object:
    form = (provider or world.provider).response(ANNA, audience="https://other.example")
    return await world.take(form)


async def left(world: World, *, signed_in: str = "sso", **changed: Any) -> object:
    """Sign out here: where does the browser go?"""
    await world.set_up(world.one, **changed)
    secret = "nobody's"
    await password_session(world, "two")
    if signed_in == "sso":
        ticket = await world.take(world.provider.response(ANNA, session_index=changed.get("session_index", "_s")))
        found = await collecting.collect(world.store, ticket, "", device="", address="")
        assert found.session is not None
        secret = found.session.secret
    elif signed_in:
        secret = await password_session(world)
    url = await leaving.leave(world.store, secret, api_url=URL)
    return url.partition("?")[:2]


async def password_session(world: World, account: str = "one") -> str:
    chosen, name = {"one": (world.one, ADA), "two": (world.two, "ida@two.example")}[account]
    async with world.store.tenant(chosen.id) as connection:
        member = (await members.show(world.store, chosen, name))["id"]
        made = await begin_session(connection, chosen.id, member, device="", address="", now=datetime.now(UTC))
    return made.secret


async def ended(world: World, *, name: str = ANNA, **more: Any) -> object:
    """The provider ends sessions of Anna, who has two, where other people have one as well."""
    for person, index in ((ANNA, "_first"), (ANNA, "_second"), (DAN, "_first")):
        await world.sign_in(person, asks=False, session_index=index)
    await world.set_up(world.two)
    await world.sign_in(BOB, asks=False)
    return (await world.leave(name, **more)).partition("?")[0]


async def ended_without_logout_url(world: World) -> object:
    await world.set_up(world.one, logout_url="")
    await world.sign_in(ANNA, asks=False)
    return await world.leave()


async def ended_again(world: World) -> object:
    """The same request comes a second time, after Anna has signed in again."""
    url = world.provider.logout_request(ANNA, key=world.provider.key)
    raw = url.partition("?")[2]
    await leaving.leave_for_provider(world.store, raw, api_url=URL)
    await world.sign_in(ANNA, asks=False)
    return await leaving.leave_for_provider(world.store, raw, api_url=URL)


async def in_too_many_accounts(world: World) -> object:
    """Two accounts use the provider, where only one is tried."""
    await world.set_up(world.two)
    answering.MOST_ACCOUNTS, most = 1, answering.MOST_ACCOUNTS
    try:
        return await world.sign_in(asks=False)
    finally:
        answering.MOST_ACCOUNTS = most


async def first_to_leave(world: World) -> object:
    """If only one account is tried, it is the second, where Bob has a session. Anna has one in the first."""
    await world.sign_in(ANNA, asks=False)
    await world.set_up(world.two)
    await world.sign_in(BOB, asks=False)
    async with world.store.control() as connection:
        found = await single_sign_on.tenants_to_leave(connection, ENTITY_ID, BOB, most=1)
    return found == [world.two.id]


async def ended_where_nobody_signs_in(world: World) -> object:
    await providers.remove_provider(world.store, world.one.id)
    return await world.leave()


async def enforced(world: World, who: str, *, then: Callable[[World], Awaitable[object]] | None = None) -> object:
    await password_session(world)
    await password_session(world, "two")
    await world.sign_in(ANNA, asks=False)
    await providers.enforce(world.store, world.one.id, break_glass=who)
    return await then(world) if then is not None else await world.sessions()


async def password_refused(world: World, name: str) -> object:
    member = (await members.show(world.store, world.one, name))["id"]
    async with world.store.tenant(world.one.id) as connection:
        await providers.refuse_password(connection, world.one.id, member)
    return "not refused"


async def break_glass_after(world: World, change: Callable[[World], Awaitable[object]]) -> object:
    """Enforce with the only break-glass Admin after a change of them."""
    await members.add_member(world.store, world.one.id, "new-admin@one.example", role="Admin")
    await change(world)
    return await enforced(world, ADA)


async def set_digest(world: World, name: str, digest: str | None) -> None:
    async with world.store.tenant(world.one.id) as connection:
        await connection.execute(
            "update resources set password_hash = %s where unique_name = %s and tenant_id = %s",
            (digest, name, world.one.id),
        )


async def enforced_with_a_member(world: World) -> object:
    """A member who is no Admin, but has a password."""
    await set_digest(world, ANNA, await OF_MEMBERS.hash_password(PASSWORD))
    return await enforced(world, ANNA)


async def removed(world: World) -> object:
    ticket = await world.take(world.provider.response(ANNA))
    await world.sign_in(ANNA, asks=False)
    await password_session(world)
    await providers.remove_provider(world.store, world.one.id)
    return await world.sessions(), await world.collected(ticket)


async def read_again(world: World, entity_id: str = ENTITY_ID, *, days: int = 1) -> object:
    found = await providers.find_provider(world.store, world.one.id)
    assert found is not None
    now = datetime.now(UTC)
    metadata = Provider(URL, entity_id=entity_id).metadata(valid_until=now + timedelta(days=days))
    return providers.read_again(found.row, metadata, now=now).entity_id


async def of_email(world: World, email: str, verified: str = "", kind: str = EMAIL, *, set_up: bool = True) -> object:
    """Which account signs in the owner of this address. The account *two* named the domain later."""
    if set_up:
        await world.set_up(world.two)
    if verified:
        await world.verify(world.two, kind)
    return {world.one.id: "one", world.two.id: "two", None: "none"}[
        await providers.tenant_for_email(world.store, email)
    ]


async def metadata(world: World, reference: str = "") -> object:
    address = await service.metadata_address(world.store, world.one.id, URL)
    xml = await service.metadata_at(world.store, reference or address.partition("=")[2], api_url=URL)
    read = read_sp_metadata(xml)
    return read.entity_id, read.reply_urls, len(read.signing_certificates), len(read.encryption_certificates)


async def metadata_by_number(world: World, *, number: str = "", has_former_address: bool) -> object:
    """The account *one* has the former address, or no account has one."""
    if has_former_address:
        async with world.store.control() as connection:
            await connection.execute("update accounts set metadata_by_number = true where id = %s", (world.one.id,))
    return await metadata(world, number or str(world.one.id))


async def served(world: World, *hosts: tuple[str, str], verified: bool = True) -> object:
    """The address of the account at each place, for the provider, and the places of its hosts."""
    for host, kind in hosts:
        await domains.set_domain(world.store, world.one.id, host, kind=kind, vouched=verified)
    urls = [await addresses.url_at(world.store, world.one.id, one, URL) for one in SignInHost]
    named = [*(host.upper() for host, _ in hosts), "documo.example", "contoso.example:443"]
    places = [await addresses.place_of(world.store, world.one.id, one) for one in named]
    return urls, (await addresses.service_address(world.store, world.one.id, URL)).reply_url, places


async def owned(world: World, account: str, host: str, *, verified: bool) -> object:
    """Both accounts have a member of this name. One of them added an email domain."""
    of = {"one": world.one, "two": world.two}[account]
    await domains.set_domain(world.store, of.id, host, kind=EMAIL, vouched=verified)
    return await in_two_with_one_name(world)


async def email_named(world: World) -> object:
    """The second account added the domain, and did not prove it."""
    await domains.set_domain(world.store, world.two.id, "contoso.example", kind=EMAIL)
    return await of_email(world, ANNA)


async def inactive_in_the_first(world: World) -> object:
    await members.add_member(world.store, world.two.id, BEN, role="Member")
    return await in_two(world, BEN)


async def deleted_meanwhile(world: World) -> object:
    ticket = await world.take(world.provider.response(ANNA))
    await member_records.delete_member(world.store, world.one, ANNA)
    return await stranger_of(world.store, ticket, "")


async def removed_before(world: World, module: ModuleType, work: Case) -> object:
    """The provider is removed before *module* reads it."""

    async def gone(store: Store, tenant_id: int) -> providers.Provider | None:
        await providers.remove_provider(store, tenant_id)
        return await providers.find_provider(store, tenant_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "find_provider", gone)
        return await work(world)


async def removed_twice(world: World) -> object:
    for _ in range(2):
        await providers.remove_provider(world.store, world.one.id)
    return "removed twice"


async def each_address_of_metadata(world: World) -> object:
    addresses = [await service.metadata_address(world.store, one.id, URL) for one in (world.one, world.two)]
    return len(set(addresses))


async def with_a_key_removed(world: World) -> object:
    made = await own_keys.prepare_key(world.store, world.one.id)
    await own_keys.remove_key(world.store, world.one.id, made.thumbprint)
    return await metadata(world)


async def metadata_with_a_new_key(world: World) -> object:
    await own_keys.prepare_key(world.store, world.one.id)
    return await metadata(world)


async def email_where_one_has_no_domain(world: World) -> object:
    await world.set_up(world.two, email_domain="")
    return await of_email(world, "anna", set_up=False)


async def metadata_read(world: World, then: str) -> object:
    """Whether the metadata still counts as read after a change of its address."""
    await world.set_up(world.one, metadata_url="https://a.example/metadata")
    async with world.store.control() as connection:
        await connection.execute("update single_sign_on set metadata_read_at = now()")
    await world.set_up(world.one, metadata_url=then)
    found = await providers.provider_of(world.store, world.one.id)
    return found.row.metadata_read_at is not None


async def email_beside_another(world: World) -> object:
    """The second account proved another domain."""
    await domains.set_domain(world.store, world.two.id, "fabrikam.example", kind=EMAIL, vouched=True)
    return await of_email(world, ANNA)


async def ticket_of_nobody(world: World, *, asks_first: bool = False) -> object:
    await world.take(world.provider.response(ANNA))
    return await (stranger_of(world.store, "nobody's", "") if asks_first else world.collected("nobody's"))


CASES: dict[str, Case] = {
    "usual": lambda w: w.sign_in(),
    "other case": lambda w: w.sign_in(ANNA.upper()),
    "session that the provider ends": lambda w: w.sign_in(session_lifetime=timedelta(hours=1)),
    "begun at the provider": lambda w: w.sign_in(asks=False),
    "begun at the provider, not allowed": lambda w: set_up(w, asks=False, allows_unsolicited=False),
    "asked, only that allowed": lambda w: set_up(w, allows_unsolicited=False),
    "another provider": lambda w: w.sign_in(asks=False, issuer="https://other.example"),
    "another audience": lambda w: w.sign_in(audience="https://other.example"),
    "inactive": lambda w: w.sign_in(BEN),
    "deleted": lambda w: w.sign_in(CLEO),
    "unknown": lambda w: w.sign_in(NEW),
    "unknown, made": lambda w: set_up(w, name=NEW, creates_members=True),
    "unknown, made with a role": lambda w: set_up(w, name=NEW, creates_members=True, default_role="Viewer"),
    "inactive, not made": lambda w: set_up(w, name=BEN, creates_members=True),
    "unknown, no seat": without_seats,
    "unknown, made meanwhile": made_meanwhile,
    "unknown, made meanwhile and inactive": lambda w: made_meanwhile(w, is_active=False),
    "in wide letters": lambda w: w.sign_in("\uff41nna@contoso.example"),
    "member of the other account": lambda w: w.sign_in(BOB),
    "replayed": twice,
    "two responses to one request": two_responses,
    "unsolicited, replayed": unsolicited_twice,
    "relay state of another": lambda w: with_relay_state(w, "another"),
    "relay state with an address": lambda w: with_relay_state(w, "https://evil.example"),
    "relay state missing": lambda w: with_relay_state(w, None),
    "request of nobody": lambda w: under_an_id(w, lambda found: "_nobody"),
    "request with another seal": lambda w: under_an_id(w, lambda found: found[:-1] + ("0" if found[-1] != "0" else "1")),
    "id": lambda w: read_id(w, str),
    "id too old": lambda w: read_id(w, str, 16),
    "id of nobody": lambda w: read_id(w, lambda found: "_nobody"),
    "id with another seal": lambda w: read_id(w, lambda found: found[:-1] + ("0" if found[-1] != "0" else "1")),
    "id of a few bytes": lambda w: read_id(w, lambda found: found[:9]),
    "tested": in_a_test,
    "tested twice": lambda w: twice(w, is_test=True),
    "tested by an unknown person": lambda w: in_a_test(w, NEW),
    "tested by an unknown person who may be made": lambda w: in_a_test(w, NEW, creates_members=True),
    "tested by an inactive person": lambda w: in_a_test(w, BEN, creates_members=True),
    "provider removed meanwhile": gone_meanwhile,
    "name in the field": lambda w: named_by(w, {"mail": [ANNA]}),
    "name twice in the field": lambda w: named_by(w, {"mail": [ANNA, BOB]}),
    "no name in the field": lambda w: named_by(w, {"other": [ANNA]}),
    "member of the first of two": lambda w: in_two(w, ANNA),
    "member of the second of two": lambda w: in_two(w, BOB),
    "member of the second of two, asked by the first": lambda w: in_two(w, BOB, asks=True),
    "member of neither": lambda w: in_two(w, NEW),
    "member of neither, one makes": lambda w: in_two(w, NEW, creates_members=True),
    "member of neither, one makes and proved": lambda w: in_two(w, NEW, creates_members=True, verified="two"),
    "member of the second, the first proved": lambda w: in_two(w, BOB, verified="one"),
    "member of both": in_two_with_one_name,
    "member of both, the first proved": lambda w: in_two_with_one_name(w, "one"),
    "member of both, the second proved": lambda w: in_two_with_one_name(w, "two"),
    "member of both, the first serves the domain": lambda w: in_two_with_one_name(w, "one", APP),
    "member of both, without a domain": lambda w: in_two(w, "somebody", verified="one"),
    "refused by both": refused_by_both,
    "signed for another": forged,
    "signed by a stranger": lambda w: forged(w, STRANGER),
    "another browser": in_another_browser,
    "test in another browser": lambda w: in_another_browser(w, is_test=True),
    "collected twice": collected_twice,
    "collected late": late,
    "asked about late": lambda w: late(w, asks_first=True),
    "disabled meanwhile": disabled_meanwhile,
    "strangers": strangers,
    "left": left,
    "left without a Logout URL": lambda w: left(w, logout_url=""),
    "left with a password": lambda w: left(w, signed_in="password"),
    "left by nobody": lambda w: left(w, signed_in=""),
    "ended by the provider": ended,
    "ended for another": lambda w: ended(w, name="nobody@contoso.example"),
    "ended for Bob": lambda w: ended(w, name=BOB),
    "ended without a signature": lambda w: ended(w, key=False),
    "ended by another provider": lambda w: ended(w, provider=Provider(URL, entity_id="https://other.example")),
    "ended for another service": lambda w: ended(w, provider=Provider("https://other.example")),
    "ended without a Logout URL": ended_without_logout_url,
    "ended again": ended_again,
    "in too many accounts": in_too_many_accounts,
    "first to leave": first_to_leave,
    "ended where nobody signs in": ended_where_nobody_signs_in,
    "enforced": lambda w: enforced(w, ADA),
    "enforced without anybody": lambda w: enforced(w, ""),
    "enforced with nobody": lambda w: enforced(w, "nobody@one.example"),
    "enforced with a member": lambda w: enforced(w, ANNA),
    "enforced without a password": lambda w: break_glass_after(w, lambda w: set_digest(w, ADA, None)),
    "enforced with an inactive Admin": lambda w: break_glass_after(w, lambda w: members.disable(w.store, w.one, ADA)),
    "password, not enforced": lambda w: password_refused(w, ANNA),
    "password, enforced": lambda w: enforced(w, ADA, then=lambda w: password_refused(w, ANNA)),
    "password of the break-glass Admin": lambda w: enforced(w, ADA, then=lambda w: password_refused(w, ADA)),
    "removed": removed,
    "metadata again": read_again,
    "metadata of another provider": lambda w: read_again(w, "https://other.example"),
    "metadata that expired": lambda w: read_again(w, days=-1),
    "email": lambda w: of_email(w, ANNA),
    "email, proved by the second": lambda w: of_email(w, ANNA, "two"),
    "email, served by the second": lambda w: of_email(w, ANNA, "two", API),
    "email of another domain": lambda w: of_email(w, "anna@fabrikam.example"),
    "no email": lambda w: of_email(w, "anna"),
    "metadata": metadata,
    **{f"metadata of {one[:9]!r}": partial(metadata, reference=one) for one in ("x", "\N{SUPERSCRIPT TWO}", "9" * 5_000, "99999")},
    "each address of metadata": each_address_of_metadata,
    "metadata after a key was removed": with_a_key_removed,
    "metadata by number": lambda w: metadata_by_number(w, has_former_address=False),
    "metadata by number at the former address": lambda w: metadata_by_number(w, has_former_address=True),
    "metadata by the number of nobody": lambda w: metadata_by_number(w, number="99999", has_former_address=True),
    "served at one domain": lambda w: served(w, ("contoso.example", API)),
    "served at two domains": lambda w: served(w, ("a.example.org", API), ("b.example.org", APP), ("c.example.org", EMAIL)),
    "served at two domains, by name": lambda w: served(w, ("b.example.org", API), ("a.example.org", APP), ("0.example.org", EMAIL)),
    "served at no domain": served,
    "domains not proved": lambda w: served(w, ("a.example.org", API), ("b.example.org", APP), verified=False),
    "member of both, the first named the domain": lambda w: owned(w, "one", "contoso.example", verified=False),
    "member of both, the first proved another domain": lambda w: owned(w, "one", "fabrikam.example", verified=True),
    "email, named by the second": email_named,
    "email, the second proved another domain": email_beside_another,
    "no email, an account without a domain": email_where_one_has_no_domain,
    "email with a character that no domain has": lambda w: of_email(w, "anna@contoso.example\0"),
    "inactive in the first, active in the second": inactive_in_the_first,
    "deleted meanwhile": deleted_meanwhile,
    "ended, provider removed meanwhile": lambda w: removed_before(w, leaving, ended),
    "refused, provider removed meanwhile": lambda w: removed_before(w, noting, forged),
    "removed twice": removed_twice,
    "metadata with a new key": metadata_with_a_new_key,
    "metadata read, same address": lambda w: metadata_read(w, "https://a.example/metadata"),
    "metadata read, another address": lambda w: metadata_read(w, "https://b.example/metadata"),
    "tested, refused": lambda w: in_a_test(w, audience="https://other.example"),
    "ticket of nobody": ticket_of_nobody,
    "ticket of nobody, asked about": lambda w: ticket_of_nobody(w, asks_first=True),
    "ended for one session": lambda w: ended(w, session_indexes=("_first",)),
    "enforced with a member who has a password": enforced_with_a_member,
    **{
        f"set up with {name}: {value[:24]!r}": partial(with_field, name=name, value=value)
        for name, value in [
            ("entity_id", " "), ("entity_id", "x" * 2001), ("sign_in_url", ""), ("sign_in_url", "javascript:alert(1)"),
            ("sign_in_url", "https://a b"), ("sign_in_url", "https://a/b c"), ("sign_in_url", "https://[x"),
            ("sign_in_url", "https://a/" + "x" * 2000),
            ("sign_in_url", "https://a/\u200b"), ("sign_in_url", "https://user@evil.example/"), ("sign_in_url", "https://"),
            ("logout_url", "ftp://a"), ("logout_url", ""), ("metadata_url", "x"), ("metadata_url", ""), ("email_domain", "contoso"),
            ("email_domain", ""), ("certificates", ""), ("certificates", "AAAA"),
        ]
    },
    "set up with an unknown role": lambda w: set_up(w, creates_members=True, default_role="Nobody"),
}  # fmt: skip
MODULES = (answering, collecting, leaving, noting, requests, service, addresses)
OF_PROVIDERS = (
    "enforce", "refuse_password", "read_again", "setup_of_metadata", "_checked", "_required", "_check_url", "tenant_for_email", "domain_of",
    "find_provider", "provider_of", "set_up",
)  # fmt: skip
# Row level security holds the conditions on the account, see test_documo_walls.
SQL = [
    *sql_checks_of(sso_requests, "read_ticket", "use_ticket"),
    *sql_checks_of(sso_keys),
    *sql_checks_of(single_sign_on, "tenant_of_domain", "tenants_of_issuer", "tenants_to_leave", "domain_owner"),
    *sql_checks_of(
        sign_ins, "member_with_name", "end_sessions_of", "end_password_sessions", "end_provider_sessions", "read_session",
    ),
]  # fmt: skip
CHECKS = [
    *(one for module in MODULES for one in checks_of(module, parts=True)),
    *checks_of(providers, *OF_PROVIDERS, parts=True),
    *(one for one in SQL if one.part != "tenant_id = %s"),
]


IMPLIED = [
    # Without a member there is a problem, a ticket without a member has a browser, and it refers to its account.
    ("documo.access.sso.answering._as_member", "member"),
    ("documo.access.sso.collecting.stranger_of", "row.member_id is None"),
    ("documo.access.sso.collecting.stranger_of", "account is None"),
    # The seal proves the length, until a version has requests with other content.
    ("documo.access.sso.requests.read_request", "len(content) != _CONTENT.size"),
    # Without a return, the function returns None too.
    ("documo.access.sso.service._id_in", ""),
    # No member has the id None.
    ("documo.access.sso.providers.enforce", "member_id"),
]


async def test_no_check_of_single_sign_on_can_be_left_out(world: World) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 70
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
