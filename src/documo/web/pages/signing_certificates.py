"""Account Settings > Security > Certificates: Documo's certificates for an account's single sign-on, and how to replace them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from documo.access.confirming import CONFIRMED
from documo.access.sso import own_keys, providers
from documo.access.sso.own_keys import KeyState
from documo.access.sso.service import metadata_address
from documo.permissions import MemberPermission
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import LockstepError, conflict, not_found
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Crumb, PageAnswer, PageView, Redirect, on_the_form

pages = DocumoPages()
HERE = "/settings/security/certificates"


@pages.get(HERE, needs=MemberPermission.SINGLE_SIGN_ON)
async def list_certificates(context: PageContext, _: Request) -> PageAnswer:
    return await _list(context)


@pages.get(HERE + "/{thumbprint}/download", needs=MemberPermission.SINGLE_SIGN_ON)
async def download_certificate(context: PageContext, request: Request) -> Response:
    keys = await own_keys.own_keys(context.store, context.member().tenant_id)
    found = next((key for key in keys if key.thumbprint == request.path_params["thumbprint"]), None)
    if found is None:
        raise not_found(
            "This certificate does not exist", next_step="It may have been removed. Open Security > Certificates"
        )
    return Response(
        found.signing.certificate.pem,
        media_type="application/x-pem-file",
        headers={"Content-Disposition": f'attachment; filename="documo-{found.thumbprint[:8]}.pem"'},
    )


@pages.post(HERE, needs=MemberPermission.SINGLE_SIGN_ON, confirmed=CONFIRMED)
async def new_certificate(context: PageContext, _: Request) -> PageAnswer:
    try:
        await own_keys.prepare_key(context.store, context.member().tenant_id)
    except LockstepError as refused:
        return await _list(context, on_the_form(refused))
    return Redirect(HERE, notice="The new certificate is prepared. Documo does not sign with it yet")


@pages.post(HERE + "/activate", needs=MemberPermission.SINGLE_SIGN_ON, confirmed=CONFIRMED)
async def make_active(context: PageContext, request: Request) -> PageAnswer:
    form = await request.form()
    try:
        await own_keys.activate_key(context.store, context.member().tenant_id, str(form.get("thumbprint", "")))
    except LockstepError as refused:
        return await _list(context, on_the_form(refused))
    return Redirect(HERE, notice="Documo now signs with this certificate")


@pages.post(HERE + "/remove", needs=MemberPermission.SINGLE_SIGN_ON, confirmed=CONFIRMED)
async def remove_certificate(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    try:
        if str(form.get("confirmation", "")).strip() != account.name:
            raise conflict("The name was not typed. Nothing was removed", next_step=f"Type {account.name}")
        await own_keys.remove_key(context.store, account.id, str(form.get("thumbprint", "")))
    except LockstepError as refused:
        return await _list(context, on_the_form(refused))
    return Redirect(HERE, notice="The certificate was removed")


async def _list(context: PageContext, refused: LockstepError | None = None) -> PageView:
    account, now = await context.account(), datetime.now(UTC)
    keys = await own_keys.own_keys(context.store, account.id)
    provider = await providers.find_provider(context.store, account.id)
    model: dict[str, Any] = {
        "keys": keys,
        "other": keys[1] if len(keys) > 1 else None,
        "states": {KeyState.NEXT: "Next", KeyState.ACTIVE: "Active", KeyState.RETIRING: "Old"},
        "ending": [key for key in keys if key.warns(now)],
        "provider": provider,
        "is_signing": provider is not None and provider.row.requests_signed,
        "metadata_url": await metadata_address(context.store, account.id, context.api_url),
        "account": account,
        "now": now,
        "here": HERE,
        "refused": refused,
    }
    return PageView(
        "settings/signing_certificates.html",
        heading="Certificates of Documo",
        section="Account Settings",
        parents=(Crumb("Security", "/settings/security"),),
        model=model,
        status=STATUSES[refused.kind] if refused else 200,
    )
