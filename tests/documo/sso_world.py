"""Two accounts whose people sign in through one identity provider, without HTTP between the browser and Documo."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from documo import domains, member_records, members
from documo.access import password_links
from documo.access.member_sign_in import caller_of_session
from documo.access.sso import asking, leaving, own_keys, providers
from documo.access.sso.answering import take_response
from documo.access.sso.collecting import collect
from documo.access.sso.requests import SignInHost
from documo.accounts import TenantAccount, create_account
from documo.store.database import Store
from lockstep.errors import LockstepError
from lockstep.saml.faults import SamlFault
from tests.support.left_out_conditions import refuse_faulty_sql
from tests.support.rolled_back_store import rolled_back
from tests.support.saml_provider import ENTITY_ID, LOGOUT_URL, SIGN_IN_URL, Asked, Provider, key_named

URL = "https://documo.example"
PASSWORD = "a sentence of five words"
ANNA, BEN, CLEO, BOB, DAN = (f"{name}@contoso.example" for name in ("anna", "ben", "cleo", "bob", "dan"))
ADA, IDA = "ada@one.example", "ida@two.example"


@dataclass
class World:
    """Anna and Dan are active in the account *one*, Ben is inactive, Cleo is deleted. Bob is a member of *two*, Ada an Admin of *one*. Only
    *one* has the provider."""

    store: Store
    one: TenantAccount
    two: TenantAccount
    provider: Provider

    async def set_up(self, account: TenantAccount, **changed: Any) -> None:
        plain = providers.SamlSetup(
            ENTITY_ID, SIGN_IN_URL, self.provider.certificate.pem, email_domain="contoso.example", logout_url=LOGOUT_URL
        )
        await providers.set_up(self.store, account.id, replace(plain, **changed))

    async def ask(self, *, is_test: bool = False) -> tuple[Asked, str]:
        """The request as the provider gets it, and the secret of the browser."""
        asked = await asking.ask(self.store, self.one.id, api_url=URL, place=SignInHost.PUBLIC, is_test=is_test)
        return self.provider.asked_on(f'href="{asked.url}"'), asked.browser_secret

    async def take(self, form: Mapping[str, str]) -> str:
        """Deliver a response and return the secret of the ticket."""
        ticket = await take_response(self.store, form, api_url=URL, number="n1", address="192.0.2.7")
        return ticket.address.rpartition("/")[2]

    async def collected(self, ticket: str, browser: str = "") -> str:
        found = await collect(self.store, ticket, browser, device="a browser", address="192.0.2.7")
        if found.session is None:
            return "no session"
        caller = await caller_of_session(self.store, found.session.secret)
        if caller is None:
            return "a session that has ended"
        is_short = found.session.expires_at < datetime.now(UTC) + timedelta(hours=11)
        return f"{caller.user_name} of {caller.account} as {caller.role}{', short' if is_short else ''}"

    async def sign_in(self, name: str = ANNA, *, asks: bool = True, **changed: Any) -> str:
        asked, browser = await self.ask() if asks else (None, "")
        return await self.collected(await self.take(self.provider.response(name, asked=asked, **changed)), browser)

    async def attempts(self) -> list[tuple[str, str, str, bool, bool]]:
        async with self.store.control() as connection:
            cursor = await connection.execute(
                "select a.name, s.result, s.person, s.is_genuine, s.response <> '' from sso_attempts s"
                " join accounts a on a.id = s.tenant_id order by s.at"
            )
            return [
                (str(row[0]), str(row[1]), str(row[2]), bool(row[3]), bool(row[4])) for row in await cursor.fetchall()
            ]

    async def sessions(self) -> list[str]:
        async with self.store.control() as connection:
            cursor = await connection.execute(
                "select name_id || session_index from member_sessions order by name_id, session_index"
            )
            return [str(row[0]) for row in await cursor.fetchall()]

    async def verify(self, account: TenantAccount, kind: str = domains.EMAIL) -> None:
        await domains.set_domain(self.store, account.id, "contoso.example", kind=kind, vouched=True)

    async def leave(
        self,
        name: str = ANNA,
        *,
        key: bool = True,
        provider: Provider | None = None,
        session_indexes: Sequence[str] = (),
    ) -> str:
        url = (provider or self.provider).logout_request(
            name, key=self.provider.key if key else None, session_indexes=session_indexes
        )
        return await leaving.leave_for_provider(self.store, url.partition("?")[2], api_url=URL)


async def sso_world(store: Store) -> World:
    one = await create_account(store, "One", admin=ADA)
    two = await create_account(store, "Two", admin=IDA)
    for account, names in ((one, (ANNA, BEN, CLEO, DAN)), (two, (BOB,))):
        for name in names:
            await members.add_member(store, account.id, name, role="Member")
        await own_keys.own_keys(store, account.id)
    await members.disable(store, one, BEN)
    await member_records.delete_member(store, one, CLEO)
    for account, admin in ((one, ADA), (two, IDA)):
        await password_links.set_password(store, account, admin, PASSWORD)
    world = World(store, one, two, Provider(URL, key=key_named("contoso")))
    await world.set_up(one)
    return world


async def outcome(case: Callable[[World], Awaitable[object]], world: World) -> str:
    """How *case* ends, with the list of sign-ins and the sessions afterwards. Its changes are rolled back."""
    async with rolled_back(world.store) as store:
        here = replace(world, store=store)
        try:
            ended = str(await case(here))
        except LockstepError as refused:
            more = f"{refused.expected} {refused.received}" if isinstance(refused, SamlFault) else refused.why
            ended = f"{refused.code} {refused.detail} {more} {refused.next_step}"
        except Exception as crash:  # only without one of the checks
            refuse_faulty_sql(crash)
            ended = f"crashed with {type(crash).__name__}"
        text = f"{ended} {await here.attempts()} {await here.sessions()}"
    return re.sub(r"_[0-9a-f]{20,}|\d{4}-\d\d-\d\dT[0-9:.+Z]+", "VALUE", text)
