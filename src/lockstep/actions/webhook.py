"""The webhook that gets every notification. Its address may be secret, as at Slack, so only its origin can be read back.

The signing secret cannot be read back at all, and is used only for the origin for which it was entered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.http.outbound import Blocked
from lockstep.mail.failures import MailFailure
from lockstep.mail.webhook import CALL_SECONDS, SECRET_PREFIX, Webhook, WebhookMessage, WebhookStep, call, key_of
from lockstep.ports import Probe
from lockstep.storage import audit_log, outgoing_mail
from lockstep.storage import webhook as store
from lockstep.storage.outgoing_mail import Audience
from lockstep.storage.webhook import WebhookRow
from lockstep.vault import Secret

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

_OWNER = "webhook"
_ADDRESS, _SECRET = "webhook address", "webhook secret"  # purposes in the vault
_TARGET = "Webhook"
_SHORTEST_KEY = 16  # bytes
_SOON = timedelta(seconds=CALL_SECONDS)


@dataclass(frozen=True, slots=True)
class WebhookView:
    """The webhook without its secrets. *origin* is scheme, host and port of its address."""

    origin: str
    is_signed: bool


@needs(Permission.MAIL_READ)
async def show_webhook(context: Context) -> WebhookView | None:
    """Return the webhook; None if none is set up."""
    async with context.reading() as connection:
        row = await store.read_webhook(connection)
    return _view(row) if row is not None else None


@needs(Permission.MAIL_WRITE)
async def set_webhook(context: Context, *, url: Secret | None = None, secret: Secret | None = None) -> WebhookView:
    """Store the webhook. Without *url*, the stored address is kept. Without *secret*, the stored signing secret is kept if the origin stays
    the same. An empty *secret* switches signing off.

    Raises LockstepError for an address that Lockstep may not reach, for a weak secret, and if no address is known. Also raises
    LockstepError for a change of the origin without *secret* while a signing secret is stored.
    """
    async with context.recording() as connection:
        before = await store.lock_webhook(connection)
        if before is None and url is None:
            raise invalid(
                "The address of the webhook is missing", next_step="Give it: lockstep webhook set --url-stdin"
            )
        origin, address = _place(context, url) if url is not None else (before.origin, before.address)  # type: ignore[union-attr]
        row = WebhookRow(origin, address, _sealed_secret(context, secret, before, origin))
        await store.save_webhook(connection, row, actor=context.actor.name)
        await outgoing_mail.make_waiting_due(connection, lease=_SOON)
        changed = {"address": "replaced"} if url is not None else {}
        changed |= {"secret": "replaced" if secret.reveal() else "removed"} if secret is not None else {}
        await audit_log.append(
            connection, actor=context.actor.name, activity="Set webhook", target=_TARGET,
            before=_shown(before) if before else None, after=_shown(row) | changed,
        )  # fmt: skip
    return _view(row)


@needs(Permission.MAIL_WRITE)
async def remove_webhook(context: Context) -> None:
    """Delete the webhook with its secrets. Messages that wait for it are given up. Raises LockstepError if none is set up."""
    async with context.recording() as connection:
        before = await store.lock_webhook(connection)
        if before is None:
            raise _none()
        await store.delete_webhook(connection)
        await outgoing_mail.give_up_waiting(
            connection, problem="The webhook was removed", audiences=(Audience.WEBHOOK,)
        )
        await audit_log.append(
            connection, actor=context.actor.name, activity="Remove webhook", target=_TARGET, before=_shown(before)
        )


@needs(Permission.MAIL_WRITE)
async def send_test_webhook(context: Context) -> list[Probe]:
    """Send a test notification now, and return one probe for each step. Raises LockstepError if no webhook is set up."""
    context.refuse_rehearsal()
    async with context.reading() as connection:
        row = await store.read_webhook(connection)
    if row is None:
        raise _none()
    message = WebhookMessage(
        str(uuid4()), "test", "", "Test notification from Lockstep",
        "The webhook is set up correctly: notifications of Lockstep arrive here.", context.now(),
    )  # fmt: skip
    said = {
        WebhookStep.ADDRESS: f"Lockstep may connect to {row.origin}",
        WebhookStep.CONNECTION: f"{row.origin} accepts connections",
        WebhookStep.ANSWER: "The receiver accepted the notification",
    }
    failed: MailFailure | None = None
    try:
        await call(client_of(context), webhook_of(context, row), message, now=context.now())
    except MailFailure as refused:
        failed = refused
    steps = list(WebhookStep)
    reached = steps.index(WebhookStep(failed.step)) if failed is not None else len(steps)
    probes = [Probe(one.value, True, said[one]) for one in steps[:reached]]
    if failed is not None:
        probes.append(Probe(failed.step.value, False, failed.sentence, failed.remedy))
        probes += [Probe(one.value, False, "Not tried", tried=False) for one in steps[reached + 1 :]]
    async with context.recording() as connection:
        await audit_log.append(
            connection, actor=context.actor.name, activity="Send test notification", target=_TARGET,
            after={"accepted": failed is None},
        )  # fmt: skip
    return probes


def webhook_of(context: Context, row: WebhookRow) -> Webhook:
    """Return the webhook to call. Raises LockstepError if the vault cannot decrypt its address or secret."""
    try:
        url = context.vault.open(row.address, purpose=_ADDRESS, name=_OWNER)
        secret = context.vault.open(row.secret, purpose=_SECRET, name=_OWNER) if row.secret is not None else Secret("")
    except LockstepError as unreadable:
        raise LockstepError(
            unreadable.kind,
            "The address or the secret of the webhook cannot be decrypted",
            why=unreadable.why,
            next_step="Enter both again: lockstep webhook set --url-stdin",
            code=unreadable.code,
        ) from None
    return Webhook(url.reveal(), secret.reveal())


def client_of(context: Context) -> HttpClient:
    """Return the client for requests to the webhook, with the rules for outbound connections."""
    if context.http is not None:
        return context.http()
    from lockstep.http.client import HttpClient  # seldom needed, and it takes long to load

    return HttpClient()


def _place(context: Context, url: Secret) -> tuple[str, bytes]:
    """Return two values: the origin of *url*, and the encrypted *url*. Raises LockstepError if the outbound rules refuse *url*, for example
    because it contains a password.
    """
    try:
        place = client_of(context).rules.check_url(url.reveal().strip())
    except Blocked as refused:
        raise invalid(f"The webhook cannot be used: {refused}", next_step=refused.next_step) from None
    return place.origin, context.vault.seal(Secret(url.reveal().strip()), purpose=_ADDRESS, name=_OWNER)


def _sealed_secret(context: Context, secret: Secret | None, before: WebhookRow | None, origin: str) -> bytes | None:
    if secret is None:
        if before is None or before.secret is None:
            return None
        if before.origin != origin:
            raise invalid(
                "The signing secret is missing",
                why=f"The stored secret is used only for {before.origin}",
                next_step="Enter the secret of the new receiver: lockstep webhook set --url-stdin --secret-stdin",
            )
        return before.secret
    if not secret.reveal():
        return None
    try:
        key = key_of(secret.reveal())
    except ValueError:
        raise invalid(
            f"The signing secret begins with {SECRET_PREFIX}, but the rest is not base64",
            next_step="Copy the whole secret from the receiver",
        ) from None
    if len(key) < _SHORTEST_KEY or not secret.reveal().isprintable():
        raise invalid(
            f"The signing secret is shorter than {_SHORTEST_KEY} bytes or contains a control character",
            next_step="Generate a longer one, for example: openssl rand -base64 32",
        )
    return context.vault.seal(secret, purpose=_SECRET, name=_OWNER)


def _view(row: WebhookRow) -> WebhookView:
    return WebhookView(row.origin, row.secret is not None)


def _shown(row: WebhookRow) -> dict[str, object]:
    return {"origin": row.origin, "signed": row.secret is not None}


def _none() -> LockstepError:
    return not_found("No webhook is set up", next_step="Set it up: lockstep webhook set --help")
