"""The organisation's name, and the badge that distinguishes installations such as test and production. The top bar of every page shows
both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.names import LONGEST_ORGANISATION as LONGEST_ORGANISATION
from lockstep.configuration.files.names import is_organisation_name
from lockstep.configuration.files.sections import COLOURS as COLOURS
from lockstep.configuration.files.sections import LONGEST_ENVIRONMENT as LONGEST_ENVIRONMENT
from lockstep.directory.edit import Edit
from lockstep.errors import invalid
from lockstep.storage import tenant
from lockstep.storage.tenant import TenantRow


@dataclass(frozen=True, slots=True)
class EnvironmentBadge:
    """The badge of this installation. If *name* is "", pages show no badge. *colour* is one of COLOURS."""

    name: str = ""
    colour: str = "grey"


@dataclass(frozen=True, slots=True)
class Organisation:
    """The organisation. *name* is "" until it is set."""

    name: str
    badge: EnvironmentBadge = field(default_factory=EnvironmentBadge)


@needs(Permission.DIRECTORY_READ)
async def show_organisation(context: Context) -> Organisation:
    async with context.reading() as connection:
        return _organisation(await tenant.read_tenant(connection))


@needs(Permission.ORGANISATION_WRITE)
async def change_organisation(
    context: Context, *, name: str | None = None, badge: EnvironmentBadge | None = None
) -> Organisation:
    """Set the organisation's name, the badge or both. None leaves a value unchanged; an empty name removes the name or the badge.

    Raises LockstepError, and changes nothing, for an unknown colour or for a name that is too long.
    """
    new_name = None if name is None else _checked_name(name)
    new_badge = None if badge is None else _checked_badge(badge)
    async with context.changing() as edit:
        stored = await tenant.read_tenant(edit.connection)
        row = TenantRow(stored.name if new_name is None else new_name, stored.settings, stored.labels)
        if new_badge is not None:
            rest = {key: value for key, value in stored.settings.items() if key != "environment"}
            row = TenantRow(row.name, rest | _environment(new_badge), row.labels)
        await tenant.save_tenant(edit.connection, row)
        await _audit_change(edit, stored, row)
    return _organisation(row)


async def _audit_change(edit: Edit, stored: TenantRow, row: TenantRow) -> None:
    if row.name != stored.name:
        before, after = {"name": stored.name}, {"name": row.name}
        await audit(edit, "Rename organisation", row.name or "no name", before=before, after=after)
    old, new = _organisation(stored).badge, _organisation(row).badge
    if new != old:
        await audit(
            edit, "Set environment", new.name or "no environment", before=_environment(old), after=_environment(new)
        )


def _organisation(row: TenantRow) -> Organisation:
    stored: dict[str, Any] = row.settings.get("environment") or {}
    return Organisation(row.name, EnvironmentBadge(stored.get("name", ""), stored.get("colour", "grey")))


def _checked_name(name: str) -> str:
    told = " ".join(name.split())
    if told and not is_organisation_name(told):
        raise invalid(
            f"The organisation's name must have at most {LONGEST_ORGANISATION} characters, all of them printable"
        )
    return told


def _checked_badge(badge: EnvironmentBadge) -> EnvironmentBadge:
    name = " ".join(badge.name.split())
    if len(name) > LONGEST_ENVIRONMENT or not name.isprintable():
        raise invalid(f"The name of the environment must have at most {LONGEST_ENVIRONMENT} characters")
    if badge.colour not in COLOURS:
        raise invalid(f'Unknown colour "{badge.colour[:20]}"', next_step=f"Choose one of: {', '.join(COLOURS)}")
    return EnvironmentBadge(name, badge.colour) if name else EnvironmentBadge()


def _environment(badge: EnvironmentBadge) -> dict[str, Any]:
    return {"environment": {"name": badge.name, "colour": badge.colour}} if badge.name else {}
