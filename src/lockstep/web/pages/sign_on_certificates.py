"""The signing certificates of an application, and the signing options."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions.context import Context
from lockstep.actions.single_sign_on import certificates, settings
from lockstep.configuration.single_sign_on import SignedPart
from lockstep.configuration.unsent_mail import MAIL_IS_NOT_SENT
from lockstep.errors import LockstepError
from lockstep.web.page import PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.single_sign_on import HERE, page_of, read, seen_in

pages = Pages()
CERTIFICATES = f"{HERE}/certificates"
SIGNING = (
    (SignedPart.ASSERTION.value, "Sign SAML assertion"),
    (SignedPart.RESPONSE.value, "Sign SAML response"),
    (SignedPart.BOTH.value, "Sign SAML response and assertion"),
)


@pages.get(CERTIFICATES)
async def show(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.post(f"{CERTIFICATES}/new")
async def add(context: Context, request: Request) -> PageAnswer:
    app = request.path_params["app"]
    try:
        await certificates.add_certificate(context, app)
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return Redirect(
        f"/apps/{app}/sso/certificates",
        notice="The new certificate was created. Lockstep signs with it once you make it active",
    )


@pages.post(f"{CERTIFICATES}/activate")
async def activate(context: Context, request: Request) -> PageAnswer:
    app, thumbprint = request.path_params["app"], str((await request.form()).get("thumbprint", ""))
    try:
        await certificates.activate_certificate(context, app, thumbprint)
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return Redirect(f"/apps/{app}/sso/certificates", notice="Lockstep signs with this certificate from now on")


@pages.post(f"{CERTIFICATES}/remove")
async def remove(context: Context, request: Request) -> PageAnswer:
    """Delete a certificate, after asking for confirmation: its key cannot be restored."""
    form, app = await request.form(), request.path_params["app"]
    thumbprint = str(form.get("thumbprint", ""))
    try:
        if form.get("confirmed") != "yes":
            return await _page(context, request, going=thumbprint)
        await certificates.remove_certificate(context, app, thumbprint)
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    return Redirect(f"/apps/{app}/sso/certificates", notice="The certificate and its key were deleted")


@pages.post(CERTIFICATES)
async def save_options(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    app = request.path_params["app"]
    typed = {
        "signing": str(form.get("signing", "")),
        "notificationEmail": str(form.get("notificationEmail", "")).strip(),
        "encryptionCertificate": str(form.get("encryptionCertificate", "")).strip(),
        "assignmentRequired": form.get("assignmentRequired") == "on",
        "requireSignedRequests": form.get("requireSignedRequests") == "on",
    }
    try:
        await settings.change_sign_on(context, app, typed, seen=seen_in(form))
    except LockstepError as refused:
        return await _page(context, request, typed=typed, refused=on_the_form(refused))
    return Redirect(f"/apps/{app}/sso/certificates", notice="Saved")


async def _page(
    context: Context,
    request: Request,
    *,
    typed: dict[str, object] | None = None,
    refused: LockstepError | None = None,
    going: str = "",
) -> View:
    found = await read(context, request)
    stored = found.settings
    model = {
        "certificates": found.certificates,
        "now": context.now(),
        "signing": SIGNING,
        "no_mail": "" if found.mail_is_sent else MAIL_IS_NOT_SENT,
        "typed": typed
        or {
            "signing": stored.signing.value,
            "notificationEmail": stored.notification_email,
            "encryptionCertificate": stored.encryption_certificate,
            "assignmentRequired": stored.assignment_required,
            "requireSignedRequests": stored.requires_signed_requests,
        },
        "verifies": len(stored.request_certificates),
        "refused": refused,
        "going": next((one for one in found.certificates if one.thumbprint == going and not one.is_active), None),
    }
    return page_of(
        context, found, "single_sign_on/certificates.html", "SAML Signing Certificate", model, is_below=True,
        status=400 if refused else 200,
    )  # fmt: skip
