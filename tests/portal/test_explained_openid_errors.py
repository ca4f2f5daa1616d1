"""*Explain the error* for OpenID Connect: what applications say, addresses with an error of Lockstep, and failed sign-ins."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from lockstep.actions.person_sign_in.outcomes import SignInCode, meaning_of
from lockstep.actions.single_sign_on import trying
from lockstep.actions.single_sign_on.application_errors import ApplicationError
from lockstep.actions.single_sign_on.refusal_fixes import fixes_of
from lockstep.configuration.single_sign_on import SignOnMode
from lockstep.openid.faults import RefusalReason
from tests.portal.test_openid_sign_in import CALLBACK, App, answer_of, documo_as_client
from tests.portal.test_saml_sign_in import signed_in
from tests.support.admin_centre import Centre
from tests.support.hub import upn

TEST = "/apps/documo/sso/test"


@pytest.fixture
async def app(centre: Centre) -> App:
    """Documo as a confidential client, whose errors are explained."""
    return await documo_as_client(centre)


async def explained(app: App, said: str) -> ApplicationError | None:
    found = await trying.try_sign_on(app.centre.context, "documo", upn("anna"), origin=app.centre.origin, error=said)
    assert found is not None
    return found.error


# What oauth4webapi, openid-client, Authlib, MSAL, Spring Security, ASP.NET Core, mod_auth_openidc and Grafana say.
SAID = [
    ("unexpected ID Token \"iss\" (issuer) claim value", "under another issuer"),
    ("invalid_claim: Invalid claim 'iss'", "under another issuer"),
    ("IDX10205: Issuer validation failed. Issuer: 'https://x'", "under another issuer"),
    ("unexpected JWT \"aud\" (audience) claim value", "a different client ID"),
    ("IDX10214: Audience validation failed", "a different client ID"),
    ("mismatching_state: CSRF Warning! State not equal in request and response.", "different browser session"),
    ("Exception: Correlation failed.", "different browser session"),
    ("unexpected ID Token \"nonce\" claim value", "different browser session"),
    ("[invalid_id_token] the nonce did not match", "different browser session"),
    ("bad_signature: Bad signature", "cannot verify the signature"),
    ("no applicable key found in the JSON Web Key Set (kid)", "cannot verify the signature"),
    ("unexpected JWT alg header, expected HS256", "cannot verify the signature"),
    ("invalid_client: The client is unknown, or its authentication failed", "client secret is wrong"),
    ("invalid_grant (the code was used before)", "The code was used before"),
    ("oauth2: cannot fetch token: The refresh token was used before", "The refresh token was used before"),
    (f"{CALLBACK}?error=invalid_request&error_description=code_challenge%20is%20missing&iss=https://id", "PKCE differently"),
    ("error_description=redirect_uri+differs+from+that+of+the+authorization+request", "redirect URI that is not registered"),
    ("error_description=response_type%20must%20be%20code", "a flow other than"),
    ("error=invalid_scope&error_description=scope+must+contain+openid", "a scope or a claim"),
    ("error=login_required", "sign in first"),
    ("error=access_denied&error_description=The%20person%20has%20no%20access", "may not use the application"),
    ("request_not_supported", "request object"),
    ("Token is not yet valid; check the clock", "clocks"),
    ("ID Token expired", "clocks"),
    ("connect ECONNREFUSED 10.0.0.4:443", "cannot reach Lockstep"),
    ("SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed: unable to get local issuer certificate", "TLS certificate"),
    ("Access to fetch at ... has been blocked by CORS policy", "may not read tokens"),
    ("post_logout_redirect_uri is not registered for the application", "After signing out"),
    ("Logout token: events claim is missing", "back-channel logout request"),
    ("Missing required claim: email", "a scope or a claim"),
    ("User not found: kim@contoso.test", "has no account"),
    ("teapot", ""),
]  # fmt: skip


async def test_errors_of_applications_are_explained_in_the_words_of_their_libraries(app: App) -> None:
    found = {said: await explained(app, said) for said, _ in SAID}

    for said, cause in SAID:
        error = found[said]
        assert (cause in error.cause if error else cause == "") and (error is None) == (cause == ""), (said, error)


async def test_explanation_has_the_value_of_lockstep_and_the_next_step(app: App) -> None:
    redirect = await explained(app, "redirect_uri mismatch")
    issuer = await explained(app, "issuer mismatch")
    no_setting = await explained(app, "state mismatch")

    assert redirect is not None and redirect.value == f"{CALLBACK} or https://docs.test/other"
    assert "lockstep sso oidc documo --redirect-uri" in redirect.next_step
    assert issuer is not None and f"{app.centre.origin}/.well-known/openid-configuration" in issuer.value
    assert no_setting is not None and (no_setting.value, "{" in no_setting.next_step) == ("", False)


async def test_every_refusal_of_an_application_has_a_fix(app: App) -> None:
    codes = list(SignInCode)
    of_applications = codes[codes.index(SignInCode.APPLICATION_DISABLED) :]

    assert {one.value for one in RefusalReason} <= set(fixes_of(SignOnMode.OIDC))
    assert {one.value for one in of_applications} <= set(fixes_of(SignOnMode.SAML))
    for code in RefusalReason:
        error = await explained(app, f"the log has {code.value}")
        assert error is not None and error.cause == meaning_of(code), code
        assert error.next_step and "{" not in error.next_step, code


async def test_failed_sign_in_that_is_picked_on_the_page_says_its_cause_and_fix(app: App) -> None:
    admin = await app.centre.signed_in()
    await (await signed_in(app.centre)).get(app.request(redirect_uri="https://docs.test/callback/"))
    refused = answer_of(await (await signed_in(app.centre)).get(app.request(code_challenge_method="plain")))

    page = await admin.get(f"{TEST}?user={upn('anna')}")
    picked = re.findall(r'href="([^"]*error=[^"]*)#explained"', page.html)
    explanations = [(await admin.get(one.replace("&amp;", "&"))).text for one in picked]
    pasted = await admin.get(f"{TEST}?user={upn('anna')}&error={quote(refused['error_description'])}")

    assert [one.rpartition("error=")[2] for one in picked] == ["PkceNotS256", "UnknownReplyUrl"]
    assert "a PKCE method other than S256 In Lockstep: PKCE optional, S256." in explanations[0]
    assert f"In Lockstep: {CALLBACK} or https://docs.test/other." in explanations[1]
    assert "sends it: Enterprise applications" in explanations[1]  # a page names pages
    assert "The two sides use PKCE differently" in pasted.text


async def test_pasted_error_stays_text(app: App) -> None:
    admin = await app.centre.signed_in()

    page = await admin.get(f"{TEST}?user={upn('anna')}&error={quote('<script>alert(1)</script> issuer {0}')}")

    assert "<script>alert" not in page.html and "under another issuer" in page.text
