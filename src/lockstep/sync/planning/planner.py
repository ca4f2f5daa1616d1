"""Plan one object: load what is known about it, ask the application for the rest, and let the engine decide.

`plan_one` is the only path to a plan: the drain and on-demand runs carry the plan out, a preview only shows it. `plan_one` receives only a
reader, whose type has no methods that write. A slice is planned first with a reader of the stored list of accounts (`index_reader`). If
this raises `NotKnown`, `plan_one` is called again with a reader of the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lockstep.configuration.rules import dependencies, manager_attributes
from lockstep.directory.objects import read_objects
from lockstep.engine.decisions.mapping import TakenValues
from lockstep.engine.decisions.matching import Match, MatchQuery, choose_match
from lockstep.engine.decisions.plan import NOT_READ, NextQuestion, Observed, PreparedObject, make_plan, prepare, wanted
from lockstep.engine.decisions.rejections import Rejection
from lockstep.engine.decisions.unique_values import unique_candidates
from lockstep.engine.moment import Moment
from lockstep.engine.plans import Plan
from lockstep.engine.records import Account, Action, Lifecycle, Link, LinkState, ObjectKind, SourceObject
from lockstep.engine.rules.conditions import MEMBER_OF
from lockstep.ports import AccountReader, TargetPage, TargetReader
from lockstep.postgres.pool import Connection, pipeline
from lockstep.storage import links, operations, target_index
from lockstep.storage.rejections import rejections_among
from lockstep.sync.planning.accounts import known_queries, read_account
from lockstep.sync.services import Job


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """The data of one slice, whose objects are all of one kind. A few queries read all of this data from the database."""

    kind: ObjectKind
    objects: Mapping[str, SourceObject]
    links: Mapping[str, Link]
    account_ids: Mapping[str, str]
    open_operations: Mapping[str, Sequence[operations.OpenOperation]]
    held: Mapping[str, operations.HeldPlan] = field(
        default_factory=dict
    )  # by object: the write that waits for a decision
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    has_index: bool = False  # whether the list of accounts of this kind was read
    indexed: Mapping[str, Account] = field(default_factory=dict)  # by object: the linked account as the list showed it
    unseen: frozenset[str] = frozenset()  # objects of a full cycle whose account has still to be compared


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan, and the data that it was made from. *requests* is the number of requests that were sent to make it."""

    plan: Plan
    prepared: PreparedObject
    observed: Observed = NOT_READ
    requests: int = 0
    is_stray: bool = False  # the plan concerns a second account that our create made for the same object

    @property
    def current(self) -> Account | None:
        """The account from which a request is built: the matched one, or the linked one as it was read. None if there is neither."""
        return self.plan.link_to or (self.observed if isinstance(self.observed, Account) else None)

    @property
    def has_members(self) -> bool:
        """Whether the object is a group with provisioned members and has an account after its plan is carried out."""
        plan, mapping = self.plan, self.prepared.mapping
        return (
            plan.kind is ObjectKind.GROUP
            and mapping is not None
            and mapping.has_members
            and plan.link_state is LinkState.LIVE
        )


class NotKnown(Exception):
    """Raised if only the application can answer a question, because the data read before is not sufficient."""


class PlanReader(AccountReader, Protocol):
    """Answers the questions of a plan, from the application or from the stored list of accounts. The list may raise NotKnown."""

    @property
    def requests(self) -> int:
        """The number of requests sent to get the answers."""
        ...


@dataclass(frozen=True, slots=True)
class Owners:
    """The owners of the accounts that were found. *linked_to* maps account ids to the display names of the present owners, and *left_by* to
    the display names of the former owners. The object for which the plan is made is never listed as an owner.

    *leaving* are accounts whose present owner is deleted. *under_way* are accounts that are being linked to another object.
    """

    linked_to: Mapping[str, str] = field(default_factory=dict)
    left_by: Mapping[str, str] = field(default_factory=dict)
    leaving: frozenset[str] = frozenset()
    under_way: frozenset[str] = frozenset()
    # The accounts in *left_by* whose former owner is known to be a different person.
    strangers: frozenset[str] = frozenset()


class Ownership(Protocol):
    """Lockstep's records of accounts and unique values: which objects have them or are about to get them."""

    async def owners(self, prepared: PreparedObject, accounts: Collection[str]) -> Owners: ...

    async def choose_values(self, prepared: PreparedObject, reader: PlanReader) -> TakenValues:
        """Choose a value for each unique mapping. Returns, for each attribute, the candidates that were not chosen. The plan must treat
        them as taken.
        """
        ...

    async def witnesses(self, prepared: PreparedObject) -> Sequence[str]:
        """Return some accounts of other objects. The application should find these accounts if it works."""
        ...


class CountingReader:
    """A reader of the application that counts its requests."""

    def __init__(self, reader: TargetReader) -> None:
        self._reader = reader
        self.requests = 0

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        self.requests += 1
        return await self._reader.find(kind, attribute, value)

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        self.requests += 1
        return await self._reader.get(kind, target_id)

    async def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        async for page in self._reader.pages(kind):
            self.requests += 1
            yield page


async def load(
    connection: Connection,
    job: Job,
    kind: ObjectKind,
    ids: Sequence[str],
    *,
    index_of: frozenset[str] = frozenset(),
    compared: Sequence[str] = (),
) -> SliceFacts:
    """Read everything that the plans of these objects need. *index_of* are the kinds whose list of accounts was read; *compared* are the
    objects whose accounts a full cycle compares.
    """
    has_index = kind in index_of
    async with pipeline(connection):  # all queries in one round trip
        objects, known_links, unsettled, held, rejected = await asyncio.gather(
            load_objects(connection, job, kind, ids),
            links.read_links(connection, job.id, kind, ids),
            operations.open_operations(connection, job.id, kind, ids),
            operations.held_among(connection, job.id, kind, ids),
            rejections_among(connection, job.id, kind, ids),
        )
    for purged in (known_links.keys() | unsettled.keys()) - objects.keys():
        # The object is no longer in the directory, but a link or the journal still has it.
        display = _remembered_name(known_links.get(purged), unsettled.get(purged, ()))
        objects[purged] = SourceObject(kind, purged, display or purged, {}, lifecycle=Lifecycle.PURGED)
    referenced = {other for one in objects.values() for other in one.references.values()}
    return SliceFacts(
        kind,
        objects,
        known_links,
        await links.target_ids(connection, job.id, referenced) if referenced else {},
        unsettled,
        held,
        rejected,
        has_index,
        indexed=await target_index.newer_than_links(connection, job.id, kind, ids) if has_index and known_links else {},
        unseen=await links.not_seen_in_full_cycle(connection, job.id, kind, compared)
        if compared and known_links
        else frozenset(),
    )


async def load_objects(
    connection: Connection, job: Job, kind: ObjectKind, ids: Sequence[str]
) -> dict[str, SourceObject]:
    """Read the objects with the data that the mappings of *job* use. Purged objects are left out."""
    return await read_objects(
        connection,
        job.row.app,
        kind,
        ids,
        with_groups=MEMBER_OF in dependencies(job.configuration, kind),
        manager_attributes=manager_attributes(job.configuration, kind),
    )


def _remembered_name(link: Link | None, unsettled: Sequence[operations.OpenOperation]) -> str:
    """Return the last recorded name of an object that is no longer in the directory."""
    if link is not None:
        return link.display or link.target_id
    values = unsettled[-1].after or {}
    return str(values.get("userName") or values.get("displayName") or unsettled[-1].target_id)


def prepare_one(known: SliceFacts, job: Job, id: str, moment: Moment, *, look: bool) -> PreparedObject:
    """Decide everything that can be decided without asking the application.

    The plan normally compares the recorded state of the linked account. It compares the present state instead if *look* is true, if the
    list of accounts contains the account, or if the running full cycle has not compared the account yet.
    """
    must_look = look or id in known.indexed or id in known.unseen
    return prepare(known.objects[id], known.links.get(id), job.configuration, moment, known.account_ids, look=must_look)


async def plan_one(
    prepared: PreparedObject, reader: PlanReader, ownership: Ownership, *, look: bool = False
) -> PlanResult:
    """Answer the engine's questions with *reader*, then make the plan. Raises NotKnown or TargetError if *reader* does.

    If *look* is true, the linked account is read even if the engine would trust the recorded state.
    """
    match: Match | None = None
    observed: Observed = NOT_READ
    if look and prepared.is_linked and prepared.link is not None:
        observed = await _read_linked(prepared, prepared.link, reader, ownership)
    while (want := wanted(prepared, match=match, observed=observed)) is not NextQuestion.NOTHING:
        if want is NextQuestion.LOOK and prepared.link is not None:
            observed = await _read_linked(prepared, prepared.link, reader, ownership)
        else:
            match = await _match(prepared, reader, ownership)
    plan = make_plan(prepared, match=match, observed=observed)
    if plan.action is Action.CREATE and unique_candidates(prepared):
        taken = await ownership.choose_values(prepared, reader)
        plan = make_plan(prepared, match=match, observed=observed, taken=taken)
    return PlanResult(plan, prepared, observed, reader.requests)


async def _read_linked(
    prepared: PreparedObject, link: Link, reader: PlanReader, ownership: Ownership
) -> Account | None:
    queries = known_queries(prepared.mapping, link.base)
    return await read_account(
        reader, prepared.obj.kind, link.target_id, queries, witnesses=lambda: ownership.witnesses(prepared)
    )


async def _match(prepared: PreparedObject, reader: PlanReader, ownership: Ownership) -> Match:
    """Search by one matching attribute after the other until one of them finds an account."""
    answers: list[tuple[MatchQuery, Sequence[Account]]] = []
    for query in prepared.queries:
        accounts = await reader.find(prepared.obj.kind, query.attribute, query.value)
        answers.append((query, accounts))
        if accounts:
            break
    found = {account.id for _, accounts in answers for account in accounts}
    owners = await ownership.owners(prepared, found) if found else Owners()
    return choose_match(answers, owners.linked_to, owners.left_by, owners.leaving, owners.under_way, owners.strangers)
