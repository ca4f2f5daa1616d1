"""The reasons for refusing an application's request: the error defined by the standards, and Lockstep's own reason for the log."""

from __future__ import annotations

from enum import StrEnum

from lockstep.errors import Kind, LockstepError


class OAuthError(StrEnum):
    """The error that the application gets (RFC 6749, sections 4.1.2.1 and 5.2; OpenID Connect Core, section 3.1.2.6)."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TOKEN = "invalid_token"  # noqa: S105  # a code
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    ACCESS_DENIED = "access_denied"
    LOGIN_REQUIRED = "login_required"
    INTERACTION_REQUIRED = "interaction_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"


class RefusalReason(StrEnum):
    """The reason in the sign-in log. Each check has its own."""

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
    WRONG_ID_TOKEN_HINT = "WrongIdTokenHint"  # noqa: S105  # a code


class OAuthFault(LockstepError):
    """A refused request. *error* goes to the application, *reason* to the log; *detail* may be shown to developers."""

    def __init__(self, error: OAuthError, reason: RefusalReason, detail: str) -> None:
        super().__init__(Kind.INVALID, detail, code=reason)
        self.error = error
        self.reason = reason
