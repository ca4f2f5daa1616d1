"""Sign in and out, and set a password through a link."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from documo.access import member_sign_in as sign_ins
from documo.access import password_links
from documo.access.password_links import LinkOwner
from documo.access.second_factor import CodeRequired
from documo.access.sso.leaving import leave
from documo.access.sso.providers import domain_of, tenant_for_email
from documo.permissions import MemberPermission
from documo.web.context import DocumoPages, PageContext
from documo.web.frame import PRODUCT
from documo.web.pages.sso import leave_by_email, no_provider
from documo.web.sessions import SIGN_IN, forgotten, session_secret, signed_in, signed_out
from lockstep.errors import LockstepError, invalid
from lockstep.kit import looks
from lockstep.kit.cookies import address_of, device_of
from lockstep.kit.opened_links import INSTEAD_OF, TEMPLATE, is_answered, question
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect
from lockstep.kit.returning import safe_next

pages = DocumoPages()


@pages.get(SIGN_IN, is_public=True)
async def sign_in_page(context: PageContext, request: Request) -> PageAnswer:
    back = safe_next(request.query_params.get("next", "/"))
    return Redirect(back) if context.caller is not None else _form(next_=back)


@pages.post(SIGN_IN, is_public=True)
async def sign_in(context: PageContext, request: Request) -> PageAnswer:
    form = await request.form()
    email, back = str(form.get("email", "")), safe_next(str(form.get("next", "/")))
    account, code = str(form.get("account", "")), str(form.get("code", ""))
    if form.get("way") == "sso" or not form.get("password"):
        return await _sign_in_by_domain(
            context, request, email, account=account, back=back, way=str(form.get("way", "")), wants_code="code" in form
        )
    try:
        session = await sign_ins.sign_in(
            context.store, email, str(form.get("password", "")), code=code, account=account,
            device=device_of(request), address=address_of(request),
        )  # fmt: skip
    except LockstepError as refused:
        has_provider = await tenant_for_email(context.store, email) is not None
        return _form(
            email=email, account=account, next_=back, refused=refused, wants_code=bool(code), has_provider=has_provider
        )
    await sign_ins.sign_out(context.store, session_secret(request))  # the browser's previous session
    return signed_in(request, session, back=back)


async def _sign_in_by_domain(
    context: PageContext, request: Request, email: str, *, account: str, back: str, way: str, wants_code: bool
) -> PageAnswer:
    """Send the browser to the provider of the email's domain or, if there is none, show the form again. Only the domain decides, so that
    nobody can find out who has an account.
    """
    try:
        leaving = await leave_by_email(context, request, email[:320], back=back)
    except LockstepError as refused:
        return _form(email=email, account=account, next_=back, refused=refused, wants_code=wants_code)
    if leaving is not None:
        return leaving
    missing = invalid(
        "The password is missing",
        next_step="Enter your password. No account uses single sign-on for this email domain",
    )
    refusal = no_provider(email) if way == "sso" else missing
    return _form(email=email, account=account, next_=back, refused=refusal, wants_code=wants_code)


@pages.post("/sign-out", needs=MemberPermission.OWN_ACCOUNT)
async def sign_out(context: PageContext, request: Request) -> PageAnswer:
    provider = await leave(context.store, session_secret(request), api_url=context.api_url)
    if not provider:
        return signed_out(request)
    view = PageView(
        "sso/leave.html",
        heading="Signed out of Documo",
        model={
            "url": provider,
            "fields": {},
            "lead": "Next, your company's session ends. If nothing happens, choose Continue.",
        },
    )
    return forgotten(request, context.rendered(request, view))


@pages.get("/links/{secret}", is_public=True)
async def link_page(context: PageContext, request: Request) -> PageAnswer:
    """Show the form for setting a password. If this browser is signed in as somebody else, ask first, because the link replaces that
    session.
    """
    owner = await password_links.owner_of_link(context.store, request.path_params["secret"])
    given = request.query_params.get(INSTEAD_OF, "")
    return _question(context, request, owner, given) or _password_form(request, owner, given)


@pages.post("/links/{secret}", is_public=True)
async def accept_link(context: PageContext, request: Request) -> PageAnswer:
    form, secret = await request.form(), request.path_params["secret"]
    owner, given = await password_links.owner_of_link(context.store, secret), str(form.get(INSTEAD_OF, ""))
    if asked := _question(context, request, owner, given):
        return asked
    try:
        session = await password_links.accept_link(
            context.store, secret, str(form.get("password", "")), code=str(form.get("code", "")),
            device=device_of(request), address=address_of(request),
        )  # fmt: skip
    except LockstepError as refused:
        return _password_form(request, owner, given, refused, wants_code="code" in form)
    await sign_ins.sign_out(context.store, session_secret(request))
    return signed_in(request, session, back="/")


@pages.post("/look", is_public=True)
async def change_look(_: PageContext, request: Request) -> Response:
    return await looks.change_look(request, PRODUCT)


def _form(
    *, email: str = "", account: str = "", next_: str = "/", refused: LockstepError | None = None,
    wants_code: bool = False, has_provider: bool = False,
) -> PageView:  # fmt: skip
    return PageView(
        "sign_in/sign_in.html",
        heading="Sign in",
        model={
            "email": email,
            "account": account,
            "next": next_,
            "refused": refused,
            "wants_code": wants_code or isinstance(refused, CodeRequired),
            "only_code_missing": isinstance(refused, CodeRequired),
            "domain": domain_of(email) if has_provider and not isinstance(refused, CodeRequired) else "",
        },
        status=STATUSES[refused.kind] if refused else 200,
    )


def _question(context: PageContext, request: Request, owner: LinkOwner, given: str) -> PageView | None:
    caller = context.caller
    if caller is None or is_answered(given, caller.session):
        return None
    if (caller.tenant_id, caller.member_id) == (owner.tenant_id, owner.member_id):
        return None
    signed_in_as = (
        f"{caller.user_name} of {caller.account}" if caller.user_name == owner.user_name else caller.user_name
    )
    model = question(request.url.path, owner=owner.user_name, signed_in=signed_in_as, session=caller.session, home="/")
    return PageView(TEMPLATE, "Somebody else is signed in", model)


def _password_form(
    request: Request, owner: LinkOwner, given: str, refused: LockstepError | None = None, *, wants_code: bool = False
) -> PageView:
    return PageView(
        "sign_in/password.html",
        heading="Set your password",
        model={
            "user_name": owner.user_name,
            "secret": request.path_params["secret"],
            "instead_of": given,
            "refused": refused,
            "wants_code": wants_code or isinstance(refused, CodeRequired),
            "only_code_missing": isinstance(refused, CodeRequired),
        },
        status=STATUSES[refused.kind] if refused else 200,
    )
