"""The interfaces that have several adapters: a target and its opener. Storage is always PostgreSQL and has no interface.

A preview receives a `TargetReader`, which has no methods that write. A `Target` returns an `Answer` for every write, whatever the
application answered; it raises only for programming errors, before anything is sent. Each item of the lists in the docstrings is an
obligation: the contract suite (`tests/contracts`) has a test named after the item, and runs it against every adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from lockstep.configuration.authentication import BEARER_TOKEN, Authentication
from lockstep.engine.decisions.value_fates import JudgedValue
from lockstep.engine.records import Account, Change, ObjectKind, Values
from lockstep.engine.rules.target_attributes import TargetAttribute


class Verdict(StrEnum):
    """Lockstep's interpretation of an application's response to a request."""

    DONE = "done"
    DONE_ALREADY = "doneAlready"  # 404 on delete, member already there
    GONE = "gone"  # 404 on a linked id
    CONFLICT = "conflict"  # 409: read the account again, then decide
    STALE = "stale"  # 412: the account changed since we read it
    REFUSED = "refused"  # 400, 422 and the like: a problem with this object
    UNAUTHORIZED = "unauthorized"  # 401, 403: a problem with the credentials
    THROTTLED = "throttled"  # 429, 503: not before `wait` has passed
    AMBIGUOUS = "ambiguous"  # may or may not have taken effect: read the account, never retry blindly
    UNREACHABLE = "unreachable"  # certainly not sent: no connection was made
    BLOCKED = "blocked"  # our own outbound rules refused the address


_PASSING = frozenset({Verdict.THROTTLED, Verdict.AMBIGUOUS, Verdict.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Exchange:
    """One redacted HTTP exchange, without the Authorization header and secrets. Bodies are cut to the size limit of the log."""

    method: str
    url: str
    status: int | None
    seconds: float
    request_body: str = ""
    response_body: str = ""
    request_id: str = ""
    shares_request: bool = False  # part of a bulk request that the exchange of another write counts


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A value that is not in effect although the application accepted the rest of the write.

    *is_unkept* is true if the application reported success but then did not show the value. Otherwise the application refused the value.
    """

    path: str
    detail: str
    code: str
    is_unkept: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The target's answer to one request. *detail* is safe to show; *code* is Entra's error code."""

    verdict: Verdict
    account: Account | None = None
    code: str = ""
    detail: str = ""
    next_step: str = ""
    wait: timedelta | None = None
    exchanges: tuple[Exchange, ...] = ()
    held: Values | None = None  # mapped values in the answer by target path; None if the answer has none
    judged: tuple[JudgedValue, ...] = ()  # what happened to the values that were sent
    reads: int = 0  # requests that were sent afterwards to verify the values, including those that failed
    refused: tuple[RefusedValue, ...] = ()  # values that a partial write left out
    is_not_scim: bool = False  # the response is not from a SCIM service, or breaks the protocol
    named: frozenset[str] = frozenset()  # the attributes that the text of a refusal mentions, case-folded
    shares_request: bool = False  # see Exchange; set for a bulk request whose exchange was not recorded
    is_too_much: bool = False  # the request changes more at once than the application accepts

    @property
    def is_done(self) -> bool:
        return self.verdict in (Verdict.DONE, Verdict.DONE_ALREADY)

    @property
    def may_pass(self) -> bool:
        """Whether the failure may pass by itself: the application caused it, not the object. The same request may then succeed soon."""
        return self.verdict in _PASSING and not self.is_not_scim


class TargetError(Exception):
    """Raised if a read failed; *answer* says how. A failed read is never reported as an empty result."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.detail)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class NewAccount:
    """One account to create. *operation_id* names the write in the application's log; *values* are keyed by target path."""

    operation_id: str
    values: Values


@dataclass(frozen=True, slots=True)
class TargetPage:
    """One page of a listing. A listing is complete only if its last page has `is_last` and all its pages together have *total* accounts."""

    accounts: tuple[Account, ...]
    total: int | None
    is_last: bool


class AccountReader(Protocol):
    """Reads single accounts of an application. A failed read raises `TargetError`. Each item is the name of a contract test.

    - A search finds exactly the accounts with the value.
    - A search ignores the case of a user name.
    - An account is read by its id, with its values.
    - An id that the application does not know is read as None.
    - A read that fails raises, and never returns an empty result.
    """

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        """Return the accounts whose *attribute* equals *value* (one `eq` filter). Only a few accounts are expected."""

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        """Return the account, or None if the target answers 404."""


class TargetReader(AccountReader, Protocol):
    """Reads single accounts and complete listings. A failed listing raises `TargetError`. Each item is the name of a contract test.

    - A listing contains every account of the kind once and says when it is complete.
    - A listing that breaks off raises, and is never complete.
    """

    def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        """Yield all accounts, page by page. Members of groups are not read."""


class Target(TargetReader, Protocol):
    """Writes to an application. *operation_id* is sent as X-Request-Id and Idempotency-Key. Each item is the name of a contract test. Words
    such as done, conflict, stale and gone are values of `Verdict`.

    - A create returns the account and its id.
    - A create with a user name in use is a conflict and makes no account.
    - An update changes the values that it names and nothing else.
    - An update to None clears the value.
    - An update that is sent again succeeds.
    - An update to a user name in use is a conflict and changes nothing.
    - A user name that was given up is free.
    - A write with an outdated ETag is stale and changes nothing.
    - An update of an unknown account reports it as gone and creates none.
    - A delete is done, and is already done when it is sent again.
    - A deleted account is found nowhere and is not a member of any group.

    Several creates in one request:

    - Creates that share a request have one answer each.
    - A refused create does not affect the other creates in the same request.
    - Creates that share a request carry the ids of their operations.
    - Without a turn, none of the creates is sent.

    Members:

    - The members of a group are read as account ids.
    - The members of an unknown group are not read as an empty group.
    - Members are added and removed, and all others stay.
    - A change of members that is sent again succeeds.
    - A change of no members is already done and sends nothing.
    - If one member is unknown, the whole change is refused.
    - A change of members of an unknown group reports the group as gone.

    All requests:

    - A write that fails returns an answer that says how it failed, and never raises.
    - The answer of a busy application says when the next request may be sent.
    - The answer to a request that was sent has its exchange.
    - Every write carries the id of its operation.
    - A request waits for its turn, and without a turn nothing is sent.
    """

    async def create(self, kind: ObjectKind, values: Values, *, operation_id: str) -> Answer: ...

    async def creates_at_once(self) -> int:
        """Return how many creates one request may carry; 1 if the application offers no bulk requests. The first call may send a request to
        find out.
        """

    async def create_many(self, kind: ObjectKind, creates: Sequence[NewAccount]) -> Sequence[Answer]:
        """Create the accounts, with as few requests as possible, and return the answer to each, in order."""

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
        """Send only *changes*, as PATCH (RFC 7644, section 3.5.2). *current* decides whether the value at a filtered path is replaced or
        added.
        """

    async def delete(self, kind: ObjectKind, target_id: str, *, etag: str, operation_id: str) -> Answer: ...

    async def change_members(
        self, group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str
    ) -> Answer:
        """Change one chunk of members with one PATCH."""

    async def members_of(self, group_id: str) -> frozenset[str] | None:
        """Return the account ids of a group's members, or None if the application does not show them. Raises TargetError."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One line of *Test Connection*. If *tried* is False, an earlier failure made the probe pointless, and *passed* is False too.

    *is_verified* is False if a write was accepted but the application does not show it.
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
    """Everything needed to open a target. *secret* is a `lockstep.vault.Secret`, revealed only while a header is built."""

    app: str
    display_name: str
    tenant_url: str
    secret: Any
    matching_attribute: str = "userName"
    deadline_seconds: float = 10.0
    requests_per_second: float | None = None
    concurrency: int = 16
    kinds: tuple[ObjectKind, ...] = (ObjectKind.USER,)
    authentication: Authentication = BEARER_TOKEN
    reads_only: bool = False  # the target raises LockstepError instead of sending a request that could change anything
    redacted_paths: frozenset[str] = frozenset()  # their values are left out of recorded exchanges
    page_size: int = 200


class Turns(Protocol):
    """A rate limit. The target asks it before every request, at the moment of sending."""

    async def spend(self) -> float:
        """Count a request that is sent now, and return 0. If no request may be sent yet, return the seconds to wait and count nothing."""


class Observer(Protocol):
    """Receives a report of every request that was sent, when the request ends. Must neither block nor raise.

    *status* is None if no complete response arrived.
    """

    def __call__(self, application: str, status: int | None, seconds: float) -> None: ...


def unobserved(application: str, status: int | None, seconds: float) -> None:
    """Discard the observation."""


class TargetOpener(Protocol):
    """Opens applications, so that inner packages need not know any adapter."""

    def allow(self, more: Iterable[str]) -> None:
        """Allow connections to the origins and networks in *more*, in addition to those that are always allowed. Each call replaces the
        origins and networks that the previous call allowed.
        """

    def open(self, settings: TargetSettings, turns: Turns | None = None) -> Target: ...

    async def test_connection(self, settings: TargetSettings) -> Sequence[Probe]: ...

    async def test_deeply(self, settings: TargetSettings) -> Sequence[Probe]:
        """Send every kind of request that provisioning uses, with test accounts that are deleted again. Call only on explicit request."""

    async def discover(self, settings: TargetSettings, kind: ObjectKind) -> Sequence[TargetAttribute]:
        """Return the attributes that the application declares. Raises LockstepError if it declares none."""
