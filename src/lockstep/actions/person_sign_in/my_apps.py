"""The page My Apps: the applications to which a person may sign in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.sessions import person_or_refusal
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.single_sign_on import SignOnMode, SignOnSettings, sign_on_from_json
from lockstep.storage import application_sso, applications, assignments


@dataclass(frozen=True, slots=True)
class Tile:
    """One application that a person may open from My Apps."""

    name: str
    display_name: str


@open_to_all
async def my_apps(context: Context, secret: str) -> Sequence[Tile]:
    """Return the applications with single sign-on that the person with this session may open, sorted by name. These are the assigned
    applications, and those that need no assignment.
    """
    caller = await person_or_refusal(context, secret)
    async with context.reading() as connection:
        apps = await applications.list_applications(connection)
        rows = await application_sso.read_sign_ons(connection, [app.id for app in apps])
        assigned = {row.app for row in await assignments.entitlements_everywhere(connection, caller.person)}
    settings = {id_: sign_on_from_json(Part(row.config, "singleSignOn")) for id_, row in rows.items()}
    shown = [app for app in apps if app.id in settings and _may_open(settings[app.id], is_assigned=app.id in assigned)]
    return sorted((Tile(app.name, app.display_name) for app in shown), key=lambda tile: tile.display_name.casefold())


def _may_open(settings: SignOnSettings, *, is_assigned: bool) -> bool:
    can_begin = settings.mode is SignOnMode.SAML or (settings.mode is SignOnMode.OIDC and bool(settings.sign_on_url))
    return can_begin and settings.is_enabled and (is_assigned or not settings.assignment_required)
