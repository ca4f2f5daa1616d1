"""Applications sign people in through SAML: requests, responses, and refusals."""

from __future__ import annotations

import base64
import functools
import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from yarl import URL

from lockstep.actions import applications, assignments, people, sign_in_logs
from lockstep.actions.single_sign_on import settings
from lockstep.portal.cookies import SESSION_COOKIE
from lockstep.saml.accepting import AcceptedResponse, ResponseRequirements, accept
from lockstep.saml.bindings import post_fields, read_redirect, redirect_url
from lockstep.saml.certificates import SigningKey, certificates_in, new_signing_key
from lockstep.saml.faults import FaultCode, SamlFault
from lockstep.saml.identifiers import new_id
from lockstep.saml.logout import (
    LogoutRequest,
    LogoutResponse,
    read_logout_request,
    write_logout_request,
    write_logout_response,
)
from lockstep.saml.metadata import read_idp_metadata
from lockstep.saml.names import Status
from lockstep.saml.requests import AuthnRequest, write_authn_request
from tests.portal.conftest import PASSWORD, with_password
from tests.support.admin_centre import Browser, Centre, Page
from tests.support.hub import guid, upn

ISSUER, REPLY, LOGOUT = "https://docs.test", "https://docs.test/assert", "https://docs.test/slo"
MFA = "https://refeds.org/profile/mfa"


@dataclass
class App:
    """Documo, as a service provider that this module plays."""

    centre: Centre
    key: SigningKey

    @property
    def base(self) -> str:
        return f"{self.centre.origin}/saml2/documo"

    def request(self, **more: Any) -> AuthnRequest:
        usual: dict[str, Any] = {
            "id": new_id(), "issuer": ISSUER, "destination": f"{self.base}/sso", "reply_url": REPLY, "issued_at": datetime.now(UTC)
        }  # fmt: skip
        return AuthnRequest(**usual | more)

    def address(self, request: AuthnRequest, *, relay_state: str = "", key: SigningKey | None = None) -> str:
        location = f"{self.base}/sso"
        found = redirect_url(
            location, message=write_authn_request(request), field="SAMLRequest", relay_state=relay_state, key=key
        )
        return found.removeprefix(self.centre.origin)

    async def accepted(self, page: Page, in_response_to: str | None) -> AcceptedResponse:
        """Documo's reading of the form on *page*."""
        metadata = read_idp_metadata((await self.centre.browser().get("/saml2/documo/metadata")).html.encode())
        expected = ResponseRequirements(
            f"{self.base}/metadata", ISSUER, REPLY, metadata.certificates, in_response_to, allow_unsolicited=in_response_to is None
        )  # fmt: skip
        return accept(base64.b64decode(field(page, "SAMLResponse")), expected, now=datetime.now(UTC))


def field(page: Page, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.html)
    return html.unescape(found[1]) if found else ""


@functools.cache
def key_of(name: str) -> SigningKey:
    """Making one takes most of a second."""
    return new_signing_key(name, now=datetime.now(UTC))


@pytest.fixture
async def app(centre: Centre) -> App:
    """SAML is on; Anna is assigned, with a password, and Ben is not."""
    key = key_of("Documo")
    await applications.add_application(centre.context, "documo", name="documo")
    wanted = {"mode": "saml", "identifiers": [ISSUER], "replyUrls": [REPLY], "signOnUrl": None, "logoutUrl": LOGOUT}
    await settings.change_sign_on(centre.context, "documo", {**wanted, "requestCertificates": [key.certificate.pem]})
    await assignments.assign(centre.context, "documo", users=[upn("anna")], role="Editor")
    for name in ("anna", "ben"):
        await with_password(centre, name)
    return App(centre, key)


async def exactly(browser: Browser, path: str) -> Page:
    """The page at an address that is sent as it is written, as browsers do: a signature covers the spelling."""
    async with browser.http.get(URL(browser.origin + path, encoded=True), allow_redirects=False) as answer:
        return Page(answer.status, await answer.text(), answer.headers)


async def follow(browser: Browser, path: str) -> Page:
    """The page that a browser shows after the redirects on this server."""
    page = await exactly(browser, path)
    while page.status == 303:
        page = await browser.get(page.location.removeprefix(browser.origin))
    return page


async def sign_in(browser: Browser, page: Page, name: str = "anna") -> Page:
    """Fill in the form to sign in, and follow where it leads."""
    assert "Sign in" in page.text
    done = await browser.post("/myapps/sign-in", {"name": upn(name), "password": PASSWORD, "next": field(page, "next")})
    assert done.status == 303, done.text
    return await follow(browser, done.location)


async def signed_in(centre: Centre, name: str = "anna") -> Browser:
    browser = centre.browser()
    await sign_in(browser, await browser.get("/myapps/sign-in"), name)
    return browser


async def reason(centre: Centre) -> str:
    return (await sign_in_logs.list_sign_ins(centre.context, app="documo", limit=1))[0].code


@pytest.mark.parametrize("binding", ["redirect", "post"])
async def test_person_signs_in_on_the_way_and_the_application_accepts_the_answer(app: App, binding: str) -> None:
    browser, request, relay = app.centre.browser(), app.request(), '"><script>alert(1)</script>'
    if binding == "redirect":
        shown = await follow(browser, app.address(request, relay_state=relay))
    else:
        fields = post_fields(write_authn_request(request), field="SAMLRequest", relay_state=relay)
        async with browser.http.post(
            f"{app.base}/sso", data=fields, headers={"Origin": ISSUER}, allow_redirects=False
        ) as sent:
            assert sent.status == 303
            shown = await follow(browser, sent.headers["Location"])

    page = await sign_in(browser, shown)

    found = await app.accepted(page, request.id)
    assert (found.name_id, found.attributes["http://schemas.microsoft.com/ws/2008/06/identity/claims/role"]) == (
        upn("anna"),
        ("Editor",),
    )
    assert field(page, "RelayState") == relay
    assert "<script>alert" not in page.html
    assert f'action="{REPLY}"' in page.html
    assert "form-action https: http:" in page.headers["Content-Security-Policy"]
    row = (await sign_in_logs.list_sign_ins(app.centre.context, app="documo"))[0]
    assert (row.person, row.result, row.protocol, row.methods) == (guid("anna"), "success", "saml", ["password"])


async def test_somebody_who_is_signed_in_sees_no_page_to_sign_in(app: App) -> None:
    browser, request = await signed_in(app.centre), app.request()

    assert (await app.accepted(await follow(browser, app.address(request)), request.id)).name_id == upn("anna")


async def test_person_who_is_not_assigned_is_told_whom_to_ask(app: App) -> None:
    from lockstep.actions.person_sign_in import setting

    await setting.change_sign_in_setting(app.centre.context, contact="the help desk")
    browser = await signed_in(app.centre, "ben")

    for path in (app.address(app.request()), "/myapps/launch/documo"):
        page = await follow(browser, path)
        assert page.status == 403
        assert "is not assigned to you" in page.text
        assert "Ask the help desk for access" in page.text
        assert field(page, "SAMLResponse") == ""
    assert await reason(app.centre) == "NotAssigned"


async def test_application_that_is_not_enabled_lets_nobody_in_and_is_on_no_tile(app: App) -> None:
    await settings.change_sign_on(app.centre.context, "documo", {"enabledForSignIn": False})
    browser = await signed_in(app.centre)

    asked = await follow(browser, app.address(app.request()))
    launched = await browser.get("/myapps/launch/documo")

    assert (asked.status, launched.status) == (403, 403)
    assert "sign-in to" in asked.text and not field(asked, "SAMLResponse")
    assert await reason(app.centre) == "ApplicationDisabled"
    assert "/myapps/launch/documo" not in (await browser.get("/myapps")).links
    await settings.change_sign_on(app.centre.context, "documo", {"enabledForSignIn": True})
    assert field(await browser.get("/myapps/launch/documo"), "SAMLResponse")


async def test_without_required_assignment_everybody_signs_in(app: App) -> None:
    await settings.change_sign_on(app.centre.context, "documo", {"assignmentRequired": False})
    browser, request = await signed_in(app.centre, "ben"), app.request()

    assert (await app.accepted(await follow(browser, app.address(request)), request.id)).name_id == upn("ben")
    assert "Documo" in (await browser.get("/myapps")).text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"issuer": "https://evil.test"}, "WrongIssuer"),
        ({"reply_url": "https://evil.test/assert"}, "UnknownReplyUrl"),
        ({"reply_url": REPLY + "/"}, "UnknownReplyUrl"),
        ({"destination": "https://other.test/sso"}, "WrongDestination"),
        ({"issued_at": datetime(2020, 1, 1, tzinfo=UTC)}, "RequestExpired"),
        ({"issued_at": datetime.now(UTC) + timedelta(hours=1)}, "RequestExpired"),
        ({"contexts": tuple(f"urn:{n}" for n in range(21))}, "RequestRefused"),
    ],
)
async def test_request_that_is_wrong_is_refused_before_anybody_signs_in_and_the_page_does_not_say_why(
    app: App, change: dict[str, Any], code: str
) -> None:
    browser = await signed_in(app.centre)

    page = await exactly(browser, app.address(app.request(**change)))

    assert page.status == 400
    assert "Sign-in failed" in page.text
    assert "evil.test" not in page.html
    assert await reason(app.centre) == code
    detail = (await sign_in_logs.list_sign_ins(app.centre.context, app="documo", limit=1))[0].detail
    assert page.headers["X-Request-Id"] in detail


async def test_signature_of_a_request_is_verified_and_demanded_if_that_is_set(app: App) -> None:
    browser, other = await signed_in(app.centre), key_of("Other")

    assert (await exactly(browser, app.address(app.request(), key=other))).status == 400
    assert await reason(app.centre) == "SignatureWrong"
    without = app.request(destination="")
    assert (await exactly(browser, app.address(without, key=app.key))).status == 400
    await settings.change_sign_on(app.centre.context, "documo", {"requireSignedRequests": True})
    assert (await exactly(browser, app.address(app.request()))).status == 400
    assert await reason(app.centre) == "NotSigned"
    request = app.request()
    signed = app.address(request, key=app.key)
    assert await app.accepted(await follow(browser, signed), request.id)
    tampered = signed.replace("SAMLRequest=", "RelayState=x&SAMLRequest=")
    assert (await exactly(browser, tampered)).status == 400


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "SAMLRequest=x",
        "SAMLRequest=a&SAMLRequest=b",
        "SAMLResponse=PGE%2BPC9hPg%3D%3D",
        "SAMLRequest=" + "A" * 9000,
    ],
)
async def test_what_is_no_request_is_refused(app: App, garbage: str) -> None:
    assert (await app.centre.browser().get(f"/saml2/documo/sso?{garbage}")).status == 400


async def test_form_that_is_no_request_leads_to_a_page_with_the_number_of_the_log(app: App) -> None:
    browser = app.centre.browser()
    async with browser.http.post(f"{app.base}/sso", data={"SAMLRequest": "%%%"}, allow_redirects=False) as sent:
        page = await browser.get(sent.headers["Location"])

    assert page.status == 400
    detail = (await sign_in_logs.list_sign_ins(app.centre.context, limit=1))[0].detail
    assert re.search(r"Request (\w+)\.", detail)[1] in page.text  # type: ignore[index]


@pytest.mark.parametrize("app_name", ["nothing", "..%2fdocumo", "documo%00"])
async def test_application_that_is_unknown_or_without_sign_on_looks_the_same(app: App, app_name: str) -> None:
    await applications.add_application(app.centre.context, "documo", name="other")
    browser = app.centre.browser()

    for end in ("sso", "metadata", "logout"):
        unknown, off = await browser.get(f"/saml2/{app_name}/{end}"), await browser.get(f"/saml2/other/{end}")
        assert off.status == 404
        assert unknown.status in (400, 404)


@pytest.mark.parametrize(
    ("contexts", "comparison", "status"),
    [
        ((MFA,), "exact", Status.NO_AUTHN_CONTEXT),
        ((MFA, "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"), "exact", None),
        (("urn:oasis:names:tc:SAML:2.0:ac:classes:Password",), "better", Status.NO_AUTHN_CONTEXT),
        (("urn:oasis:names:tc:SAML:2.0:ac:classes:Password",), "minimum", None),
        (("urn:unheard:of",), "minimum", Status.NO_AUTHN_CONTEXT),
    ],
)
async def test_authentication_context_is_honoured_or_refused(
    app: App, contexts: tuple[str, ...], comparison: str, status: Status | None
) -> None:
    browser, request = await signed_in(app.centre), app.request(contexts=contexts, contexts_comparison=comparison)

    page = await follow(browser, app.address(request))

    if status is None:
        assert await app.accepted(page, request.id)
    else:
        assert await status_of(app, page, request.id) == status
        assert await reason(app.centre) == "NoAuthnContext"


async def status_of(app: App, page: Page, in_response_to: str) -> str:
    with pytest.raises(SamlFault) as refused:
        await app.accepted(page, in_response_to)
    assert refused.value.code == FaultCode.STATUS_NOT_SUCCESS
    return next(one for one in Status if one in base64.b64decode(field(page, "SAMLResponse")).decode() and one not in (
        Status.REQUESTER, Status.RESPONDER))  # fmt: skip


async def test_passive_request_gets_an_answer_without_a_page(app: App) -> None:
    request = app.request(is_passive=True)

    page = await follow(app.centre.browser(), app.address(request))

    assert await status_of(app, page, request.id) == Status.NO_PASSIVE


async def test_forced_request_needs_the_password_again_and_then_is_answered(app: App) -> None:
    browser, request = await signed_in(app.centre), app.request(force_authn=True)

    shown = await follow(browser, app.address(request))
    assert field(shown, "SAMLResponse") == ""
    page = await sign_in(browser, shown)

    assert (await app.accepted(page, request.id)).name_id == upn("anna")


async def test_name_id_format_that_is_not_set_is_refused(app: App) -> None:
    browser = await signed_in(app.centre)
    request = app.request(name_id_format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")

    page = await follow(browser, app.address(request))

    assert await status_of(app, page, request.id) == Status.INVALID_NAME_ID_POLICY


async def test_request_of_one_application_is_of_no_use_for_another_and_ends_by_itself(app: App) -> None:
    await applications.add_application(app.centre.context, "documo", name="other")
    await settings.change_sign_on(app.centre.context, "other", {"mode": "saml"})
    browser = await signed_in(app.centre)
    sealed = (await exactly(browser, app.address(app.request()))).location.partition("request=")[2]

    for path in (
        f"/saml2/other/continue?request={sealed}",
        "/saml2/documo/continue?request=00ff",
        "/saml2/documo/continue?request=x",
    ):
        page = await browser.get(path)
        assert (page.status, field(page, "SAMLResponse")) == (400, "")
    await settings.change_sign_on(app.centre.context, "documo", {"replyUrls": ["https://moved.test/assert"]})
    assert (await browser.get(f"/saml2/documo/continue?request={sealed}")).status == 400


@pytest.mark.parametrize("binding", ["redirect", "post"])
async def test_request_is_answered_only_in_the_browser_that_brought_it(app: App, binding: str) -> None:
    """An address gets into histories and logs. Who finds it there is signed in, too, and must not answer in its place."""
    browser, request = app.centre.browser(), app.request()
    if binding == "redirect":
        path = (await exactly(browser, app.address(request))).location
    else:
        fields = post_fields(write_authn_request(request), field="SAMLRequest")
        async with browser.http.post(f"{app.base}/sso", data=fields, allow_redirects=False) as answer:
            path = answer.headers["Location"]
    other = await signed_in(app.centre)

    for page in (await other.get(path), await sign_in(browser, await follow(browser, path))):
        is_own = page.status == 200
        assert bool(field(page, "SAMLResponse")) is is_own
    assert (await other.get(path)).status == 400
    another = await exactly(other, app.address(app.request()))  # now it has a secret of its own
    assert (await other.get(path)).status == 400
    assert field(await other.get(another.location), "SAMLResponse")


async def test_character_that_xml_cannot_hold_is_refused_with_its_reason_in_the_log(app: App) -> None:
    await settings.set_claim(app.centre.context, "documo", "unit", {"constant": "a\x07b"})
    browser = await signed_in(app.centre)

    page = await follow(browser, app.address(app.request()))

    assert (page.status, field(page, "SAMLResponse")) == (400, "")
    newest = (await sign_in_logs.list_sign_ins(app.centre.context, app="documo", limit=1))[0]
    assert (newest.code, newest.person_display) == ("ClaimsUnusable", upn("anna"))
    assert "U+0007" in newest.detail


async def test_refused_requests_without_end_are_counted_and_not_each_recorded(app: App) -> None:
    """Anybody can send them, so they must neither fill the disk nor hide what else is in the log."""
    for _ in range(15):
        assert (await app.centre.browser().get("/saml2/documo/sso?SAMLRequest=x")).status == 400
    known = await signed_in(app.centre, "ben")
    await follow(known, app.address(app.request()))

    rows = await sign_in_logs.list_sign_ins(app.centre.context, app="documo")

    assert [row.code for row in rows] == ["NotAssigned", "MoreRefused"] + ["RequestRefused"] * 10
    assert [row.more for row in rows] == [0, 5] + [0] * 10


async def test_disabled_person_signs_in_nowhere(app: App) -> None:
    browser = await signed_in(app.centre)
    await people.set_enabled(app.centre.context, [upn("anna")], is_enabled=False)

    page = await follow(browser, app.address(app.request()))

    assert (field(page, "SAMLResponse"), "Sign in" in page.text) == ("", True)


async def test_my_apps_shows_assigned_applications_and_opens_them_with_a_response(app: App) -> None:
    browser = await signed_in(app.centre)
    assert "/myapps/launch/documo" in (await browser.get("/myapps")).links
    assert "/myapps/launch/documo" not in (await (await signed_in(app.centre, "ben")).get("/myapps")).links

    page = await browser.get("/myapps/launch/documo")
    assert (await app.accepted(page, None)).name_id == upn("anna")


async def test_application_with_a_sign_on_url_is_opened_there(app: App) -> None:
    await settings.change_sign_on(app.centre.context, "documo", {"signOnUrl": "https://docs.test/sso"})
    browser = await signed_in(app.centre)

    page = await browser.get("/myapps/launch/documo")

    assert 'content="0;url=https://docs.test/sso"' in page.html
    assert "https://docs.test/sso" in page.links


async def test_metadata_names_the_endpoints_and_every_certificate(app: App) -> None:
    page = await app.centre.browser().get("/saml2/documo/metadata")

    found = read_idp_metadata(page.html.encode())
    assert page.headers["Content-Type"].startswith("application/samlmetadata+xml")
    assert found.entity_id == f"{app.base}/metadata"
    assert set(found.sign_on.values()) == {f"{app.base}/sso"}
    shown = await settings.show_sign_on(app.centre.context, "documo")
    assert [one.thumbprint for one in found.certificates] == [one.thumbprint for one in shown.certificates]


def logout_address(app: App, request: LogoutRequest, key: SigningKey | None) -> str:
    address = redirect_url(
        f"{app.base}/logout", message=write_logout_request(request), field="SAMLRequest", relay_state="r", key=key
    )
    return address.removeprefix(app.centre.origin)


async def test_application_signs_a_person_out_with_a_signed_request_alone(app: App) -> None:
    browser, request = await signed_in(app.centre), app.request()
    found = await app.accepted(await follow(browser, app.address(request)), request.id)
    leaving = LogoutRequest(
        new_id(), ISSUER, f"{app.base}/logout", datetime.now(UTC), found.name_id, session_indexes=(found.session_index,)
    )
    stranger = app.centre.browser()

    assert (await exactly(stranger, logout_address(app, leaving, None))).status == 400
    other = key_of("Other")
    assert (await exactly(stranger, logout_address(app, leaving, other))).status == 400
    assert (await browser.get("/myapps")).status == 200
    answer = await exactly(stranger, logout_address(app, leaving, app.key))

    assert answer.location.startswith(f"{LOGOUT}?SAMLResponse=")
    assert parse_qs(urlsplit(answer.location).query)["RelayState"] == ["r"]
    [certificate] = certificates_in(
        (await settings.show_sign_on(app.centre.context, "documo")).certificates[0].certificate
    )
    assert read_redirect(urlsplit(answer.location).query, certificates=[certificate]).signed
    assert (await browser.get("/myapps")).status == 303


async def test_logout_request_of_an_application_works_once(app: App) -> None:
    browser, request = await signed_in(app.centre), app.request()
    found = await app.accepted(await follow(browser, app.address(request)), request.id)
    leaving = LogoutRequest(new_id(), ISSUER, f"{app.base}/logout", datetime.now(UTC), found.name_id)
    address, stranger = logout_address(app, leaving, app.key), app.centre.browser()
    assert (await exactly(stranger, address)).location.startswith(f"{LOGOUT}?SAMLResponse=")

    other, again = await signed_in(app.centre), app.request()
    await app.accepted(await follow(other, app.address(again)), again.id)
    replayed = await exactly(stranger, address)

    assert replayed.status == 400 and "SAMLResponse" not in replayed.location
    assert (await other.get("/myapps")).status == 200
    [[until]] = await app.centre.hub.fetch("select max(expires_at) from used_answer")
    assert isinstance(until, datetime) and abs(until - leaving.expires_at) < timedelta(seconds=1), (
        "it is remembered for as long as it would be accepted"
    )


async def test_signing_out_leads_through_the_applications_and_back(app: App) -> None:
    browser, request = await signed_in(app.centre), app.request()
    found = await app.accepted(await follow(browser, app.address(request)), request.id)

    out = await browser.post("/myapps/sign-out", {"csrf": (await browser.get("/myapps")).token})
    stop = await browser.get(out.location)
    url = next(link for link in stop.links if link.startswith(LOGOUT))
    message = read_redirect(urlsplit(url).query).message
    sent = read_logout_request(message, issuer=f"{app.base}/metadata", destination=LOGOUT, now=datetime.now(UTC))
    assert (sent.name_id, sent.session_indexes) == (upn("anna"), (found.session_index,))
    response = LogoutResponse(new_id(), ISSUER, f"{app.base}/logout", datetime.now(UTC), sent.id)
    back = redirect_url(f"{app.base}/logout", message=write_logout_response(response), field="SAMLResponse")
    end = await follow(browser, back.removeprefix(app.centre.origin))

    assert "You are signed out" in end.text
    assert not any(one.key == SESSION_COOKIE for one in browser.http.cookie_jar)
