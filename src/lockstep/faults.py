"""Our own mistakes, as a person may see them: one sentence, and a private file with the trace for whoever mends it.

A trace quotes values and statements, so it never goes to the terminal, where it would end up in tickets and logs of other programs.
"""

from __future__ import annotations

import os
import tempfile
import traceback

from lockstep.errors import Kind, LockstepError


def as_error(fault: Exception) -> LockstepError:
    """*fault* in the one form of all errors; its trace is in a file that only its owner can read."""
    kind = type(fault).__name__
    try:
        number, name = tempfile.mkstemp(prefix="lockstep-fault-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(fault))
    except OSError:
        return LockstepError(Kind.INTERNAL, "This is a mistake in Lockstep", why=kind, next_step="Report it")
    next_step = f"Report it with what {name} says; it may hold names and values of yours"
    return LockstepError(Kind.INTERNAL, "This is a mistake in Lockstep", why=kind, next_step=next_step)
