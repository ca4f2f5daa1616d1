"""The badge that distinguishes installations such as test and production: a word and a colour in the frame of every page."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.sections import COLOURS as COLOURS
from lockstep.configuration.files.sections import LONGEST_ENVIRONMENT as LONGEST_ENVIRONMENT
from lockstep.errors import invalid
from lockstep.storage import tenant
from lockstep.storage.tenant import TenantRow


@dataclass(frozen=True, slots=True)
class EnvironmentBadge:
    """The badge of this installation. If *name* is "", pages show no badge. *colour* is one of COLOURS."""

    name: str = ""
    colour: str = "grey"


@needs(Permission.DIRECTORY_READ)
async def show_environment(context: Context) -> EnvironmentBadge:
    async with context.reading() as connection:
        stored = (await tenant.read_tenant(connection)).settings.get("environment") or {}
    return EnvironmentBadge(stored.get("name", ""), stored.get("colour", "grey"))


@needs(Permission.ORGANISATION_WRITE)
async def set_environment(context: Context, badge: EnvironmentBadge) -> EnvironmentBadge:
    """Set the badge; an empty name removes it. Raises LockstepError for a name that is too long or an unknown colour."""
    name = " ".join(badge.name.split())
    if len(name) > LONGEST_ENVIRONMENT or not name.isprintable():
        raise invalid(f"The name of the environment must have at most {LONGEST_ENVIRONMENT} characters")
    if badge.colour not in COLOURS:
        raise invalid(f'Unknown colour "{badge.colour[:20]}"', next_step=f"Choose one of: {', '.join(COLOURS)}")
    async with context.changing() as edit:
        stored = await tenant.read_tenant(edit.connection)
        rest = {key: value for key, value in stored.settings.items() if key != "environment"}
        new = {"environment": {"name": name, "colour": badge.colour}} if name else {}
        await tenant.save_tenant(edit.connection, TenantRow(stored.name, rest | new, stored.labels))
        before = {"environment": stored.settings.get("environment")}
        await audit(edit, "Set environment", name or "no environment", before=before, after=new)
    return EnvironmentBadge(name, badge.colour)
