"""Tables of the meaning of an application's responses: by HTTP status, by the scimType of a 400, and by network error.

The sentences contain placeholders: {name} is the application, {status} the HTTP status, {at} the method and URL, and {detail}
the detail of the SCIM error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.http.trouble import Trouble
from lockstep.ports import Verdict

NOT_SCIM = "SystemForCrossDomainIdentityManagementServiceIncompatible"


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """The meaning of one kind of response: the verdict, the error code, and the sentences that a person reads."""

    verdict: Verdict
    code: str
    sentence: str
    next_step: str = ""
    is_not_scim: bool = False
    is_too_much: bool = False


TRY_LATER = "Nothing to do: Lockstep checks whether the change was made, and retries"
CHECK_URL = "Check the tenant URL: it usually ends with /scim/v2. Then run: lockstep creds test {app}"

BY_STATUS: Mapping[int, AnswerRow] = {
    400: AnswerRow(
        Verdict.REFUSED,
        "UnprocessableEntity",
        "{name} rejected the request{detail}",
        "Correct the value or the mapping",
    ),
    401: AnswerRow(
        Verdict.UNAUTHORIZED,
        "Unauthorized",
        "{name} refused the credentials (HTTP 401) at {at}{detail}",
        "Create a new key in {name}, then run: lockstep creds set {app} --token-stdin",
    ),
    402: AnswerRow(
        Verdict.REFUSED,
        "LicenseLimitExceeded",
        "{name} has no free seats{detail}",
        "Free up or buy seats in {name}",
    ),
    403: AnswerRow(
        Verdict.UNAUTHORIZED,
        "InsufficientRights",
        "{name} accepted the credentials but does not permit {at} (HTTP 403){detail}",
        "If {name} does not say what to do, check that the key belongs to an administrator of {name} and is allowed to provision",
    ),
    404: AnswerRow(Verdict.REFUSED, NOT_SCIM, "{name} found nothing at {at} (HTTP 404)", CHECK_URL, is_not_scim=True),
    405: AnswerRow(
        Verdict.REFUSED,
        "MethodNotAllowed",
        "{name} does not allow {at} (HTTP 405){detail}",
        "Check the documentation of {name} for what it supports, and disable this action in the mapping",
    ),
    406: AnswerRow(
        Verdict.REFUSED,
        NOT_SCIM,
        "{name} does not offer the SCIM media type at {at} (HTTP 406)",
        CHECK_URL,
        is_not_scim=True,
    ),
    408: AnswerRow(
        Verdict.AMBIGUOUS, "Timeout", "{name} timed out while waiting for the request (HTTP 408)", TRY_LATER
    ),
    409: AnswerRow(
        Verdict.CONFLICT,
        "Conflict",
        "{name} reports that the value is already used by another account (HTTP 409){detail}",
        "Correct the value, or choose a matching attribute that finds the other account",
    ),
    410: AnswerRow(
        Verdict.REFUSED,
        NOT_SCIM,
        "{name} reports that {at} is permanently gone (HTTP 410)",
        CHECK_URL,
        is_not_scim=True,
    ),
    412: AnswerRow(
        Verdict.STALE,
        "Conflict",
        "The account was changed in {name} since Lockstep read it (HTTP 412)",
        "Nothing to do: Lockstep reads it again and re-evaluates it",
    ),
    413: AnswerRow(
        Verdict.REFUSED,
        "UnprocessableEntity",
        "The request is too large for {name} (HTTP 413){detail}",
        "Reduce the number of values that Lockstep sends at once",
        is_too_much=True,
    ),
    415: AnswerRow(
        Verdict.REFUSED,
        NOT_SCIM,
        "{name} does not accept the SCIM media type at {at} (HTTP 415)",
        CHECK_URL,
        is_not_scim=True,
    ),
    422: AnswerRow(
        Verdict.REFUSED,
        "UnprocessableEntity",
        "{name} could not process the request (HTTP 422){detail}",
        "Correct the value or the mapping",
    ),
    423: AnswerRow(
        Verdict.REFUSED, "NotPermitted", "The account is locked in {name} (HTTP 423){detail}", "Unlock it in {name}"
    ),
    429: AnswerRow(
        Verdict.THROTTLED,
        "TooManyRequests",
        "{name} asked Lockstep to slow down (HTTP 429)",
        "Nothing to do: Lockstep waits for the time that {name} requested",
    ),
    501: AnswerRow(
        Verdict.REFUSED,
        "NotImplemented",
        "{name} does not implement {at} (HTTP 501){detail}",
        "Check the documentation of {name} for what it supports, and disable this action in the mapping",
    ),
    503: AnswerRow(
        Verdict.THROTTLED,
        "TooManyRequests",
        "{name} is temporarily unavailable (HTTP 503){detail}",
        "Nothing to do: Lockstep retries later",
    ),
}
REDIRECTED = AnswerRow(
    Verdict.REFUSED,
    "WebExceptionProtocolError",
    "{name} redirects {at} to another address (HTTP {status}), and Lockstep does not send a secret token there",
    "Set the tenant URL to the final address of {name}",
)
BROKEN = AnswerRow(
    Verdict.AMBIGUOUS,
    "InternalServerError",
    "{name} failed at {at} (HTTP {status}){detail}",
    TRY_LATER,
)
NO_RESOURCE = AnswerRow(
    Verdict.AMBIGUOUS,
    NOT_SCIM,
    "{name} answered {at} with HTTP {status}, but without the account, which SCIM requires",
    TRY_LATER,
    is_not_scim=True,
)
WEB_PAGE = AnswerRow(
    Verdict.AMBIGUOUS,
    NOT_SCIM,
    "{name} answered {at} with something that is not SCIM (HTTP {status}, {what})",
    "Check the tenant URL, and whether a sign-in page or a proxy is in front of {name}",
    is_not_scim=True,
)
OTHER_ACCOUNT = AnswerRow(
    Verdict.AMBIGUOUS,
    NOT_SCIM,
    "{name} answered {at} with a different account than the one requested",
    "Report this to the vendor of {name}: Lockstep does not change accounts other than the one it requested",
    is_not_scim=True,
)
VANISHED = AnswerRow(
    Verdict.GONE,
    "InvalidAnchor",
    "The account {id} no longer exists in {name} (HTTP {status})",
    "Decide whether to create it again",
)
GONE_ALREADY = AnswerRow(Verdict.DONE_ALREADY, "", "The account was no longer in {name} (HTTP {status})")

# The scimType of a 400 is more specific than its status (RFC 7644, table 9).
BY_SCIM_TYPE: Mapping[str, AnswerRow] = {
    "uniqueness": BY_STATUS[409],
    "toomany": AnswerRow(
        Verdict.REFUSED,
        "UnprocessableEntity",
        "{name} refused the request because it affects too many objects{detail}",
        "Request less data",
        is_too_much=True,
    ),
    "mutability": AnswerRow(
        Verdict.REFUSED,
        "SchemaPropertyCanOnlyAcceptValue",
        "{name} does not allow this attribute to be changed{detail}",
        "Apply this mapping only on creation, or remove it",
    ),
    "invalidvalue": AnswerRow(
        Verdict.REFUSED,
        "SchemaPropertyCanOnlyAcceptValue",
        "{name} rejected a value{detail}",
        "Correct the value or the mapping",
    ),
    "invalidpath": AnswerRow(
        Verdict.REFUSED,
        "SchemaAttributeNotFound",
        "{name} does not have an attribute that is mapped{detail}",
        "Remove the mapping, or correct its target attribute",
    ),
    "invalidfilter": AnswerRow(
        Verdict.REFUSED,
        "SchemaAttributeNotFound",
        "{name} cannot filter by this attribute{detail}",
        "Choose a matching attribute that {name} can filter by",
    ),
    "notarget": AnswerRow(
        Verdict.REFUSED,
        "SchemaAttributeNotFound",
        "{name} has no value at the path that Lockstep tried to change{detail}",
        "Usually nothing to do: Lockstep reads the account again. If it persists, correct the mapping",
    ),
    "sensitive": AnswerRow(
        Verdict.REFUSED,
        "NotPermitted",
        "{name} does not accept this value in a URL{detail}",
        "Choose another matching attribute",
    ),
    "invalidvers": AnswerRow(
        Verdict.REFUSED, NOT_SCIM, "{name} does not support SCIM 2.0{detail}", CHECK_URL, is_not_scim=True
    ),
}
MISSING_VALUE = AnswerRow(
    Verdict.REFUSED,
    "MandatoryFieldsMissing",
    "{name} requires a value that is missing{detail}",
    "Map the attribute, or give it a default value",
)

TROUBLES: Mapping[Trouble, tuple[Verdict, str]] = {
    Trouble.BLOCKED: (Verdict.BLOCKED, "InvalidDomain"),
    Trouble.NO_SUCH_HOST: (Verdict.UNREACHABLE, "WebExceptionProtocolError"),
    Trouble.NOT_CONNECTED: (Verdict.UNREACHABLE, "WebExceptionProtocolError"),
    Trouble.TLS: (Verdict.UNREACHABLE, "WebExceptionProtocolError"),
    Trouble.CONNECT_TIMEOUT: (Verdict.UNREACHABLE, "Timeout"),
    Trouble.TIMEOUT: (Verdict.AMBIGUOUS, "Timeout"),
    Trouble.CUT_OFF: (Verdict.AMBIGUOUS, "WebExceptionProtocolError"),
    Trouble.TOO_LARGE: (Verdict.AMBIGUOUS, NOT_SCIM),
    Trouble.NOT_HTTP: (Verdict.AMBIGUOUS, "WebExceptionProtocolError"),
}
