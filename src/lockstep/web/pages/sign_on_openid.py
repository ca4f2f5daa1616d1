"""Single sign-on by OpenID Connect: the form with addresses and client type, and the client secrets.

A change that interrupts sign-ins needs a second click, after its effects are shown.
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions.context import Context
from lockstep.actions.single_sign_on import client_secrets, interrupting, settings
from lockstep.actions.single_sign_on.client_secrets import MOST_SECRETS, USUAL_DAYS
from lockstep.actions.single_sign_on.interrupting import Interruption
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.configuration.openid_connect import MOST_ACCESS_MINUTES, MOST_REFRESH_DAYS, OpenIdSettings
from lockstep.configuration.single_sign_on import SignOnMode, sign_on_to_json
from lockstep.errors import LockstepError
from lockstep.web.page import PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.single_sign_on import HERE, lines_in, page_of, read, seen_in

pages = Pages()
AUTHENTICATION, SECRETS = f"{HERE}/authentication", f"{HERE}/secrets"
CLIENT_TYPES = (
    ("confidential", "Confidential client", "It runs on a server and proves who it is with a client secret."),
    ("public", "Public client", "A page in a browser, or an app on a device, cannot keep a secret. It must use PKCE."),
)
LENGTHS = [("90", "90 days"), ("180", "180 days"), ("365", "365 days"), ("545", "545 days"), ("730", "730 days")]
# For each field of the form, in order, the key of the configuration section.
_KEYS = {
    "redirectUris": "openIdConnect.redirectUris",
    "postLogoutRedirectUris": "openIdConnect.postLogoutRedirectUris",
    "backChannelLogoutUrl": "openIdConnect.backChannelLogoutUrl",
    "signOnUrl": "signOnUrl",
    "accessTokenMinutes": "openIdConnect.accessTokenMinutes",
    "refreshTokenDays": "openIdConnect.refreshTokenDays",
}


@pages.get(AUTHENTICATION)
async def edit(context: Context, request: Request) -> View:
    found = await read(context, request)
    return _form(context, found, enters=found.settings.mode is not SignOnMode.OIDC)


@pages.post(AUTHENTICATION)
async def save(context: Context, request: Request) -> PageAnswer:
    form, found = await request.form(), await read(context, request)
    app, enters = found.application.name, form.get("mode") == SignOnMode.OIDC
    changes = _changes(form, found, enters=enters)
    try:
        if form.get("confirmed") != "yes":
            ends = await interrupting.foresee_interruption(context, app, changes)
            if ends.sentences:
                return _form(context, found, typed=_sent(form), ends=ends, enters=enters)
        await settings.change_sign_on(context, app, changes, seen=seen_in(form))
    except LockstepError as refused:
        found = await read(context, request)
        return _form(context, found, typed=_sent(form), refused=on_the_form(refused), enters=enters)
    return Redirect(f"/apps/{app}/sso", notice="Saved Authentication")


@pages.get(SECRETS)
async def show_secrets(context: Context, request: Request) -> View:
    return await _secrets(context, request)


@pages.post(SECRETS)
async def add_secret(context: Context, request: Request) -> PageAnswer:
    """Create a client secret. No other page ever shows the secret."""
    form, app = await request.form(), request.path_params["app"]
    description, days = str(form.get("description", "")), str(form.get("days", ""))
    length = int(days) if days in dict(LENGTHS) else USUAL_DAYS
    try:
        made = await client_secrets.add_client_secret(context, app, description, days=length)
    except LockstepError as refused:
        return await _secrets(context, request, refused=on_the_form(refused), typed=(description, days))
    found = await read(context, request)
    model = {"made": made, "client": found.application.id}
    return page_of(context, found, "single_sign_on/openid_secret.html", "New client secret", model, is_below=True)


@pages.post(f"{SECRETS}/remove")
async def remove_secret(context: Context, request: Request) -> PageAnswer:
    """Remove a client secret, after asking for confirmation: programs that use it are refused at once."""
    form, app = await request.form(), request.path_params["app"]
    secret = str(form.get("secret", ""))
    try:
        if form.get("confirmed") != "yes":
            return await _secrets(context, request, going=secret)
        await client_secrets.remove_client_secret(context, app, secret)
    except LockstepError as refused:
        return await _secrets(context, request, refused=on_the_form(refused))
    return Redirect(f"/apps/{app}/sso/secrets", notice="The client secret no longer works")


async def _secrets(
    context: Context,
    request: Request,
    *,
    refused: LockstepError | None = None,
    typed: tuple[str, str] = ("", ""),
    going: str = "",
) -> View:
    found = await read(context, request)
    secrets = await client_secrets.list_client_secrets(context, found.application.name)
    description, days = typed
    model = {
        "secrets": secrets,
        "now": context.now(),
        "client": found.application.id,
        "is_public": found.settings.openid.is_public,
        "uses_secrets": found.settings.mode is SignOnMode.OIDC and not found.settings.openid.is_public,
        "is_full": len(secrets) >= MOST_SECRETS,
        "most": MOST_SECRETS,
        "lengths": LENGTHS,
        "typed": {"description": description, "days": days or str(USUAL_DAYS)},
        "refused": refused,
        "going": next((one for one in secrets if one.id == going), None),
    }
    return page_of(
        context, found, "single_sign_on/openid_secrets.html", "Certificates & secrets", model, is_below=True,
        status=400 if refused else 200, command=f"lockstep sso secrets list {found.application.name}",
    )  # fmt: skip


def _changes(form: FormData, found: SignOnView, *, enters: bool) -> dict[str, Any]:
    """Return the keys of `singleSignOn` that the form sets. The claims are copied from the present settings, so they stay unchanged. If
    *enters* is true, the result also changes the mode to OpenID Connect.
    """
    known = sign_on_to_json(found.settings).get("openIdConnect", {})
    kept = {"claims": known["claims"]} if "claims" in known else {}
    section: dict[str, Any] = {
        **kept,
        "redirectUris": lines_in(form, "redirectUris"),
        "postLogoutRedirectUris": lines_in(form, "postLogoutRedirectUris"),
        "backChannelLogoutUrl": str(form.get("backChannelLogoutUrl", "")).strip(),
        "publicClient": form.get("clientType") == "public",
        "requirePkce": form.get("requirePkce") == "on",
    }
    for name in ("accessTokenMinutes", "refreshTokenDays"):
        text = str(form.get(name, "")).strip()
        section |= {name: int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else text} if text else {}
    changes = {"openIdConnect": section, "signOnUrl": str(form.get("signOnUrl", "")).strip()}
    return changes | ({"mode": SignOnMode.OIDC.value} if enters else {})


def _form(
    context: Context,
    found: SignOnView,
    *,
    typed: dict[str, Any] | None = None,
    refused: LockstepError | None = None,
    ends: Interruption | None = None,
    enters: bool = False,
) -> View:
    errors = {
        name: refused.detail for name, key in _KEYS.items() if refused and f"singleSignOn.{key}" in refused.detail
    }
    model = {
        "typed": typed or _typed(found.settings.openid, found.settings.sign_on_url),
        "errors": errors,
        "refused": refused if refused is not None and not errors else None,
        "ends": ends,
        "enters": enters,
        "client_types": CLIENT_TYPES,
        "most_minutes": MOST_ACCESS_MINUTES,
        "most_days": MOST_REFRESH_DAYS,
    }
    return page_of(
        context, found, "single_sign_on/openid_authentication.html", "Authentication", model, is_below=True,
        status=400 if refused else 200,
        command=f"lockstep sso oidc {found.application.name} --redirect-uri https://app.contoso.com/callback",
    )  # fmt: skip


def _typed(stored: OpenIdSettings, sign_on_url: str) -> dict[str, Any]:
    return {
        "redirectUris": "\n".join(stored.redirect_uris),
        "postLogoutRedirectUris": "\n".join(stored.post_logout_uris),
        "backChannelLogoutUrl": stored.back_channel_logout_url,
        "signOnUrl": sign_on_url,
        "clientType": "public" if stored.is_public else "confidential",
        "requirePkce": stored.needs_pkce,
        "accessTokenMinutes": stored.access_minutes,
        "refreshTokenDays": stored.refresh_days,
    }


def _sent(form: FormData) -> dict[str, Any]:
    return {
        **{name: str(form.get(name, "")) for name in (*_KEYS, "clientType")},
        "requirePkce": form.get("requirePkce") == "on",
    }
