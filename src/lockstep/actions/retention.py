"""The retention period of each kind of record. The organisation can choose the period for four kinds. For all other kinds the period is
fixed, and `RetentionRow.why` gives the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.actions.access import needs
from lockstep.actions.background_tasks import KEPT as TASKS_KEPT
from lockstep.actions.context import Context, audit
from lockstep.actions.job_previews import KEPT as PREVIEWS_KEPT
from lockstep.actions.permissions import Permission
from lockstep.actions.repeated_requests import KEPT as ANSWERS_KEPT
from lockstep.actions.throughput import KEPT as CHARTS_KEPT
from lockstep.actions.uploads import KEPT as UPLOADS_KEPT
from lockstep.configuration.files.retention import LIMITS as LIMITS
from lockstep.configuration.files.retention import RetentionLimit, days_of, wrong_days
from lockstep.credentials.attempts import FORGOTTEN
from lockstep.errors import invalid
from lockstep.postgres.pool import transaction
from lockstep.storage import retention as store
from lockstep.storage import tenant
from lockstep.storage.retention import NEWEST_CYCLES, ExpiringRecords
from lockstep.storage.source_runs import MOST_KEPT
from lockstep.storage.tenant import TenantRow
from lockstep.wording import counted

BATCH = 5_000  # rows removed in one transaction
ACTIVITY = "Set retention"


@dataclass(frozen=True, slots=True)
class RetentionRow:
    """The retention period of one kind of record. *what* names the kind, and *kept* is the period as text, such as "90 days".

    If *key* is "", the period cannot be changed, and *why* gives the reason. *days* is 0 for records that are kept forever.
    """

    what: str
    kept: str
    why: str
    key: str = ""
    days: int = 0


@needs(Permission.DIRECTORY_READ)
async def show_retention(context: Context) -> list[RetentionRow]:
    """Return the retention of every kind of record. The kinds whose retention can be changed come first."""
    async with context.reading() as connection:
        days = days_of((await tenant.read_tenant(connection)).settings)
    changeable = [RetentionRow(one.what, days_text(days[one.key]), one.why, one.key, days[one.key]) for one in LIMITS]
    return [*changeable, *_fixed(context)]


@needs(Permission.ORGANISATION_WRITE)
async def set_retention(context: Context, days: Mapping[str, int]) -> list[RetentionRow]:
    """Set the number of days for which each kind in *days* is kept; 0 means forever. Raises LockstepError and changes nothing if a number
    is out of range.

    Older records are removed within an hour.
    """
    async with context.changing() as edit:
        stored = await tenant.read_tenant(edit.connection)
        before = days_of(stored.settings)
        after = _checked(before, days)
        if after != before:
            settings = {**stored.settings, "retention": after}
            await tenant.save_tenant(edit.connection, TenantRow(stored.name, settings, stored.labels))
            await audit(edit, ACTIVITY, "the organisation", before=before, after=after)
    return await show_retention(context)


@needs(Permission.ORGANISATION_WRITE)
async def foresee_retention(context: Context, days: Mapping[str, int]) -> dict[str, int]:
    """Return how many rows of each kind would be removed if *days* were set. Kinds from which nothing would be removed are absent."""
    async with context.reading() as connection:
        after = _checked(days_of((await tenant.read_tenant(connection)).settings), days)
        found = {
            key: await store.count_old(connection, ExpiringRecords(key), _before(context, length))
            for key, length in after.items()
            if length
        }
    return {key: number for key, number in found.items() if number}


@needs(Permission.ORGANISATION_WRITE)
async def remove_old(context: Context) -> dict[ExpiringRecords, int]:
    """Remove the records whose retention time is over, in batches with one transaction each. Returns the number of removed rows for each
    kind.
    """
    async with context.reading() as connection:
        days = days_of((await tenant.read_tenant(connection)).settings)
    moments = {ExpiringRecords(key): _before(context, length) for key, length in days.items() if length} | {
        ExpiringRecords.ACTIVITY: context.now() - CHARTS_KEPT,
        ExpiringRecords.QUEUES: context.now() - CHARTS_KEPT,
        ExpiringRecords.UPLOADS: context.now() - UPLOADS_KEPT,
        ExpiringRecords.API_ANSWERS: context.now() - ANSWERS_KEPT,
        ExpiringRecords.BACKGROUND_TASKS: context.now() - TASKS_KEPT,
        ExpiringRecords.SESSIONS: context.now(),
        ExpiringRecords.LINKS: context.now(),
        ExpiringRecords.PERSON_SESSIONS: context.now(),
        ExpiringRecords.PERSON_LINKS: context.now(),
        ExpiringRecords.SIGN_IN_ATTEMPTS: context.now() - FORGOTTEN,
        # A code is kept for a day, so that a second use revokes the tokens from the first.
        ExpiringRecords.MAIL: context.now() - timedelta(days=90),
        ExpiringRecords.OPENID_CODES: context.now() - timedelta(days=1),
        ExpiringRecords.OPENID_TOKENS: context.now(),
        ExpiringRecords.OPENID_GRANTS: context.now() - timedelta(days=1),
    }
    removed: dict[ExpiringRecords, int] = {}
    for what, before in moments.items():
        batch = BATCH
        while batch == BATCH:
            async with transaction(context.pool) as connection:
                batch = await store.remove_old(connection, what, before, most=BATCH)
            removed[what] = removed.get(what, 0) + batch
    return removed


def days_text(days: int) -> str:
    return counted(days, "day") if days else "For ever"


def _before(context: Context, days: int) -> datetime:
    return context.now() - timedelta(days=days)


def _checked(before: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    known: dict[str, RetentionLimit] = {one.key: one for one in LIMITS}
    for key, days in given.items():
        if key not in known:
            raise invalid(f'Unknown kind of records "{key[:40]}"', next_step=f"Choose one of: {', '.join(known)}")
        if wrong := wrong_days(known[key], days):
            raise invalid(f"{known[key].what}: {wrong}")
    return {**before, **given}


def _fixed(context: Context) -> list[RetentionRow]:
    bin_days = context.purge_after.days
    return [
        RetentionRow("Deleted people and groups", days_text(bin_days) if bin_days else str(context.purge_after),
                     "They can be restored until then. LOCKSTEP_PURGE_AFTER on the server sets the period."),
        RetentionRow("Audit log", "For ever", "Each entry contains the hash of the one before, so removing one would break the proof."),
        RetentionRow("Configuration versions", "For ever", "Each version can be compared and restored."),
        RetentionRow("Imports of a source", f"The newest {MOST_KEPT}", "The next import removes older imports."),
        RetentionRow("Newest cycles", f"{NEWEST_CYCLES} of each application", "They stay, even if cycles are kept for a shorter time."),
        RetentionRow("Figures of the charts", days_text(CHARTS_KEPT.days), "Work done, response times and waiting objects by the minute."),
        RetentionRow("Previews", f"The newest {PREVIEWS_KEPT} of each application, and its newest complete one",
                     "A new preview removes older ones."),
        RetentionRow("Uploaded files", _hours(UPLOADS_KEPT), "A file waits in the database until it is imported or discarded."),
        RetentionRow("Responses to requests with an Idempotency-Key", _hours(ANSWERS_KEPT), "A repeated request gets the first response."),
        RetentionRow("Operations of the API", _hours(TASKS_KEPT), "The caller who started an operation can read its result."),
        RetentionRow("Failed sign-ins", _hours(FORGOTTEN), "They delay the next attempt."),
        RetentionRow("Tokens of applications (OpenID Connect)", "Until they expire", "Each application sets the lifetime of its tokens."),
        RetentionRow("Sessions and one-time links", "Until they expire", "A session ends after 12 hours at the latest."),
    ]  # fmt: skip


def _hours(length: timedelta) -> str:
    return counted(int(length / timedelta(hours=1)), "hour")
