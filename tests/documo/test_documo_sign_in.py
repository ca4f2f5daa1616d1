"""Members sign in to Documo's pages: with a password that they set through a link, until something ends their session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from documo import members
from documo.access import member_sign_in as sign_ins
from documo.access import password_links
from documo.access.member_passwords import OF_MEMBERS
from documo.access.member_sign_in import MemberSession
from documo.accounts import find_account
from lockstep.credentials.attempts import OF_EMAIL
from lockstep.errors import LockstepError
from tests.support.documo_client import Client, Documo

PASSWORD = "a sentence of five words"


async def with_password(api: Client, email: str = "anna@x.org", *, role: str = "Member") -> str:
    """A member who has set a password; returns the id."""
    member = await members.add_member(api.store, api.account.id, email, role=role)
    link = await password_links.password_link(api.store, api.account, member, created_by="test")
    await sign_ins.sign_out(api.store, (await password_links.accept_link(api.store, link.secret, PASSWORD)).secret)
    return member


async def signed_in(api: Client, email: str = "anna@x.org", password: str = PASSWORD) -> MemberSession:
    return await sign_ins.sign_in(api.store, email, password)


async def is_signed_in(api: Client, session: MemberSession) -> bool:
    return await sign_ins.caller_of_session(api.store, session.secret) is not None


async def test_member_signs_in_with_the_password_of_the_link_in_any_case_of_the_name(api: Client) -> None:
    await with_password(api)

    session = await signed_in(api, " Anna@X.org ")

    caller = await sign_ins.caller_of_session(api.store, session.secret)
    assert caller is not None
    assert (caller.user_name, caller.role, caller.account) == ("anna@x.org", "Member", api.account.name)


async def test_link_works_once_and_a_newer_one_replaces_it(api: Client) -> None:
    member = await members.add_member(api.store, api.account.id, "anna@x.org", role="Member")
    first = await password_links.password_link(api.store, api.account, member, created_by="test")
    second = await password_links.password_link(api.store, api.account, member, created_by="test")

    with pytest.raises(LockstepError, match="no longer works"):
        await password_links.accept_link(api.store, first.secret, PASSWORD)
    await password_links.accept_link(api.store, second.secret, PASSWORD)
    with pytest.raises(LockstepError, match="no longer works"):
        await password_links.accept_link(api.store, second.secret, PASSWORD)


async def test_password_that_an_operator_sets_signs_in_and_ends_earlier_sessions(api: Client) -> None:
    await with_password(api)
    before = await signed_in(api)

    await password_links.set_password(api.store, api.account, "anna@x.org", "another sentence of words")

    assert not await is_signed_in(api, before)
    assert await is_signed_in(api, await signed_in(api, password="another sentence of words"))


async def test_weak_password_is_refused_and_leaves_the_link_as_it_was(api: Client) -> None:
    member = await members.add_member(api.store, api.account.id, "anna@x.org", role="Member")
    link = await password_links.password_link(api.store, api.account, member, created_by="test")

    with pytest.raises(LockstepError, match="shorter than 12"):
        await password_links.accept_link(api.store, link.secret, "short")

    assert (await password_links.owner_of_link(api.store, link.secret)).user_name == "anna@x.org"


async def test_password_that_came_over_scim_signs_in(api: Client) -> None:
    await api.user("anna@x.org", password=PASSWORD)

    assert await is_signed_in(api, await signed_in(api))


@pytest.mark.parametrize("email", ["anna@x.org", "nobody@x.org"])
async def test_refusal_says_the_same_whether_or_not_somebody_has_the_name(api: Client, email: str) -> None:
    await with_password(api)

    with pytest.raises(LockstepError) as refused:
        await signed_in(api, email, "another sentence of words")

    assert refused.value.detail == "The email or the password is wrong"


@pytest.mark.parametrize("accounts", [0, 1, 2, 5])
@pytest.mark.parametrize("named", ["", "Beta"])
async def test_refusal_costs_the_same_however_many_accounts_have_the_name(
    documo: Documo, monkeypatch: pytest.MonkeyPatch, accounts: int, named: str
) -> None:
    for name in ("Alpha", "Beta", "Gamma", "Delta", "Epsilon")[:accounts]:
        await (await documo.client(name)).user("anna@x.org", password=PASSWORD)
    verified: list[str] = []
    inner = OF_MEMBERS._hasher

    class Counting:
        def verify(self, digest: str, password: str) -> bool:
            verified.append(digest)
            return inner.verify(digest, password)

        def hash(self, password: str) -> str:
            return inner.hash(password)

    monkeypatch.setattr(OF_MEMBERS, "_hasher", Counting())
    with pytest.raises(LockstepError, match="The email or the password is wrong"):
        await sign_ins.sign_in(documo.store, "anna@x.org", "another sentence of words", account=named)

    assert len(verified) == sign_ins.TRIED


async def test_member_of_more_accounts_than_are_tried_signs_in_by_naming_the_account(documo: Documo) -> None:
    for name in ("Alpha", "Beta", "Gamma", "Delta", "Epsilon"):
        await (await documo.client(name)).user("anna@x.org", password=f"a sentence of five words for {name}")
    password = "a sentence of five words for Epsilon"

    with pytest.raises(LockstepError, match="wrong"):
        await sign_ins.sign_in(documo.store, "anna@x.org", password)
    session = await sign_ins.sign_in(documo.store, "anna@x.org", password, account="epsilon")
    again = await sign_ins.sign_in(
        documo.store, "anna@x.org", password
    )  # the account that was used last is tried first

    for one in (session, again):
        caller = await sign_ins.caller_of_session(documo.store, one.secret)
        assert caller is not None and caller.account == "Epsilon"


async def test_inactive_member_is_told_so_only_with_the_right_password(api: Client) -> None:
    member = await with_password(api)
    await members.disable(api.store, api.account, member)

    with pytest.raises(LockstepError, match="inactive"):
        await signed_in(api)
    with pytest.raises(LockstepError, match="wrong"):
        await signed_in(api, password="another sentence of words")


async def test_too_many_failures_delay_even_the_right_password(api: Client) -> None:
    await with_password(api)
    for _ in range(OF_EMAIL.free):
        with pytest.raises(LockstepError, match="wrong"):
            await signed_in(api, password="another sentence of words")

    with pytest.raises(LockstepError, match="Too many failed sign-ins"):
        await signed_in(api)


async def by_scim_patch(api: Client, member: str) -> None:
    await api.patch(f"/Users/{member}", {"op": "replace", "path": "active", "value": False})


async def by_scim_delete(api: Client, member: str) -> None:
    await api.send("DELETE", f"/Users/{member}")


async def by_disabling(api: Client, member: str) -> None:
    await members.disable(api.store, api.account, member)


async def by_another_role(api: Client, member: str) -> None:
    await members.set_role(api.store, api.account, member, "Editor")


async def by_a_new_password(api: Client, member: str) -> None:
    link = await password_links.password_link(api.store, api.account, member, created_by="test")
    await password_links.accept_link(api.store, link.secret, "another sentence of words")


async def by_signing_out(api: Client, session: MemberSession) -> None:
    await sign_ins.sign_out(api.store, session.secret)


@pytest.mark.parametrize("ends", [by_scim_patch, by_scim_delete, by_disabling, by_another_role, by_a_new_password])
async def test_session_ends_with_what_it_stood_for(api: Client, ends: Callable[[Client, str], Awaitable[None]]) -> None:
    member = await with_password(api)
    session = await signed_in(api)
    assert await is_signed_in(api, session)

    await ends(api, member)

    assert not await is_signed_in(api, session)


async def test_other_changes_of_a_member_end_no_session(api: Client) -> None:
    member = await with_password(api)
    session = await signed_in(api)

    await api.patch(f"/Users/{member}", {"op": "replace", "path": "title", "value": "Boss"})

    assert await is_signed_in(api, session)


async def test_member_who_was_renamed_signs_in_with_the_new_name_only(api: Client) -> None:
    member = await with_password(api)

    await api.patch(f"/Users/{member}", {"op": "replace", "path": "userName", "value": "anna.berg@x.org"})

    assert await is_signed_in(api, await signed_in(api, "anna.berg@x.org"))
    with pytest.raises(LockstepError, match="wrong"):
        await signed_in(api)


async def test_one_name_in_two_accounts_signs_in_where_the_password_fits(documo: Documo) -> None:
    alpha, beta = await documo.client("Alpha"), await documo.client("Beta")
    await alpha.user("anna@x.org", password=PASSWORD)
    await beta.user("anna@x.org", password="another sentence of words")

    caller = await sign_ins.caller_of_session(
        beta.store, (await signed_in(beta, password="another sentence of words")).secret
    )

    assert caller is not None and caller.account == "Beta"


async def test_signing_in_to_the_own_account_does_not_forgive_guesses_at_the_same_name_in_another(
    documo: Documo,
) -> None:
    alpha, beta = await documo.client("Alpha"), await documo.client("Beta")
    await alpha.user("anna@x.org", password=PASSWORD)
    known = "another sentence of words"
    await beta.user("anna@x.org", password=known)

    with pytest.raises(LockstepError, match="Too many failed sign-ins"):
        for number in range(2 * OF_EMAIL.free):
            with pytest.raises(LockstepError, match="wrong"):
                await signed_in(beta, password=f"guess number {number} at it")
            await signed_in(beta, password=known)
            await password_links.set_password(beta.store, beta.account, "anna@x.org", known)


async def test_sign_in_with_the_old_password_gets_no_session_if_the_password_changes_meanwhile(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.user("anna@x.org", password=PASSWORD)
    account = await find_account(api.store, str(api.account.id))
    verify = type(OF_MEMBERS).matches

    async def verify_and_change(self: object, password: str, digest: str | None) -> bool:
        found = await verify(OF_MEMBERS, password, digest)
        if found:
            await password_links.set_password(api.store, account, "anna@x.org", "another horse battery 7")
        return found

    monkeypatch.setattr(type(OF_MEMBERS), "matches", verify_and_change)
    with pytest.raises(LockstepError, match="is wrong"):
        await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)
