"""What the top bar shows of the whole system: its health in one word. Read once in a few seconds for everybody with the same rights."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lockstep.actions import status
from lockstep.actions.context import Actor, Context
from lockstep.errors import LockstepError
from lockstep.web.status_look import Look, look_of
from lockstep.wording import counted

FRESH_SECONDS = 3.0
_MOST_KEPT = 200


@dataclass(frozen=True, slots=True)
class Header:
    """*tenant* is the organisation's name. *health*: the word and tone of the dot."""

    tenant: str
    health: Look
    needs: int


class Headers:
    """Keeps the header of each set of rights for a moment."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[float, Header]] = {}

    async def read(self, context: Context) -> Header:
        key = _rights(context.actor)
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < FRESH_SECONDS:
            return kept[1]
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        header = await _read(context)
        self._kept[key] = (time.monotonic(), header)
        return header


def _rights(actor: Actor) -> tuple[object, ...]:
    return (actor.permissions, actor.own_permissions, actor.own_applications)


async def _read(context: Context) -> Header:
    try:
        found = await status.list_status(context)
    except LockstepError:  # somebody without the right to see any application
        return Header("", Look("No access", "neutral", "circle"), 0)
    bad = [one for one in found if one.headline.exit_code and one.code not in ("NotConfigured", "NotRun", "Paused")]
    looks = [look_of(one) for one in bad]
    if not bad:
        return Header("", Look("Healthy", "ok", "check-circle"), 0)
    worst = max(
        looks,
        key=lambda look: (
            ("warn", "quarantine", "error").index(look.tone) if look.tone in ("warn", "quarantine", "error") else -1
        ),
    )
    return Header(
        "",
        Look(
            f"{counted(len(bad), 'application')} {'needs' if len(bad) == 1 else 'need'} attention",
            worst.tone,
            worst.icon,
        ),
        len(bad),
    )
