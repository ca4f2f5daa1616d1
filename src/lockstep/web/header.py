"""The content of the top bar: the health of the whole system in one word.

The content is read once every few seconds for all callers with the same rights.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lockstep.actions import organisation, overview
from lockstep.actions.context import Actor, Context
from lockstep.actions.organisation import EnvironmentBadge
from lockstep.web.status_look import StatusLook, look_of_label
from lockstep.wording import counted

FRESH_SECONDS = 3.0
_MOST_KEPT = 200
_URGENCY = ("neutral", "ok", "info", "warn", "quarantine", "error")


@dataclass(frozen=True, slots=True)
class PageHeader:
    """*tenant* is the organisation's name. *health* is the word and tone of the status dot."""

    tenant: str
    health: StatusLook
    needs: int
    environment: EnvironmentBadge = field(default_factory=EnvironmentBadge)


class Headers:
    """Caches the header for each set of rights for a few seconds."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[float, PageHeader]] = {}

    async def read(self, context: Context) -> PageHeader:
        key = _rights(context.actor)
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < FRESH_SECONDS:
            return kept[1]
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        header = await _read(context)
        self._kept[key] = (time.monotonic(), header)
        return header

    def forget(self) -> None:
        """Clear the cache after a change, so that the next page reads the header again."""
        self._kept.clear()


def _rights(actor: Actor) -> tuple[object, ...]:
    return (actor.permissions, actor.own_permissions, actor.own_applications)


async def _read(context: Context) -> PageHeader:
    shown = await organisation.show_organisation(context)
    urgent = [app for app in await overview.list_overview(context) if app.needs_attention]
    if not urgent:
        return PageHeader(shown.name, StatusLook("Healthy", "ok", "check-circle"), 0, shown.badge)
    worst = max((look_of_label(app.label) for app in urgent), key=lambda look: _URGENCY.index(look.tone))
    need = "needs" if len(urgent) == 1 else "need"
    words = f"{counted(len(urgent), 'application')} {need} attention"
    return PageHeader(shown.name, StatusLook(words, worst.tone, worst.icon), len(urgent), shown.badge)
