"""Generate ids of rows.

Ids grow with time (UUID version 7), so the order of ids is the order of creation, and new rows are added at the end of an index.
"""

from __future__ import annotations

import os
import time

_ROOM = (1 << 61) - 1
_STEP = (1 << 48) - 1
_last = 0


def new_id() -> str:
    """Return a UUID version 7 as text. Within one process, each id is greater than the one before.

    Ids of the same millisecond are far apart, so that their beginnings tell them apart, too.
    """
    global _last
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(9), "big")
    # 12 and 61 random bits; the 62nd leaves room to count up within a millisecond.
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (random >> 60) << 64 | 0b10 << 62 | random & _ROOM
    _last = value = value if value > _last else _last + 1 + (random & _STEP)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
