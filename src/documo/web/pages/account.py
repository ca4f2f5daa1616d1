"""Account Settings: the name, the addresses to copy, plan and seats."""

from __future__ import annotations

from starlette.requests import Request

from documo.accounts import account_with_members
from documo.web.context import DocumoPages, PageContext
from lockstep.kit.pages import Answer, PageView

pages = DocumoPages()


@pages.get("/settings/account")
async def show_account(context: PageContext, _: Request) -> Answer:
    account, taken = await account_with_members(context.store, str((await context.as_admin()).id))
    return PageView(
        "settings/account.html",
        heading="Account",
        section="Account Settings",
        model={"account": account, "taken": taken, "api_url": context.api_url, "scim_url": context.scim_url},
    )
