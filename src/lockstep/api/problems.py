"""Errors as RFC 9457 problems. Every type has a stable address, `/problems/{slug}`, with a page that explains it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from typing_extensions import TypedDict

from lockstep.actions.permissions import StepUpRequired
from lockstep.api.problem_types import PROBLEM_TYPES
from lockstep.errors import RETRY_SOON_SECONDS, Kind, LockstepError

MEDIA_TYPE = "application/problem+json"
_COMMAND = re.compile(r"(?:^|: )(lockstep [^;]+?)\.?$")


_OF_KIND = {
    Kind.INVALID: "invalid-request",
    Kind.UNAUTHORIZED: "application-refused",  # callers are authenticated before an action runs
    Kind.FORBIDDEN: "not-permitted",
    Kind.NOT_FOUND: "not-found",
    Kind.CONFLICT: "conflict",
    Kind.HELD: "conflict",
    Kind.PARTIAL: "conflict",
    Kind.UNREACHABLE: "unavailable",
    Kind.THROTTLED: "too-many-requests",
    Kind.OUTPUT: "unavailable",
    Kind.INTERNAL: "internal",
}
_ABOUT_THE_REQUEST = frozenset({"invalid-request", "method-not-allowed", "precondition-required"})
_OF_CODE = {
    "TooLarge": "too-large",
    "ForeignRequest": "foreign-request",
    "IdempotencyKeyReused": "idempotency-key-reused",
    "NoCredentials": "conflict",  # no request was sent to the application
    "AnotherVersion": "another-version",
}


class ProblemPlace(TypedDict):
    """One mistake in a request. *pointer* is a JSON pointer into the body, or `/query/NAME`, `/path/NAME` or `/header/NAME`."""

    pointer: str
    detail: str


class NextAction(TypedDict):
    text: str
    command: NotRequired[str]
    url: NotRequired[str]


class Problem(TypedDict):
    """A problem (RFC 9457). *kind* is the kind of error, which determines the exit code of the command line."""

    type: str
    title: str
    status: int
    detail: str
    requestId: str
    kind: NotRequired[str]
    instance: NotRequired[str]
    code: NotRequired[str]
    why: NotRequired[str]
    errors: NotRequired[list[ProblemPlace]]
    nextAction: NotRequired[NextAction]
    effects: NotRequired[list[dict[str, Any]]]


@dataclass(eq=False)
class ApiError(LockstepError):
    """An error that the API itself raises, with the slug of its type."""

    slug: str = "invalid-request"
    places: Sequence[ProblemPlace] = ()
    effects: Sequence[Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def refused(
    slug: str, detail: str, *, next_step: str = "", why: str = "", places: Sequence[ProblemPlace] = ()
) -> ApiError:
    return ApiError(Kind.INVALID, detail, why=why, next_step=next_step, slug=slug, places=places)


def of_validation(error: RequestValidationError) -> ApiError:
    """Convert a validation error of FastAPI to an ApiError."""
    places: list[ProblemPlace] = []
    for one in error.errors()[:50]:
        where, *path = one["loc"]
        parts = [] if where == "body" else [where]
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in (*parts, *path))
        places.append({"pointer": pointer, "detail": str(one["msg"])})
    first = places[0] if places else {"pointer": "", "detail": "The request cannot be read"}
    place = f"{first['pointer']}: " if first["pointer"] else ""
    return refused("invalid-request", f"{place}{first['detail']}", places=places)


def slug_of(error: LockstepError) -> str:
    if isinstance(error, ApiError):
        return error.slug
    if isinstance(error, StepUpRequired):
        return "password-needed"
    return _OF_CODE.get(error.code) or _OF_KIND[error.kind]


def problem_of(error: LockstepError, *, request_id: str, instance: str, operation: str = "") -> Problem:
    """Return the problem document for *error*. *operation* is the operation id of the request in the description of the API, or "" for
    an unknown address.
    """
    known = PROBLEM_TYPES[slug_of(error)]
    is_internal = known.slug == "internal"
    problem: Problem = {
        "type": f"/problems/{known.slug}",
        "title": known.title,
        "status": known.status,
        "detail": error.detail,
        "requestId": request_id,
        "kind": error.kind.value,
        "instance": instance,
    }
    if error.code:
        problem["code"] = error.code
    if error.why and not is_internal:
        problem["why"] = error.why
    if isinstance(error, ApiError):
        if error.places:
            problem["errors"] = list(error.places)
        if error.effects is not None:
            problem["effects"] = list(error.effects)
    next_step = "Report it with the requestId: the server's log has the details" if is_internal else error.next_step
    if next_step:
        problem["nextAction"] = {"text": next_step}
        if command := _COMMAND.search(next_step):
            problem["nextAction"]["command"] = command[1]
    if known.slug in _ABOUT_THE_REQUEST:
        url = f"/api/docs#{operation}" if operation else "/api/docs"
        problem.setdefault("nextAction", {"text": "See the parameters of the request"})["url"] = url
    elif known.slug == "password-needed":
        problem.setdefault("nextAction", {"text": "Enter the password again"})["url"] = "/step-up"
    return problem


def problem_response(error: LockstepError, *, request_id: str, instance: str, operation: str = "") -> Response:
    problem = problem_of(error, request_id=request_id, instance=instance, operation=operation)
    headers = dict(error.headers) if isinstance(error, ApiError) else {}
    if problem["status"] == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="lockstep"'
    if problem["status"] in (429, 503):
        headers.setdefault("Retry-After", str(error.retry_after_seconds or RETRY_SOON_SECONDS))
    return Response(orjson.dumps(problem), problem["status"], headers, MEDIA_TYPE)
