"""Nobody learns which e-mail addresses have an account: a refused sign-in says the same and does the same work for each of them.

The work is counted and not timed: passwords verified, and statements sent to the database.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import aiohttp
import pyotp
import pytest

from documo import member_records, members
from documo.access import member_sign_in as sign_ins
from documo.access import password_links, second_factor
from documo.access.member_passwords import OF_MEMBERS
from documo.access.sso import providers
from documo.access.sso.providers import SamlSetup
from documo.accounts import TenantAccount, create_account
from documo.store.database import Store
from lockstep.credentials.attempts import OF_EMAIL
from lockstep.errors import LockstepError
from tests.support.documo_client import documo_on
from tests.support.documo_pages import PASSWORD
from tests.support.saml_provider import key_named
from tests.support.statements import counted_statements

WRONG = "another sentence of words"
SETUP = SamlSetup("https://idp.example/", "https://idp.example/saml2", key_named("contoso").certificate.pem)
# Who signs in with a wrong password. Each has an address of their own.
PEOPLE = (
    "unknown", "unknown-domain", "active", "admin", "inactive", "deleted", "without-password", "second-factor", "sso-only", "renamed",
    "in-two-accounts",
)  # fmt: skip
# How a stranger may send the form to sign in: with a password, without one, and with the button for single sign-on.
WAYS = ({"password": WRONG}, {"password": ""}, {"password": WRONG, "way": "sso"}, {"password": "", "way": "sso"})


def address_of(who: str) -> str:
    return f"{who}@nosuch.example" if who == "unknown-domain" else f"{who}@contoso.example"


@dataclass
class Work:
    """The work that a refused sign-in caused."""

    said: tuple[str, str]
    verified: int
    statements: list[str]


@pytest.fixture
async def people(store: Store) -> AsyncIterator[TenantAccount]:
    """Two accounts with all of PEOPLE; the second one signs in through its provider only."""
    account = await create_account(store, "Contoso", admin="ada@contoso.example")
    other = await create_account(store, "Fabrikam", admin="bo@fabrikam.example")

    async def add(who: str, of: TenantAccount = account, role: str = "Member") -> str:
        member = await members.add_member(store, of.id, address_of(who), role=role)
        await password_links.set_password(store, of, member, PASSWORD)
        return member

    await add("active")
    await add("admin", role="Admin")
    await members.disable(store, account, await add("inactive"))
    await member_records.delete_member(store, account, await add("deleted"))
    await members.add_member(store, account.id, address_of("without-password"), role="Member")
    await add_second_factor(store, account, await add("second-factor"))
    renamed = await add("was-called-otherwise")
    await member_records.change_details(
        store,
        account,
        renamed,
        member_records.MemberDetails(user_name=address_of("renamed"), given_name="", family_name="", phone=""),
    )
    await add("in-two-accounts")
    await add("in-two-accounts", other)
    await add("sso-only", other)
    keeper = await add("keeper", other, "Admin")
    await providers.set_up(store, other.id, SETUP)
    await providers.enforce(store, other.id, break_glass=keeper)
    yield account


async def add_second_factor(store: Store, account: TenantAccount, member: str) -> None:
    made = await second_factor.begin_second_factor(store, account.id, member, account=account.name)
    now = datetime.now(UTC)
    code = pyotp.TOTP(made.seed).at(now)
    await second_factor.confirm_second_factor(
        store, account.id, member, code, session="00000000-0000-0000-0000-000000000000", now=now
    )


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests that passwords were compared with."""
    seen: list[str] = []
    inner = OF_MEMBERS._hasher

    class Counting:
        def verify(self, digest: str, password: str) -> bool:
            seen.append(digest)
            return inner.verify(digest, password)

        def hash(self, password: str) -> str:
            return inner.hash(password)

    monkeypatch.setattr(OF_MEMBERS, "_hasher", Counting())
    return seen


async def refused(store: Store, who: str, verified: list[str], *, account: str = "", times: int = 1) -> Work:
    """The last of *times* refused sign-ins."""
    for _ in range(times):
        verified.clear()
        with counted_statements() as sent, pytest.raises(LockstepError) as error:
            await sign_ins.sign_in(
                store, address_of(who), WRONG, account=account, device="Firefox", address="192.0.2.7"
            )
    return Work((error.value.detail, error.value.next_step), len(verified), sent)


@pytest.mark.parametrize("account", ["", "Contoso", "Nosuch"])
async def test_refused_sign_in_says_the_same_and_does_the_same_work_for_everybody(
    store: Store, people: TenantAccount, verified: list[str], account: str
) -> None:
    works = {who: await refused(store, who, verified, account=account) for who in PEOPLE}

    first = works["unknown"]
    assert (first.verified, len(first.statements) > 10) == (sign_ins.TRIED, True)
    assert {who: work for who, work in works.items() if work != first} == {}


async def test_refusal_that_locks_and_refusal_of_a_locked_name_do_the_same_for_everybody(
    store: Store, people: TenantAccount, verified: list[str]
) -> None:
    for times in (OF_EMAIL.free, 1):  # the last failure that is free begins the lock
        works = [
            await refused(store, who, verified, times=times) for who in ("unknown", "active", "inactive", "sso-only")
        ]
        assert [work.statements for work in works] == [works[0].statements] * 4
        assert [work.verified for work in works] == [works[0].verified] * 4
        assert len({re.sub(r"\d+", "N", " ".join(work.said)) for work in works}) == 1

    assert works[0].verified == 0 and "Too many failed sign-ins" in works[0].said[0]


@pytest.mark.parametrize(
    ("who", "sentence"),
    [("inactive", "inactive"), ("sso-only", "only through your company"), ("second-factor", "code")],
)
async def test_only_the_right_password_tells_what_else_is_missing(
    store: Store, people: TenantAccount, who: str, sentence: str
) -> None:
    with pytest.raises(LockstepError, match=sentence):
        await sign_ins.sign_in(store, address_of(who), PASSWORD)


@pytest.mark.parametrize("domain", ["", "contoso.example"])
@pytest.mark.parametrize("way", WAYS)
async def test_pages_for_strangers_answer_the_same_for_every_address(
    store: Store, people: TenantAccount, way: dict[str, str], domain: str
) -> None:
    """The page to sign in, and the one that finds the account by the domain of the address, which may have a provider."""
    if domain:
        await providers.set_up(store, people.id, replace(SETUP, email_domain=domain))
    async with documo_on(store) as documo, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        origin = documo.running.api_url
        for path in ("/login", "/sso"):
            seen = set()
            for who in (one for one in PEOPLE if one != "unknown-domain"):
                form = {"email": address_of(who), **way}
                async with http.post(origin + path, data=form, headers={"Origin": origin}) as answer:
                    page = (await answer.text()).replace(address_of(who), "ADDRESS")
                    page = re.sub(r"(SAMLRequest|RelayState)=[^&\"]*", r"\1=SEALED", page)
                    headers = [name for name in answer.headers if name != "Date"]
                    seen.add((answer.status, re.sub(r"\b[0-9a-f]{16,}\b", "NUMBER", page), *headers))
            assert len(seen) == 1, path


@pytest.mark.parametrize("way", WAYS[1:])
async def test_finding_the_provider_reads_nothing_about_members_and_verifies_no_password(
    store: Store, people: TenantAccount, verified: list[str], way: dict[str, str]
) -> None:
    await providers.set_up(store, people.id, replace(SETUP, email_domain="contoso.example"))
    async with documo_on(store) as documo, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        origin = documo.running.api_url
        for who in (one for one in PEOPLE if one != "unknown-domain"):
            with counted_statements() as sent:
                form = {"email": address_of(who), **way}
                async with http.post(f"{origin}/login", data=form, headers={"Origin": origin}) as answer:
                    assert "Opening your company" in await answer.text()
            assert any("single_sign_on" in one for one in sent)
            assert [one for one in sent if "sign_in_names" in one or "password_hash" in one] == []

    assert verified == []


async def test_links_that_never_worked_were_used_or_have_ended_are_not_told_apart(
    store: Store, people: TenantAccount
) -> None:
    member = await members.add_member(store, people.id, "new@contoso.example", role="Member")
    used, replaced, revoked = [
        (await password_links.password_link(store, people, one, created_by="test")).secret
        for one in (address_of("active"), member, address_of("admin"))
    ]
    await password_links.accept_link(store, used, WRONG)
    await password_links.password_link(store, people, member, created_by="test")
    await members.disable(store, people, address_of("admin"))
    said = []
    for secret in (used, replaced, revoked, "never-was-one", ""):
        with counted_statements() as sent, pytest.raises(LockstepError) as error:
            await password_links.owner_of_link(store, secret)
        said.append((error.value.kind, error.value.detail, error.value.next_step, tuple(sent)))

    assert len(set(said)) == 1
