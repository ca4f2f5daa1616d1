"""Branding: name, colour and logo of the account, and the domains of its pages and its API."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from documo import branding, domains
from documo.permissions import MemberPermission
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Chip, Crumb, PageAnswer, PageView, Redirect, on_the_form

pages = DocumoPages()
HERE = "/settings/branding"
DOMAIN = f"{HERE}/domain"
SECTION = "Account Settings"
_FORM = 64 * 1024  # bytes of a form besides the logo
_LOGO_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",  # the address contains the version
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}


@pages.get(HERE, needs=MemberPermission.BRANDING)
async def show_brand(context: PageContext, _: Request) -> PageAnswer:
    return _brand_page(context)


@pages.post(HERE, needs=MemberPermission.BRANDING)
async def save_brand(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    entered = {"name": str(form.get("name", "")), "accent": str(form.get("accent", ""))}
    try:
        await branding.save_brand(context.store, account.id, **entered)
    except LockstepError as refused:
        return _brand_page(context, on_the_form(refused), entered)
    return Redirect(HERE, notice="Saved")


@pages.post(f"{HERE}/logo", form_bytes=branding.MOST_LOGO + _FORM, needs=MemberPermission.BRANDING)
async def save_logo(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    given = form.get("logo")
    try:
        if not isinstance(given, UploadFile) or not given.filename:
            raise invalid("No file was selected", next_step="Select an image, then upload it")
        await branding.save_logo(context.store, account.id, await given.read())
    except LockstepError as refused:
        return _brand_page(context, on_the_form(refused))
    return Redirect(HERE, notice="The logo was saved")


@pages.post(f"{HERE}/logo/remove", needs=MemberPermission.BRANDING)
async def remove_logo(context: PageContext, _: Request) -> PageAnswer:
    await branding.remove_logo(context.store, (await context.account()).id)
    return Redirect(HERE, notice="The logo was removed")


@pages.get("/branding/logo", is_public=True)
async def logo(context: PageContext, request: Request) -> Response:
    """Return the logo of the caller's account. For a visitor who has not signed in, return the logo of the account that owns this
    domain.
    """
    brand = context.caller.brand if context.caller is not None else request.state.brand
    found = await branding.read_logo(context.store, brand.tenant_id) if brand is not None else None
    if found is None:
        raise not_found("There is no logo here")
    return Response(found[0], media_type=found[1], headers=_LOGO_HEADERS)


@pages.get(DOMAIN, needs=MemberPermission.BRANDING)
async def show_domains(context: PageContext, _: Request) -> PageAnswer:
    return await _domain_page(context)


@pages.post(DOMAIN, needs=MemberPermission.BRANDING)
async def set_domain(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    kind = str(form.get("kind")) if form.get("kind") in (domains.APP, domains.EMAIL) else domains.API
    host = str(form.get("host", "")).strip()
    try:
        await domains.set_domain(context.store, account.id, host, kind=kind)
    except LockstepError as refused:
        return await _domain_page(context, on_the_form(refused), {kind: host})
    return Redirect(DOMAIN, notice="Now set the DNS records, then verify the domain")


@pages.post(f"{DOMAIN}/verify", needs=MemberPermission.BRANDING)
async def verify_domain(context: PageContext, request: Request) -> PageAnswer:
    account, host = await context.account(), str((await request.form()).get("host", ""))
    try:
        await domains.verify_domain(context.store, account.id, host, name_server=context.name_server, look=context.look)
    except LockstepError as refused:
        return await _domain_page(context, on_the_form(refused))
    return Redirect(DOMAIN, notice=f"{host} is now verified")


@pages.post(f"{DOMAIN}/remove", needs=MemberPermission.BRANDING)
async def remove_domain(context: PageContext, request: Request) -> PageAnswer:
    account, host = await context.account(), str((await request.form()).get("host", ""))
    await domains.remove_domain(context.store, account.id, host)
    return Redirect(DOMAIN, notice=f"{host} was removed")


def _brand_page(
    context: PageContext, refused: LockstepError | None = None, entered: dict[str, str] | None = None
) -> PageView:
    brand = context.member().brand
    own_name = "" if brand.name == brand.account else brand.name
    return PageView(
        "settings/branding.html",
        heading="Branding",
        section=SECTION,
        model={
            "chips": _chips(HERE),
            "entered": entered or {"name": own_name, "accent": brand.accent},
            "accents": list(branding.ACCENTS.items()),
            "most_kilobytes": branding.MOST_LOGO // 1_000,
            "most_side": branding.MOST_SIDE,
            "refused": refused,
            "here": HERE,
        },
        status=STATUSES[refused.kind] if refused else 200,
    )


async def _domain_page(
    context: PageContext, refused: LockstepError | None = None, entered: dict[str, str] | None = None
) -> PageView:
    account = await context.account()
    found = await domains.list_domains(context.store, account.id)
    return PageView(
        "settings/domain.html",
        heading="Domain",
        section=SECTION,
        parents=(Crumb("Branding", HERE),),
        model={
            "chips": _chips(DOMAIN),
            "kinds": [
                (kind, title, text, [one for one in found if one.kind == kind])
                for kind, title, text in (
                    (domains.APP, "App domain", "The address of these pages for your members. Its sign-in page shows your brand."),
                    (domains.API, "API domain", "The address of the API for your directory. The API URL and the SCIM Tenant URL use it."),
                    (domains.EMAIL, "Email domain", "Once it is verified, no other account can use SSO for this email domain."),
                )
            ],
            "entered": entered or {},
            "target": _target(context.public_url),
            "now": datetime.now(UTC),
            "is_https": context.look is not None,
            "refused": refused,
            "here": DOMAIN,
        },
        status=STATUSES[refused.kind] if refused else 200,
    )  # fmt: skip


def _chips(current: str) -> list[Chip]:
    return [Chip(label, href, href == current) for label, href in (("Look", HERE), ("Domain", DOMAIN))]


def _target(public_url: str) -> str:
    """Return the name to which a CNAME record should point, or "" if this service's address is an IP address or a name without a dot."""
    host = urlsplit(public_url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host if "." in host else ""
    return ""
