"""Decide which origins may run scripts that read tokens: the origins of the redirect URIs of public clients."""

from __future__ import annotations

from urllib.parse import urlsplit

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.single_sign_on import SignOnMode, sign_on_from_json
from lockstep.storage import application_sso, applications


@open_to_all
async def is_of_public_client(context: Context, origin: str) -> bool:
    """Whether a public client has a redirect URI of this *origin*."""
    async with context.recording() as connection:
        apps = [app.id for app in await applications.list_applications(connection)]
        rows = await application_sso.read_sign_ons(connection, apps)
    found = (sign_on_from_json(Part(row.config, "singleSignOn")) for row in rows.values())
    public = (one.openid for one in found if one.mode is SignOnMode.OIDC and one.openid.is_public)
    return any(origin == _origin(uri) for one in public for uri in one.redirect_uris)


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"
