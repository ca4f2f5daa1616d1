"""For each refusal in the sign-in log, name the setting that the refusal concerns, and the next step."""

from __future__ import annotations

from collections.abc import Mapping

from lockstep.actions.person_sign_in.outcomes import SignInCode
from lockstep.actions.single_sign_on.compared_settings import ComparedSetting
from lockstep.configuration.single_sign_on import SignOnMode
from lockstep.openid.faults import RefusalReason

Fixes = Mapping[str, tuple[ComparedSetting | None, str]]

_SHARED: Fixes = {
    SignInCode.APPLICATION_DISABLED: (None, "Enable it: lockstep sso set {app} --enabled"),
    SignInCode.NOT_ASSIGNED: (None, "Assign the person: lockstep assign {app} --user NAME"),
    SignInCode.NO_PASSIVE: (
        None,
        "Configure {name} to repeat the request without IsPassive or prompt=none, so that Lockstep can show a sign-in page",
    ),
    SignInCode.CLAIMS_UNUSABLE: (None, "Correct the sources of the claims: lockstep sso claims list {app}"),
    SignInCode.MORE_REFUSED: (None, "See the earlier entries: lockstep logs sign-ins --app {app}"),
}
_SAML: Fixes = {
    SignInCode.UNKNOWN_REPLY_URL: (ComparedSetting.REPLY_URL, "Enter the address of {name} as Reply URL"),
    SignInCode.WRONG_ISSUER: (ComparedSetting.IDENTIFIER, "Enter the Identifier (Entity ID) of {name}"),
    SignInCode.WRONG_DESTINATION: (ComparedSetting.LOGIN_URL, "Enter the Login URL in {name}"),
    SignInCode.NOT_SIGNED: (ComparedSetting.REQUEST_CERTIFICATE, "Configure {name} to sign its requests"),
    SignInCode.SIGNATURE_WRONG: (
        ComparedSetting.REQUEST_CERTIFICATE,
        "Import the current metadata of {name}, which contains its certificate: lockstep sso import {app} FILE",
    ),
    SignInCode.REQUEST_EXPIRED: (None, "Compare the clocks of both servers"),
    SignInCode.REQUEST_REFUSED: (ComparedSetting.LOGIN_URL, "Configure {name} to send SAML requests to the Login URL"),
    SignInCode.NO_AUTHN_CONTEXT: (
        None,
        "Require a second factor in Settings, or configure {name} to accept a weaker sign-in",
    ),
    SignInCode.WRONG_NAME_ID_FORMAT: (ComparedSetting.NAME_ID_FORMAT, "Select the same Name ID format on both sides"),
    SignInCode.NO_CERTIFICATE: (ComparedSetting.CERTIFICATE, "Create one: lockstep sso certs new {app} --activate"),
}
_CLIENT_SECRET = "Create a client secret and enter it in {name}: lockstep sso secrets new {app}"  # noqa: S105  # a sentence
_BEGIN_AGAIN = "Begin again. If it happens every time, ask the vendor of {name}"
_ONE_USE = (
    "Make sure that {name} stores the new refresh token from each response. After that, ask the person to sign in again"
)
_PKCE_ON = "Switch PKCE with the method S256 on in {name}"
_OPENID: Fixes = {
    RefusalReason.UNKNOWN_CLIENT: (ComparedSetting.CLIENT_ID, "Enter the Application (client) ID in {name}"),
    RefusalReason.UNKNOWN_REDIRECT_URI: (
        ComparedSetting.REDIRECT_URI,
        "Register the redirect URI exactly as {name} sends it: lockstep sso oidc {app} --redirect-uri URL",
    ),
    RefusalReason.REPEATED_PARAMETER: (
        None,
        "Correct the addresses in {name}: one of them has an unexpected parameter",
    ),
    RefusalReason.WRONG_RESPONSE_TYPE: (None, "Select the authorization code flow (response_type=code) in {name}"),
    RefusalReason.WRONG_RESPONSE_MODE: (None, "Select the response mode query or form_post in {name}"),
    RefusalReason.NO_OPENID_SCOPE: (ComparedSetting.SCOPE, "Add the scope openid in {name}"),
    RefusalReason.WRONG_PROMPT: (
        None,
        'In {name}, set prompt to only "none", or to any combination of "login", "consent" and "select_account"',
    ),
    RefusalReason.WRONG_MAX_AGE: (None, "Enter a whole number of seconds as max_age in {name}"),
    RefusalReason.REQUEST_OBJECT: (None, "Switch request objects off in {name}"),
    RefusalReason.TOO_LONG: (None, "Shorten the state or the nonce of {name} to 2,048 characters"),
    RefusalReason.PKCE_MISSING: (ComparedSetting.PKCE, _PKCE_ON),
    RefusalReason.PKCE_NOT_S256: (ComparedSetting.PKCE, _PKCE_ON),
    RefusalReason.PKCE_MALFORMED: (ComparedSetting.PKCE, _PKCE_ON),
    RefusalReason.PKCE_WRONG: (
        ComparedSetting.PKCE,
        "Begin again. {name} must store the code verifier of each attempt",
    ),
    RefusalReason.PKCE_NOT_BEGUN: (ComparedSetting.PKCE, "Begin again. If it happens again, require PKCE"),
    RefusalReason.NO_CLIENT_AUTHENTICATION: (ComparedSetting.CLIENT_TYPE, _CLIENT_SECRET),
    RefusalReason.TWO_CLIENT_AUTHENTICATIONS: (None, "Select one way of client authentication in {name}"),
    RefusalReason.WRONG_CLIENT_SECRET: (ComparedSetting.CLIENT_TYPE, _CLIENT_SECRET),
    RefusalReason.SECRET_OF_PUBLIC_CLIENT: (
        ComparedSetting.CLIENT_TYPE,
        "Remove the client secret from {name}, or select Confidential client",
    ),
    RefusalReason.WRONG_GRANT_TYPE: (None, "Select the authorization code flow in {name}"),
    RefusalReason.UNKNOWN_CODE: (None, _BEGIN_AGAIN),
    RefusalReason.CODE_OF_ANOTHER: (ComparedSetting.CLIENT_ID, "Enter the Application (client) ID in {name}"),
    RefusalReason.CODE_EXPIRED: (
        None,
        "Make sure that {name} redeems the code at once, and that the clocks of its servers are right",
    ),
    RefusalReason.CODE_USED: (
        None,
        "Make sure that {name} redeems each code only once. Perhaps the person reloaded the page",
    ),
    RefusalReason.OTHER_REDIRECT_URI: (
        ComparedSetting.REDIRECT_URI,
        "Configure {name} to send the same redirect_uri to both endpoints",
    ),
    RefusalReason.UNKNOWN_TOKEN: (None, "Ask the person to sign in to {name} again"),
    RefusalReason.TOKEN_OF_ANOTHER: (ComparedSetting.CLIENT_ID, "Enter the Application (client) ID in {name}"),
    RefusalReason.TOKEN_EXPIRED: (ComparedSetting.REFRESH_TOKEN, "Ask the person to sign in to {name} again"),
    RefusalReason.TOKEN_REUSED: (ComparedSetting.REFRESH_TOKEN, _ONE_USE),
    RefusalReason.WIDER_SCOPE: (
        ComparedSetting.SCOPE,
        "Configure {name} to request all scopes when the person signs in",
    ),
    RefusalReason.SESSION_ENDED: (None, "Ask the person to sign in to {name} again"),
    RefusalReason.LOGOUT_NOT_DELIVERED: (
        ComparedSetting.BACK_CHANNEL,
        "Correct the Back-channel logout URL, and end the session in {name}",
    ),
    RefusalReason.OTHER_PERSON: (None, "Sign out, and sign in as the person that {name} expects"),
    RefusalReason.WRONG_ID_TOKEN_HINT: (
        ComparedSetting.OPENID_ISSUER,
        "Configure {name} to send the last ID token that it received",
    ),
}


def fixes_of(mode: SignOnMode) -> Fixes:
    """Return, for each code of a refusal, the setting that it concerns and the next step. In these texts, {name} and {app} stand for the
    application.

    Codes of the method that is not selected are included, because the application may have used that method before.
    """
    return {**_SHARED, **_SAML, **_OPENID} if mode is SignOnMode.OIDC else {**_SHARED, **_OPENID, **_SAML}
