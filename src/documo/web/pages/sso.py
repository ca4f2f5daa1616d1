"""Sign in with SSO: the request to the provider, its response, single logout, and our metadata."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import timedelta

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from documo.access import member_sign_in as sign_ins
from documo.access.sso import leaving
from documo.access.sso.addresses import LOGOUT_PATH, METADATA_PATH, SIGN_ON_PATH, place_of
from documo.access.sso.asking import ProviderRequest, ask
from documo.access.sso.collecting import collect, stranger_of
from documo.access.sso.providers import tenant_for_email
from documo.access.sso.requests import REQUEST_LASTS
from documo.access.sso.service import metadata_at
from documo.web.context import DocumoPages, PageContext
from documo.web.sessions import SIGN_IN, session_secret, signed_in
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.kit.cookies import address_of, cookie_in, device_of, drop_cookie, keep_cookie
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect
from lockstep.kit.returning import safe_next

pages = DocumoPages()
log = structlog.get_logger("documo.web.sso")
BROWSER_COOKIE = "documo_sso"
KNOWN_COOKIE = "documo_known"  # the member whom single sign-on last signed in with this browser
KNOWN_LASTS = timedelta(days=180)
_MOST_BACK = 1_000  # characters: browsers keep cookies of 4 kB
_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


@pages.get(SIGN_ON_PATH, is_public=True)
async def sign_on_page(context: PageContext, request: Request) -> PageAnswer:
    back = safe_next(request.query_params.get("next", "/"))
    return Redirect(back) if context.caller is not None else _form(next_=back)


@pages.post(SIGN_ON_PATH, is_public=True)
async def sign_on(context: PageContext, request: Request) -> PageAnswer:
    form = await request.form()
    email, back = str(form.get("email", ""))[:320], safe_next(str(form.get("next", "/")))
    try:
        return await leave_by_email(context, request, email, back=back) or _form(
            email=email, next_=back, refused=no_provider(email)
        )
    except LockstepError as refused:
        return _form(email=email, next_=back, refused=refused)


async def leave_by_email(
    context: PageContext, request: Request, email: str, *, back: str
) -> Response | PageView | None:
    """Return the page that sends the browser to the provider of the email's domain, or None if no account has the domain.

    Only the domain decides: whether somebody has the address makes no difference.
    """
    tenant_id = await tenant_for_email(context.store, email)
    if tenant_id is None:
        return None
    place = await place_of(context.store, tenant_id, request.headers.get("host", ""))
    asked = await ask(context.store, tenant_id, api_url=context.api_url, place=place)
    return leave_for(context, request, asked, back=back)


def no_provider(email: str) -> LockstepError:
    """Return the error about an email address that is missing, or whose domain no account uses for single sign-on."""
    if not email.strip():
        return invalid(
            "The email is missing", next_step="Enter your work email; its domain leads to your company's sign-in page"
        )
    return not_found(
        "No account uses single sign-on for this email domain",
        next_step="Check the address, or sign in with a password",
    )


@pages.get("/sso/finish/{ticket}", is_public=True)
async def finish(context: PageContext, request: Request) -> PageAnswer:
    """Finish a sign-in. If the provider began the sign-in and the member has not used this browser before, ask first whether to sign in as
    this member, because a link from somebody else could have delivered another person's response.
    """
    ticket = request.path_params["ticket"]
    try:
        stranger = await stranger_of(context.store, ticket, cookie_in(request, KNOWN_COOKIE))
    except LockstepError as refused:
        return _failed(refused.detail, refused.next_step, status=STATUSES[refused.kind])
    if stranger is None:
        return await _collected(context, request)
    return PageView(
        "sso/confirm.html",
        heading=f"Sign in as {stranger.user_name}?",
        model={"stranger": stranger, "ticket": ticket, "signed_in_as": context.caller},
    )


@pages.post("/sso/finish/{ticket}", is_public=True)
async def confirm(context: PageContext, request: Request) -> PageAnswer:
    return await _collected(context, request)


async def _collected(context: PageContext, request: Request) -> PageAnswer:
    secret, _, back = cookie_in(request, BROWSER_COOKIE).partition(".")
    try:
        collected = await collect(
            context.store,
            request.path_params["ticket"],
            secret,
            device=device_of(request),
            address=address_of(request),
            renews=context.caller,
        )
    except LockstepError as refused:
        return _failed(refused.detail, refused.next_step, status=STATUSES[refused.kind])
    if collected.session is None:
        return Redirect(f"/settings/security/sign-ins/{collected.attempt}")
    await sign_ins.sign_out(context.store, session_secret(request))  # the browser's previous session
    response = signed_in(request, collected.session, back=_page_in(back) if collected.began_here else "/")
    drop_cookie(response, request, BROWSER_COOKIE, path="/sso")
    keep_cookie(response, request, KNOWN_COOKIE, collected.known, until=KNOWN_LASTS, path="/sso")
    return response


def _page_in(kept: str) -> str:
    """Return the page that `leave_for` stored in the browser."""
    try:
        return safe_next(base64.urlsafe_b64decode(kept).decode())
    except (binascii.Error, ValueError):
        return "/"


@pages.get("/sso/failed", is_public=True)
async def failed(_: PageContext, request: Request) -> PageAnswer:
    given = request.query_params.get("number", "")
    number = given if _NUMBER.match(given) else ""
    if request.query_params.get("start") == "here":
        return _failed(
            "Your identity provider signed you in, but Documo cannot tell which account to sign you in to",
            "Choose Try again and enter your email",
            number=number,
        )
    return _failed("Documo did not accept your identity provider's response", "Ask your administrator", number=number)


@pages.get(METADATA_PATH, is_public=True)
async def service_metadata(context: PageContext, request: Request) -> PageAnswer:
    xml = await metadata_at(context.store, request.query_params.get("account", ""), api_url=context.api_url)
    return Response(
        xml,
        media_type="application/samlmetadata+xml",
        headers={"Content-Disposition": 'attachment; filename="documo-metadata.xml"'},
    )


@pages.get(LOGOUT_PATH, is_public=True)
async def logout(context: PageContext, request: Request) -> PageAnswer:
    """Handle the provider's request to end sessions, or its response to our request."""
    query = request.scope["query_string"].decode("latin-1")
    if "SAMLResponse" in request.query_params:
        return Redirect(SIGN_IN, notice="You are signed out")
    try:
        answer = await leaving.leave_for_provider(context.store, query, api_url=context.api_url)
    except LockstepError as refused:
        log.warning("sign_out_refused", code=refused.code, detail=refused.detail)
        raise _not_signed_out() from None
    return RedirectResponse(answer, status_code=303) if answer else Redirect(SIGN_IN, notice="You are signed out")


def leave_for(
    context: PageContext, request: Request, asked: ProviderRequest, *, back: str = "/"
) -> Response | PageView:
    """Return the page that sends the request to the provider. *back* is the page after the sign-in.

    A redirect would not work, because browsers block redirects to other servers after one of our forms.
    """
    response = context.rendered(
        request,
        PageView(
            "sso/leave.html",
            heading="Opening your company's sign-in page",
            model={"url": asked.url, "fields": asked.fields, "lead": "If nothing happens, choose Continue."},
            sends_to=asked.url if asked.fields else "",
        ),
    )
    kept = base64.urlsafe_b64encode(back[:_MOST_BACK].encode()).decode()
    keep_cookie(response, request, BROWSER_COOKIE, f"{asked.browser_secret}.{kept}", until=REQUEST_LASTS, path="/sso")
    return response


def _form(*, email: str = "", next_: str = "/", refused: LockstepError | None = None) -> PageView:
    return PageView(
        "sso/sign_on.html",
        heading="Sign in with SSO",
        model={"email": email, "next": next_, "refused": refused},
        status=STATUSES[refused.kind] if refused else 200,
    )


def _not_signed_out() -> LockstepError:
    """Return the error that the person sees if the identity provider could not sign them out. The session at Documo has not ended. The
    error does not say what was wrong.
    """
    return invalid(
        "Your identity provider could not sign you out of Documo",
        next_step="Sign out in Documo. If this happens again, give your administrator the request number",
        code="SignOutFailed",
    )


def _failed(detail: str, next_step: str, *, number: str = "", status: int = 403) -> PageView:
    return PageView(
        "sso/failed.html",
        heading="Sign-in failed",
        model={"detail": detail, "next_step": next_step, "number": number},
        status=status,
    )
