"""The seams that have several adapters: target and its opener. Storage is PostgreSQL and concrete.

`TargetReader` cannot write, by type: a preview receives only that. A `Target` answers a write with an `Answer` and never raises for
what the application said; it raises only for what nobody can have sent (a programming error).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from lockstep.engine.decisions.kept import Judged
from lockstep.engine.records import Account, Change, ObjectKind, Values
from lockstep.engine.rules.target_attributes import TargetAttribute


class Verdict(StrEnum):
    """What an answer of the target means for us (engine.md, algorithm, step 14)."""

    DONE = "done"
    DONE_ALREADY = "doneAlready"  # 404 on delete, member already there
    GONE = "gone"  # 404 on a linked id
    CONFLICT = "conflict"  # 409: look again, then decide
    STALE = "stale"  # 412: the account moved since we read it
    REFUSED = "refused"  # 400, 422 and kin: this object's fault
    UNAUTHORIZED = "unauthorized"  # 401, 403: the credentials' fault
    THROTTLED = "throttled"  # 429, 503: not before `retry_at`
    AMBIGUOUS = "ambiguous"  # may or may not have happened: look, never retry blindly
    UNREACHABLE = "unreachable"  # surely not sent: no connection was made
    BLOCKED = "blocked"  # our own outbound rules refused the address


@dataclass(frozen=True, slots=True)
class Exchange:
    """One redacted HTTP exchange: no Authorization, no secret, bodies cut to what the log may keep."""

    method: str
    url: str
    status: int | None
    seconds: float
    request_body: str = ""
    response_body: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The target's answer to one request. *detail* is safe to show; *code* is Entra's error code."""

    verdict: Verdict
    account: Account | None = None
    code: str = ""
    detail: str = ""
    next_step: str = ""
    retry_at: datetime | None = None
    exchanges: tuple[Exchange, ...] = ()
    held: Values | None = None  # what it shows of the mapped values, by target path; None: not read yet, or nothing
    judged: tuple[Judged, ...] = ()  # what became of the values that were sent
    reads: int = 0  # requests after it, to make sure of that
    refused: tuple[tuple[str, str, str], ...] = ()  # of a write that was accepted in part: (target path, why, code)

    @property
    def is_done(self) -> bool:
        return self.verdict in (Verdict.DONE, Verdict.DONE_ALREADY)


class TargetError(Exception):
    """A read failed; *answer* says how. A failed read is never an empty read."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.detail)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class TargetPage:
    """One page of a listing. The listing is complete only when `is_last` was seen and the items add up to *total*."""

    accounts: tuple[Account, ...]
    total: int | None
    is_last: bool


class AccountReader(Protocol):
    """Reads single accounts of an application. Every method raises `TargetError` when the read failed."""

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        """Every account whose *attribute* equals *value* (one `eq` filter), at most a handful."""
        ...

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        """The account, or None where the target answers 404."""
        ...


class TargetReader(AccountReader, Protocol):
    """Reads an application."""

    def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        """Every account, page by page. Members of groups are not read."""
        ...


class Target(TargetReader, Protocol):
    """Writes to an application. *operation_id* travels as X-Request-Id and Idempotency-Key."""

    async def create(self, kind: ObjectKind, values: Values, *, operation_id: str) -> Answer: ...

    async def update(
        self,
        kind: ObjectKind,
        target_id: str,
        changes: Sequence[Change],
        *,
        current: Account | None,
        etag: str,
        operation_id: str,
    ) -> Answer:
        """Send only *changes* as PATCH (RFC 7644, 3.5.2). *current* decides between replace and add on filtered paths."""
        ...

    async def delete(self, kind: ObjectKind, target_id: str, *, etag: str, operation_id: str) -> Answer: ...

    async def change_members(
        self, group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str
    ) -> Answer:
        """One PATCH of one chunk of members."""
        ...

    async def members_of(self, group_id: str) -> frozenset[str] | None:
        """The account ids of a group's members, or None where the application does not show them. Raises TargetError."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Probe:
    """One line of *Test Connection*. Where *tried* is False an earlier line made it pointless; *passed* is False, too.

    *is_verified* is False for a write that was accepted and that the application does not show.
    """

    name: str
    passed: bool
    sentence: str
    remedy: str = ""
    seconds: float = 0.0
    exchange: Exchange | None = None
    tried: bool = True
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """All that opening a target needs. *secret* is a `lockstep.vault.Secret`; it is revealed only while a header is built."""

    app: str
    display_name: str
    tenant_url: str
    secret: Any
    matching_attribute: str = "userName"
    deadline_seconds: float = 10.0
    requests_per_second: float | None = None
    concurrency: int = 16
    kinds: tuple[ObjectKind, ...] = (ObjectKind.USER,)
    extra: Mapping[str, Any] = field(default_factory=dict)


class Turns(Protocol):
    """Asked by a target for every single request, at the moment when it leaves."""

    async def spend(self) -> float:
        """Count a request that goes out now; returns 0, or for how many seconds it must not go out."""
        ...


class Observer(Protocol):
    """Told of every request that was sent, at the moment when it ended."""

    def __call__(self, application: str, status: int | None, seconds: float) -> None:
        """*status* is None where no whole answer came. Never waits, never fails."""
        ...


def unobserved(application: str, status: int | None, seconds: float) -> None:
    """Where nobody counts."""


class TargetOpener(Protocol):
    """How the inner rooms get at applications without knowing any adapter."""

    def allow(self, more: Iterable[str]) -> None:
        """Let *more* be reached, beside what the process itself allows, and what was given before no longer."""

    def open(self, settings: TargetSettings, turns: Turns | None = None) -> Target: ...

    async def test_connection(self, settings: TargetSettings) -> Sequence[Probe]: ...

    async def test_deeply(self, settings: TargetSettings) -> Sequence[Probe]:
        """Everything that provisioning would send, in accounts made for it and deleted again: only on somebody's explicit wish."""
        raise NotImplementedError

    async def discover(self, settings: TargetSettings, kind: ObjectKind) -> Sequence[TargetAttribute]:
        """The attributes that the application says it has. Raises LockstepError where it does not tell."""
        raise NotImplementedError
