"""How a process that works for long keeps its memory small without looking for garbage all the time. Both products use this.

Requests, plans and rows leave no cycles behind, so Python's default would search in vain and take a fifth of the CPU of a cycle for it.
Errors do: what answers one calls `lockstep.errors.release_frames`.
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


def settle_garbage() -> None:
    """To be called once, when everything that stays has been loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
    return_large_blocks()


def return_large_blocks() -> None:
    """Have the C library give blocks of 128 KB and more back to the system as soon as they are freed.

    glibc begins so, but raises the limit up to 32 MB as soon as it sees larger blocks; from then on large bodies leave holes in
    the heap that are never returned. Elsewhere this does nothing.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, LARGE_BYTES)


def return_free_pages() -> None:
    """Give the pages back that are free between those in use. A burst leaves many of them; it takes a few milliseconds."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


async def keep_returning_free_pages() -> None:
    """Do so every half minute, until cancelled."""
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        return_free_pages()
