"""Remind administrators 60, 30 and 7 days before a signing certificate expires. Each reminder is given once for the whole installation.

The database stores the last reminder. If several processes try to give the same reminder, only the process that stores it gives it. A
reminder that was missed while no worker was running is replaced by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.certificates import REMINDERS, Expiry, expiring_certificates
from lockstep.actions.single_sign_on.settings import read_settings
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, signing_certificates
from lockstep.sync.notifying import report_certificate

log = structlog.get_logger("lockstep.actions.reminders")


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that a certificate expires. *days* is 60, 30 or 7: the number of days before the expiry at which the reminder is due."""

    ending: Expiry
    days: int


@needs(Permission.ORGANISATION_WRITE)
async def remind_of_certificates(context: Context) -> list[Reminder]:
    """Give the reminders that are due for active certificates, and return them. Reminders that were given before are left out."""
    given = []
    for ending in await expiring_certificates(context):
        reminder = Reminder(ending, _due(ending, context.now()))
        async with context.recording() as connection:
            is_first = await signing_certificates.note_reminder(
                connection, ending.app, ending.thumbprint, days=reminder.days
            )
            if is_first:
                await _remind(context, connection, reminder)
        if is_first:
            log.warning(
                "signing_certificate_ends",
                application=ending.app_name,
                thumbprint=ending.thumbprint,
                ends_at=ending.not_after.isoformat(),
                reminder_days=reminder.days,
            )
            given.append(reminder)
    return given


def _due(ending: Expiry, now: datetime) -> int:
    left = ending.not_after - now
    return min(one.days for one in REMINDERS if left <= one)


async def _remind(context: Context, connection: Connection, reminder: Reminder) -> None:
    """Write the notification and the audit entry of the reminder. Both are written in the transaction that records the reminder, so neither
    is written twice.
    """
    ending = reminder.ending
    app = await find_application(connection, ending.app_name)
    recipient = (await read_settings(context, connection, app)).notification_email
    await report_certificate(
        connection, app.name, app.display_name, recipient, sentence=ending.sentence, ends_at=ending.not_after,
        next_step=ending.next_step, event=f"certificate {ending.app} {ending.thumbprint} {reminder.days}",
    )  # fmt: skip
    await audit_log.append(
        connection, actor=context.actor.name, activity="Remind of signing certificate", target=ending.app_name,
        after={"thumbprint": ending.thumbprint, "expires": ending.not_after.isoformat(), "days": reminder.days},
    )  # fmt: skip
