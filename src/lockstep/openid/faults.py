"""The reasons for refusing an application's request: the error defined by the standards, and Lockstep's own reason for the log."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from lockstep.errors import Kind, LockstepError


class OAuthError(StrEnum):
    """The error that the application gets (RFC 6749, sections 4.1.2.1 and 5.2; OpenID Connect Core, section 3.1.2.6)."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  # a code
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    ACCESS_DENIED = "access_denied"
    LOGIN_REQUIRED = "login_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"


class RefusalReason(StrEnum):
    """The reason in the sign-in log. Each check has its own reason."""

    UNKNOWN_CLIENT = "UnknownClient"
    UNKNOWN_REDIRECT_URI = "UnknownReplyUrl"
    REPEATED_PARAMETER = "RepeatedParameter"
    WRONG_RESPONSE_TYPE = "WrongResponseType"
    WRONG_RESPONSE_MODE = "WrongResponseMode"
    NO_OPENID_SCOPE = "NoOpenIdScope"
    WRONG_PROMPT = "WrongPrompt"
    WRONG_MAX_AGE = "WrongMaxAge"
    REQUEST_OBJECT = "RequestObject"
    TOO_LONG = "ParameterTooLong"
    PKCE_MISSING = "PkceMissing"
    PKCE_NOT_S256 = "PkceNotS256"
    PKCE_MALFORMED = "PkceMalformed"
    PKCE_WRONG = "PkceWrong"
    PKCE_NOT_BEGUN = "PkceNotBegun"
    NO_PASSIVE = "NoPassive"
    NOT_ASSIGNED = "NotAssigned"
    APPLICATION_DISABLED = "ApplicationDisabled"
    NO_CLIENT_AUTHENTICATION = "NoClientAuthentication"
    TWO_CLIENT_AUTHENTICATIONS = "TwoClientAuthentications"
    WRONG_CLIENT_SECRET = "WrongClientSecret"  # noqa: S105  # a code
    SECRET_OF_PUBLIC_CLIENT = "SecretOfPublicClient"  # noqa: S105  # a code
    WRONG_GRANT_TYPE = "WrongGrantType"
    UNKNOWN_CODE = "UnknownCode"
    CODE_OF_ANOTHER = "CodeOfAnotherApplication"
    CODE_EXPIRED = "CodeExpired"
    CODE_USED = "CodeUsedBefore"
    OTHER_REDIRECT_URI = "OtherRedirectUri"
    UNKNOWN_TOKEN = "UnknownToken"  # noqa: S105  # a code
    TOKEN_OF_ANOTHER = "TokenOfAnotherApplication"  # noqa: S105  # a code
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105  # a code
    TOKEN_REUSED = "RefreshTokenReused"  # noqa: S105  # a code
    WIDER_SCOPE = "WiderScope"
    SESSION_ENDED = "SessionEnded"
    OTHER_PERSON = "OtherPerson"
    LOGOUT_NOT_DELIVERED = "LogoutNotDelivered"
    WRONG_ID_TOKEN_HINT = "WrongIdTokenHint"  # noqa: S105  # a code


# The meaning of a reason, for administrators. Reasons that SAML has as well are explained together with SAML's codes.
MEANINGS: Mapping[str, str] = {
    RefusalReason.UNKNOWN_CLIENT: "The client id does not belong to an application that uses OpenID Connect",
    RefusalReason.REPEATED_PARAMETER: "A parameter of the request was given more than once",
    RefusalReason.WRONG_RESPONSE_TYPE: "The application asks for a response type other than code",
    RefusalReason.WRONG_RESPONSE_MODE: "The application asks for a response mode other than query or form_post",
    RefusalReason.NO_OPENID_SCOPE: "The scope openid is missing",
    RefusalReason.WRONG_PROMPT: "The value of the parameter prompt is unknown",
    RefusalReason.WRONG_MAX_AGE: "The parameter max_age is not a number of seconds",
    RefusalReason.REQUEST_OBJECT: "The application sends a request object or a registration, which are not supported",
    RefusalReason.TOO_LONG: "A parameter of the request is too long",
    RefusalReason.PKCE_MISSING: "The application does not use PKCE although it must, or sends no code verifier",
    RefusalReason.PKCE_NOT_S256: "The application uses a PKCE method other than S256",
    RefusalReason.PKCE_MALFORMED: "The code challenge or verifier is malformed",
    RefusalReason.PKCE_WRONG: "The code verifier does not match the code challenge",
    RefusalReason.PKCE_NOT_BEGUN: "A code verifier was sent, but the request had no code challenge: someone may have removed it on the way",
    RefusalReason.NO_CLIENT_AUTHENTICATION: "The application did not identify itself, or sent no client secret",
    RefusalReason.TWO_CLIENT_AUTHENTICATIONS: "The application identified itself in two ways at once",
    RefusalReason.WRONG_CLIENT_SECRET: "The client secret is wrong or has expired",
    RefusalReason.SECRET_OF_PUBLIC_CLIENT: "A public client sent a client secret",
    RefusalReason.WRONG_GRANT_TYPE: "The application uses a grant type that is not supported",
    RefusalReason.UNKNOWN_CODE: "The code is unknown, or its session has ended",
    RefusalReason.CODE_OF_ANOTHER: "The code was issued to another application",
    RefusalReason.CODE_EXPIRED: "The code is older than a minute",
    RefusalReason.CODE_USED: "The code was used before, so the tokens issued for it were revoked",
    RefusalReason.OTHER_REDIRECT_URI: "The redirect URI differs from the one in the authorization request",
    RefusalReason.UNKNOWN_TOKEN: "The token is unknown or was revoked",
    RefusalReason.TOKEN_OF_ANOTHER: "The token was issued to another application",
    RefusalReason.TOKEN_EXPIRED: "The token has expired",
    RefusalReason.TOKEN_REUSED: "A refresh token was used a second time, so all tokens of that sign-in were revoked",
    RefusalReason.WIDER_SCOPE: "The application asks for more scopes than were granted",
    RefusalReason.SESSION_ENDED: "The session ended before the code was issued",
    RefusalReason.LOGOUT_NOT_DELIVERED: "The application could not be notified that somebody signed out, so a session there may continue",
    RefusalReason.OTHER_PERSON: "The application expects another person than the one who is signed in",
    RefusalReason.WRONG_ID_TOKEN_HINT: "The id_token_hint is not an ID token that Lockstep issued to the application",
}


class OAuthFault(LockstepError):
    """Raised if a request is refused. *error* is sent to the application, *reason* goes to the log, and *detail* may be shown to
    developers.
    """

    def __init__(self, error: OAuthError, reason: RefusalReason, detail: str) -> None:
        super().__init__(Kind.INVALID, detail, code=reason)
        self.error = error
        self.reason = reason
