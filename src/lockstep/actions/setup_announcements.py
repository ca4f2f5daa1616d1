"""Announce the effects of saving an application's settings, before an administrator saves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.provisioning_pages import SetupProgress, show_setup
from lockstep.actions.settings import change_settings
from lockstep.engine.decisions.effects import Effect
from lockstep.engine.rules.configuration import Scope
from lockstep.wording import counted

_EVALUATES = frozenset({"scope", "nested_groups", "deletion_threshold", "deletion_percent"})


@dataclass(frozen=True, slots=True)
class Announcement:
    """The effects of saving. *sentence* describes them; *lines* name the affected people. *confirm* is the number that the administrator
    must type before saving; 0 if nothing has to be typed.
    """

    sentence: str
    lines: tuple[str, ...] = ()
    confirm: int = 0


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def announce_settings(context: Context, app: str, changes: Mapping[str, Any]) -> Announcement:
    """Return the effects that `change_settings` will have with *changes*. Writes nothing. Raises the errors that `change_settings` raises
    for invalid values.
    """
    setup = await show_setup(context, app)
    lines: tuple[str, ...] = ()
    confirm = 0
    if "scope" in changes:
        found = await foresee(context, lambda inner: change_settings(inner, app, **changes))
        lines = tuple(consequence_lines(found))
        lost = sum(one.count(Effect.LOSES_ACCESS) + one.count(Effect.RELEASED) for one in found)
        confirm = lost if any(one.needs_consent(0) for one in found) else 0
    return Announcement(_sentence(setup, changes), lines, confirm)


def _sentence(setup: SetupProgress, changes: Mapping[str, Any]) -> str:
    syncs_all = changes.get("scope", "all" if setup.syncs_all else "assigned") == Scope.ALL
    reach = counted(setup.everybody if syncs_all else setup.assigned, "person")
    if changes.get("status") == "off":
        return "Saving pauses provisioning. Accounts stay as they are."
    if changes.get("status") == "on":
        if not setup.is_started:
            return f"Saving shows what the initial cycle, which covers {reach}, would do. It starts when you then select Switch on."
        if setup.is_untried or _EVALUATES & changes.keys():
            return f"Saving shows what would be done, for {reach}. Provisioning is on when you then select Switch on."
        return f"Saving switches provisioning on again, for {reach}. It continues where it stopped."
    if _EVALUATES & changes.keys() and setup.is_started:
        both = setup.syncs_all or syncs_all
        return f"Saving re-evaluates {counted(setup.everybody if both else setup.assigned, 'person')}."
    return "Saving changes no account."
