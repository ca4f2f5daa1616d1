"""Actions whose transaction PostgreSQL rolled back because another one was in its way are run again, so that no caller has to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from lockstep.errors import conflict
from lockstep.postgres.undone import TRIES, UNDONE

T = TypeVar("T")


@dataclass(slots=True)
class _Commits:
    """The number of transactions that an action, and the actions that it called, have committed."""

    number: int = 0


_COMMITS: ContextVar[_Commits | None] = ContextVar("commits of the running action", default=None)


def note_commit() -> None:
    """Note that a transaction of the running action was committed. The action must then not be run again."""
    if (commits := _COMMITS.get()) is not None:
        commits.number += 1


async def again_if_undone(action: Callable[[], Awaitable[T]], *, owns_transaction: bool) -> T:
    """Run *action*, up to TRIES times, until PostgreSQL does not roll it back because of a deadlock or a serialization failure. If the
    action had already committed a transaction, it is not run again. If it does not own its transaction, the error goes on to the action
    that does.

    Raises LockstepError if the action was rolled back at the last try.
    """
    outer = _COMMITS.get()
    for tries_left in reversed(range(TRIES)):
        commits = _Commits()
        token = _COMMITS.set(commits)
        try:
            return await action()
        except UNDONE:
            if not owns_transaction:
                raise
            if commits.number or not tries_left:
                raise conflict(
                    "Other changes of the same objects were in the way",
                    why="PostgreSQL ended this change so that the others could continue"
                    + (f", after {commits.number} of its steps were saved" if commits.number else ""),
                    next_step="Do it again",
                ) from None
        finally:
            _COMMITS.reset(token)
            if outer is not None:
                outer.number += commits.number
    raise AssertionError("unreachable")
