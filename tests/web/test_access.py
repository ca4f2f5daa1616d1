"""Who may do what on the pages: entering the password again before a sensitive change, a refusal that names somebody to ask, and a proxy in
front.
"""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from lockstep.actions import access_tokens, administrators, applications
from lockstep.actions.permissions import Role
from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub

PASSWORD = "a sentence of five words"
PUBLIC = {"Host": "lockstep.contoso.test", "Origin": "https://lockstep.contoso.test", "X-Forwarded-Proto": "https"}
SETTINGS = {
    "mode": "automatic", "tenantUrl": "https://other.documo.com/scim/v2", "secretToken": "dk_live_0123456789abcdef",
    "notificationEmail": "", "preventDeletions": "on", "deletionThreshold": "500", "scope": "assigned", "status": "off",
    "interval": "40", "step": "save-anyway",
}  # fmt: skip
# What is changed: the page of the form, the address that it is sent to, and what it says.
DELICATE = {
    "a token": ("/settings/tokens", "/settings/tokens", {"name": "deploy", "scope": "directory.read", "days": "30"}),
    "a role": ("/settings/admins/help@contoso.test", "/settings/admins/help@contoso.test/roles", {"role": "auditor"}),
    "credentials": ("/apps/documo/provisioning/settings", "/apps/documo/provisioning/settings", SETTINGS),
}


async def ada(centre: Centre, **headers: str) -> Browser:
    """A Global administrator who has a password."""
    link = str(await administrators.first_link(centre.hub.context))
    browser = centre.browser()
    await browser.get(link, **headers)
    await browser.post(link, {"email": "ada@contoso.test", "name": "Ada", "password": PASSWORD}, **headers)
    return browser


async def stepped_up_long_ago(centre: Centre) -> None:
    await centre.hub.fetch("update administrator_session set stepped_up_at = now() - interval '1 hour'")


async def delicate_things(centre: Centre) -> tuple[object, ...]:
    """Everything that the changes of DELICATE change."""
    context = centre.hub.context
    app = await applications.show_application(context, "documo")
    return (
        [one.name for one in await access_tokens.list_tokens(context)],
        [(one.email, one.roles) for one in await administrators.list_administrators(context)],
        app.credential.tenant_url if app.credential else "",
    )


@pytest.mark.parametrize("what", DELICATE)
async def test_a_delicate_change_asks_for_the_password_again_and_is_made_after_it(centre: Centre, what: str) -> None:
    page, path, form = DELICATE[what]
    browser = await ada(centre)
    await centre.signed_in(Role.HELP_DESK, email="help@contoso.test")
    await applications.add_application(centre.hub.context, "documo")
    await stepped_up_long_ago(centre)
    before = await delicate_things(centre)

    asked = await browser.post(path, form, Referer=centre.origin + page)
    unchanged = await delicate_things(centre)
    shown = await browser.get(asked.location)
    wrong = await browser.post("/step-up", {"password": "x", "next": page})
    confirmed = await browser.post("/step-up", {"password": PASSWORD, "next": page})
    await browser.get(confirmed.location)
    done = await browser.post(path, form, Referer=centre.origin + page)

    assert (asked.status, asked.location) == (303, f"/step-up?next={quote(page)}&sent=yes")
    assert "Nothing was saved" in shown.text
    assert unchanged == before
    assert "Confirm your password" in shown.text and "ada@contoso.test" in shown.text
    assert wrong.status == 401 and "The password is wrong" in wrong.text
    assert (confirmed.status, confirmed.location) == (303, page)
    assert done.status in (200, 303) and not done.location.startswith("/step-up")
    assert await delicate_things(centre) != before


async def test_a_stored_token_is_not_typed_before_the_password_is_asked_for(centre: Centre) -> None:
    page, path, form = DELICATE["credentials"]
    browser = await ada(centre)
    await applications.add_application(centre.hub.context, "documo")
    await browser.post(path, form, Referer=centre.origin + page)
    recently = await browser.get(page)
    await stepped_up_long_ago(centre)

    long_ago = await browser.get(page)

    assert "Replace" in recently.text and "Confirm your password first" not in recently.text
    assert "Confirm your password first" in long_ago.text and f"/step-up?next={page}" in long_ago.links


async def test_entering_the_password_again_replaces_the_session(centre: Centre) -> None:
    browser = await ada(centre)
    before = {cookie.key: cookie.value for cookie in browser.http.cookie_jar}

    done = await browser.post("/step-up", {"password": PASSWORD, "next": "//evil.test"})
    stolen = centre.browser(before["lockstep_session"])

    assert done.location == "/" and (await browser.get("/")).status == 200
    assert (await stolen.get("/")).location == "/sign-in"


async def test_form_that_is_open_in_another_tab_can_be_sent_after_the_password(centre: Centre) -> None:
    browser = await ada(centre)
    tab = (await browser.get("/settings/tokens")).token
    page, path, form = DELICATE["a token"]

    for _ in range(2):
        await browser.post("/step-up", {"password": PASSWORD, "next": page})
        await browser.get(page)
        done = await browser.post(path, form | {"csrf": tab}, Referer=centre.origin + page)
        assert done.status in (200, 303)


async def test_invitation_of_another_administrator_asks_before_it_replaces_the_session(centre: Centre) -> None:
    browser = await ada(centre)
    link = (await administrators.invite(centre.hub.context, "ben@contoso.test", [Role.AUDITOR])).path
    form = {"name": "Ben", "password": PASSWORD}

    asked = await browser.get(link)
    unanswered = await browser.post(link, {**form, "instead_of": "yes"})
    assert "The link is for ben@contoso.test, but ada@contoso.test is signed in" in unanswered.text
    (go_on,) = [one for one in asked.links if "instead_of=" in one]
    before = {one.key: one.value for one in browser.http.cookie_jar}["lockstep_session"]
    assert (await browser.get(go_on)).text.startswith("Lockstep Set your password")
    done = await browser.post(link, {**form, "instead_of": go_on.partition("instead_of=")[2]})

    assert (done.status, done.location) == (303, "/")
    assert "Ben" in (await browser.get("/")).text
    assert (await centre.browser(before).get("/")).location == "/sign-in"


async def test_a_change_in_a_part_of_a_page_leads_the_whole_page_to_the_password(centre: Centre) -> None:
    browser = await ada(centre)
    await stepped_up_long_ago(centre)
    page, path, form = DELICATE["a token"]

    asked = await browser.post(path, form, **{"HX-Request": "true", "HX-Current-URL": centre.origin + page})

    assert asked.headers.get("HX-Redirect") == f"/step-up?next={page}&sent=yes"


async def test_a_refusal_names_the_role_that_is_needed_and_somebody_who_has_it(centre: Centre, admin: Browser) -> None:
    app = await applications.add_application(centre.hub.context, "documo")
    await centre.signed_in(Role.APPLICATION_OWNER, email="owner@contoso.test", app=app.id)
    await centre.signed_in(Role.OPERATOR, email="operator@contoso.test")
    desk = await centre.signed_in(Role.HELP_DESK)

    control = await desk.post("/apps/documo/provisioning/start")
    people = await desk.get("/settings/admins")
    await administrators.set_enabled(centre.hub.context, "operator@contoso.test", is_enabled=False)
    without = await desk.post("/apps/documo/provisioning/start")

    assert control.status == people.status == without.status == 403
    named = ("applicationOwner (owner@contoso.test)", "operator (operator@contoso.test)", "globalAdministrator")
    assert f"Ask one of: {', '.join(named)} (" in control.text
    assert "which these roles have" in control.text
    assert "Ask globalAdministrator (globaladministrator@contoso.test)" in people.text
    assert "operator@contoso.test" not in without.text


async def test_behind_a_trusted_proxy_pages_know_the_address_that_the_browser_sees(hub: Hub) -> None:
    async with serving_centre(hub, trusted_proxies=("127.0.0.1",)) as centre:
        link = str(await administrators.first_link(hub.context))
        form = {"email": "ada@contoso.test", "name": "Ada", "password": PASSWORD}
        accepted = await centre.browser().post(link, form, **PUBLIC)
        secret = re.search(r"lockstep_session=([^;]+)", accepted.headers["Set-Cookie"])
        assert secret is not None
        kim = {"email": "kim@contoso.test", "role": Role.AUDITOR.value}
        https = PUBLIC | {"Cookie": f"__Host-lockstep_session={secret[1]}"}
        planted = await centre.browser().get("/", **PUBLIC, Cookie=f"lockstep_session={secret[1]}")
        browser = centre.browser()
        known = await browser.get("/", **https)
        invited = await browser.post("/settings/admins", kim, **https)

    set_ = accepted.headers["Set-Cookie"]
    assert accepted.status == 303 and set_.startswith("__Host-lockstep_session=")
    assert "; Secure" in set_ and "; Path=/;" in set_ and "Domain" not in set_
    assert "https://lockstep.contoso.test/invitations/" in invited.html
    assert (planted.status, known.status) == (303, 200)


@pytest.mark.parametrize("proxies", [(), ("192.0.2.1",)])
async def test_forwarded_headers_of_a_stranger_are_not_believed(hub: Hub, proxies: tuple[str, ...]) -> None:
    async with serving_centre(hub, trusted_proxies=proxies) as centre:
        form = {"email": "ada@contoso.test", "password": "x"}

        claimed = await centre.browser().post("/sign-in", form, **PUBLIC)
        plain = await centre.browser().post("/sign-in", form, **{"X-Forwarded-Host": "evil.test"})

    assert claimed.status == 403 and plain.status == 401
