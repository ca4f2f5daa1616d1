"""Links between people and accounts, and accounts without a link."""

from __future__ import annotations

from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions import links
from lockstep.actions.rows.provisioning import LinkJson, OrphanJson, link_json, orphans_json
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, selected, words
from lockstep.api.paging import Asking, Page, page
from lockstep.api.shapes import AppName, Body, Name

router = router_of("Provisioning")
_LINK_STATES = ("live", "disabled", "released", "lost", "sought", "tombstone")
_LINKS = (Selects("name", "eq", "user"), Selects("state", "eq", "state", words(*_LINK_STATES)))


class ChosenLink(Body):
    user: Name = Field(examples=["kim.berg@contoso.test"])
    account: Name = Field(examples=["u_771"])


class SettledJson(TypedDict):
    application: str
    count: int


@router.get("/applications/{app}/links")
async def list_links(context: Asked, query: Asking, app: AppName) -> Page[LinkJson]:
    """List the links between accounts and their owners, people first. The filter supports `name eq` and `state eq`. An account that is
    `sought` was not found; Lockstep looks for it again at `nextSearch`. The account of a `tombstone` was deleted.
    """
    query.refuse_sort("name")
    chosen = selected(query.filter, _LINKS)
    last = query.after(list) or ["", "", ""]
    rows = await links.list_links(
        context, app, limit=query.limit + 1, after=(str(last[0]), str(last[1]), str(last[-1])), **chosen
    )
    keys = {id_key(row.kind, row.source_id): [row.kind, row.display, row.source_id] for row in rows}
    return page(query, [link_json(row) for row in rows], lambda last: keys[id_key(last["kind"], last["id"])])


def id_key(kind: str, source_id: str) -> str:
    return f"{kind} {source_id}"


@router.post("/applications/{app}/links")
async def choose_link(context: Asked, app: AppName, body: ChosenLink) -> LinkJson:
    """Link a person to an account. The account is then updated with the person's values."""
    return link_json(await links.choose_link(context, app, body.user, body.account))


@router.delete("/applications/{app}/links/{user}")
async def forget_link(context: Asked, app: AppName, user: str) -> LinkJson:
    """Remove a person's link. The account is kept; the person is matched again, or gets a new account."""
    return link_json(await links.forget_link(context, app, user))


@router.get("/applications/{app}/orphans")
async def list_orphans(context: Asked, query: Asking, app: AppName) -> Page[OrphanJson]:
    """List accounts in the application that are not linked to anyone, people first. Every page reads all accounts of the application,
    which is slow.
    """
    query.refuse_sort("account")
    selected(query.filter, ())
    last = query.after(list) or ["", ""]
    found = await links.list_orphans(context, app, limit=query.limit + 1, after=(str(last[0]), str(last[-1])))
    return page(query, orphans_json(found), lambda last: [last["kind"], last["account"]])


@router.post("/applications/{app}/orphans/settle")
async def settle_orphans(context: Asked, app: AppName) -> SettledJson:
    """Link unlinked accounts to the people for whom Lockstep created them. The accounts of people who should have none are then
    disabled.
    """
    return {"application": app, "count": len(await links.settle_orphans(context, app))}
