"""Users of the account: search, filters, New user, and an Admin's actions on one user."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta

from starlette.requests import Request

from documo import member_records, members
from documo.access import own_sign_in, password_links, second_factor
from documo.access.confirming import CONFIRMED, ConfirmationRequired
from documo.accounts import TenantAccount
from documo.member_records import MemberDetails
from documo.members import ADMIN
from documo.permissions import MemberPermission
from documo.store import accounts as accounts_table
from documo.web.context import DocumoPages, PageContext
from lockstep.credentials.passwords import check_password
from lockstep.errors import LockstepError, conflict
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Chip, Crumb, PageAnswer, PageView, Redirect, address, on_the_form
from lockstep.wording import counted

pages = DocumoPages()
PAGE_SIZE = 50
SHOWN = {"": "Current", "active": "Active", "inactive": "Inactive", "deleted": "Deleted"}
SOURCES = {"": "Any source", "local": "Local", "scim": "SCIM"}


@pages.get("/users", needs=MemberPermission.USERS)
async def list_users(context: PageContext, request: Request) -> PageAnswer:
    account, query = await context.account(), request.query_params
    roles = await _roles(context, account)
    shown = query.get("show", "") if query.get("show", "") in SHOWN else ""
    source = query.get("source", "") if query.get("source", "") in SOURCES else ""
    role = query.get("role", "") if query.get("role", "") in dict(roles) else ""
    search, after = query.get("search", "").strip(), query.get("after", "")
    found = await members.find_members(
        context.store, account, search=search, only=shown, role=role, source=source, after=after, most=PAGE_SIZE + 1
    )
    page, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    chosen = {"show": shown, "role": role, "source": source, "search": search}
    return PageView(
        "users/list.html",
        heading="Users",
        section="Users",
        model={
            "members": page,
            **chosen,
            "is_filtered": any(chosen.values()),
            "roles": [("", "Any role"), *roles],
            "sources": list(SOURCES.items()),
            "show_chips": [
                Chip(label, address("/users", **{**chosen, "show": value}), shown == value)
                for value, label in SHOWN.items()
            ],
            "next": address("/users", **chosen, after=page[-1].key) if more else None,
            "previous": address("/users", **chosen) if after else None,
            "undelete_days": account.undelete_days,
        },
    )


@pages.get("/users/new", needs=MemberPermission.USERS)
async def new_user(context: PageContext, _: Request) -> PageAnswer:
    return await _new_form(context, await context.account(), {})


@pages.post("/users/new", needs=MemberPermission.USERS)
async def create_user(context: PageContext, request: Request) -> PageAnswer:
    account = await context.account()
    entered = await _entered(request)
    details, password = _details(entered), entered.pop("password", "")
    try:
        if password:
            check_password(password, details.user_name)
        role = await members.find_role(context.store, account, entered.get("role", account.default_role))
        _require_confirmed_for(context, role)
        member = await members.add_member(
            context.store,
            account.id,
            details.user_name,
            role=role,
            given_name=details.given_name,
            family_name=details.family_name,
            phone=details.phone,
        )
    except ConfirmationRequired:
        raise
    except LockstepError as refused:
        return await _new_form(context, account, entered, on_the_form(refused))
    if password:
        await password_links.set_password(context.store, account, member, password)
        return Redirect(f"/users/{member}", notice="The user was created and can sign in with the password")
    return _link_page(context, member, await _new_link(context, account, member))


@pages.get("/users/{id}", needs=MemberPermission.USERS)
async def show_user(context: PageContext, request: Request) -> PageAnswer:
    return await _user(context, await context.account(), request.path_params["id"])


@pages.post("/users/{id}/details", needs=MemberPermission.USERS)
async def change_details(context: PageContext, request: Request) -> PageAnswer:
    account, who, entered = await context.account(), request.path_params["id"], _details(await _entered(request))
    before, _ = await member_records.details_of(context.store, account, who)
    if entered.user_name != before.user_name:  # who signs in with SSO is found by this name
        _require_confirmed_for(context, await members.effective_role(context.store, account, who))
    change = member_records.change_details(context.store, account, who, entered)
    return await _changed(context, account, who, change, notice="Saved", entered=entered)


@pages.post("/users/{id}/role", needs=MemberPermission.USERS, confirmed=CONFIRMED)
async def set_role(context: PageContext, request: Request) -> PageAnswer:
    account, who = await context.account(), request.path_params["id"]
    role = str((await request.form()).get("role", ""))
    change = members.set_role(context.store, account, who, role)
    return await _changed(context, account, who, change, notice=f"The role is now {role}")


@pages.post("/users/{id}/deactivate", needs=MemberPermission.USERS)
async def deactivate(context: PageContext, request: Request) -> PageAnswer:
    account, who = await context.account(), request.path_params["id"]
    change = members.disable(context.store, account, who)
    return await _changed(context, account, who, change, notice="The user was deactivated and signed out everywhere")


@pages.post("/users/{id}/activate", needs=MemberPermission.USERS)
async def activate(context: PageContext, request: Request) -> PageAnswer:
    account, who = await context.account(), request.path_params["id"]
    _require_confirmed_for(context, await members.effective_role(context.store, account, who))
    change = members.enable(context.store, account, who)
    return await _changed(context, account, who, change, notice="Activated")


@pages.post("/users/{id}/delete", needs=MemberPermission.USERS)
async def delete(context: PageContext, request: Request) -> PageAnswer:
    account, who, form = await context.account(), request.path_params["id"], await request.form()
    try:
        member = await members.show(context.store, account, who)
        if str(form.get("confirmation", "")).strip() != member["user_name"]:
            raise conflict("The email was not typed. Nothing was deleted", next_step=f"Type {member['user_name']}")
        await member_records.delete_member(context.store, account, who)
    except LockstepError as refused:
        return await _user(context, account, who, on_the_form(refused))
    days = counted(account.undelete_days, "day")
    return Redirect("/users?show=deleted", notice=f"The user was deleted. You can restore them here for {days}")


@pages.post("/users/{id}/undelete", needs=MemberPermission.USERS)
async def undelete(context: PageContext, request: Request) -> PageAnswer:
    account, who = await context.account(), request.path_params["id"]
    days = account.undelete_days
    _require_confirmed_for(context, await members.effective_role(context.store, account, who, deleted_within=days))
    await members.undelete(context.store, account.id, who, window_days=days)
    return Redirect(f"/users/{who}", notice="Restored")


@pages.post("/users/{id}/link", needs=MemberPermission.USERS, confirmed=CONFIRMED)
async def make_link(context: PageContext, request: Request) -> PageAnswer:
    account, who = await context.account(), request.path_params["id"]
    return _link_page(context, who, await _new_link(context, account, who))


@pages.post("/users/{id}/second-factor/reset", needs=MemberPermission.USERS, confirmed=CONFIRMED)
async def reset_second_factor(context: PageContext, request: Request) -> PageAnswer:
    account, who = await context.account(), request.path_params["id"]
    change = second_factor.reset_second_factor(context.store, account, who)
    return await _changed(context, account, who, change, notice="The second factor was removed")


@pages.post("/users/{id}/sessions/end", needs=MemberPermission.USERS)
async def end_sessions(context: PageContext, request: Request) -> PageAnswer:
    account, who = await context.account(), request.path_params["id"]
    only = str((await request.form()).get("session", ""))
    ended = await own_sign_in.end_sessions(context.store, account, who, only=only or None)
    return Redirect(f"/users/{who}", notice=f"{counted(ended, 'session')} ended")


def _require_confirmed_for(context: PageContext, role: str) -> None:
    """Raise ConfirmationRequired if the change gives a person the access of an Admin and the caller is not confirmed."""
    if role == ADMIN:
        context.require_confirmed()


async def _entered(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _details(entered: dict[str, str]) -> MemberDetails:
    names = ("email", "given_name", "family_name", "phone")
    return MemberDetails(*(entered.get(name, "").strip() for name in names))


async def _changed(
    context: PageContext, account: TenantAccount, who: str, change: Awaitable[object], *, notice: str,
    entered: MemberDetails | None = None,
) -> PageAnswer:  # fmt: skip
    """Make the change and return to the user's page. If the change is refused, show the page with the reason."""
    try:
        await change
    except LockstepError as refused:
        return await _user(context, account, who, on_the_form(refused), entered)
    return Redirect(f"/users/{who}", notice=notice)


async def _new_form(
    context: PageContext, account: TenantAccount, entered: dict[str, str], refused: LockstepError | None = None
) -> PageView:
    return PageView(
        "users/new.html",
        heading="New user",
        section="Users",
        parents=(Crumb("Users", "/users"),),
        model={
            "entered": entered,
            "refused": refused,
            "roles": await _roles(context, account),
            "default_role": account.default_role,
        },
        status=STATUSES[refused.kind] if refused else 200,
    )


async def _user(
    context: PageContext, account: TenantAccount, who: str, refused: LockstepError | None = None,
    entered: MemberDetails | None = None,
) -> PageView:  # fmt: skip
    member = await members.show(context.store, account, who)
    details, management = await member_records.details_of(context.store, account, who)
    return PageView(
        "users/user.html",
        heading=member["name"] or member["user_name"],
        section="Users",
        parents=(Crumb("Users", "/users"),),
        model={
            "member": member,
            "details": entered or details,
            "management": management,
            "sessions": await own_sign_in.sessions_of(context.store, account, who),
            "own_session": context.member().session,
            "is_self": context.member().member_id == member["id"],
            "undelete_days": account.undelete_days,
            "refused": refused,
            "roles": await _roles(context, account),
        },
        status=STATUSES[refused.kind] if refused else 200,
    )


async def _new_link(context: PageContext, account: TenantAccount, who: str) -> password_links.PasswordLink:
    return await password_links.password_link(context.store, account, who, created_by=context.member().user_name)


def _link_page(context: PageContext, member: str, link: password_links.PasswordLink) -> PageView:
    return PageView(
        "users/link.html",
        heading="Link to set a password",
        section="Users",
        parents=(Crumb("Users", "/users"), Crumb(link.user_name, f"/users/{member}")),
        model={
            "address": f"{context.app_url}/links/{link.secret}",
            "link": link,
            "days": password_links.LINK_LASTS // timedelta(days=1),
            "member": member,
        },
    )


async def _roles(context: PageContext, account: TenantAccount) -> list[tuple[str, str]]:
    async with context.store.tenant(account.id) as connection:
        return await accounts_table.role_rows(connection, account.id)
