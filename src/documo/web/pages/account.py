"""Account Settings: name, addresses to copy, plan and seats."""

from __future__ import annotations

import orjson
from starlette.requests import Request

from documo.accounts import seats_taken
from documo.permissions import MemberPermission
from documo.scim_service.writes.account_rules import no_seat_left
from documo.web.context import DocumoPages, PageContext
from lockstep.kit.pages import PageAnswer, PageView

pages = DocumoPages()


@pages.get("/settings/account", needs=MemberPermission.ACCOUNT)
async def show_account(context: PageContext, _: Request) -> PageAnswer:
    account = await context.account()
    answer = no_seat_left(account.seats or 1)
    return PageView(
        "settings/account.html",
        heading="Account",
        section="Account Settings",
        model={
            "account": account,
            "taken": await seats_taken(context.store, account.id),
            "api_url": context.api_url,
            "scim_url": context.scim_url,
            "seats_answer": f"HTTP {answer.status}\n{orjson.dumps(answer.error_body(), option=orjson.OPT_INDENT_2).decode()}",
        },
    )
