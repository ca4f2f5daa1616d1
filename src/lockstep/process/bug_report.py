"""Our own mistakes, as a person may see them: one sentence, and a private file with the trace for whoever mends it.

A trace quotes values and statements, so it never goes to the terminal, where it would end up in tickets and logs of other programs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import traceback

import psycopg
from psycopg_pool import PoolTimeout

from lockstep.errors import Kind, LockstepError, unreachable

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def as_error(fault: Exception) -> LockstepError:
    """*fault* in the one form of all errors; where it is ours, its trace is in a file that only its owner can read."""
    if is_lost_database(fault):
        return unreachable(
            "The database went away while the command was at work",
            why="PostgreSQL was stopped, restarted or lost",
            next_step="Try again when it answers: lockstep doctor",
        )
    if isinstance(fault, OSError) and fault.errno in _NO_ROOM:
        return LockstepError(
            Kind.OUTPUT,
            "Not everything could be written",
            why=fault.strerror or "",
            next_step="Make room, then try again",
        )
    if isinstance(fault, psycopg.errors.DiskFull):
        return unreachable("PostgreSQL has no room left on its disk", next_step="Make room, then run: lockstep doctor")
    kind = type(fault).__name__
    try:
        number, name = tempfile.mkstemp(prefix="lockstep-fault-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(fault))
    except OSError:
        return LockstepError(
            Kind.INTERNAL, "Internal error: this is a bug in Lockstep", why=kind, next_step="Report it"
        )
    next_step = f"Report it with what {name} says; it may hold names and values of yours"
    return LockstepError(Kind.INTERNAL, "Internal error: this is a bug in Lockstep", why=kind, next_step=next_step)


def is_lost_database(fault: BaseException) -> bool:
    """Whether all that went wrong is that PostgreSQL hung up or takes no connection."""
    if isinstance(fault, BaseExceptionGroup):
        return all(is_lost_database(one) for one in fault.exceptions)
    if isinstance(fault, PoolTimeout):
        return True
    if isinstance(fault, psycopg.OperationalError):
        # Without a code there was no answer; classes 08 and 57P are lost connections and shutdowns.
        return fault.sqlstate is None or fault.sqlstate.startswith(("08", "57P"))
    if isinstance(fault, psycopg.InterfaceError):
        return "closed" in str(fault)
    cause = fault.__cause__
    return type(fault).__name__ == "ConnectorException" and cause is not None and is_lost_database(cause)


def forget_output() -> None:
    """What is left in the buffer of stdout goes nowhere, so that the end of the process does not complain of it once more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
