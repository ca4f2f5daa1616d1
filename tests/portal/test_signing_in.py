"""People of the directory sign in: links, passwords, sessions, and refusals that do not reveal what was wrong."""

from __future__ import annotations

from dataclasses import replace

import pyotp
import pytest

from lockstep.actions import administrators, people, sign_in_logs
from lockstep.actions.context import Actor, Context
from lockstep.actions.permissions import Role, permissions_of
from lockstep.actions.person_sign_in import passwords, person_totp, sessions, setting
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.credentials.passwords import OF_PEOPLE
from lockstep.errors import Kind, LockstepError
from lockstep.portal.cookies import SESSION_COOKIE
from lockstep.storage import person_credentials
from tests.portal.conftest import PASSWORD, secret_of_link, with_password
from tests.support.admin_centre import Browser, Centre, Page
from tests.support.hub import Hub, upn
from tests.support.set_clock import SetClock

HERE = Visitor("a browser", "192.0.2.7")


async def try_to_sign_in(browser: Browser, name: str, password: str = PASSWORD, **more: str) -> Page:
    await browser.get("/myapps/sign-in")
    return await browser.post("/myapps/sign-in", {"name": name, "password": password, "next": "/myapps", **more})


async def signed_in(centre: Centre, name: str = "anna") -> Browser:
    await with_password(centre, name)
    browser = centre.browser()
    assert (await try_to_sign_in(browser, upn(name))).status == 303
    return browser


def cookie(browser: Browser) -> str:
    return next((one.value for one in browser.http.cookie_jar if one.key == SESSION_COOKIE), "")


async def codes(context: Context) -> list[str]:
    return [row.code for row in await sign_in_logs.list_sign_ins(context)]


async def test_link_sets_a_password_once_and_signs_in(centre: Centre) -> None:
    secret = await secret_of_link(centre, "anna")
    browser = centre.browser()
    form = await browser.get(f"/myapps/link/{secret}")
    assert upn("anna") in form.text

    done = await browser.post(f"/myapps/link/{secret}", {"password": PASSWORD})
    assert (done.status, done.location) == (303, "/myapps")
    assert "Anna" in (await browser.get("/myapps")).text
    again = await centre.browser().get(f"/myapps/link/{secret}")
    assert again.status == 401
    assert "This link does not work" in again.text


async def test_link_for_another_person_asks_before_it_replaces_the_session(centre: Centre) -> None:
    browser = await signed_in(centre)
    link = f"/myapps/link/{await secret_of_link(centre, 'ben')}"

    asked = await browser.get(link)
    for answer in ("", "yes"):
        unanswered = await browser.post(link, {"password": PASSWORD, "instead_of": answer})
        assert f"The link is for {upn('ben')}, but {upn('anna')} is signed in" in unanswered.text
        assert "Anna" in (await browser.get("/myapps")).text
    (go_on,) = [one for one in asked.links if "instead_of=" in one]
    assert "/myapps" in asked.links and 'type="password"' not in asked.html
    form = await browser.get(go_on)
    answer = go_on.partition("instead_of=")[2]
    assert answer in form.html
    done = await browser.post(link, {"password": PASSWORD, "instead_of": answer})

    assert (done.status, done.location) == (303, "/myapps")
    assert "Ben" in (await browser.get("/myapps")).text


async def test_own_link_does_not_ask(centre: Centre) -> None:
    browser = await signed_in(centre)
    link = f"/myapps/link/{await secret_of_link(centre, 'anna')}"

    assert 'type="password"' in (await browser.get(link)).html
    assert (await browser.post(link, {"password": PASSWORD})).status == 303


async def test_newer_link_replaces_the_older_one(centre: Centre) -> None:
    older, _ = await secret_of_link(centre, "anna"), await secret_of_link(centre, "anna")

    with pytest.raises(LockstepError, match="This link does not work"):
        await passwords.owner_of_link(centre.context, older)


async def test_link_does_not_work_while_people_may_not_sign_in_with_passwords(hub: Hub, centre: Centre) -> None:
    secret = await secret_of_link(centre, "anna")
    await setting.change_sign_in_setting(centre.context, has_password=False)

    browser = centre.browser()
    done = await browser.post(f"/myapps/link/{secret}", {"password": PASSWORD})

    assert (done.status, cookie(browser)) == (401, "")
    assert (await centre.browser().get(f"/myapps/link/{secret}")).status == 401
    assert await hub.fetch("select from person_session union all select from person_credential") == []

    await setting.change_sign_in_setting(centre.context, has_password=True)
    assert await passwords.owner_of_link(centre.context, secret) == upn("anna")


async def test_sign_in_with_the_old_password_gets_no_session_if_the_password_changes_meanwhile(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_password(centre, "anna")
    verify = type(OF_PEOPLE).matches

    async def verify_and_change(self: object, password: str, digest: str | None) -> bool:
        found = await verify(OF_PEOPLE, password, digest)
        await with_password(centre, "anna", "another horse battery")
        return found

    monkeypatch.setattr(type(OF_PEOPLE), "matches", verify_and_change)
    with pytest.raises(LockstepError, match="is wrong"):
        await passwords.sign_person_in(centre.context, upn("anna"), PASSWORD, visitor=HERE)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "shorter than 12"),
        ("x" * 60 + "y" * 69, "longer than 128"),
        ("aaaaaaaaaaaaaa", "easy to guess"),
        ("passwordpassword", "easy to guess"),
        ("Sunshine2026!", "easy to guess"),
        ("P@ssw0rd12345", "easy to guess"),
        ("abcdefghijklmn", "easy to guess"),
        ("qwertyuiop123", "easy to guess"),
        ("contoso!2026!", "easy to guess"),
        ("anna@contoso.test", "is the e-mail address"),
    ],
)
async def test_password_that_is_easy_to_guess_is_refused_and_the_link_still_works(
    centre: Centre, password: str, why: str
) -> None:
    secret = await secret_of_link(centre, "anna")

    with pytest.raises(LockstepError, match=why):
        await passwords.accept_link(centre.context, secret, password, visitor=HERE)

    assert await passwords.owner_of_link(centre.context, secret) == upn("anna")


async def test_refusal_reads_the_same_whatever_is_wrong_and_the_log_has_the_reason(centre: Centre) -> None:
    await with_password(centre, "anna")
    await with_password(centre, "carla")
    await people.set_enabled(centre.context, [upn("carla")], is_enabled=False)
    browser = centre.browser()
    tried = {
        "WrongPassword": (upn("anna"), "another sentence"),
        "UnknownPerson": ("zoe@contoso.test", PASSWORD),
        "NoPassword": (upn("ben"), PASSWORD),
        "AccountDisabled": (upn("carla"), PASSWORD),
    }

    pages = {code: await try_to_sign_in(browser, *given) for code, given in tried.items()}

    assert {page.status for page in pages.values()} == {401}
    assert len({page.text.replace(tried[code][0], "") for code, page in pages.items()}) == 1
    assert (await codes(centre.context))[:4] == [*reversed(tried)]
    shown = [row.person_display for row in await sign_in_logs.list_sign_ins(centre.context, limit=4)]
    assert shown == [upn("carla"), upn("ben"), "", upn("anna")]


async def test_every_refusal_verifies_exactly_one_password(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_password(centre, "anna")
    verified: list[str] = []
    verify = OF_PEOPLE._verified

    def counting(digest: str | None, given: str) -> bool:
        verified.append(given)
        return verify(digest, given)

    monkeypatch.setattr(OF_PEOPLE, "_verified", counting)

    for name in (upn("anna"), upn("ben"), "zoe@contoso.test", ""):
        before = len(verified)
        with pytest.raises(LockstepError):
            await passwords.sign_person_in(centre.context, name, "another sentence", visitor=HERE)
        assert len(verified) == before + 1, name


async def test_failures_delay_the_next_attempts_even_with_the_right_password(hub: Hub, centre: Centre) -> None:
    clock = SetClock()
    context = replace(hub.context, now=clock)
    await with_password(centre, "anna")

    for _ in range(5):
        with pytest.raises(LockstepError, match="is wrong"):
            await passwords.sign_person_in(context, upn("anna"), "another sentence", visitor=HERE)
    with pytest.raises(LockstepError) as delayed:
        await passwords.sign_person_in(context, upn("ANNA").upper(), PASSWORD, visitor=HERE)
    assert delayed.value.kind is Kind.THROTTLED
    assert (await codes(context))[0] == "TooManyFailures"
    clock.go(seconds=31)
    assert await passwords.sign_person_in(context, upn("anna"), PASSWORD, visitor=HERE)


async def test_guessing_a_person_does_not_delay_an_administrator_with_the_same_address(
    hub: Hub, centre: Centre
) -> None:
    from lockstep.actions import sign_in

    for _ in range(6):
        with pytest.raises(LockstepError):
            await passwords.sign_person_in(hub.context, upn("anna"), "x", visitor=Visitor())

    with pytest.raises(LockstepError) as refused:
        await sign_in.sign_in(hub.context, upn("anna"), "x")
    assert refused.value.kind is Kind.UNAUTHORIZED


async def test_signing_in_gives_a_new_session_and_ends_the_one_that_the_browser_had(centre: Centre) -> None:
    browser = await signed_in(centre)
    planted = cookie(browser)

    await browser.get("/myapps")
    await try_to_sign_in(browser, upn("anna"))

    assert cookie(browser) != planted
    assert await sessions.caller_of_person(centre.context, planted) is None


async def test_secret_that_the_browser_brings_is_never_made_a_session(centre: Centre) -> None:
    await with_password(centre, "anna")
    browser = centre.browser()
    browser.http.cookie_jar.update_cookies({SESSION_COOKIE: "chosen-by-an-attacker"})

    await try_to_sign_in(browser, upn("anna"))

    assert await sessions.caller_of_person(centre.context, "chosen-by-an-attacker") is None


async def test_form_in_another_tab_outlasts_signing_in_again_but_not_another_person(centre: Centre) -> None:
    browser = await signed_in(centre)
    await with_password(centre, "ben")
    tab = (await browser.get("/myapps/sessions")).token

    for _ in range(2):
        await browser.get("/myapps/sign-in?again=yes")
        await try_to_sign_in(browser, upn("anna"))
        assert (await browser.post("/myapps/sessions/end", {"csrf": tab, "session": "none"})).status != 403

    await browser.get("/myapps")
    await try_to_sign_in(browser, upn("ben"))
    assert (await browser.post("/myapps/sessions/end", {"csrf": tab, "session": "none"})).status == 403


async def test_form_in_another_tab_outlasts_a_new_second_factor(centre: Centre) -> None:
    browser = await signed_in(centre)
    tab = (await browser.get("/myapps/sessions")).token
    seed = (await person_totp.begin_factor(centre.context, cookie(browser), PASSWORD, visitor=Visitor())).seed

    await browser.get("/myapps")
    code = pyotp.TOTP(seed).at(centre.context.now())
    assert (await browser.post("/myapps/second-factor/confirm", {"code": code})).status == 303

    assert (await browser.post("/myapps/sessions/end", {"csrf": tab, "session": "none"})).status != 403


@pytest.mark.parametrize(
    "next_", ["//evil.example/", "https://evil.example", "/\\evil.example", "/settings", "/saml2\r\nX: y"]
)
async def test_signing_in_leads_to_the_portal_alone(centre: Centre, next_: str) -> None:
    await with_password(centre, "anna")

    page = await try_to_sign_in(centre.browser(), upn("anna"), next=next_)

    assert (page.status, page.location) == (303, "/myapps")


async def test_form_from_another_page_or_session_is_refused(centre: Centre) -> None:
    browser = await signed_in(centre)

    foreign = await browser.post("/myapps/sign-out", Origin="https://evil.example")
    without = await browser.post("/myapps/sign-out", {"csrf": ""})

    assert (foreign.status, without.status) == (403, 403)
    assert "Anna" in (await browser.get("/myapps")).text


@pytest.mark.parametrize("change", ["disable", "delete", "import", "purge"])
async def test_person_who_is_disabled_or_deleted_is_signed_out_in_that_transaction(
    centre: Centre, hub: Hub, change: str
) -> None:
    browser = await signed_in(centre)
    await secret_of_link(centre, "anna")

    match change:
        case "disable":
            await people.set_enabled(centre.context, [upn("anna")], is_enabled=False)
        case "import":
            await hub.fetch("update person set account_enabled = false where user_principal_name = %s", upn("anna"))
        case _:
            await people.delete(centre.context, [upn("anna")])
    if change == "purge":
        await people.purge(centre.context, [upn("anna")])

    assert await hub.fetch("select from person_session union all select from person_link") == []
    assert (await browser.get("/myapps")).location.startswith("/myapps/sign-in")


async def test_enabling_again_brings_no_session_back(centre: Centre) -> None:
    browser = await signed_in(centre)

    for is_enabled in (False, True):
        await people.set_enabled(centre.context, [upn("anna")], is_enabled=is_enabled)

    assert (await browser.get("/myapps")).status == 303


async def test_session_ends_when_it_was_not_used_or_after_the_longest_time(hub: Hub, centre: Centre) -> None:
    clock = SetClock()
    context = replace(hub.context, now=clock)
    await with_password(centre, "anna")
    idle = await passwords.sign_person_in(context, upn("anna"), PASSWORD, visitor=HERE)
    clock.go(hours=8)
    assert await sessions.caller_of_person(context, idle.secret) is None

    used = await passwords.sign_person_in(context, upn("anna"), PASSWORD, visitor=HERE)
    for _ in range(2):
        clock.go(hours=4)
        assert await sessions.caller_of_person(context, used.secret) is not None
    clock.go(hours=4)
    assert await sessions.caller_of_person(context, used.secret) is None


async def test_administrator_sees_and_ends_the_sessions_of_a_person(centre: Centre) -> None:
    browser = await signed_in(centre)

    first, _ = await sessions.list_person_sessions(centre.context, upn("anna"))
    assert first.methods == ["password"]
    assert await sessions.end_person_sessions(centre.context, upn("anna"), first.id) == 1
    assert await sessions.end_person_sessions(centre.context, upn("anna")) == 1

    assert (await browser.get("/myapps")).status == 303


async def test_required_second_factor_is_added_before_anything_else_and_asked_for_from_then_on(centre: Centre) -> None:
    await setting.change_sign_in_setting(centre.context, needs_second_factor=True)
    browser = await signed_in(centre)
    assert (await browser.get("/myapps")).location == "/myapps/second-factor"

    shown = await browser.get("/myapps/second-factor")
    assert "requires a second factor" in shown.text
    made = await browser.post("/myapps/second-factor", {"next": "/myapps", "password": PASSWORD})
    seed = made.html.partition('data-copy="')[2].partition('"')[0] or made.text.partition("Key")[2].split()[0]
    wrong = await browser.post("/myapps/second-factor/confirm", {"code": "000000"})
    assert wrong.status == 400
    clock = pyotp.TOTP(seed)
    done = await browser.post("/myapps/second-factor/confirm", {"code": clock.now(), "next": "/myapps"})
    assert (done.status, done.location) == (303, "/myapps")
    assert (await browser.get("/myapps")).status == 200

    other = centre.browser()
    asked = await try_to_sign_in(other, upn("anna"))
    assert "Enter the code from your authenticator app" in asked.text
    replayed = await try_to_sign_in(other, upn("anna"), code=clock.now())
    assert replayed.status == 401


async def test_app_is_set_up_only_with_the_password_whose_failures_count(centre: Centre) -> None:
    """Somebody at an open browser could otherwise lock the person out."""
    browser = await signed_in(centre)
    await browser.get("/myapps/second-factor")

    for password in ("", "another sentence"):
        refused = await browser.post("/myapps/second-factor", {"password": password})
        assert (refused.status, "The password is wrong" in refused.text, "QR code" in refused.html) == (
            401,
            True,
            False,
        )

    async with centre.context.recording() as connection:
        found = await person_credentials.credential_named(connection, upn("anna"))
        assert found is not None
        assert await person_credentials.sealed_seed(connection, found.person) is None
    assert (await codes(centre.context))[:2] == ["WrongPassword", "WrongPassword"]


async def test_new_second_factor_and_new_password_end_the_other_sessions_of_the_person(centre: Centre) -> None:
    """A session that began with the password alone may belong to the attacker against whom the factor was added."""
    browser, other = await signed_in(centre), await signed_in(centre)
    assert (await browser.get("/myapps")).status == 303  # the new password of the second ended the first
    browser = centre.browser()
    await try_to_sign_in(browser, upn("anna"))
    seed = (await person_totp.begin_factor(centre.context, cookie(browser), PASSWORD, visitor=Visitor())).seed
    assert (await other.get("/myapps")).status == 200

    await person_totp.confirm_factor(centre.context, cookie(browser), pyotp.TOTP(seed).at(centre.context.now()))

    assert (await other.get("/myapps")).status == 303
    assert len(await sessions.list_person_sessions(centre.context, upn("anna"))) == 1


@pytest.mark.parametrize("address", ["mail", "userPrincipalName"])
async def test_help_desk_lets_nobody_in_as_an_administrator(centre: Centre, address: str) -> None:
    known = upn("anna") if address == "userPrincipalName" else "Boss@contoso.test"
    await people.set_person(centre.context, upn("anna"), {"mail": "boss@contoso.test"})
    await administrators.invite(centre.context, known, [Role.AUDITOR])
    desk = replace(centre.context, actor=Actor("desk", permissions_of([Role.HELP_DESK])))

    for work in (passwords.new_sign_in_link, person_totp.remove_person_factor):
        with pytest.raises(LockstepError, match="is not allowed to do this") as refused:
            await work(desk, upn("anna"))
        assert refused.value.kind is Kind.FORBIDDEN and "is an administrator" in refused.value.why
    assert await passwords.new_sign_in_link(desk, upn("ben"))
    assert await passwords.new_sign_in_link(centre.context, upn("anna"))


async def test_second_factor_that_counts_is_not_replaced_by_a_page_that_was_opened_before(centre: Centre) -> None:
    """Two pages add a second factor at the same moment: the slower one has looked before, and writes after the first is confirmed."""
    browser = await signed_in(centre)
    made = await person_totp.begin_factor(centre.context, cookie(browser), PASSWORD, visitor=Visitor())
    caller = await sessions.person_or_refusal(centre.context, cookie(browser))
    code = pyotp.TOTP(made.seed).at(centre.context.now())
    await person_totp.confirm_factor(centre.context, cookie(browser), code)

    async with centre.context.recording() as connection:
        assert not await person_credentials.add_seed(connection, caller.person, b"another")
        found = await person_credentials.credential_of(connection, caller.person)
    assert found is not None and found.has_second_factor


async def test_names_with_markup_are_shown_as_text(centre: Centre) -> None:
    await people.set_person(centre.context, upn("anna"), {"displayName": "<script>alert(1)</script>"})
    browser = await signed_in(centre)

    page = await browser.get("/myapps")
    assert "<script>alert" not in page.html
    assert "<script>alert(1)</script>" in page.text
