"""Keep the memory of a long-running process small without frequent garbage collection. Both products use this.

Requests, plans and rows leave no reference cycles, so Python's default collection would find nothing and use a fifth of the CPU time of a
provisioning cycle. Errors do leave reference cycles, so code that handles an error calls `lockstep.errors.release_frames`.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from contextlib import suppress

YOUNG_OBJECTS = 50_000  # instead of 700
LARGE_BYTES = 128 * 1024
TRIM_SECONDS = 30.0
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)


def collect_seldom() -> None:
    """Run garbage collection less often. Call this at the start of a program, because loading it creates many objects and no garbage."""
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)


def settle_garbage() -> None:
    """Collect once, exempt all remaining objects from collection, and collect less often from now on. Also calls `return_large_blocks`.

    Call once, after everything permanent is loaded.
    """
    gc.collect()
    gc.freeze()
    collect_seldom()
    return_large_blocks()


def return_large_blocks() -> None:
    """Make the C library return blocks of 128 KB and more to the system as soon as they are freed.

    This is glibc's initial behaviour, but glibc raises the limit up to 32 MB when larger blocks are freed. After that, large bodies leave
    holes in the heap that are never returned. Without glibc this does nothing.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, LARGE_BYTES)


def return_free_pages() -> None:
    """Return unused heap pages to the system. A burst of work leaves many of them. Takes a few milliseconds."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


async def keep_returning_free_pages() -> None:
    """Call `return_free_pages` every 30 seconds until cancelled."""
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        return_free_pages()
