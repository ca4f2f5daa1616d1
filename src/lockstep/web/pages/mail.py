"""Settings: the mail server that notifications are sent through, the test mail, and the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import mail_server, outgoing_mail
from lockstep.actions.context import Context
from lockstep.actions.mail_server import USUAL_PORTS, MailServerChange, MailServerView
from lockstep.actions.outgoing_mail import MailState
from lockstep.actions.permissions import Permission
from lockstep.errors import LockstepError, invalid
from lockstep.mail.delivery import MailSecurity
from lockstep.ports import Probe
from lockstep.vault import Secret
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.status_look import StatusLook

pages = Pages()
HERE = "/settings/mail"
OUTBOX = f"{HERE}/outbox"
SIZE = 50
_SECURITY = (
    (MailSecurity.STARTTLS.value, "STARTTLS (usually port 587)"),
    (MailSecurity.TLS.value, "TLS from the first byte (usually port 465)"),
    (MailSecurity.NONE.value, "None (usually port 25)"),
)
_EMPTY: dict[str, Any] = {"host": "", "port": "", "security": MailSecurity.STARTTLS.value, "sender": "", "user": ""}
_LOOKS = {
    MailState.WAITING: StatusLook("Waiting", "neutral", "clock"),
    MailState.SENT: StatusLook("Sent", "ok", "check-circle"),
    MailState.FAILED: StatusLook("Failed", "error", "error"),
}
_COPY_LIST = CopyAs(command="lockstep mail list", api="/api/v1/mail")
_STATES = (("", "All"), *((state.value, look.label) for state, look in _LOOKS.items()))


@pages.get(HERE)
async def show_mail(context: Context, request: Request) -> View:
    return await _page(context, to=request.query_params.get("to", ""))


@pages.post(HERE)
async def save_mail(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    password = str(form.get("password", ""))
    try:
        saved = await mail_server.set_mail_server(
            context, _change(form), password=Secret(password) if password else None
        )
    except LockstepError as refused:
        return await _page(context, typed=dict(form), refused=on_the_form(refused))
    return Redirect(HERE, notice=f"Mail is sent through {saved.host}:{saved.port}")


@pages.post(f"{HERE}/test")
async def test_mail(context: Context, request: Request) -> View:
    form = await request.form()
    to = str(form.get("address", "")).strip()
    try:
        return await _page(context, to=to, probes=await mail_server.send_test_mail(context, to))
    except LockstepError as refused:
        return await _page(context, to=to, refused=on_the_form(refused))


@pages.post(f"{HERE}/remove")
async def remove_mail(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    if str(form.get("confirmation", "")).strip() != "remove":
        wrong = invalid("The confirmation is missing. Nothing was removed", next_step="Type remove to confirm")
        return await _page(context, refused=wrong)
    await mail_server.remove_mail_server(context)
    return Redirect(HERE, notice="The mail server was removed. Lockstep sends no mail")


@pages.get(OUTBOX)
async def list_mail(context: Context, request: Request) -> View:
    query = request.query_params
    state = next((one for one in MailState if one.value == query.get("state")), None)
    rows = await outgoing_mail.list_outgoing_mail(context, state=state, after=query.get("after", ""), limit=SIZE + 1)
    shown = rows[:SIZE]
    given = {"state": state.value if state else ""}
    model = {
        "rows": [(one, _LOOKS[MailState(one.state)]) for one in shown],
        "state": given["state"],
        "states": _STATES,
        "here": OUTBOX,
        "next": address(OUTBOX, **given, after=shown[-1].id) if len(rows) > SIZE else None,
        "first": address(OUTBOX, **given) if query.get("after") else None,
        "may_write": context.actor.may(Permission.MAIL_WRITE),
    }
    return View(
        "settings/outbox.html", "Outbox", model, section="Settings", subtab="Mail", parents=[Crumb("Mail", HERE)],
        copy_as=_COPY_LIST,
    )  # fmt: skip


@pages.post(f"{OUTBOX}/retry")
async def retry_mail(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    row = await outgoing_mail.retry_mail(context, str(form.get("message", "")))
    return Redirect(OUTBOX, notice=f"{row.subject} is sent again")


def _change(form: FormData) -> MailServerChange:
    port = str(form.get("port", "")).strip()
    if port and not (port.isascii() and port.isdigit() and len(port) < 6):
        raise invalid(f'"{port[:20]}" is not a port', next_step="Usual ports: 587 for STARTTLS, 465 for TLS")
    security = str(form.get("security", ""))
    return MailServerChange(
        str(form.get("host", "")),
        str(form.get("sender", "")),
        next((one for one in MailSecurity if one.value == security), MailSecurity.STARTTLS),
        int(port or 0),
        str(form.get("user", "")),
    )


def _typed(row: MailServerView | None) -> dict[str, Any]:
    if row is None:
        return dict(_EMPTY)
    port = "" if row.port == USUAL_PORTS[MailSecurity(row.security)] else str(row.port)
    return {"host": row.host, "port": port, "security": row.security, "sender": row.sender, "user": row.user}


async def _page(
    context: Context,
    *,
    typed: dict[str, Any] | None = None,
    to: str = "",
    probes: Sequence[Probe] = (),
    refused: LockstepError | None = None,
) -> View:
    present = await mail_server.show_mail_server(context)
    model = {
        "present": present,
        "typed": _EMPTY | typed if typed else _typed(present),
        "security": _SECURITY,
        "to": to,
        "probes": probes,
        "failure": next((one for one in probes if one.tried and not one.passed), None),
        "findings": await outgoing_mail.examine_mail(context),
        "refused": refused,
        "may_write": context.actor.may(Permission.MAIL_WRITE),
        "here": HERE,
    }
    return View(
        "settings/mail.html",
        "Mail",
        model,
        section="Settings",
        lead="Lockstep sends notifications of applications through your mail server.",
        # Without a server, both actions would only report that none is set up.
        copy_as=CopyAs(command="lockstep mail show", api="/api/v1/mail-server") if present else _COPY_LIST,
        status=400 if refused else 200,
    )
