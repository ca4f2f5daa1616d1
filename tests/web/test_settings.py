"""Settings: administrators, tokens, one's own account, private networks."""

from __future__ import annotations

import re

import pyotp
import pytest

from lockstep.actions import access_tokens, administrators
from lockstep.actions.permissions import Role
from lockstep.kit.devices import device_name
from tests.support.admin_centre import Browser, Centre

PASSWORD = "a sentence of five words"


async def invited(centre: Centre, admin: Browser, *roles: Role, email: str = "kim@contoso.test") -> Browser:
    """A browser in which somebody accepted an invitation that *admin* made on the page."""
    page = await admin.post("/settings/admins", {"email": email, "role": roles[0].value})
    link = re.search(r"http://[^ <\"]+/invitations/[^ <\"]+", page.html)
    assert link is not None, page.text
    browser = centre.browser()
    await browser.get(link[0].removeprefix(centre.origin))
    await browser.post(link[0].removeprefix(centre.origin), {"name": "Kim", "password": PASSWORD})
    return browser


async def test_every_settings_page_opens_for_a_global_administrator(admin: Browser) -> None:
    for path in ("", "/admins", "/sso", "/tokens", "/sessions", "/outbound", "/retention", "/about"):
        assert (await admin.get(f"/settings{path}")).status == 200, path


async def test_an_invited_administrator_gets_in_with_the_link_that_the_page_shows_once(
    centre: Centre, admin: Browser
) -> None:
    kim = await invited(centre, admin, Role.HELP_DESK)

    page = await admin.get("/settings/admins")

    assert (await kim.get("/")).status == 200
    assert "kim@contoso.test Help desk Active" in page.text
    assert "/invitations/" not in page.html
    assert (await kim.get("/settings/admins")).status == 403


async def test_roles_are_changed_and_the_administrator_removed_after_the_address_was_typed(
    centre: Centre, admin: Browser
) -> None:
    await invited(centre, admin, Role.HELP_DESK)
    here = "/settings/admins/kim@contoso.test"

    await admin.post(f"{here}/roles", {"role": Role.AUDITOR.value})
    (kim,) = [
        one for one in await administrators.list_administrators(centre.hub.context) if one.email.startswith("kim")
    ]
    untyped = await admin.post(f"{here}/remove", {"confirmation": "yes"})
    removed = await admin.post(f"{here}/remove", {"confirmation": "kim@contoso.test"})

    assert kim.roles == (Role.AUDITOR,)
    assert untyped.status == 400 and "Nothing was removed" in untyped.text
    assert removed.location == "/settings/admins" and (await admin.get(here)).status == 404


async def test_a_token_is_shown_once_works_and_is_revoked(centre: Centre, admin: Browser) -> None:
    made = await admin.post(
        "/settings/tokens", {"name": "CI", "scope": "directory.read", "days": "7", "kind": "service"}
    )
    token = re.search(r"lockstep_svc_[A-Za-z0-9_-]+", made.html)
    assert token is not None
    caller = await access_tokens.caller_of_token(centre.hub.context, token[0])
    page = await admin.get("/settings/tokens")
    address = re.search(r"/settings/tokens/[^/\"]+/revoke", page.html)
    assert address is not None
    await admin.post(address[0])

    assert caller is not None and caller.actor.permissions == {"directory.read"}
    assert token[0] not in page.html
    assert await access_tokens.caller_of_token(centre.hub.context, token[0]) is None


async def test_a_token_without_scopes_is_refused_on_the_form(admin: Browser) -> None:
    refused = await admin.post("/settings/tokens", {"name": "Nothing"})

    assert refused.status == 400 and 'value="Nothing"' in refused.html


async def test_with_a_second_factor_the_sign_in_page_asks_for_the_code(centre: Centre, admin: Browser) -> None:
    kim = await invited(centre, admin, Role.AUDITOR)
    seed = re.search(r"data-copy=\"([A-Z2-7]{32})\"", (await kim.post("/settings/sessions/second-factor")).html)
    assert seed is not None
    codes = await kim.post("/settings/sessions/second-factor/confirm", {"code": pyotp.TOTP(seed[1]).now()})
    recovery = re.search(r"[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}", codes.text)
    assert recovery is not None
    other, form = centre.browser(), {"email": "kim@contoso.test", "password": PASSWORD}

    asked = await other.post("/sign-in", form)
    entered = await other.post("/sign-in", {**form, "code": recovery[0]})

    assert asked.status == 401 and 'name="code"' in asked.html
    assert (entered.status, entered.location) == (303, "/")


async def test_a_new_password_ends_all_other_sessions_and_keeps_this_one(centre: Centre, admin: Browser) -> None:
    kim = await invited(centre, admin, Role.AUDITOR)
    other = centre.browser()
    await other.post("/sign-in", {"email": "kim@contoso.test", "password": PASSWORD})

    wrong = await kim.post("/settings/sessions/password", {"password": "x", "new_password": "another sentence here"})
    changed = await kim.post(
        "/settings/sessions/password", {"password": PASSWORD, "new_password": "another sentence here"}
    )

    assert wrong.status == 401 and changed.status == 303
    assert (await kim.get("/settings/sessions")).status == 200
    assert (await other.get("/")).location.startswith("/sign-in")


async def test_a_private_network_is_added_and_removed(admin: Browser) -> None:
    wrong = await admin.post("/settings/outbound", {"entry": "nonsense!"})
    await admin.post("/settings/outbound", {"entry": "10.1.0.0/16", "reason": "<b>lab</b>"})
    page = await admin.get("/settings/outbound")
    await admin.post("/settings/outbound/remove", {"entry": "10.1.0.0/16"})

    assert wrong.status == 400 and 'value="nonsense!"' in wrong.html
    assert "10.1.0.0/16" in page.text and "<b>lab</b>" in page.text and "<b>lab" not in page.html
    assert "No private addresses are allowed" in (await admin.get("/settings/outbound")).text


async def test_the_organisation_is_named_in_the_top_bar_of_every_page(centre: Centre) -> None:
    admin, auditor = await centre.signed_in(), await centre.signed_in(Role.AUDITOR)
    before = await admin.get("/apps")

    done = await admin.post("/settings/organisation", {"organisation": "  Contoso <b>  GmbH "})
    wrong = await admin.post("/settings/organisation", {"organisation": "x" * 101})
    page = await admin.get("/apps")
    seen = await auditor.get("/settings")
    refused = await auditor.post("/settings/organisation", {"organisation": "Fabrikam"})
    entry = (await admin.get("/logs/audit?activity=Rename")).text
    again = await admin.post("/settings/organisation", {"organisation": "Contoso <b> GmbH"})
    text = (await admin.get("/settings/configuration.yaml")).html

    assert done.status == 303 and again.status == 303 and refused.status == 403
    assert wrong.status == 400 and "at most 100 characters" in wrong.text and "x" * 101 in wrong.html
    assert "Contoso" not in before.text and "Contoso <b> GmbH" in page.text, "at once for whoever changed it"
    assert "Contoso <b> GmbH" in seen.text and "Set the name" not in seen.text
    assert "name: Contoso <b> GmbH" in text
    assert entry.count("Rename organisation") == 1, "nothing changed the second time"


async def test_the_environment_badge_stands_on_every_page(centre: Centre) -> None:
    admin, auditor = await centre.signed_in(), await centre.signed_in(Role.AUDITOR)

    set_ = await admin.post("/settings/environment", {"name": "Prod <script>", "colour": "red"})
    wrong = await admin.post("/settings/environment", {"name": "x" * 31, "colour": "red"})
    page = await auditor.get("/apps")
    refused = await auditor.post("/settings/environment", {"name": "Test", "colour": "green"})
    text = (await admin.get("/settings/configuration.yaml")).html

    assert set_.status == 303 and wrong.status == 400 and "at most 30" in wrong.text and refused.status == 403
    assert 'tone-error">Prod &lt;script&gt;</span>' in page.html
    assert "name: Prod <script>" in text and "colour: red" in text


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140 Safari/537.36 Edg/140",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/605.1.15 Version/18 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 CriOS/140 Mobile Safari/604.1",
            "Chrome on iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36", "Chrome on Android"),
        ("something else", "something else"),
        ("", "Unknown"),
    ],
)
def test_a_device_is_named_by_its_browser_and_its_system(told: str, name: str) -> None:
    assert device_name(told) == name


async def test_inviting_and_creating_a_token_have_pages_of_their_own(centre: Centre, admin: Browser) -> None:
    listed, invite = await admin.get("/settings/admins"), await admin.get("/settings/admins/invite")
    tokens, new = await admin.get("/settings/tokens"), await admin.get("/settings/tokens/new")
    auditor = await centre.signed_in(Role.AUDITOR)

    assert (
        "/settings/admins/invite" in listed.links
        and 'name="email"' not in listed.html
        and 'name="email"' in invite.html
    )
    assert "/settings/tokens/new" in tokens.links and 'name="scope"' not in tokens.html and 'name="scope"' in new.html
    assert "/settings/admins/invite" not in (await auditor.get("/settings/admins")).links
    assert (await auditor.get("/settings/admins/invite")).status == 403
