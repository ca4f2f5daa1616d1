"""Generate ids of rows.

Ids grow with time (UUID version 7), so the order of ids is the order of creation, and new rows are added at the end of an index.
"""

from __future__ import annotations

import os
import time

_RANDOM = 74  # bits after the time, in two parts: 12 and 62
_STEP = (1 << 60) - 1
_last = 0


def new_id() -> str:
    """Return a UUID version 7 as text. Within one process, each id is greater than the one before.

    Ids from the same millisecond nearly always differ within their first 24 characters.
    """
    global _last
    random = int.from_bytes(os.urandom(9), "big")
    drawn = time.time_ns() // 1_000_000 << _RANDOM | random
    _last = number = drawn if drawn > _last else _last + 1 + (random & _STEP)
    milliseconds, first, second = number >> _RANDOM, number >> 62 & 0xFFF, number & (1 << 62) - 1
    text = f"{milliseconds << 80 | 0x7 << 76 | first << 64 | 0b10 << 62 | second:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
