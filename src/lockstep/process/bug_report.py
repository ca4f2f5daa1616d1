"""Report bugs in a product: show one sentence to the user, and write the stack trace to a private file for developers.

A stack trace can quote values and statements. It is never printed, because terminal output ends up in tickets and in logs of other
programs.
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
_TO_CHECK = {"Lockstep": "run: lockstep doctor"}  # by product; Documo has no such command


def as_error(fault: Exception, *, product: str = "Lockstep") -> LockstepError:
    """Convert *fault* to a LockstepError. If *fault* is a bug, write its stack trace to a file that only the current user can read."""
    if is_lost_database(fault):
        return unreachable(
            "The connection to the database was lost while the command was running",
            why="PostgreSQL was stopped or restarted, or the network failed",
            next_step=f"Check it, then {_TO_CHECK.get(product, 'try again')}",
        )
    if isinstance(fault, OSError) and fault.errno in _NO_ROOM:
        return LockstepError(
            Kind.OUTPUT,
            "Not all output could be written",
            why=fault.strerror or "",
            next_step="Free disk space, then try again",
        )
    if isinstance(fault, psycopg.errors.DiskFull):
        return unreachable(
            "The disk of PostgreSQL is full", next_step=f"Free disk space, then {_TO_CHECK.get(product, 'try again')}"
        )
    kind = type(fault).__name__
    try:
        number, name = tempfile.mkstemp(prefix=f"{product.lower()}-fault-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(fault))
    except OSError:
        return LockstepError(
            Kind.INTERNAL, f"Internal error: this is a bug in {product}", why=kind, next_step="Report it"
        )
    next_step = f"Report it with the contents of {name}, which may contain personal data"
    return LockstepError(Kind.INTERNAL, f"Internal error: this is a bug in {product}", why=kind, next_step=next_step)


def is_lost_database(fault: BaseException) -> bool:
    """Whether *fault* reports nothing but lost or refused connections to PostgreSQL."""
    if isinstance(fault, BaseExceptionGroup):
        return all(is_lost_database(one) for one in fault.exceptions)
    if isinstance(fault, PoolTimeout):
        return True
    if isinstance(fault, psycopg.OperationalError):
        # No code means that there was no response; classes 08 and 57P are lost connections and shutdowns.
        return fault.sqlstate is None or fault.sqlstate.startswith(("08", "57P"))
    if isinstance(fault, psycopg.InterfaceError):
        return "closed" in str(fault)
    cause = fault.__cause__
    return type(fault).__name__ == "ConnectorException" and cause is not None and is_lost_database(cause)


def forget_output() -> None:
    """Connect stdout to the null device, which discards the rest of stdout's buffer. The flush at exit then does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, sys.stdout.fileno())
        os.close(null_device)
