"""Texts with which applications report that they reject an OpenID Connect response, and texts with which applications repeat an error of
Lockstep. The most specific texts come first. Each entry has the cause, the setting that the error concerns, and the next step.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.actions.single_sign_on.compared_settings import ComparedSetting

OPENID_ERRORS: Sequence[tuple[Sequence[str], str, ComparedSetting | None, str]] = (
    (
        ("certificate verify", "self-signed", "self signed", "local issuer certificate", "certificate has expired"),
        "The server of the application does not trust the TLS certificate of Lockstep",
        ComparedSetting.TOKEN_ADDRESS,
        "Install the certificate authority on the server of {name}, or use a certificate that it trusts",
    ),
    (
        ("econnrefused", "enotfound", "timed out", "timeout", "unreachable", "connection refused", "name resolution"),
        "The server of the application cannot reach Lockstep",
        ComparedSetting.TOKEN_ADDRESS,
        "Open this address from the server of {name}, and correct its name service or firewall",
    ),
    (
        ("cors", "access-control-allow-origin", "cross-origin"),
        "A script in the browser may not read tokens, because its origin is not allowed",
        ComparedSetting.CLIENT_TYPE,
        "Select Public client, and register a redirect URI of the origin: lockstep sso oidc {app} --public",
    ),
    (
        ("pkce", "code_challenge", "code challenge", "code_verifier", "code verifier"),
        "The two sides use PKCE differently",
        ComparedSetting.PKCE,
        "Switch PKCE with the method S256 on in {name}",
    ),
    (
        ("post_logout", "post logout"),
        "After signing out, the application sends people back to an address that is not registered",
        ComparedSetting.AFTER_LOGOUT,
        "Register the address as Post-logout redirect URI, exactly as {name} sends it",
    ),
    (
        ("logout token", "logout_token", "backchannel", "back-channel"),
        "The application refuses the back-channel logout request",
        ComparedSetting.BACK_CHANNEL,
        "Compare the Back-channel logout URL with the one in {name}",
    ),
    (
        ("redirect_uri", "redirect uri", "redirecturi", "redirect url", "callback url", "reply url"),
        "The application uses a redirect URI that is not registered",
        ComparedSetting.REDIRECT_URI,
        "Register the redirect URI exactly as {name} sends it: lockstep sso oidc {app} --redirect-uri URL",
    ),
    (
        (
            "mismatching_state", "state mismatch", "invalid state", "invalid_state", "state parameter", "state is missing", "csrf",
            "correlation failed", "nonce", "state did not match", "unknown state", "state cookie",
        ),
        "The response arrived in a different browser session than the one in which the sign-in began",
        None,
        "Begin again in a private window. If it happens every time, compare the cookies and the host name of {name}",
    ),
    (
        ("refresh token", "refresh_token"),
        "The refresh token was used before, was revoked, or has expired",
        ComparedSetting.REFRESH_TOKEN,
        "Make sure that {name} stores the new refresh token from each response, and ask the person to sign in again",
    ),
    (
        ("invalid_client", "client_secret", "client secret", "clientsecret", "client authentication", "authentication failed"),
        "The client secret is wrong or has expired, or the client type differs",
        ComparedSetting.CLIENT_TYPE,
        "Create a client secret and enter it in {name}: lockstep sso secrets new {app}",
    ),
    (
        ("client_id", "client id", "clientid", "unauthorized_client", "unknown client"),
        "The application uses a different client ID",
        ComparedSetting.CLIENT_ID,
        "Enter the Application (client) ID in {name}",
    ),
    (
        ("invalid_grant", "authorization code", "code has expired", "code was used", "code is unknown"),
        "The code was used before, is older than a minute, or was redeemed with another redirect URI or code verifier",
        ComparedSetting.REDIRECT_URI,
        "Begin again. If it happens every time, see the reason: lockstep logs sign-ins --app {app}",
    ),
    (
        ("login_required", "interaction_required", "prompt=none", "consent_required", "silent"),
        "The application asked for a response without showing a page, but the person had to sign in first",
        None,
        "Configure {name} to repeat the request without prompt=none",
    ),
    (
        ("access_denied", "access denied", "not assigned"),
        "The person may not use the application",
        ComparedSetting.SUBJECT,
        "Assign the person, and check in Properties who may sign in: lockstep sso show {app}",
    ),
    (
        ("response_type", "response type", "implicit", "hybrid", "response_mode", "response mode"),
        "The application uses a flow other than the authorization code flow",
        None,
        "Select the authorization code flow (response_type=code) in {name}",
    ),
    (
        ("request object", "request_not_supported", "request_uri_not_supported", "registration_not_supported"),
        "The application sends a request object or a registration, which Lockstep does not support",
        None,
        "Switch request objects off in {name}",
    ),
    (
        ("audience", '"aud"', "'aud'", "aud claim", "azp", "wrong recipient"),
        "The application expects an ID token for a different client ID",
        ComparedSetting.CLIENT_ID,
        "Enter the Application (client) ID in {name}",
    ),
    (
        ("expired", '"exp"', "'exp'", '"iat"', "'iat'", "clock", "not yet valid", "in the future", "too early", "too late"),
        "The clocks of the two servers differ, or the person waited too long",
        ComparedSetting.TOKEN_VALIDITY,
        "Compare the clocks of both servers",
    ),
    (
        ("signature", "jwks", "kid", "rs256", "hs256", "es256", "algorithm", "signing key", "jwt key", "bad_signature"),
        "The application cannot verify the signature of the ID token",
        ComparedSetting.TOKEN_SIGNATURE,
        "Select RS256 in {name}, and let it read the keys again",
    ),
    (
        ("issuer", '"iss"', "'iss'", "iss claim", "discovery", "well-known", "openid-configuration"),
        "The application knows Lockstep under another issuer",
        ComparedSetting.OPENID_ISSUER,
        "Enter the issuer in {name} exactly as shown, without a slash at the end",
    ),
    (
        ("scope", "missing claim", "required claim", "claim is missing", "email_verified", "no email"),
        "The application needs a scope or a claim that it did not get",
        ComparedSetting.SCOPE,
        "Configure {name} to request the scope of the claim. Then check which claims Lockstep sends: lockstep sso claims list {app}",
    ),
    (
        ("user", "account", "member", "subject", "email", "e-mail", "not found", "unknown"),
        "The application has no account for this person",
        ComparedSetting.SUBJECT,
        "Compare the claims with the account in {name}. Is the person provisioned? lockstep explain {app}",
    ),
)  # fmt: skip
