"""From My Apps, open an application that uses OpenID Connect. The application begins the sign-in itself, at its Sign on URL."""

from __future__ import annotations

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in.answering import no_access_page
from lockstep.actions.openid_sign_in.client import application_of
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.person_sign_in.sessions import person_or_refusal
from lockstep.actions.saml_sign_in.answering import ApplicationStart, NotAssigned
from lockstep.actions.single_sign_on.issuing import claims_for
from lockstep.errors import not_found
from lockstep.openid.faults import RefusalReason
from lockstep.storage import applications


@open_to_all
async def open_application(
    context: Context, name: str, secret: str, *, visitor: Visitor, origin: str
) -> ApplicationStart | NotAssigned | None:
    """Return the Sign on URL of the application *name*, which begins the sign-in. *secret* is the secret of the person's session. Returns a
    `NotAssigned` page if the person may not sign in, and None if the application does not use OpenID Connect.

    Raises LockstepError if the session has ended, or if the application has no Sign on URL.
    """
    caller = await person_or_refusal(context, secret)
    async with context.recording() as connection:
        row = await applications.find_application(connection, name)
    app = await application_of(context, row.id, origin=origin) if row is not None and row.name == name else None
    if app is None:
        return None
    if not app.settings.is_enabled:
        return await no_access_page(context, visitor, app, caller, RefusalReason.APPLICATION_DISABLED)
    claims = await claims_for(context, app.id, caller.person)
    if app.settings.assignment_required and not claims.is_assigned:
        return await no_access_page(context, visitor, app, caller, RefusalReason.NOT_ASSIGNED)
    if not app.settings.sign_on_url:
        raise not_found(f"{app.display_name} cannot be opened from My Apps", next_step="Open it at its own address")
    return ApplicationStart(app.display_name, app.settings.sign_on_url)
