"""Plan one object: load what is known of it, ask the application what only it can say, and let the engine decide.

This is the only path to a plan: the drain carries the plan out, on-demand runs do so at once, a preview only shows it. Whoever plans
gets a `TargetReader`, so planning cannot write, by type.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lockstep.directory.objects import read_objects
from lockstep.engine.conditions import MEMBER_OF
from lockstep.engine.mapping import Taken
from lockstep.engine.matching import Match, MatchQuery, choose_match, folded, match_key
from lockstep.engine.moment import Moment
from lockstep.engine.plan import NOT_READ, Observed, Prepared, Wanted, make_plan, prepare, wanted
from lockstep.engine.records import Account, Action, Lifecycle, Link, ObjectKind, Plan, SourceObject
from lockstep.engine.rejections import Rejection
from lockstep.engine.rules import dependencies, manager_attributes
from lockstep.engine.unique_values import unique_candidates, unique_mappings
from lockstep.ports import TargetPage, TargetReader
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage import links, operations, target_index
from lockstep.storage.links import Holder
from lockstep.storage.rejections import rejections_among
from lockstep.storage.under_way import Candidate, made_in_cycle, wanted_by_others
from lockstep.sync.accounts import known_queries, read_account
from lockstep.sync.services import Job
from lockstep.sync.unique_values import Claims, ImaginedClaims, Wish, choose, refused_lately, taken_by, wishes_of


@dataclass(slots=True)
class Known:
    """What the database says of a slice of objects of one kind, read in a handful of queries."""

    kind: ObjectKind
    objects: Mapping[str, SourceObject]
    links: Mapping[str, Link]
    account_ids: Mapping[str, str]
    open_operations: Mapping[str, Sequence[operations.OpenOperation]]
    held: Mapping[str, tuple[str, Mapping[str, object]]] = field(default_factory=dict)  # what waits for a decision
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    has_index: bool = False
    answers: dict[tuple[str, str], list[Account]] = field(default_factory=dict)
    indexed: dict[str, Account] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)  # objects whose account may have been made since the pages were read
    contested: set[tuple[str, str]] = field(default_factory=set)  # (object, account) that another object is being given
    taken: dict[str, Taken] = field(
        default_factory=dict
    )  # by object: candidates for a unique value that it cannot have


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what it was made from. *requests* were sent to make it."""

    plan: Plan
    prepared: Prepared
    observed: Observed = NOT_READ
    requests: int = 0
    is_stray: bool = (
        False  # it is about an account beside the linked one, which a create of ours made for the same object
    )

    @property
    def current(self) -> Account | None:
        """The account as it was seen, for building the request; None where nobody looked."""
        return self.plan.link_to or (self.observed if isinstance(self.observed, Account) else None)


class CountingReader:
    """A reader that counts what it asks."""

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
    connection: Connection, job: Job, kind: ObjectKind, ids: Sequence[str], *, index_of: frozenset[str] = frozenset()
) -> Known:
    """Read everything that plans of these objects need. *index_of*: the kinds whose accounts were read by pages."""
    has_index = kind in index_of
    asks_for_groups = MEMBER_OF in dependencies(job.configuration, kind)
    of_manager = manager_attributes(job.configuration, kind)
    objects = dict(
        await read_objects(
            connection, job.row.app, kind, ids, with_groups=asks_for_groups, manager_attributes=of_manager
        )
    )
    known_links = await links.read_links(connection, job.id, kind, ids)
    unsettled = await operations.open_operations(connection, job.id, kind, ids)
    for purged in (known_links.keys() | unsettled.keys()) - objects.keys():
        # The directory has forgotten it, and its link, or the journal, has not.
        display = _remembered_name(known_links.get(purged), unsettled.get(purged, ()))
        objects[purged] = SourceObject(kind, purged, display or purged, {}, lifecycle=Lifecycle.PURGED)
    referenced = {other for one in objects.values() for other in one.references.values()}
    return Known(
        kind,
        objects,
        known_links,
        await links.target_ids(connection, job.id, referenced) if referenced else {},
        unsettled,
        await operations.held_among(connection, job.id, kind, ids),
        await rejections_among(connection, job.id, kind, ids),
        has_index,
        indexed=await target_index.newer_than_links(connection, job.id, kind, ids) if has_index and known_links else {},
    )


def _remembered_name(link: Link | None, unsettled: Sequence[operations.OpenOperation]) -> str:
    """How an object that the directory has forgotten was called."""
    if link is not None:
        return link.display or link.target_id
    values = unsettled[-1].after or {}
    return str(values.get("userName") or values.get("displayName") or unsettled[-1].target_id)


def prepare_one(known: Known, job: Job, id: str, moment: Moment, *, look: bool) -> Prepared:
    """Decide what needs no application. An account that the pages showed is compared with what they showed."""
    must_look = look or id in known.indexed
    return prepare(known.objects[id], known.links.get(id), job.configuration, moment, known.account_ids, look=must_look)


async def ask_index(
    connection: Connection, job: Job, known: Known, prepared: Iterable[Prepared], cycle: int | None
) -> None:
    """Answer the questions of many objects from the pages that were read, in two queries."""
    if not known.has_index:
        return
    asking = [one for one in prepared if wanted(one) is not Wanted.NOTHING]
    queries = [query for one in asking for query in (*one.queries, *unique_candidates(one))]
    pairs = {(query.attribute, folded(query.attribute, query.value)) for query in queries}
    known.answers = await target_index.find(connection, job.id, known.kind, pairs) if pairs else {}
    found = {account.id for accounts in known.answers.values() for account in accounts}
    if found:
        # The journal before the links: whoever is recorded in between is found in one of them.
        candidates = [one for each in asking for one in _candidates(job, known, each)]
        known.contested = await wanted_by_others(connection, job.id, known.kind.value, candidates)
        known.holders = await links.holders(connection, job.id, known.kind, found)
    keys = {one.obj.id: match_key(job.id, known.kind, one.queries[0]) for one in asking if one.queries}
    if keys and cycle is not None:
        made = await made_in_cycle(connection, cycle, keys.values())
        known.made = {source_id for source_id, key in keys.items() if key in made}


def _candidates(job: Job, known: Known, prepared: Prepared) -> Iterator[Candidate]:
    """The accounts that the pages showed for the questions of one object."""
    for query in prepared.queries:
        for account in known.answers.get((query.attribute, folded(query.attribute, query.value)), ()):
            yield Candidate(prepared.obj.id, account.id, (match_key(job.id, known.kind, query),))


async def choose_from_index(job: Job, known: Known, prepared: Iterable[Prepared], claims: Claims) -> None:
    """Choose unique values for those of many objects who will get an account, from the pages that were read."""
    if not known.has_index or not unique_mappings(job.configuration.mapping_for(known.kind)):
        return
    wishes: dict[str, list[Wish]] = {}
    for one in prepared:
        try:
            planned = plan_from_index(known, one) if unique_candidates(one) else None
        except Exception:  # noqa: S112  # told when its own turn comes
            continue
        if planned is not None and planned.plan.action is Action.CREATE:
            wishes[one.obj.id] = wishes_of(one)

    async def is_in_use(attribute: str, value: str) -> bool:
        return bool(known.answers.get((attribute, folded(attribute, value))))

    await choose(known.kind, [wish for its in wishes.values() for wish in its], claims, is_in_use)
    known.taken = {source_id: taken_by(its) for source_id, its in wishes.items()}


def plan_from_index(known: Known, prepared: Prepared) -> Planned | None:
    """The plan, if what was read before is enough; None when the application must be asked."""
    match: Match | None = None
    observed: Observed = NOT_READ
    want = wanted(prepared)
    if want is not Wanted.NOTHING and not known.has_index:
        return None
    if want is Wanted.LOOK:
        # An account that the pages do not show may have been made since: only the application can say that it is gone.
        if prepared.obj.id not in known.indexed:
            return None
        observed = known.indexed[prepared.obj.id]
        want = wanted(prepared, observed=observed)
    if want is Wanted.MATCH:
        if prepared.obj.id in known.made:
            return None
        answers = [
            (query, known.answers.get((query.attribute, folded(query.attribute, query.value)), []))
            for query in prepared.queries
        ]
        under_way = {account for source_id, account in known.contested if source_id == prepared.obj.id}
        match = choose_match(answers, *_owners(known.holders, prepared), under_way=under_way)
    taken = known.taken.get(prepared.obj.id)
    return Planned(make_plan(prepared, match=match, observed=observed, taken=taken), prepared, observed)


async def plan_one(
    pool: Pool,
    job: Job,
    prepared: Prepared,
    reader: TargetReader,
    *,
    look: bool = False,
    claims: Claims | None = None,
) -> Planned:
    """Ask the application until the engine has all it wants, and plan. Raises TargetError when it cannot be read.

    *look* reads the linked account even where the engine would trust what it knows. Without *claims* nothing is claimed.
    """
    counting = CountingReader(reader)
    match: Match | None = None
    observed: Observed = NOT_READ
    if look and prepared.is_linked and prepared.link is not None:
        observed = await _read_linked(prepared, prepared.link, counting)
    while (want := wanted(prepared, match=match, observed=observed)) is not Wanted.NOTHING:
        if want is Wanted.LOOK and prepared.link is not None:
            observed = await _read_linked(prepared, prepared.link, counting)
        else:
            match = await _ask(pool, job, prepared, counting)
    plan = make_plan(prepared, match=match, observed=observed)
    if plan.action is Action.CREATE and unique_candidates(prepared):
        taken = await _choose(pool, job, prepared, counting, claims or ImaginedClaims(pool, job.id))
        plan = make_plan(prepared, match=match, observed=observed, taken=taken)
    return Planned(plan, prepared, observed, counting.requests)


async def _read_linked(prepared: Prepared, link: Link, reader: TargetReader) -> Account | None:
    return await read_account(reader, prepared.obj.kind, link.target_id, known_queries(prepared.mapping, link.base))


async def _choose(pool: Pool, job: Job, prepared: Prepared, reader: CountingReader, claims: Claims) -> Taken:
    """Ask for one candidate after the other until one is free: as a rule, the first is."""
    kind = prepared.obj.kind
    async with pool.connection() as connection:
        wishes = wishes_of(prepared, await refused_lately(connection, job.id, prepared))

    async def is_in_use(attribute: str, value: str) -> bool:
        return bool(await reader.find(kind, attribute, value))

    await choose(kind, wishes, claims, is_in_use)
    return taken_by(wishes)


async def _ask(pool: Pool, job: Job, prepared: Prepared, reader: CountingReader) -> Match:
    kind = prepared.obj.kind
    answers: list[tuple[MatchQuery, Sequence[Account]]] = []
    for query in prepared.queries:
        accounts = await reader.find(kind, query.attribute, query.value)
        answers.append((query, accounts))
        if accounts:
            break
    found = {account.id for _, accounts in answers for account in accounts}
    held: dict[str, Holder] = {}
    others: set[str] = set()
    if found:
        async with pool.connection() as connection:
            keys = tuple(match_key(job.id, kind, query) for query in prepared.queries)
            candidates = [Candidate(prepared.obj.id, account, keys) for account in found]
            others = {account for _, account in await wanted_by_others(connection, job.id, kind.value, candidates)}
            held = await links.holders(connection, job.id, kind, found)
    return choose_match(answers, *_owners(held, prepared), under_way=others)


def _owners(held: Mapping[str, Holder], prepared: Prepared) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Accounts that belong to others than the object itself, those that others left, and those that others are leaving."""
    others = [holder for holder in held.values() if holder.source_id != prepared.obj.id]
    return (
        {one.target_id: one.display or one.source_id for one in others if not one.has_left},
        {one.target_id: one.display or one.source_id for one in others if one.has_left},
        {one.target_id for one in others if one.is_deleted and not one.has_left},
    )
