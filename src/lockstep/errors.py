"""The one error family: what happened, to whom, what to do next, and whether trying again can help.

A `detail` is always safe to show: it never holds a secret, a stack trace or a raw body of a foreign server.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of thing went wrong; doors map it to an exit code, an HTTP status and a problem type."""

    INVALID = "invalid"  # the caller's input: usage, a file, a value
    UNAUTHORIZED = "unauthorized"  # not signed in, or a credential was refused
    FORBIDDEN = "forbidden"  # signed in, but not permitted
    NOT_FOUND = "notFound"
    CONFLICT = "conflict"  # stale plan, version moved, lock held, value taken
    UNREACHABLE = "unreachable"  # a server or target did not answer
    THROTTLED = "throttled"  # asked to slow down
    HELD = "held"  # quarantine, or waiting for an approval
    PARTIAL = "partial"  # finished, some objects failed
    OUTPUT = "output"  # what there is to say could not be written: a full disk
    INTERNAL = "internal"  # our fault


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
    """An error that a person may read.

    *detail* says what happened and to whom, *why* the cause where it is known, *next_step* what to do. *code* is a stable
    word for logs and machines (for provisioning errors, Entra's error code). *retryable* is true when the same call may
    succeed later without anybody doing anything.
    """

    kind: Kind
    detail: str
    why: str = ""
    next_step: str = ""
    code: str = ""
    retryable: bool = False

    def __post_init__(self) -> None:
        super().__init__(self.detail)

    def __str__(self) -> str:
        return self.detail

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends with this error (spec: CLI, exit codes)."""
        return EXIT_CODES[self.kind]


def invalid(detail: str, *, why: str = "", next_step: str = "", code: str = "") -> LockstepError:
    """The caller's input is wrong; trying again unchanged cannot help."""
    return LockstepError(Kind.INVALID, detail, why=why, next_step=next_step, code=code)


def not_found(detail: str, *, next_step: str = "", code: str = "") -> LockstepError:
    return LockstepError(Kind.NOT_FOUND, detail, next_step=next_step, code=code)


def conflict(detail: str, *, why: str = "", next_step: str = "", code: str = "") -> LockstepError:
    return LockstepError(Kind.CONFLICT, detail, why=why, next_step=next_step, code=code)


def unreachable(detail: str, *, why: str = "", next_step: str = "", code: str = "") -> LockstepError:
    return LockstepError(Kind.UNREACHABLE, detail, why=why, next_step=next_step, code=code, retryable=True)


def release_frames(error: BaseException) -> None:
    """Drop the tracebacks of *error*, which has been answered, and of the errors that it came from.

    A local variable that leads back to the error, such as a future that carried it, makes a cycle of the frames: without this, the body of
    the refused request stays until the next collection.
    """
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or (one.__traceback__ is None and one.__context__ is None):
            continue
        waiting += [one.__cause__, one.__context__]
        one.__traceback__ = one.__cause__ = one.__context__ = None
