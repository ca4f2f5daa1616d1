"""The dirty set: the objects that must be evaluated, one row per job and object.

A claim is a lease with an attempt number that is never used twice. Every later statement names the attempt, so a worker whose lease was
taken over can no longer change anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

from lockstep.engine.records import Lane, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage.batches import Row, as_rows
from lockstep.storage.resume import Pin, Resume, ShownError, Stage


class AskedBy(StrEnum):
    """The marks of objects that must be processed because of a person's decision or request."""

    APPROVAL = "approved"  # an administrator approved a write that a guard held
    NAME = "onDemand"  # a person asked for this object by name


MEMBERS_MARK = "members"
FULL_CYCLE_MARK = "initialCycle"
NEWEST_LEAVER_MARK = "newestLeaver"
LEAVER_CHECK_MARK = "leaverCheck"


class Due(Enum):
    """The two infinite times of PostgreSQL, which mean "due now" and "not due until something changes or a person decides"."""

    AT_ONCE = "-infinity"
    NEVER = "infinity"


@dataclass(frozen=True, slots=True)
class Claim:
    """One dirty object that this process leases. *reasons* are the marks of the object: why it is in the dirty set."""

    kind: str
    source_id: str
    lane: int
    reasons: tuple[str, ...]
    version: int
    attempt: int
    failures: int
    first_failed_at: datetime | None
    last_error: ShownError | None
    resume: Resume
    cycle: int | None
    claimed_at: datetime  # database time, from before anything was read for the plan
    is_adopted: bool  # it belonged to no cycle before this claim
    pin: Pin | None = None  # None unless the cycle applies a preview

    @property
    def is_approved(self) -> bool:
        """Whether an administrator approved the write that a guard held. The guards then let the object pass."""
        return AskedBy.APPROVAL in self.reasons

    @property
    def is_on_demand(self) -> bool:
        """Whether a person asked for this object by name. The result is then reported even if there is nothing to do."""
        return AskedBy.NAME in self.reasons

    @property
    def is_about_members(self) -> bool:
        """Whether the group is in the dirty set only because of changed members."""
        return self.reasons == (MEMBERS_MARK,)

    @property
    def is_compared(self) -> bool:
        """Whether a full cycle has to compare the account, which it finds in the list of accounts or reads from the application."""
        return FULL_CYCLE_MARK in self.reasons

    @property
    def wants_look(self) -> bool:
        """Whether the account must be read before the object is planned."""
        is_checked = NEWEST_LEAVER_MARK in self.reasons or LEAVER_CHECK_MARK in self.reasons
        return self.resume.stage is Stage.LOOK_AGAIN or self.is_on_demand or is_checked

    @property
    def members_due(self) -> bool:
        """Whether the previous claim has already processed and counted the group's own account, so that only its members remain."""
        return self.resume.members_due


@dataclass(frozen=True, slots=True)
class Postponement:
    """The decision to process a claimed object later, with the time and the error that is shown until then. If *keeps_cycle* is true, the
    running cycle waits for the object.
    """

    claim: Claim
    not_before: datetime | Due
    resume: Resume
    error: ShownError | None
    failures: int = 0
    first_failed_at: datetime | None = None
    keeps_cycle: bool = False


_CLAIM = """
with due as (
    select ctid as place, cycle is null as is_adopted
    from dirty
    where job = %(job)s and lane <= %(up_to_lane)s and not_before <= now()
        and (lease_until is null or lease_until < now())
    order by {order}
    limit %(limit)s
    for update skip locked
)
update dirty set
    lease_owner = %(owner)s,
    lease_until = now() + make_interval(secs => %(lease_seconds)s),
    attempt = nextval('dirty_attempt'),
    cycle = coalesce(dirty.cycle, (select id from cycle
        where cycle.job = %(job)s and state = 'running' and kind <> 'onDemand'))
from due
where dirty.ctid = due.place  -- its row was locked just above, so its ctid does not change
returning dirty.kind, dirty.source_id::text, dirty.lane, dirty.reasons, dirty.version, dirty.attempt, dirty.failures,
    dirty.first_failed_at, dirty.last_error, dirty.resume, dirty.cycle, now(), due.is_adopted,
    (select jsonb_build_array(cycle.preview, coalesce((select fingerprint from preview_object
        where (preview, kind, id) = (cycle.preview, dirty.kind, dirty.source_id)), ''))
    from cycle where cycle.id = dirty.cycle and cycle.preview is not null)
"""
# The rows of claims that no other worker has taken over, locked in the order of their kinds and ids.
_OURS = """select dirty.kind, dirty.source_id, dirty.attempt, dirty.marked_at
        from jsonb_to_recordset(%(rows)s::jsonb) as mine (kind text, source_id uuid, attempt bigint)
        join dirty using (kind, source_id, attempt) where dirty.job = %(job)s
        order by dirty.kind, dirty.source_id for update of dirty"""
_BY_LANE = _CLAIM.format(order="lane, not_before, marked_at")
_OLDEST = _CLAIM.format(order="marked_at")


async def claim(
    connection: Connection,
    job: str,
    *,
    owner: str,
    limit: int,
    lease_seconds: float,
    up_to_lane: int = Lane.RECONCILE.number,
    oldest_first: bool = False,
) -> list[Claim]:
    """Lease up to *limit* due objects: leavers first or, if *oldest_first* is true, the objects that were marked first."""
    parameters = {"job": job, "owner": owner, "limit": limit, "lease_seconds": lease_seconds, "up_to_lane": up_to_lane}
    cursor = await connection.execute(_OLDEST if oldest_first else _BY_LANE, parameters)
    claims = [_claim_from(row) for row in await cursor.fetchall()]
    return sorted(claims, key=lambda one: (one.lane, one.kind != ObjectKind.USER, one.attempt))


async def claim_one(
    connection: Connection, job: str, kind: str, source_id: str, *, owner: str, lease_seconds: float, cycle: int | None
) -> Claim | None:
    """Lease one object. The object need not be due, and it need not be in the dirty set. Returns None while another worker leases it."""
    statement = """
        insert into dirty (job, kind, source_id, lane, reasons, lease_owner, lease_until, attempt, cycle)
        values (%(job)s, %(kind)s, %(id)s, 2, '{onDemand}', %(owner)s, now() + make_interval(secs => %(lease_seconds)s),
            nextval('dirty_attempt'), %(cycle)s)
        on conflict (job, kind, source_id) do update set
            lease_owner = excluded.lease_owner,
            lease_until = excluded.lease_until,
            attempt = excluded.attempt,
            cycle = excluded.cycle,
            reasons = case when dirty.reasons @> excluded.reasons then dirty.reasons else dirty.reasons || excluded.reasons end
        where dirty.lease_until is null or dirty.lease_until < now()
        returning kind, source_id::text, lane, reasons, version, attempt, failures, first_failed_at, last_error,
            resume, cycle, now(), true as is_adopted, null as pin
    """
    parameters = {
        "job": job, "kind": kind, "id": source_id, "owner": owner, "lease_seconds": lease_seconds, "cycle": cycle,
    }  # fmt: skip
    row = await (await connection.execute(statement, parameters)).fetchone()
    return _claim_from(row) if row is not None else None


def _claim_from(row: Sequence[Any]) -> Claim:
    kind, source_id, lane, reasons, version, attempt, failures, first, error, resume, cycle, at, is_adopted, pin = row  # fmt: skip
    return Claim(
        kind, source_id, lane, tuple(reasons), version, attempt, failures, first, ShownError.from_json(error), Resume.from_json(resume),
        cycle, at, is_adopted, None if pin is None else Pin(*pin),
    )  # fmt: skip


async def renew(
    connection: Connection, job: str, attempts: Sequence[int], *, owner: str, lease_seconds: float
) -> frozenset[int]:
    """Extend our leases and return the attempts whose lease was extended. Rows that another transaction is writing now are skipped."""
    # Skip locked rows: waiting for one while holding others could deadlock with a recording transaction, and our leases would end.
    cursor = await connection.execute(
        """with mine as (
            select job, kind, source_id from dirty where job = %s and lease_owner = %s and attempt = any(%s)
            for update skip locked
        )
        update dirty set lease_until = now() + make_interval(secs => %s) from mine
        where dirty.job = mine.job and dirty.kind = mine.kind and dirty.source_id = mine.source_id
        returning dirty.attempt""",
        (job, owner, list(attempts), lease_seconds),
    )
    return frozenset(row[0] for row in await cursor.fetchall())


async def release(
    connection: Connection, job: str, claims: Iterable[Claim], *, not_before: datetime | None = None
) -> None:
    """End the leases of *claims*. The objects become due at *not_before*; if that is None, they keep their due times."""
    await connection.execute(
        f"""with ours as ({_OURS})
        update dirty set lease_owner = null, lease_until = null, not_before = coalesce(%(not_before)s, dirty.not_before)
        from ours where dirty.job = %(job)s and dirty.kind = ours.kind and dirty.source_id = ours.source_id""",  # noqa: S608
        {"job": job, "rows": _attempts(claims), "not_before": not_before},
    )


async def fence(connection: Connection, job: str, claims: Iterable[Claim]) -> dict[int, float]:
    """Lock the rows of *claims* until the transaction ends. Returns the attempts that no other worker has taken over, each with the seconds
    since its object was marked.
    """
    cursor = await connection.execute(
        f"select attempt, extract(epoch from clock_timestamp() - marked_at)::float8 from ({_OURS}) as ours",  # noqa: S608
        {"job": job, "rows": _attempts(claims)},
    )
    return dict(await cursor.fetchall())


def _attempts(claims: Iterable[Claim]) -> str:
    return as_rows({"kind": one.kind, "source_id": one.source_id, "attempt": one.attempt} for one in claims)


async def finish(connection: Connection, job: str, claims: Sequence[Claim]) -> None:
    """Remove finished objects from the dirty set. An object that was marked again since it was claimed, even in this transaction, stays
    in the set.
    """
    rows = as_rows(
        {"kind": one.kind, "source_id": one.source_id, "attempt": one.attempt, "version": one.version} for one in claims
    )
    await connection.execute(
        """with mine as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as mine (kind text, source_id uuid, attempt bigint, version bigint)
        ), unchanged as (
            delete from dirty using mine
            where dirty.job = %(job)s and dirty.kind = mine.kind and dirty.source_id = mine.source_id
                and dirty.attempt = mine.attempt and dirty.version = mine.version
        )
        update dirty set lease_owner = null, lease_until = null, cycle = null, failures = 0, first_failed_at = null,
            last_error = null, resume = null
        from mine
        where dirty.job = %(job)s and dirty.kind = mine.kind and dirty.source_id = mine.source_id
            and dirty.attempt = mine.attempt and dirty.version <> mine.version""",
        {"job": job, "rows": rows},
    )


async def postpone(connection: Connection, job: str, postponed: Sequence[Postponement]) -> None:
    """Postpone objects. An object becomes due at once if it was marked again since it was claimed.

    An object also becomes due at once in two other cases. In the first case, it waits for an account that was released after the claim. In
    the second case, it waits for the end of a cycle that applies a preview, and the cycle has already ended or no longer applies the
    preview. None of these events can make an object due while it is claimed.
    """
    await connection.execute(
        """update dirty set
            lease_owner = null, lease_until = null,
            not_before = case
                when dirty.version <> mine.version then '-infinity'
                when mine.resume -> 'isLeft' = 'true' and not exists (select from cycle
                    where cycle.id = dirty.cycle and state = 'running' and preview is not null) then '-infinity'
                when mine.resume ->> 'account' is not null and not exists (select from link
                    where link.job = dirty.job and link.kind = dirty.kind and link.target_id = mine.resume ->> 'account'
                        and link.source_id <> dirty.source_id and link.state <> 'tombstone'
                        and coalesce(link.freed_at, '-infinity') <= mine.claimed_at) then '-infinity'
                else mine.not_before end,
            failures = mine.failures, first_failed_at = mine.first_failed_at, last_error = mine.last_error,
            resume = mine.resume, cycle = case when mine.keeps_cycle and dirty.version = mine.version then dirty.cycle end
        from jsonb_to_recordset(%(rows)s::jsonb) as mine (kind text, source_id uuid, attempt bigint, version bigint,
            not_before timestamptz, failures integer, first_failed_at timestamptz, last_error jsonb, resume jsonb,
            keeps_cycle boolean, claimed_at timestamptz)
        where dirty.job = %(job)s and dirty.kind = mine.kind and dirty.source_id = mine.source_id
            and dirty.attempt = mine.attempt""",
        {"job": job, "rows": as_rows(map(_row, postponed))},
    )


def _row(one: Postponement) -> Row:
    claim = one.claim
    return {
        "kind": claim.kind, "source_id": claim.source_id, "attempt": claim.attempt, "version": claim.version,
        "not_before": one.not_before.value if isinstance(one.not_before, Due) else one.not_before,
        "failures": one.failures,
        "first_failed_at": one.first_failed_at,
        "last_error": one.error.as_json() if one.error is not None else None,
        "resume": one.resume.as_json(),
        "keeps_cycle": one.keeps_cycle,
        "claimed_at": claim.claimed_at,
    }  # fmt: skip
