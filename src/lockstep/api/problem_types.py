"""The types of problems and their meanings. Each has a stable address: `/problems/{slug}`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One type of problem. *meaning* is the explanation that the page of the type shows."""

    slug: str
    status: int
    title: str
    meaning: str


_TYPES = (
    ProblemType(
        "invalid-request",
        400,
        "The request is not valid",
        "Something in the path, the query or the body is wrong. `errors` names each place by a JSON pointer. "
        "The same request will fail again.",
    ),
    ProblemType(
        "not-authenticated",
        401,
        "Authentication is required",
        "The request has no token, or the token or session is unknown, expired or revoked. Send "
        "`Authorization: Bearer lockstep_...`.",
    ),
    ProblemType(
        "sign-in-refused",
        401,
        "Signing in was refused",
        "The e-mail address, the password or the code is wrong, or the code of the authenticator app is missing "
        "(`code` is then `SecondFactorRequired`).",
    ),
    ProblemType(
        "not-permitted",
        403,
        "Not permitted",
        "You are signed in, but your roles or the scopes of the token do not allow this.",
    ),
    ProblemType(
        "password-needed",
        403,
        "The password is required again",
        "Credentials, roles and tokens may be changed only shortly after the password was entered. Enter it "
        "in the admin centre, then repeat the request.",
    ),
    ProblemType(
        "foreign-request",
        403,
        "The request did not come from this server's pages",
        "A request that changes something and has a session cookie must come from a page of this server, with the session's "
        "token in X-CSRF-Token. Programs use an access token instead.",
    ),
    ProblemType(
        "not-found",
        404,
        "Not found",
        "Nothing has this name or address, or it belongs to an application that is not yours.",
    ),
    ProblemType(
        "method-not-allowed",
        405,
        "Method not allowed",
        "This address exists, but not with this method. The Allow header lists the supported methods.",
    ),
    ProblemType(
        "conflict",
        409,
        "Conflict with the current state",
        "The current state does not allow this: a name is taken, provisioning is off, or something has "
        "changed. `nextAction` says what to do first.",
    ),
    ProblemType(
        "consent-needed",
        409,
        "Confirmation is required",
        "People would lose accounts, gain privileges or be renamed. `effects` lists them. Nothing was "
        "changed; to proceed, repeat the request with `?confirm=true`.",
    ),
    ProblemType(
        "another-version",
        409,
        "The versions of the command line and the server differ",
        "The command line on your machine sent a request that the server's version does not support. "
        "Nothing was changed. Install the server's version on your machine.",
    ),
    ProblemType(
        "precondition-failed",
        412,
        "The object has changed since you read it",
        "The ETag in If-Match is not that of the current version. Read the current version, then repeat the change.",
    ),
    ProblemType(
        "too-large",
        413,
        "The body is too large",
        "Send less data.",
    ),
    ProblemType(
        "idempotency-key-reused",
        422,
        "The idempotency key was used for another request",
        "Within 24 hours, an Idempotency-Key belongs to one request. Use a new key for a new request.",
    ),
    ProblemType(
        "precondition-required",
        428,
        "If-Match is needed",
        "This request replaces a whole list or document. Read it first and send its ETag in If-Match, so that "
        "you do not overwrite someone else's change.",
    ),
    ProblemType(
        "too-many-requests",
        429,
        "Too many requests",
        "Wait for the number of seconds in Retry-After.",
    ),
    ProblemType(
        "internal",
        500,
        "Internal error",
        "A bug in Lockstep. Report it with `requestId`; the server's log has the details.",
    ),
    ProblemType(
        "application-refused",
        502,
        "The application refused",
        "The application that Lockstep provisions refused Lockstep's credentials. See Test Connection.",
    ),
    ProblemType(
        "unavailable",
        503,
        "Not reachable",
        "The database or the application did not respond. The same request may succeed later.",
    ),
)
PROBLEM_TYPES = {one.slug: one for one in _TYPES}
