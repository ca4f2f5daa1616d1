"""Account Settings > Security: Configure SSO (Setup SAML), Test SSO, Enforce, and the results of sign-ins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from documo.access.confirming import CONFIRMED, require_opened_form, seal_opened_form
from documo.access.sso import own_keys, providers
from documo.access.sso.addresses import place_of, service_address
from documo.access.sso.asking import ask
from documo.access.sso.providers import SamlSetup
from documo.access.sso.service import metadata_address
from documo.accounts import TenantAccount
from documo.permissions import MemberPermission
from documo.store import accounts as accounts_table
from documo.store import members as members_table
from documo.store import single_sign_on as attempts_table
from documo.web.context import DocumoPages, PageContext
from documo.web.pages.sso import leave_for
from lockstep.errors import LockstepError, conflict, invalid, not_found
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Crumb, PageAnswer, PageView, Redirect, on_the_form
from lockstep.saml.faults import SamlFault
from lockstep.saml.showing import readable

pages = DocumoPages()
HERE = "/settings/security"
SETUP = HERE + "/sso"
MOST_ATTEMPTS = 50
MAX_METADATA = 1024 * 1024  # bytes
FLAGS = ("requests_signed", "requests_by_post", "allows_unsolicited", "allows_sha1", "allows_rsa15", "creates_members")


@pages.get(HERE, needs=MemberPermission.SINGLE_SIGN_ON)
async def security(context: PageContext, _: Request) -> PageAnswer:
    return await _overview(context, await context.account())


@pages.get(SETUP, needs=MemberPermission.SINGLE_SIGN_ON, confirmed=CONFIRMED)
async def setup_page(context: PageContext, _: Request) -> PageAnswer:
    account = await context.account()
    provider = await providers.find_provider(context.store, account.id)
    return await _setup(
        context,
        account,
        providers.setup_of(provider) if provider else SamlSetup("", "", ""),
        is_new=provider is None,
        opened=await seal_opened_form(context.store, context.member(), datetime.now(UTC)),
    )


@pages.post(SETUP, needs=MemberPermission.SINGLE_SIGN_ON)
async def save_setup(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    opened, entered = await _opened(context, form), _entered(form)
    try:
        await providers.set_up(context.store, account.id, entered)
        if entered.metadata_url:
            await context.metadata.refresh(account.id, now=datetime.now(UTC))
    except LockstepError as refused:
        is_new = await providers.find_provider(context.store, account.id) is None
        return await _setup(context, account, entered, is_new=is_new, opened=opened, refused=on_the_form(refused))
    return Redirect(HERE, notice="Single sign-on is set up. Test it before you enforce it")


@pages.post(SETUP + "/metadata", needs=MemberPermission.SINGLE_SIGN_ON)
async def read_metadata(context: PageContext, request: Request) -> PageAnswer:
    """Fill the form from metadata, without saving."""
    account, form = await context.account(), await request.form()
    opened = await _opened(context, form)
    provider = await providers.find_provider(context.store, account.id)
    before = providers.setup_of(provider) if provider else SamlSetup("", "", "")
    try:
        url = str(form.get("url", "")).strip()
        said = providers.setup_of_metadata(await _metadata_in(context, form, url), now=datetime.now(UTC))
    except LockstepError as refused:
        return await _setup(
            context, account, before, is_new=provider is None, opened=opened, refused=on_the_form(refused)
        )
    filled = replace(providers.filled_from(before, said), metadata_url=url)
    return await _setup(context, account, filled, is_new=provider is None, opened=opened, is_filled=True)


@pages.post(SETUP + "/remove", needs=MemberPermission.SINGLE_SIGN_ON, confirmed=CONFIRMED)
async def remove(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    try:
        if str(form.get("confirmation", "")).strip() != account.name:
            raise conflict("The name was not typed. Nothing was removed", next_step=f"Type {account.name}")
        await providers.remove_provider(context.store, account.id)
    except LockstepError as refused:
        return await _overview(context, account, on_the_form(refused))
    return Redirect(HERE, notice="Single sign-on was removed. Members sign in with passwords")


@pages.post(HERE + "/test", needs=MemberPermission.SINGLE_SIGN_ON)
async def test(context: PageContext, request: Request) -> Response | PageView | PageAnswer:
    account = await context.account()
    try:
        place = await place_of(context.store, account.id, request.headers.get("host", ""))
        asked = await ask(context.store, account.id, api_url=context.api_url, place=place, is_test=True)
    except LockstepError as refused:
        return await _overview(context, account, on_the_form(refused))
    return leave_for(context, request, asked)


@pages.post(HERE + "/enforce", needs=MemberPermission.SINGLE_SIGN_ON, confirmed=CONFIRMED)
async def enforce(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    try:
        if form.get("enforced"):
            await providers.enforce(context.store, account.id, break_glass=str(form.get("break_glass", "")))
        else:
            await providers.stop_enforcing(context.store, account.id)
    except LockstepError as refused:
        return await _overview(context, account, on_the_form(refused))
    return Redirect(
        HERE, notice="Members now sign in with SSO only" if form.get("enforced") else "Members can use passwords again"
    )


@pages.get(HERE + "/sign-ins/{id}", needs=MemberPermission.SINGLE_SIGN_ON)
async def show_attempt(context: PageContext, request: Request) -> PageAnswer:
    account = await context.account()
    async with context.store.tenant(account.id) as connection:
        found = await attempts_table.attempt(connection, account.id, request.path_params["id"])
    if found is None:
        raise not_found("This sign-in does not exist", next_step="Documo keeps the last 200")
    return PageView(
        "settings/sign_in_attempt.html",
        heading="Test of single sign-on" if found.is_test else "Sign-in",
        section="Account Settings",
        parents=(Crumb("Security", HERE),),
        model={"attempt": found, "response": _indented(found.response)},
    )


def _indented(response: str) -> str:
    """Return the XML of a response with line breaks. If it cannot be parsed, return it unchanged: a response that is too long to be
    accepted is stored only in part.
    """
    try:
        return readable(response.encode())
    except SamlFault:
        return response


async def _opened(context: PageContext, form: FormData) -> str:
    """Return the hidden field that proves that a confirmed session opened the form. If the form has no valid proof and the session is
    not confirmed now, raises ConfirmationRequired.
    """
    opened = str(form.get("opened", ""))
    await require_opened_form(context.store, context.member(), opened, datetime.now(UTC))
    return opened


async def _metadata_in(context: PageContext, form: FormData, url: str) -> bytes:
    upload, pasted = form.get("file"), str(form.get("pasted", "")).strip()
    if isinstance(upload, UploadFile) and upload.filename:
        data = await upload.read(MAX_METADATA + 1)
    elif pasted:
        data = pasted.encode()
    elif url:
        data = await context.metadata.fetch(url)
    else:
        raise invalid("No metadata was given", next_step="Paste it, choose its file, or enter its address")
    if len(data) > MAX_METADATA:
        raise invalid(
            "The metadata is larger than 1 MB", next_step="Paste only the EntityDescriptor of your identity provider"
        )
    return data


def _entered(form: FormData) -> SamlSetup:
    texts: Mapping[str, str] = {name: str(value) for name, value in form.items() if isinstance(value, str)}
    return SamlSetup(
        entity_id=texts.get("entity_id", ""),
        sign_in_url=texts.get("sign_in_url", ""),
        certificates=texts.get("certificates", ""),
        email_domain=texts.get("email_domain", ""),
        identity_attribute=texts.get("identity_attribute", ""),
        logout_url=texts.get("logout_url", ""),
        metadata_url=texts.get("metadata_url", ""),
        default_role=texts.get("default_role", ""),
        **{name: name in texts for name in FLAGS},
    )


async def _overview(context: PageContext, account: TenantAccount, refused: LockstepError | None = None) -> PageView:
    now = datetime.now(UTC)
    provider = await providers.find_provider(context.store, account.id)
    keys = await own_keys.own_keys(context.store, account.id)  # the metadata at the address shown here contains them
    async with context.store.tenant(account.id) as connection:
        attempts = await attempts_table.attempts(connection, account.id, most=MOST_ATTEMPTS)
        admins = await members_table.admins_with_password(connection, account.id)
    model: dict[str, Any] = {
        "provider": provider,
        "service": await service_address(context.store, account.id, context.api_url),
        "metadata_url": await metadata_address(context.store, account.id, context.api_url),
        "ending": provider.ending(now) if provider else [],
        "keys": keys,
        "ending_keys": [key for key in keys if key.warns(now)],
        "attempts": attempts,
        "admins": [(name, name) for _, name in admins],
        "kept_by": next((name for member, name in admins if provider and member == provider.row.break_glass), ""),
        "account": account,
        "now": now,
        "refused": refused,
    }
    return PageView(
        "settings/security.html",
        heading="Security",
        section="Account Settings",
        model=model,
        status=STATUSES[refused.kind] if refused else 200,
    )


async def _setup(
    context: PageContext,
    account: TenantAccount,
    entered: SamlSetup,
    *,
    is_new: bool,
    opened: str,
    is_filled: bool = False,
    refused: LockstepError | None = None,
) -> PageView:
    async with context.store.tenant(account.id) as connection:
        roles = await accounts_table.role_rows(connection, account.id)
    return PageView(
        "settings/setup_saml.html",
        heading="Setup SAML",
        section="Account Settings",
        parents=(Crumb("Security", HERE),),
        model={
            "entered": entered,
            "roles": [("", f"Default ({account.default_role})"), *roles],
            "service": await service_address(context.store, account.id, context.api_url),
            "is_new": is_new,
            "opened": opened,
            "is_filled": is_filled,
            "refused": refused,
        },
        status=STATUSES[refused.kind] if refused else 200,
    )
