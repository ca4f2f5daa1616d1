"""A member's own account: password, second factor, sessions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from documo import members
from documo.access import member_sign_in as sign_ins
from documo.access import own_sign_in, password_links, second_factor
from documo.access.second_factor import CodeRequired
from documo.identifiers import new_id
from documo.store.database import Store
from documo.store.sign_ins import members_named
from lockstep.credentials.attempts import OF_EMAIL
from lockstep.errors import LockstepError
from lockstep.serving.limits import ServingLimits
from tests.support.documo_client import Client, documo_on
from tests.support.documo_pages import PASSWORD, Visitor, signed_in, visiting

HERE = "/own-account"


async def with_factor(api: Client, email: str = "anna@x.org") -> tuple[str, pyotp.TOTP, list[str]]:
    """A member with password and second factor, whose code of the last half minute is used up."""
    user = await api.user(email, password=PASSWORD)
    made = await second_factor.begin_second_factor(api.store, api.account.id, user, account="Contoso")
    totp, before = pyotp.TOTP(made.seed), datetime.now(UTC) - timedelta(seconds=30)
    codes = await second_factor.confirm_second_factor(
        api.store, api.account.id, user, totp.at(before), session=new_id(), now=datetime.now(UTC)
    )
    return user, totp, codes


async def enrolled(visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    """Add a second factor on the page; returns it and the recovery codes."""
    _, page = await visitor.post(f"{HERE}/second-factor", password=PASSWORD)
    found = re.search(r'data-copy="([A-Z2-7]{32})"', page)
    assert found is not None and "<svg" in page
    totp = pyotp.TOTP(found[1])
    _, wrong = await visitor.post(f"{HERE}/second-factor/confirm", code="000000")
    assert "The code is wrong" in wrong and found[1] in wrong
    _, done = await visitor.post(
        f"{HERE}/second-factor/confirm", code=totp.at(datetime.now(UTC) - timedelta(seconds=30))
    )
    return totp, re.findall(r"\b\w{4}-\w{4}-\w{4}-\w{4}\b", done)[:10]


async def test_member_adds_a_second_factor_and_signing_in_asks_for_it(api: Client) -> None:
    async with signed_in(api, "Viewer", "anna@x.org") as anna, visiting(api) as elsewhere:
        totp, codes = await enrolled(anna)
        entered = {"email": "anna@x.org", "password": PASSWORD, "next": "/"}
        status, page = await elsewhere.post("/login", on="/login", **entered)
        assert (status, 'name="code"' in page, len(set(codes))) == (401, True, 10)
        assert re.search(r'<input[^>]* name="password"[^>]* required', page), "the password is entered again"
        status, page = await elsewhere.post("/login", on="/login", email="anna@x.org", code=totp.now())
        assert (status, 'name="code"' in page) == (400, True)
        status, page = await elsewhere.post("/login", on="/login", **entered, code="000000")
        assert (status, 'name="code"' in page) == (401, True)
        status, page = await elsewhere.post("/login", on="/login", **entered, code=totp.now())
        assert status == 200 and "Sign out" in page


async def test_member_who_was_deactivated_in_the_meantime_cannot_change_the_password(api: Client) -> None:
    member = await api.user("anna@x.org", password=PASSWORD)
    session = await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)
    caller = await sign_ins.caller_of_session(api.store, session.secret)
    assert caller is not None
    await members.disable(api.store, api.account, "anna@x.org")

    with pytest.raises(LockstepError, match="Your account is inactive"):
        await own_sign_in.change_password(
            api.store, caller, PASSWORD, "another sentence of words", device="", address=""
        )

    await api.patch(f"/Users/{member}", {"op": "replace", "path": "active", "value": True})
    await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)  # the password is unchanged


async def test_code_and_recovery_code_work_once_each(api: Client) -> None:
    _, totp, codes = await with_factor(api)
    code = totp.now()

    for once in (code, codes[0].upper().replace("-", " ")):
        await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, code=once)
        with pytest.raises(LockstepError, match="wrong"):
            await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, code=once)


async def test_second_factor_is_asked_for_only_after_the_right_password(api: Client) -> None:
    await with_factor(api)

    with pytest.raises(CodeRequired):
        await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)
    with pytest.raises(LockstepError, match="The email or the password is wrong"):
        await sign_ins.sign_in(api.store, "anna@x.org", "another sentence of words")


async def test_guessing_codes_is_delayed(api: Client) -> None:
    _, totp, _ = await with_factor(api)
    for _ in range(OF_EMAIL.free):
        with pytest.raises(LockstepError, match="wrong"):
            await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, code="000000")

    with pytest.raises(LockstepError, match="Too many failed sign-ins"):
        await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, code=totp.now())


async def test_link_that_sets_a_password_does_not_replace_the_second_factor(api: Client) -> None:
    user, totp, _ = await with_factor(api)
    link = await password_links.password_link(api.store, api.account, user, created_by="test")

    with pytest.raises(CodeRequired):
        await password_links.accept_link(api.store, link.secret, "another sentence of words")
    with pytest.raises(LockstepError, match="wrong"):
        await password_links.accept_link(api.store, link.secret, "another sentence of words", code="000000")
    await password_links.accept_link(api.store, link.secret, "another sentence of words", code=totp.now())


async def test_admin_resets_the_second_factor_and_signs_the_member_out(api: Client) -> None:
    user, totp, _ = await with_factor(api)
    session = await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, code=totp.now())
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/users/{user}")
        assert "Authenticator app" in page
        await ada.post(f"/users/{user}/second-factor/reset")

    assert await sign_ins.caller_of_session(api.store, session.secret) is None
    await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)


async def test_second_factor_is_added_and_removed_with_the_password_alone(api: Client) -> None:
    async with signed_in(api, "Viewer", "anna@x.org") as anna:
        status, page = await anna.post(f"{HERE}/second-factor", password="another sentence of words")
        assert (status, "The current password is wrong" in page) == (400, True)
        await enrolled(anna)
        _, kept = await anna.post(f"{HERE}/second-factor/remove", password="another sentence of words")
        assert "Remove the second factor" in kept
        _, removed = await anna.post(f"{HERE}/second-factor/remove", password=PASSWORD)
        assert "Set up an authenticator app" in removed


async def test_new_password_ends_the_other_sessions_and_keeps_this_browser_signed_in(api: Client) -> None:
    async with signed_in(api, "Viewer", "anna@x.org") as anna:
        other = await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)
        status, page = await anna.post(f"{HERE}/password", password="wrong", new_password="another sentence of words")
        assert (status, "The current password is wrong" in page) == (400, True)
        status, page = await anna.post(f"{HERE}/password", password=PASSWORD, new_password="short")
        assert (status, "shorter than 12" in page) == (400, True)
        status, page = await anna.post(f"{HERE}/password", password=PASSWORD, new_password="another sentence of words")
        assert (status, "This session" in page) == (200, True)

    assert await sign_ins.caller_of_session(api.store, other.secret) is None
    await sign_ins.sign_in(api.store, "anna@x.org", "another sentence of words")


async def test_member_ends_a_session_of_their_own_and_none_of_others(api: Client) -> None:
    await api.user("eve@x.org", password=PASSWORD)
    eve = await sign_ins.sign_in(api.store, "eve@x.org", PASSWORD)
    async with signed_in(api, "Viewer", "anna@x.org") as anna:
        other = await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD)
        found = [
            one.id
            for email in ("eve@x.org", "anna@x.org")
            for one in (await own_sign_in.sessions_of(api.store, api.account, email))[:1]
        ]
        for session in found:
            await anna.post(f"{HERE}/sessions/end", session=session)

    assert await sign_ins.caller_of_session(api.store, eve.secret) is not None
    assert await sign_ins.caller_of_session(api.store, other.secret) is None


async def test_member_signs_out_in_all_other_browsers_and_stays_here(api: Client) -> None:
    await api.user("eve@x.org", password=PASSWORD)
    eve = await sign_ins.sign_in(api.store, "eve@x.org", PASSWORD)
    async with signed_in(api, "Viewer", "anna@x.org") as anna:
        others = [await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD) for _ in range(2)]
        assert "Sign out in all other browsers" in (await anna.get(HERE))[1]

        status, page = await anna.post(f"{HERE}/sessions/end-others", on=HERE)

        assert (status, "Sign out in all other browsers" in page) == (200, False)
        assert [await sign_ins.caller_of_session(api.store, one.secret) for one in others] == [None, None]
    assert await sign_ins.caller_of_session(api.store, eve.secret) is not None


async def test_purged_member_leaves_nothing_of_signing_in(api: Client) -> None:
    user, totp, _ = await with_factor(api)
    await sign_ins.sign_in(api.store, "anna@x.org", PASSWORD, code=totp.now())
    async with api.store.tenant(api.account.id) as connection:
        await connection.execute("delete from resources where id = %s", (user,))
        for table in ("member_sessions", "member_last_sign_ins", "member_second_factors", "member_recovery_codes"):
            cursor = await connection.execute(f"select 1 from {table} where member_id = %s", (user,))
            assert await cursor.fetchone() is None, table
        assert await members_named(connection, "anna@x.org", most=1) == []


async def test_second_factors_of_another_account_are_behind_the_wall(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    await with_factor(alpha)
    async with beta.store.tenant(beta.account.id) as connection:
        cursor = await connection.execute("select count(*) from member_second_factors")
        assert await cursor.fetchone() == (0,)


@pytest.mark.parametrize(("proxies", "seen"), [(("127.0.0.1",), "203.0.113.77"), ((), "127.0.0.1")])
async def test_session_shows_the_address_that_only_a_trusted_proxy_may_name(
    store: Store, proxies: tuple[str, ...], seen: str
) -> None:
    async with documo_on(store, limits=ServingLimits(trusted_proxies=proxies)) as documo:
        api = await documo.client()
        await api.user("anna@x.org", password=PASSWORD)
        async with visiting(api) as anna:
            async with anna.http.post(
                f"{anna.origin}/login",
                data={"email": "anna@x.org", "password": PASSWORD},
                headers={"Origin": anna.origin, "X-Forwarded-For": "203.0.113.77"},
            ) as answer:
                assert answer.status == 200
        (session,) = await own_sign_in.sessions_of(store, api.account, "anna@x.org")

    assert session.address == seen
