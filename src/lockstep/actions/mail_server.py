"""The mail server through which Lockstep sends notifications. Its password cannot be read back, and is used only with the server and user
name for which it was entered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from uuid import uuid4

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.http.outbound import OutboundRules
from lockstep.mail.addresses import is_host, mail_address
from lockstep.mail.delivery import DELIVERY_SECONDS, MailSecurity, MailServer, deliver
from lockstep.mail.failures import MailFailure, MailStep
from lockstep.mail.message import MailText, OutgoingMessage, as_html, as_text
from lockstep.ports import Probe
from lockstep.storage import audit_log, outgoing_mail
from lockstep.storage import mail_server as store
from lockstep.storage.mail_server import MailServerRow
from lockstep.sync.digests import write_all_digests
from lockstep.vault import Secret

_PURPOSE, _OWNER = "mail password", "mail server"
_LONGEST = 254
_TARGET = "Mail server"
_SOON = timedelta(seconds=DELIVERY_SECONDS)
USUAL_PORTS = {MailSecurity.NONE: 25, MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465}


@dataclass(frozen=True, slots=True)
class MailServerChange:
    """The mail server to store, without its password. *port* 0 stands for the usual port of *security*."""

    host: str
    sender: str
    security: MailSecurity = MailSecurity.STARTTLS
    port: int = 0
    user: str = ""


@dataclass(frozen=True, slots=True)
class MailServerView:
    """The mail server without its password, which can never be read back."""

    host: str
    port: int
    security: str
    sender: str
    user: str
    has_password: bool


@needs(Permission.MAIL_READ)
async def show_mail_server(context: Context) -> MailServerView | None:
    """Return the mail server; None if none is set up."""
    async with context.reading() as connection:
        row = await store.read_server(connection)
    return _view(row) if row is not None else None


@needs(Permission.MAIL_WRITE)
async def set_mail_server(
    context: Context, change: MailServerChange, *, password: Secret | None = None
) -> MailServerView:
    """Store the mail server. Waiting messages are tried again soon. Without *password*, the stored password is kept if host, port and user
    stay the same. Raises LockstepError for an invalid value, and if a password would be sent unencrypted.
    """
    async with context.recording() as connection:
        before = await store.lock_server(connection)
        row = _checked(context, change, before, password)
        await store.save_server(connection, row, actor=context.actor.name)
        await outgoing_mail.make_waiting_due(connection, lease=_SOON)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Set mail server", target=_TARGET,
            before=_shown(before) if before else None,
            after=_shown(row) | ({"password": "replaced"} if password is not None else {}),
        )  # fmt: skip
    return _view(row)


@needs(Permission.MAIL_WRITE)
async def remove_mail_server(context: Context) -> None:
    """Delete the mail server and its password. Waiting messages are given up, with digests of what waited for one. Raises LockstepError if
    none is set up.
    """
    async with context.recording() as connection:
        before = await store.lock_server(connection)
        if before is None:
            raise _none()
        await write_all_digests(connection, now=context.now())
        await store.delete_server(connection)
        await outgoing_mail.give_up_waiting(
            connection, problem="The mail server was removed", audiences=outgoing_mail.BY_MAIL
        )
        await audit_log.append(
            connection, actor=context.actor.name, activity="Remove mail server", target=_TARGET,
            before=_shown(before),
        )  # fmt: skip


@needs(Permission.MAIL_WRITE)
async def send_test_mail(context: Context, address: str) -> list[Probe]:
    """Send a test mail to *address* now, and return one probe for each step. Raises LockstepError if no server is set up or the address is
    invalid.
    """
    context.refuse_rehearsal()
    recipient = mail_address(address)
    if not recipient:
        raise invalid(f'"{address[:100]}" is not a valid e-mail address', next_step="For example: it@contoso.com")
    async with context.reading() as connection:
        row = await store.read_server(connection)
    if row is None:
        raise _none()
    text = MailText(
        "Test mail from Lockstep",
        ("The mail server is set up correctly: notifications of Lockstep arrive at this address.",),
    )
    message = OutgoingMessage(
        str(uuid4()), row.sender, recipient, text.subject, as_text(text), as_html(text), context.now()
    )
    probes: list[Probe] = []
    try:
        await deliver(
            server_of(context, row),
            message,
            on_step=lambda step, said, seconds: probes.append(Probe(step.value, True, said, seconds=seconds)),
        )
    except MailFailure as failed:
        probes.append(Probe(failed.step.value, False, failed.sentence, failed.remedy))
        probes += [Probe(step.value, False, "Not tried", tried=False) for step in _after(MailStep(failed.step))]
    async with context.recording() as connection:
        await audit_log.append(
            connection, actor=context.actor.name, activity="Send test mail", target=_TARGET,
            after={"accepted": all(one.passed for one in probes)},
        )  # fmt: skip
    return probes


def server_of(context: Context, row: MailServerRow) -> MailServer:
    """Return the server to deliver to. Raises LockstepError if the vault cannot decrypt the password."""
    password = _opened(context, row).reveal() if row.secret is not None else ""
    security = MailSecurity(row.security)
    return MailServer(row.host, row.port, security, row.sender, _admit(context), row.user_name, password)


def _after(step: MailStep) -> list[MailStep]:
    steps = list(MailStep)
    return steps[steps.index(step) + 1 :]


def _admit(context: Context) -> Callable[..., None]:
    rules = context.http().rules if context.http is not None else OutboundRules()
    return partial(rules.check_address, scheme="smtp", what="mail server")


def _view(row: MailServerRow) -> MailServerView:
    return MailServerView(row.host, row.port, row.security, row.sender, row.user_name, row.secret is not None)


def _shown(row: MailServerRow) -> dict[str, object]:
    return {"host": row.host, "port": row.port, "security": row.security, "sender": row.sender, "user": row.user_name}


def _checked(
    context: Context, change: MailServerChange, before: MailServerRow | None, password: Secret | None
) -> MailServerRow:
    host, user = change.host.strip().rstrip("."), change.user.strip()
    port = change.port or USUAL_PORTS[change.security]
    sender = mail_address(change.sender)
    if not is_host(host):
        raise invalid(f'"{host[:100]}" is not the name of a server', next_step="For example: smtp.contoso.com")
    if not 1 <= port <= 65535:
        raise invalid(f"There is no port {port}", next_step="Usual ports: 587 for STARTTLS, 465 for TLS")
    if not sender:
        raise invalid(
            f'"{change.sender[:100]}" is not a valid from address', next_step="For example: lockstep@contoso.com"
        )
    if len(user) > _LONGEST or not user.isprintable():
        raise invalid("The user name is too long, or contains a control character")
    if password is not None and not (user and password.reveal()):
        raise invalid("A password needs a user name" if password.reveal() else "The password is empty")
    secret = _secret(context, password, before, (host, port, user)) if user else None
    if user and change.security is MailSecurity.NONE and not _is_own_machine(host):
        raise invalid(
            "The password would be sent unencrypted", next_step="Choose starttls or tls, or leave out the user"
        )
    return MailServerRow(host, port, change.security.value, sender, user, secret)


def _secret(
    context: Context, password: Secret | None, before: MailServerRow | None, place: tuple[str, int, str]
) -> bytes:
    if password is not None:
        if not password.reveal().isprintable():
            raise invalid("The password contains a control character", next_step="Enter it again, without line breaks")
        return context.vault.seal(password, purpose=_PURPOSE, name=_OWNER)
    is_kept = before is not None and (before.host, before.port, before.user_name) == place
    if before is None or before.secret is None or not is_kept:
        raise invalid(
            f"The password of {place[2]} is missing",
            why="A stored password is used only for the server and the user that it was entered for",
            next_step="Enter it: lockstep mail set --password-stdin",
        )
    return before.secret


def _opened(context: Context, row: MailServerRow) -> Secret:
    try:
        return context.vault.open(row.secret or b"", purpose=_PURPOSE, name=_OWNER)
    except LockstepError as unreadable:
        raise LockstepError(
            unreadable.kind,
            "The password for the mail server cannot be decrypted",
            why=unreadable.why,
            next_step="Enter it again: lockstep mail set --password-stdin",
            code=unreadable.code,
        ) from None


def _is_own_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _none() -> LockstepError:
    return not_found("No mail server is set up", next_step="Set it up: lockstep mail set --help")
