"""Count the records of a kind that are older than a given time, and remove them in batches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from psycopg import sql

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import only_row

NEWEST_CYCLES = 100  # of each job; these are kept, however old they are


class ExpiringRecords(StrEnum):
    """The kinds of records that are removed after their retention time."""

    PROVISIONING_LOG = "provisioningLog"
    SIGN_IN_LOG = "signInLog"
    CYCLES = "cycles"
    ACTIVITY = "activity"
    QUEUES = "queues"
    DIRECTORY_CHANGES = "directoryChanges"
    PERSON_SESSIONS = "personSessions"
    PERSON_LINKS = "personLinks"
    UPLOADS = "uploads"
    API_ANSWERS = "apiAnswers"
    BACKGROUND_TASKS = "backgroundTasks"
    SESSIONS = "sessions"
    LINKS = "oneTimeLinks"
    SIGN_IN_ATTEMPTS = "signInAttempts"
    MAIL = "mail"
    OPENID_CODES = "openIdCodes"
    OPENID_TOKENS = "openIdTokens"
    OPENID_GRANTS = "openIdGrants"


# For each kind: its table, and the condition for rows that are old at %(before)s.
_OLD: Mapping[ExpiringRecords, tuple[str, str]] = {
    ExpiringRecords.PROVISIONING_LOG: ("provisioning_log", "at < %(before)s"),
    ExpiringRecords.SIGN_IN_LOG: ("sign_in_log", "at < %(before)s"),
    ExpiringRecords.ACTIVITY: ("activity", "at < %(before)s"),
    ExpiringRecords.QUEUES: ("queue_depth", "at < %(before)s"),
    ExpiringRecords.PERSON_SESSIONS: ("person_session", "expires_at < %(before)s"),
    ExpiringRecords.PERSON_LINKS: ("person_link", "expires_at < %(before)s"),
    ExpiringRecords.CYCLES: (
        "cycle",
        """ended_at < %(before)s and state <> 'running' and id < coalesce((select later.id from cycle as later
            where later.job = cycle.job order by later.id desc offset %(newest)s limit 1), 0)""",
    ),
    ExpiringRecords.DIRECTORY_CHANGES: ("change", "at < %(before)s"),
    ExpiringRecords.UPLOADS: ("source_upload", "created_at < %(before)s"),
    ExpiringRecords.API_ANSWERS: ("api_answer", "created_at < %(before)s"),
    ExpiringRecords.BACKGROUND_TASKS: ("background_task", "created_at < %(before)s"),
    ExpiringRecords.SESSIONS: ("administrator_session", "expires_at < %(before)s"),
    ExpiringRecords.LINKS: ("one_time_link", "expires_at < %(before)s"),
    ExpiringRecords.MAIL: ("outgoing_mail", "ended_at < %(before)s"),
    ExpiringRecords.OPENID_CODES: ("openid_code", "expires_at < %(before)s"),
    ExpiringRecords.OPENID_TOKENS: ("openid_token", "expires_at < %(before)s"),
    ExpiringRecords.OPENID_GRANTS: (
        "openid_grant",
        "ends_at < %(before)s or (created_at < %(before)s and not exists (select from openid_token where grant_id = openid_grant.id))",
    ),
    ExpiringRecords.SIGN_IN_ATTEMPTS: ("sign_in_attempt", "last_at < %(before)s"),
}


async def count_old(connection: Connection, what: ExpiringRecords, before: datetime) -> int:
    table, condition = _OLD[what]
    query = sql.SQL("select count(*) from {} where {}").format(sql.Identifier(table), sql.SQL(condition))
    cursor = await connection.execute(query, {"before": before, "newest": NEWEST_CYCLES - 1})
    (number,) = await only_row(cursor)
    return int(number)


async def remove_old(connection: Connection, what: ExpiringRecords, before: datetime, *, most: int) -> int:
    """Remove up to *most* records of the kind *what* that are older than *before*, or that expired before it. Returns how many were
    removed.

    The newest cycles of each job are kept. Rows that another transaction has locked are left for the next call.
    """
    table, condition = _OLD[what]
    query = sql.SQL(
        "delete from {table} where ctid in (select ctid from {table} where {condition} limit %(most)s for update skip locked)"
    ).format(table=sql.Identifier(table), condition=sql.SQL(condition))
    cursor = await connection.execute(query, {"before": before, "newest": NEWEST_CYCLES - 1, "most": most})
    return cursor.rowcount
