"""Users of the account: search, New user, role, activate, deactivate, undelete, and the link that sets a password."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta

from starlette.requests import Request

from documo import members
from documo.access import member_sign_in as sign_ins
from documo.accounts import Account
from documo.store import accounts as accounts_table
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import LockstepError
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Answer, Chip, Crumb, PageView, Redirect, address, on_the_form

pages = DocumoPages()
PAGE_SIZE = 50
SHOWN = {"": "Current", "inactive": "Inactive", "deleted": "Deleted"}


@pages.get("/users")
async def list_users(context: PageContext, request: Request) -> Answer:
    account = await context.as_admin()
    search, shown = request.query_params.get("search", "").strip(), request.query_params.get("show", "")
    after = request.query_params.get("after", "")
    shown = shown if shown in SHOWN else ""
    found = await members.find_members(
        context.store, account, search=search, only=shown, after=after, most=PAGE_SIZE + 1
    )
    page, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    return PageView(
        "users/list.html",
        heading="Users",
        section="Users",
        model={
            "members": page,
            "search": search,
            "shown": shown,
            "show_chips": [
                Chip(label, address("/users", show=value, search=search), shown == value)
                for value, label in SHOWN.items()
            ],
            "next": address("/users", show=shown, search=search, after=page[-1].key) if more else None,
            "previous": address("/users", show=shown, search=search) if after else None,
            "undelete_days": account.undelete_days,
        },
    )


@pages.get("/users/new")
async def new_user(context: PageContext, _: Request) -> Answer:
    return await _new_form(context, await context.as_admin(), {})


@pages.post("/users/new")
async def create_user(context: PageContext, request: Request) -> Answer:
    account = await context.as_admin()
    entered = {name: str(value) for name, value in (await request.form()).items() if isinstance(value, str)}
    try:
        member = await members.add_member(
            context.store,
            account.id,
            entered.get("email", "").strip(),
            role=entered.get("role", account.default_role),
            given_name=entered.get("given_name", "").strip(),
            family_name=entered.get("family_name", "").strip(),
            phone=entered.get("phone", "").strip(),
        )
    except LockstepError as refused:
        return await _new_form(context, account, entered, on_the_form(refused))
    link = await sign_ins.password_link(context.store, account, member, created_by=context.member().user_name)
    return _link_page(context, member, link)


@pages.get("/users/{id}")
async def show_user(context: PageContext, request: Request) -> Answer:
    return await _user(context, await context.as_admin(), request.path_params["id"])


@pages.post("/users/{id}/role")
async def set_role(context: PageContext, request: Request) -> Answer:
    account, who = await context.as_admin(), request.path_params["id"]
    role = str((await request.form()).get("role", ""))
    change = members.set_role(context.store, account, who, role)
    return await _changed(context, account, who, change, notice=f"The role is now {role}")


@pages.post("/users/{id}/deactivate")
async def deactivate(context: PageContext, request: Request) -> Answer:
    account, who = await context.as_admin(), request.path_params["id"]
    change = members.disable(context.store, account, who)
    return await _changed(context, account, who, change, notice="Deactivated, and signed out everywhere")


@pages.post("/users/{id}/activate")
async def activate(context: PageContext, request: Request) -> Answer:
    account, who = await context.as_admin(), request.path_params["id"]
    change = members.enable(context.store, account, who)
    return await _changed(context, account, who, change, notice="Activated")


@pages.post("/users/{id}/undelete")
async def undelete(context: PageContext, request: Request) -> Answer:
    account, who = await context.as_admin(), request.path_params["id"]
    await members.undelete(context.store, account.id, who, window_days=account.undelete_days)
    return Redirect(f"/users/{who}", notice="Restored")


@pages.post("/users/{id}/link")
async def make_link(context: PageContext, request: Request) -> Answer:
    account, who = await context.as_admin(), request.path_params["id"]
    link = await sign_ins.password_link(context.store, account, who, created_by=context.member().user_name)
    return _link_page(context, who, link)


async def _changed(
    context: PageContext, account: Account, who: str, change: Awaitable[object], *, notice: str
) -> Answer:
    """Make the change and go back to the user's page, which says why if it was refused."""
    try:
        await change
    except LockstepError as refused:
        return await _user(context, account, who, on_the_form(refused))
    return Redirect(f"/users/{who}", notice=notice)


async def _new_form(
    context: PageContext, account: Account, entered: dict[str, str], refused: LockstepError | None = None
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


async def _user(context: PageContext, account: Account, who: str, refused: LockstepError | None = None) -> PageView:
    member = await members.show(context.store, account, who)
    return PageView(
        "users/user.html",
        heading=member["name"] or member["user_name"],
        section="Users",
        parents=(Crumb("Users", "/users"),),
        model={"member": member, "refused": refused, "roles": await _roles(context, account)},
        status=STATUSES[refused.kind] if refused else 200,
    )


def _link_page(context: PageContext, member: str, link: sign_ins.PasswordLink) -> PageView:
    return PageView(
        "users/link.html",
        heading="Link to set a password",
        section="Users",
        parents=(Crumb("Users", "/users"), Crumb(link.user_name, f"/users/{member}")),
        model={
            "address": f"{context.api_url}/links/{link.secret}",
            "link": link,
            "days": sign_ins.LINK_LASTS // timedelta(days=1),
            "member": member,
        },
    )


async def _roles(context: PageContext, account: Account) -> list[tuple[str, str]]:
    async with context.store.tenant(account.id) as connection:
        return await accounts_table.role_rows(connection, account.id)
