"""Single sign-on of an application: its method, the five cards of SAML, the form of the first card, and downloads."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on import address, certificates, client_secrets, interrupting, metadata, settings
from lockstep.actions.single_sign_on.address import openid_endpoints
from lockstep.actions.single_sign_on.certificates import CertificateForm
from lockstep.actions.single_sign_on.interrupting import Interruption
from lockstep.actions.single_sign_on.settings import OFFERED_MODES, SignOnView
from lockstep.configuration.single_sign_on import SignOnMode, SignOnSettings
from lockstep.configuration.unsent_mail import MAIL_IS_NOT_SENT
from lockstep.errors import LockstepError, invalid
from lockstep.kit.cookies import origin_of
from lockstep.web.page import AppPlace, CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.sign_on_form import source_text

pages = Pages()
TAB = "Single sign-on"
HERE = "/apps/{app}/sso"
METHODS = {
    SignOnMode.DISABLED: ("Disabled", "People do not sign in to the application through Lockstep.", "lock"),
    SignOnMode.SAML: ("SAML", "Secure authentication to applications that use the SAML 2.0 protocol.", "shield"),
    SignOnMode.OIDC: ("OpenID Connect", "Secure authentication to applications that use OpenID Connect.", "key"),
}
_MOST_METADATA = 1024 * 1024
_FIELDS = ("identifiers", "replyUrls", "signOnUrl", "relayState", "logoutUrl")


@pages.get(HERE)
async def show(context: Context, request: Request) -> View:
    """Show the cards of the selected method or, if none is selected, the choice of methods."""
    found = await read(context, request)
    if found.settings.mode is SignOnMode.DISABLED:
        return _methods(context, found)
    if found.settings.mode is SignOnMode.OIDC:
        return await _openid(context, found, request)
    return page_of(
        context,
        found,
        "single_sign_on/saml.html",
        "Set up single sign-on with SAML",
        {
            "settings": found.settings,
            "name_id": source_text(found.settings),
            "claims": [(claim.name, source_text(claim)) for claim in found.settings.claims],
            "endpoints": found.endpoints,
            "certificate": next((one for one in found.certificates if one.is_active), None),
            "has_address": found.has_address,
            "ending": await _ending(context, found),
            "no_mail": "" if found.mail_is_sent else MAIL_IS_NOT_SENT,
        },
        lead="People sign in at Lockstep, and the application accepts the assertion that Lockstep signs.",
    )


@pages.get(f"{HERE}/method")
async def choose(context: Context, request: Request) -> View:
    return _methods(context, await read(context, request))


@pages.post(f"{HERE}/method")
async def select(context: Context, request: Request) -> PageAnswer:
    """Select a method. If people sign in with the present method, this needs confirmation. If addresses are missing, the next page asks for
    them.
    """
    form, app = await request.form(), request.path_params["app"]
    mode = str(form.get("mode", ""))
    try:
        if form.get("confirmed") != "yes":
            ends = await interrupting.foresee_interruption(context, app, {"mode": mode})
            if ends.sentences:
                return _methods(context, await read(context, request), ends=ends, chosen=mode)
        await settings.change_sign_on(context, app, {"mode": mode}, seen=seen_in(form))
    except LockstepError as refused:
        shown = on_the_form(refused)
        if mode == SignOnMode.SAML:  # next, enter the addresses
            return _basic(context, await read(context, request), refused=shown, enters=True)
        if mode == SignOnMode.OIDC and "openIdConnect.redirectUris" in refused.detail:
            return Redirect(f"/apps/{app}/sso/authentication", notice="Enter the redirect URIs to use OpenID Connect")
        return _methods(context, await read(context, request), refused=shown)
    return Redirect(f"/apps/{app}/sso", notice=f"Single sign-on method: {METHODS[SignOnMode(mode)][0]}")


@pages.get(f"{HERE}/basic")
async def edit_basic(context: Context, request: Request) -> View:
    return _basic(context, await read(context, request))


@pages.post(f"{HERE}/basic")
async def save_basic(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    app = request.path_params["app"]
    changes: dict[str, Any] = {
        **{name: lines_in(form, name) for name in ("identifiers", "replyUrls")},
        **{name: str(form.get(name, "")).strip() for name in ("signOnUrl", "relayState", "logoutUrl")},
    }
    enters = form.get("mode") == SignOnMode.SAML
    try:
        await settings.change_sign_on(context, app, changes | ({"mode": "saml"} if enters else {}), seen=seen_in(form))
    except LockstepError as refused:
        typed = {name: str(form.get(name, "")) for name in _FIELDS}
        return _basic(context, await read(context, request), typed=typed, refused=on_the_form(refused), enters=enters)
    return Redirect(f"/apps/{app}/sso", notice="Saved Basic SAML Configuration")


@pages.post(f"{HERE}/metadata", form_bytes=_MOST_METADATA + 64 * 1024)
async def upload(context: Context, request: Request) -> PageAnswer:
    """Read the application's metadata from an uploaded file or from an address, and save the settings that it contains. The first card then
    shows the saved settings.
    """
    form = await request.form()
    app, file, url = request.path_params["app"], form.get("file"), str(form.get("url", "")).strip()
    try:
        if isinstance(file, UploadFile) and file.filename:
            await metadata.upload_metadata(context, app, await file.read(_MOST_METADATA + 1))
        elif url:
            await metadata.fetch_metadata(context, app, url)
        else:
            raise invalid("Neither a file nor an address was given", next_step="Choose a file, or enter the address")
    except LockstepError as refused:
        return _basic(context, await read(context, request), refused=on_the_form(refused))
    return Redirect(f"/apps/{app}/sso/basic", notice="The settings from the metadata were saved")


@pages.get(HERE + "/download/{what}")
async def download(context: Context, request: Request) -> Response:
    """Download the certificate (`base64`, `raw`) or the metadata (`metadata`)."""
    app, what = request.path_params["app"], request.path_params["what"]
    found = await read(context, request)
    if what == "metadata":
        data = await metadata.federation_metadata(context, app, origin=origin_of(request))
        name, kind = f"{app}.xml", "application/samlmetadata+xml"
    else:
        form = CertificateForm.RAW if what == CertificateForm.RAW else CertificateForm.BASE64
        thumbprint = request.query_params.get("thumbprint", "")
        data = await certificates.download_certificate(context, app, thumbprint=thumbprint, form=form)
        name, kind = f"{app}.cer" if form is CertificateForm.BASE64 else f"{app}-raw.cer", "application/x-x509-ca-cert"
    name = name.replace(app, found.application.name)
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def read(context: Context, request: Request) -> SignOnView:
    return await settings.show_sign_on(context, request.path_params["app"], origin=origin_of(request))


def seen_in(form: FormData) -> str:
    """Return the version of the settings that the form shows."""
    return str(form.get("version", ""))


def page_of(
    context: Context,
    found: SignOnView,
    template: str,
    heading: str,
    model: dict[str, Any],
    *,
    is_below: bool = False,
    lead: str = "",
    status: int = 200,
    command: str = "",
) -> View:
    """Show a page of the tab *Single sign-on*. *is_below* is true if the page is reached from a card. *command* is the command to copy; by
    default it is `lockstep sso show`.
    """
    app = found.application
    place = AppPlace(app.name, app.display_name)
    return View(
        template,
        heading,
        {
            "here": f"{place.href}/sso",
            "name": app.display_name,
            "may_edit": context.actor.may(Permission.SIGN_ON_WRITE, app.id),
            "mode": found.settings.mode.value,
            "version": found.version,
            "refused": None,
            **model,
        },
        app=place,
        tab=TAB,
        parents=(Crumb(TAB, f"{place.href}/sso"),) if is_below else (),
        lead=lead,
        copy_as=CopyAs(
            command=command or f"lockstep sso show {app.name}", api=f"/api/v1/applications/{app.name}/single-sign-on"
        ),
        status=status,
    )


def _methods(
    context: Context,
    found: SignOnView,
    *,
    refused: LockstepError | None = None,
    ends: Interruption | None = None,
    chosen: str = "",
) -> View:
    model = {
        "methods": [(mode.value, *METHODS[mode]) for mode in OFFERED_MODES],
        "refused": refused,
        "ends": ends,
        "chosen": chosen,
    }
    return page_of(
        context,
        found,
        "single_sign_on/methods.html",
        "Select a single sign-on method",
        model,
        status=400 if refused else 200,
    )


async def _openid(context: Context, found: SignOnView, request: Request) -> View:
    issuer = await address.show_address(context) or origin_of(request)
    return page_of(
        context,
        found,
        "single_sign_on/openid.html",
        "Set up single sign-on with OpenID Connect",
        {
            "client": found.application.id,
            "now": context.now(),
            "openid": found.settings.openid,
            "sign_on_url": found.settings.sign_on_url,
            "claims": [(claim.name, source_text(claim)) for claim in found.settings.openid.claims],
            "secrets": await client_secrets.list_client_secrets(context, found.application.name),
            "endpoints": openid_endpoints(issuer),
            "has_address": found.has_address,
            "may_see_keys": context.actor.everywhere(Permission.DIRECTORY_READ),
        },
        lead="People sign in at Lockstep, and the application accepts the tokens that Lockstep signs.",
    )


def _basic(
    context: Context,
    found: SignOnView,
    *,
    typed: dict[str, str] | None = None,
    refused: LockstepError | None = None,
    enters: bool = False,
) -> View:
    errors = {
        name: refused.detail for name in _FIELDS if refused is not None and f"singleSignOn.{name}" in refused.detail
    }
    model = {
        "typed": typed or _typed(found.settings),
        "errors": errors,
        "refused": refused if refused is not None and not errors else None,
        "enters": enters,
    }
    return page_of(
        context,
        found,
        "single_sign_on/basic.html",
        "Basic SAML Configuration",
        model,
        is_below=True,
        status=400 if refused else 200,
    )


def _typed(stored: SignOnSettings) -> dict[str, str]:
    return {
        "identifiers": "\n".join(stored.identifiers),
        "replyUrls": "\n".join(stored.reply_urls),
        "signOnUrl": stored.sign_on_url,
        "relayState": stored.relay_state,
        "logoutUrl": stored.logout_url,
    }


def lines_in(form: FormData, name: str) -> list[str]:
    return [line.strip() for line in str(form.get(name, "")).splitlines() if line.strip()]


async def _ending(context: Context, found: SignOnView) -> Any:
    ending = await certificates.expiring_certificates(context)
    return next((one for one in ending if one.app == found.application.id), None)
