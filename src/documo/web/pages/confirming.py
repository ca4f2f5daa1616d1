"""The page on which a member confirms who they are before a sensitive change."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from documo.access.confirming import confirm
from documo.access.sso.addresses import place_of
from documo.access.sso.asking import ask
from documo.permissions import MemberPermission
from documo.web.context import DocumoPages, PageContext
from documo.web.pages.sso import leave_for
from documo.web.sessions import CONFIRM, signed_in
from lockstep.errors import LockstepError
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, on_the_form
from lockstep.kit.returning import safe_next

pages = DocumoPages()


@pages.get(CONFIRM, needs=MemberPermission.OWN_ACCOUNT)
async def show(context: PageContext, request: Request) -> PageAnswer:
    return _page(context, safe_next(request.query_params.get("next", "/")))


@pages.post(CONFIRM, needs=MemberPermission.OWN_ACCOUNT)
async def confirm_with_password(context: PageContext, request: Request) -> PageAnswer:
    form = await request.form()
    back = safe_next(str(form.get("next", "/")))
    try:
        session = await confirm(context.store, context.member(), str(form.get("password", "")))
    except LockstepError as refused:
        return _page(context, back, on_the_form(refused))
    return signed_in(request, session, back=back)


@pages.post(f"{CONFIRM}/sso", needs=MemberPermission.OWN_ACCOUNT)
async def confirm_at_the_provider(context: PageContext, request: Request) -> Response | PageView | PageAnswer:
    """Sign in again at the identity provider, which must ask for the credentials."""
    caller, form = context.member(), await request.form()
    back = safe_next(str(form.get("next", "/")))
    if not caller.is_federated:
        return Redirect(CONFIRM)
    place = await place_of(context.store, caller.tenant_id, request.headers.get("host", ""))
    asked = await ask(context.store, caller.tenant_id, api_url=context.api_url, place=place, is_again=True)
    return leave_for(context, request, asked, back=back)


def _page(context: PageContext, back: str, refused: LockstepError | None = None) -> PageView:
    return PageView(
        "sign_in/confirm.html",
        heading="Confirm who you are" if context.member().is_federated else "Confirm your password",
        model={"next": back, "refused": refused},
        status=STATUSES[refused.kind] if refused else 200,
    )
