"""Mail: the server that notifications are sent through, test mails, and the outbox."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request
from pydantic import Field

from lockstep.actions import mail_server, outgoing_mail
from lockstep.actions.context import Context
from lockstep.actions.mail_server import MailServerChange
from lockstep.actions.outgoing_mail import MailState
from lockstep.actions.rows.applications import ProbeJson, probe_json
from lockstep.actions.rows.mail import MailJson, MailServerJson, mail_json, mail_server_json
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, selected, words
from lockstep.api.paging import Asking, Page, page
from lockstep.api.shapes import Body, Name, Text
from lockstep.errors import not_found
from lockstep.mail.delivery import MailSecurity
from lockstep.vault import Secret

router = router_of("Mail")
_MAIL = (Selects("state", "eq", "state", words(*(one.value for one in MailState))),)
MailId = Annotated[str, Path(description="Id of the message", max_length=40)]


class MailServerBody(Body):
    """Replaces the whole mail server. Without *port*, the usual port of *security* is used. Without *password*, the stored one is kept if
    host, port and user stay the same.
    """

    host: Name = Field(examples=["smtp.contoso.com"])
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    security: MailSecurity = MailSecurity.STARTTLS
    sender: Name = Field(examples=["lockstep@contoso.com"])
    user: Text = ""
    password: Text | None = None


class TestMailBody(Body):
    address: Name = Field(examples=["it@contoso.com"])


@router.get("/mail-server")
async def show_mail_server(context: Asked, request: Request) -> MailServerJson:
    """Show the mail server, without its password. The status is 404 if no server is set up."""
    found = await _server(context)
    if found is None:
        raise not_found("No mail server is set up")
    return tagged(request, found)


@router.put("/mail-server")
async def set_mail_server(context: Asked, unchanged: Unchanged, body: MailServerBody) -> MailServerJson:
    """Set up the mail server. Nothing is sent."""
    change = MailServerChange(body.host, body.sender, body.security, body.port or 0, body.user)
    password = Secret(body.password) if body.password is not None else None

    async def work(inner: Context) -> MailServerJson:
        return mail_server_json(await mail_server.set_mail_server(inner, change, password=password))

    return await unchanged.matched(_server, work)(context)


@router.delete("/mail-server", status_code=204)
async def remove_mail_server(context: Asked, unchanged: Unchanged) -> None:
    """Remove the mail server and its password. Waiting messages are given up."""
    await unchanged.matched(_server, mail_server.remove_mail_server)(context)


@router.post("/mail-server/test")
async def send_test_mail(context: Asked, body: TestMailBody) -> list[ProbeJson]:
    """Send a test mail now. Returns one probe for each step."""
    return [probe_json(one) for one in await mail_server.send_test_mail(context, body.address)]


@router.get("/mail")
async def list_mail(context: Asked, query: Asking) -> Page[MailJson]:
    """List the messages, newest first. The filter supports `state eq`."""
    query.refuse_sort("-writtenAt")
    chosen = selected(query.filter, _MAIL)
    state = MailState(chosen["state"]) if "state" in chosen else None
    found = await outgoing_mail.list_outgoing_mail(
        context, state=state, after=query.after(str) or "", limit=query.limit + 1
    )
    return page(query, [mail_json(one) for one in found], lambda last: last["id"])


@router.post("/mail/{message}/retry")
async def retry_mail(context: Asked, message: MailId) -> MailJson:
    """Send a message again after all attempts failed."""
    return mail_json(await outgoing_mail.retry_mail(context, message))


async def _server(context: Context) -> MailServerJson | None:
    found = await mail_server.show_mail_server(context)
    return mail_server_json(found) if found is not None else None
