"""The member's own account: password, second factor and sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import segno
from markupsafe import Markup
from starlette.requests import Request

from documo.access import own_sign_in, second_factor
from documo.accounts import account_with_id
from documo.permissions import MemberPermission
from documo.web.context import DocumoPages, PageContext
from documo.web.sessions import signed_in
from lockstep.errors import LockstepError
from lockstep.kit.cookies import address_of, device_of
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Crumb, PageAnswer, PageView, Redirect, on_the_form

pages = DocumoPages()
HERE = "/own-account"
HEADING = "Own account"
FACTOR = f"{HERE}/second-factor"


@pages.get(HERE, needs=MemberPermission.OWN_ACCOUNT)
async def show(context: PageContext, _: Request) -> PageAnswer:
    return await _page(context)


@pages.post(f"{HERE}/password", needs=MemberPermission.OWN_ACCOUNT)
async def change_password(context: PageContext, request: Request) -> PageAnswer:
    form, caller = await request.form(), context.member()
    try:
        session = await own_sign_in.change_password(
            context.store, caller, str(form.get("password", "")), str(form.get("new_password", "")),
            device=device_of(request), address=address_of(request),
        )  # fmt: skip
    except LockstepError as refused:
        return await _page(context, on_the_form(refused))
    return signed_in(request, session, back=HERE)


@pages.post(f"{HERE}/sessions/end", needs=MemberPermission.OWN_ACCOUNT)
async def end_session(context: PageContext, request: Request) -> PageAnswer:
    caller, form = context.member(), await request.form()
    account = await account_with_id(context.store, caller.tenant_id)
    await own_sign_in.end_sessions(context.store, account, caller.member_id, only=str(form.get("session", "")))
    return Redirect(HERE, notice="The session was ended")


@pages.post(f"{HERE}/sessions/end-others", needs=MemberPermission.OWN_ACCOUNT)
async def end_other_sessions(context: PageContext, _: Request) -> PageAnswer:
    await own_sign_in.end_other_sessions(context.store, context.member())
    return Redirect(HERE, notice="You are signed out in all other browsers")


@pages.post(FACTOR, needs=MemberPermission.OWN_ACCOUNT)
async def begin(context: PageContext, request: Request) -> PageAnswer:
    """Show the QR code. The second factor takes effect when a first code has been entered."""
    form, caller = await request.form(), context.member()
    try:
        await own_sign_in.require_password(context.store, caller, str(form.get("password", "")))
        made = await second_factor.begin_second_factor(
            context.store, caller.tenant_id, caller.member_id, account=caller.account
        )
    except LockstepError as refused:
        return await _page(context, on_the_form(refused))
    return _enrolment(made)


@pages.post(f"{FACTOR}/confirm", needs=MemberPermission.OWN_ACCOUNT)
async def confirm(context: PageContext, request: Request) -> PageAnswer:
    form, caller = await request.form(), context.member()
    try:
        codes = await second_factor.confirm_second_factor(
            context.store,
            caller.tenant_id,
            caller.member_id,
            str(form.get("code", "")),
            session=caller.session,
            now=datetime.now(UTC),
        )
    except LockstepError as refused:
        waiting = await second_factor.waiting_seed(
            context.store, caller.tenant_id, caller.member_id, account=caller.account
        )
        shown = on_the_form(refused)
        return _enrolment(waiting, shown) if waiting else await _page(context, shown)
    return PageView(
        "own_account/recovery_codes.html",
        heading="Recovery codes",
        parents=(Crumb(HEADING, HERE),),
        model={"codes": codes, "here": HERE},
    )


@pages.post(f"{FACTOR}/remove", needs=MemberPermission.OWN_ACCOUNT)
async def remove(context: PageContext, request: Request) -> PageAnswer:
    form, caller = await request.form(), context.member()
    try:
        await own_sign_in.require_password(context.store, caller, str(form.get("password", "")))
        await second_factor.remove_second_factor(
            context.store, caller.tenant_id, caller.member_id, session=caller.session
        )
    except LockstepError as refused:
        return await _page(context, on_the_form(refused))
    return Redirect(HERE, notice="The second factor was removed. You now sign in with only your password")


async def _page(context: PageContext, refused: LockstepError | None = None) -> PageView:
    caller = context.member()
    account = await account_with_id(context.store, caller.tenant_id)
    model: dict[str, Any] = {
        "member": caller,
        "sessions": await own_sign_in.sessions_of(context.store, account, caller.member_id),
        "has_second_factor": await second_factor.has_second_factor(context.store, caller.tenant_id, caller.member_id),
        "has_password": await own_sign_in.has_password(context.store, caller),
        "refused": refused,
        "here": HERE,
    }
    return PageView(
        "own_account/own_account.html",
        heading=HEADING,
        model=model,
        status=STATUSES[refused.kind] if refused else 200,
    )


def _enrolment(made: second_factor.NewMemberSecondFactor, refused: LockstepError | None = None) -> PageView:
    return PageView(
        "own_account/second_factor.html",
        heading="Second factor",
        parents=(Crumb(HEADING, HERE),),
        model={"seed": made.seed, "picture": _picture(made.uri), "here": HERE, "refused": refused},
        status=STATUSES[refused.kind] if refused else 200,
    )


def _picture(uri: str) -> Markup:
    """Return the QR code as SVG. segno builds it from numbers only, so it is safe to insert unescaped."""
    code = segno.make(uri, error="m")
    return Markup(code.svg_inline(scale=4, border=2, dark="#000", light="#fff", lineclass=None))  # noqa: S704
