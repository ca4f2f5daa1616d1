"""A person signs in to an application in a real browser: the forms are sent automatically, and nothing violates the security policy."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from lockstep.actions import applications, assignments
from lockstep.actions.person_sign_in import setting
from lockstep.actions.single_sign_on import settings
from lockstep.saml.bindings import redirect_url
from lockstep.saml.identifiers import new_id
from lockstep.saml.requests import AuthnRequest, write_authn_request
from lockstep.serving.limits import ServingLimits
from lockstep.serving.server import listen, serving_http
from tests.portal.conftest import PASSWORD, secret_of_link, with_password
from tests.support.admin_centre import Centre
from tests.support.browser import Visitor, chromium, visiting
from tests.support.hub import upn
from tests.support.keyboard import faults_of_menus, faults_of_walk

pytestmark = pytest.mark.full


@dataclass
class Sp:
    """An application on another origin, which answers an assertion with a redirect to a second one."""

    origin: str
    elsewhere: str
    received: list[str] = field(default_factory=list)
    idp: str = ""

    async def begin(self, _: Request) -> Response:
        request = AuthnRequest(new_id(), self.origin, f"{self.idp}/sso", f"{self.origin}/assert", datetime.now(UTC))
        return RedirectResponse(
            redirect_url(f"{self.idp}/sso", message=write_authn_request(request), field="SAMLRequest", relay_state="r1")
        )

    async def take(self, request: Request) -> Response:
        form = await request.form()
        self.received.append(base64.b64decode(str(form["SAMLResponse"])).decode())
        return RedirectResponse(f"{self.elsewhere}/inside?state={form.get('RelayState', '')}", status_code=303)

    async def inside(self, request: Request) -> Response:
        return HTMLResponse(f"<h1>Inside</h1><p>{request.query_params['state']}</p>")


@pytest.fixture
async def sp(centre: Centre) -> AsyncIterator[Sp]:
    """SAML is on for the application, to which Anna is assigned, and she has a password."""
    listener = listen("127.0.0.1", 0, next_step="")
    port = listener.getsockname()[1]
    sp = Sp(f"http://127.0.0.1:{port}", f"http://localhost:{port}", idp=f"{centre.origin}/saml2/documo")
    routes = [Route("/", sp.begin), Route("/assert", sp.take, methods=["POST"]), Route("/inside", sp.inside)]
    await applications.add_application(centre.context, "documo", name="documo")
    change = {
        "mode": "saml",
        "identifiers": [sp.origin],
        "replyUrls": [f"{sp.origin}/assert"],
        "signOnUrl": None,
        "logoutUrl": None,  # this application has no single logout
    }
    await settings.change_sign_on(centre.context, "documo", change)
    await assignments.assign(centre.context, "documo", users=[upn("anna")], role="Editor")
    await with_password(centre, "anna")
    async with serving_http(Starlette(routes=routes), listener, limits=ServingLimits(stop_seconds=1.0)):
        yield sp


async def sign_in(visitor: Visitor) -> None:
    await visitor.page.get_by_label("User name").fill(upn("anna"))
    await visitor.page.get_by_label("Password").fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Sign in").click()


def offences(visitor: Visitor) -> list[str]:
    """The console messages of pages of Lockstep."""
    return [line for line in visitor.said if f" at {visitor.origin}" in line or line.startswith("error: Refused")]


async def test_application_asks_the_person_signs_in_and_the_form_is_sent_by_itself(centre: Centre, sp: Sp) -> None:
    async with chromium() as browser, visiting(browser, centre.origin) as visitor:
        await visitor.page.goto(sp.origin)
        await sign_in(visitor)
        await visitor.page.get_by_role("heading", name="Inside").wait_for()

        assert visitor.page.url == f"{sp.elsewhere}/inside?state=r1"
        assert upn("anna") in sp.received[0]
        assert offences(visitor) == []
        await visitor.page.goto(sp.origin)
        await visitor.page.get_by_role("heading", name="Inside").wait_for()
        assert len(sp.received) == 2


async def test_without_script_a_button_sends_the_form(centre: Centre, sp: Sp) -> None:
    async with chromium() as browser, visiting(browser, centre.origin, has_script=False) as visitor:
        await visitor.page.goto(sp.origin)
        await sign_in(visitor)
        await visitor.page.get_by_role("button", name="Continue").click()
        await visitor.page.get_by_role("heading", name="Inside").wait_for()


async def test_pages_of_people_pass_axe_fit_every_window_and_are_walked_with_keys(centre: Centre, sp: Sp) -> None:
    link = await secret_of_link(centre, "ben")
    await setting.change_sign_in_setting(centre.context, contact="the help desk, phone 4711")
    found: list[str] = []
    async with (
        chromium() as browser,
        visiting(browser, centre.origin) as visitor,
        visiting(browser, centre.origin) as ben,
    ):

        async def look(one: Visitor, path: str) -> None:
            await one.go(path)
            found.extend(await one.faults(path))
            await one.look()
            found.extend(f"{path} {line}" for line in await faults_of_walk(one.page, has_way_back=True))
            found.extend(f"{path} {line}" for line in await faults_of_menus(one.page))

        await look(ben, f"/myapps/link/{link}")
        await look(visitor, "/myapps/sign-in")
        await sign_in(visitor)
        await visitor.page.get_by_role("heading", name="My Apps").wait_for()
        for path in (
            "/myapps",
            "/myapps/sessions",
            "/myapps/second-factor",
            "/saml2/documo/failed?number=abc12345",
            "/myapps/signed-out",
        ):
            await look(visitor, path)
        await ben.page.get_by_label("Password").fill(PASSWORD)
        await ben.page.get_by_role("button", name="Set password and sign in").click()
        await ben.page.get_by_text("No applications yet").wait_for()
        await look(ben, "/myapps")
        await look(ben, "/myapps/launch/documo")
        assert "Ask the help desk, phone 4711" in await ben.page.inner_text("body")

    assert found == []
