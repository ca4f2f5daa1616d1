"""*Test this application*: what a sign-in would do, and how real attempts ended."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from lockstep.actions import applications, assignments
from lockstep.actions.person_sign_in import passwords
from lockstep.actions.person_sign_in.outcomes import SignInCode, Visitor
from lockstep.actions.saml_sign_in import answering, asking
from lockstep.actions.single_sign_on import settings, trying
from lockstep.actions.single_sign_on.trying import SignOnTrial
from lockstep.errors import LockstepError
from lockstep.saml.accepting import ResponseRequirements, accept
from lockstep.saml.bindings import redirect_url
from lockstep.saml.certificates import certificates_in
from lockstep.saml.faults import SamlFault
from lockstep.saml.identifiers import new_id
from lockstep.saml.requests import AuthnRequest, read_authn_request, write_authn_request
from tests.portal.conftest import PASSWORD, with_password
from tests.support.admin_centre import Centre
from tests.support.hub import upn

AT, ISSUER, REPLY = "https://id.contoso.test", "https://docs.test", "https://docs.test/assert"
VISITOR = Visitor("a browser", "192.0.2.9", "41")


@pytest.fixture
async def documo(centre: Centre) -> Centre:
    """SAML is on; Anna is an Editor of Documo and has a password."""
    await applications.add_application(centre.context, "documo", name="documo")
    wanted = {"mode": "saml", "identifiers": [ISSUER], "replyUrls": [REPLY], "signOnUrl": f"{ISSUER}/sso"}
    await settings.change_sign_on(centre.context, "documo", wanted)
    await assignments.assign(centre.context, "documo", users=[upn("anna")], role="Editor")
    await with_password(centre, "anna")
    return centre


async def tried(centre: Centre, error: str = "") -> SignOnTrial:
    found = await trying.try_sign_on(centre.context, "documo", upn("anna"), origin=AT, error=error)
    assert found is not None
    return found


@pytest.mark.parametrize("signing", ["assertion", "response", "both"])
async def test_response_of_a_trial_has_the_form_of_a_real_one_and_signs_nobody_in(documo: Centre, signing: str) -> None:
    await settings.change_sign_on(documo.context, "documo", {"signing": signing})

    trial = await tried(documo)

    text = "".join(part.text for part in trial.response)
    certificates = certificates_in(trial.view.certificates[0].certificate)
    assert upn("anna") in text and f'Destination="{REPLY}"' in text
    assert text.count("left out") == (2 if signing == "both" else 1)
    assert certificates[0].pem.splitlines()[1] in text
    expected = ResponseRequirements(
        f"{AT}/saml2/documo/metadata", ISSUER, REPLY, certificates, None, allow_unsolicited=True
    )
    with pytest.raises(SamlFault):
        accept(text.encode(), expected, now=datetime.now(UTC))
    [marked] = [part.text for part in trial.response if part.is_signed]
    assert marked.startswith("<saml:Assertion" if signing == "assertion" else "<samlp:Response")


async def test_request_is_shown_where_the_application_begins(documo: Centre) -> None:
    request = read_authn_request((await tried(documo)).request.encode())
    await settings.change_sign_on(documo.context, "documo", {"signOnUrl": None})

    assert (request.issuer, request.reply_url) == (ISSUER, REPLY)
    assert request.destination == f"{AT}/saml2/documo/sso"
    assert (await tried(documo)).request == ""


async def test_each_claim_names_the_source_of_its_value(documo: Centre) -> None:
    await settings.set_claim(documo.context, "documo", "team", {"constant": "docs"})
    await settings.set_claim(documo.context, "documo", "phone", {"source": "mobile"})

    lines = {one.name: (list(one.values), one.source) for one in (await tried(documo)).claim_lines}

    assert lines[""] == ([upn("anna")], "[userPrincipalName]")
    assert lines["team"] == (["docs"], '"docs"')
    assert lines["phone"] == ([], "[mobile]")


async def test_real_attempts_are_shown_with_what_the_application_was_answered(documo: Centre) -> None:
    assert (await tried(documo)).attempts == []
    login_url = (await tried(documo)).view.endpoints.login_url
    request = AuthnRequest(new_id(), "https://other.test", login_url, REPLY, datetime.now(UTC))
    query = urlsplit(
        redirect_url(login_url, message=write_authn_request(request), field="SAMLRequest", relay_state="")
    ).query
    with pytest.raises(LockstepError):
        await asking.receive_query(documo.context, "documo", query, visitor=VISITOR, origin=AT)
    await settings.change_sign_on(documo.context, "documo", {"signOnUrl": None})
    secret = (await passwords.sign_person_in(documo.context, upn("anna"), PASSWORD, visitor=VISITOR)).secret
    await answering.launch(documo.context, "documo", secret, visitor=VISITOR, origin=AT)

    attempts = (await tried(documo)).attempts

    assert [(one.row.result, one.row.code, one.answer) for one in attempts] == [
        ("success", "", "Response with the status Success"),
        ("failure", "WrongIssuer", "No response: the person saw a page of Lockstep"),
    ]


async def test_refusals_are_those_of_the_settings(documo: Centre) -> None:
    before = {one.code: one.what for one in (await tried(documo)).refusals}
    await settings.change_sign_on(documo.context, "documo", {"assignmentRequired": False})
    after = {one.code for one in (await tried(documo)).refusals}

    assert ISSUER in before[SignInCode.WRONG_ISSUER] and REPLY in before[SignInCode.UNKNOWN_REPLY_URL]
    assert set(before) - after == {SignInCode.NOT_ASSIGNED}
    assert SignInCode.SIGNATURE_WRONG not in before  # no certificate of the application is known


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Invalid Audience: https://docs.test is not a valid audience", "uses a different Identifier"),
        ("The response was received at https://x instead of the Destination", "at another address"),
        ("Issuer of the Assertion is unknown", "another identifier"),
        ("Signature validation failed. SAML Response rejected", "does not know the certificate"),
        ("User anna@contoso.test does not exist", "has no account"),
        ("Timing issues (please check your clock settings)", "clocks"),
        ("The InResponseTo of the Response does not match", "did not ask for this response"),
        ("cannot decrypt", "cannot decrypt"),
        ("teapot", ""),
    ],
)
async def test_error_of_the_application_is_explained(documo: Centre, said: str, cause: str) -> None:
    error = (await tried(documo, said)).error

    assert cause in error.cause if error is not None else cause == ""
