"""Errors as pages: the status and title for each kind of error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockstep.errors import LINK_ENDED, Kind, LockstepError

STATUSES = {
    Kind.INVALID: 400,
    Kind.UNAUTHORIZED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.HELD: 409,
    Kind.THROTTLED: 429,
    Kind.UNREACHABLE: 503,
    Kind.OUTPUT: 507,
    Kind.PARTIAL: 500,
    Kind.INTERNAL: 500,
}
TITLES = {
    400: "This request cannot be carried out",
    401: "Sign in first",
    403: "You are not allowed to do this",
    404: "Page not found",
    405: "This address does not support that request",
    409: "This conflicts with the current state",
    413: "The request is too large",
    429: "Too many attempts",
    500: "Something went wrong on this server",
    503: "Not available at the moment",
    507: "The disk is full",
}
TITLES_OF_CODES = {LINK_ENDED: "Link not valid"}  # more exact than the title of the status
ICONS = {403: "lock", 404: "search", 409: "warning", 429: "hourglass", 503: "hourglass"}


@dataclass(frozen=True, slots=True)
class PageError:
    """The content of an error page. *can_retry* is true if repeating the same request may help."""

    status: int
    title: str
    detail: str
    why: str
    next_step: str
    request_id: str
    can_retry: bool
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def icon(self) -> str:
        return ICONS.get(self.status, "error")


def page_error(error: LockstepError, *, request_id: str) -> PageError:
    """Return the page of *error*."""
    status = STATUSES[error.kind]
    return PageError(
        status=status,
        title=TITLES_OF_CODES.get(error.code, TITLES[status]),
        detail=_sentence(error.detail),
        why=_sentence(error.why),
        next_step=_sentence(error.next_step),
        request_id=request_id,
        can_retry=error.retryable or status in (500, 503),
        headers=error.retry_headers,
    )


def plain_page_error(status: int, detail: str, *, request_id: str) -> PageError:
    """Return the page for a status that was not raised as a LockstepError, such as 404 for an unknown address."""
    title = TITLES.get(status, TITLES[500 if status >= 500 else 400])
    return PageError(status, title, _sentence(detail), "", "", request_id, status >= 500)


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text}." if text and text[-1] not in ".!?:" else text
