"""The one family of errors: what happened, to whom, what to do next, and whether a retry can help.

A `detail` is always safe to show: it never contains a secret, a stack trace or a raw response body.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of an error. Interfaces map it to an exit code, an HTTP status and a problem type."""

    INVALID = "invalid"  # the caller's input: usage, a file, a value
    UNAUTHORIZED = "unauthorized"  # not signed in, or a credential was refused
    FORBIDDEN = "forbidden"  # signed in, but not permitted
    NOT_FOUND = "notFound"
    CONFLICT = "conflict"  # stale plan, version changed, lock held, value taken
    UNREACHABLE = "unreachable"  # a server or target did not answer
    THROTTLED = "throttled"  # the server asks for fewer requests
    HELD = "held"  # quarantine, or waiting for an approval
    PARTIAL = "partial"  # finished, but some objects failed
    OUTPUT = "output"  # the output could not be written: a full disk
    INTERNAL = "internal"  # a bug in Lockstep


# The next step if the operating system refuses access to a file.
CHECK_READING = "Check the path, and that you have permission to read it"
CHECK_WRITING = "Check the path, and that you have permission to write there"

LINK_ENDED = "LinkEnded"  # the code of errors about a one-time link that was used or has expired

RETRY_SOON_SECONDS = 5  # if an error does not say when to try again

EXIT_CODES: dict[Kind, int] = {
    Kind.INVALID: 64,
    Kind.UNAUTHORIZED: 4,
    Kind.FORBIDDEN: 4,
    Kind.NOT_FOUND: 5,
    Kind.CONFLICT: 7,
    Kind.UNREACHABLE: 69,
    Kind.THROTTLED: 69,
    Kind.HELD: 6,
    Kind.PARTIAL: 3,
    Kind.OUTPUT: 74,
    Kind.INTERNAL: 1,
}


@dataclass(eq=False)
class LockstepError(Exception):
    """An error that is safe to show to a person.

    *detail* says what happened and to whom, *why* gives the cause if it is known, and *next_step* says what to do. *code* is a stable word
    for logs and programs (for provisioning errors, Entra's error code). *retryable* is true if the same call may succeed later without any
    intervention, after *retry_after_seconds* if that is known.
    """

    kind: Kind
    detail: str
    why: str = ""
    next_step: str = ""
    code: str = ""
    retryable: bool = False
    retry_after_seconds: int = 0

    def __post_init__(self) -> None:
        super().__init__(self.detail)

    def __str__(self) -> str:
        return self.detail

    @property
    def retry_headers(self) -> dict[str, str]:
        """The header Retry-After for an error of the kind THROTTLED or UNREACHABLE; no headers for other errors."""
        if self.kind not in (Kind.THROTTLED, Kind.UNREACHABLE):
            return {}
        return {"Retry-After": str(self.retry_after_seconds or RETRY_SOON_SECONDS)}

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends with this error."""
        return EXIT_CODES[self.kind]


def invalid(detail: str, *, why: str = "", next_step: str = "", code: str = "") -> LockstepError:
    """Return an error about invalid input. Retrying with the same input cannot help."""
    return LockstepError(Kind.INVALID, detail, why=why, next_step=next_step, code=code)


def not_found(detail: str, *, next_step: str = "", code: str = "") -> LockstepError:
    return LockstepError(Kind.NOT_FOUND, detail, next_step=next_step, code=code)


def conflict(detail: str, *, why: str = "", next_step: str = "", code: str = "") -> LockstepError:
    return LockstepError(Kind.CONFLICT, detail, why=why, next_step=next_step, code=code)


def unreachable(detail: str, *, why: str = "", next_step: str = "", code: str = "") -> LockstepError:
    return LockstepError(Kind.UNREACHABLE, detail, why=why, next_step=next_step, code=code, retryable=True)


def release_frames(error: BaseException) -> None:
    """Drop the tracebacks of *error*, which has been handled, and of its causes.

    The traceback of an error holds the frames of the functions that it passed through. If a local variable in such a frame refers to the
    error (or to a future with it), the error and the frames form a reference cycle. Without this call, the body of a refused request stays
    in memory until the next garbage collection.
    """
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or (one.__traceback__ is None and one.__context__ is None):
            continue
        waiting += [one.__cause__, one.__context__]
        one.__traceback__ = one.__cause__ = one.__context__ = None
