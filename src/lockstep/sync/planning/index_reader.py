"""Plan a slice from the stored list of accounts: a few database queries answer its questions, without a request.

An account that is missing from the list may have been created after the list was read. If the list cannot answer a question for certain,
the answer counts as unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lockstep.engine.decisions.mapping import TakenValues
from lockstep.engine.decisions.matching import MatchQuery, folded, match_key
from lockstep.engine.decisions.plan import NextQuestion, PreparedObject, wanted
from lockstep.engine.decisions.unique_values import unique_candidates, unique_mappings
from lockstep.engine.records import Account, Action, ObjectKind
from lockstep.postgres.pool import Connection
from lockstep.storage import links, target_index
from lockstep.storage.links import Holder
from lockstep.storage.under_way import Candidate, made_since_cycle, wanted_by_others
from lockstep.sync.planning.ownership import owners_from
from lockstep.sync.planning.planner import NotKnown, Owners, PlanReader, PlanResult, SliceFacts, plan_one
from lockstep.sync.planning.unique_values import Claims, UniqueChoice, choices_of, choose, taken_by
from lockstep.sync.services import Job

Question = tuple[str, str]  # an attribute, and a value as the index stores it
AccountsByQuestion = Mapping[Question, Sequence[Account]]


@dataclass(frozen=True, slots=True)
class IndexReader:
    """Answers from the stored list of accounts: the searches in *asked*, and reads of the accounts in *accounts*. Raises NotKnown for all
    other searches and reads.
    """

    asked: Collection[Question] = ()
    answers: AccountsByQuestion = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)  # linked accounts in the list, by id
    requests: int = 0

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        question = (attribute, folded(attribute, value))
        if question not in self.asked:
            raise NotKnown
        return self.answers.get(question, ())

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        account = self.accounts.get(target_id)
        if account is None:  # it may have been created after the list was read
            raise NotKnown
        return account


@dataclass(frozen=True, slots=True)
class SliceOwnership:
    """The ownership of one slice: the owners of those listed accounts that its plans ask about, and the unique values of its objects, which
    are chosen for all these objects together.
    """

    holders: Mapping[str, Holder] = field(default_factory=dict)
    under_way: Collection[tuple[str, str]] = ()  # (object, account): the account is being linked to another object
    taken: Mapping[str, TakenValues] = field(default_factory=dict)  # by object

    async def owners(self, prepared: PreparedObject, accounts: Collection[str]) -> Owners:
        contested = [account for source_id, account in self.under_way if source_id == prepared.obj.id]
        return owners_from(prepared, self.holders, contested)

    async def choose_values(self, prepared: PreparedObject, reader: PlanReader) -> TakenValues:
        return self.taken.get(prepared.obj.id, {})

    async def witnesses(self, prepared: PreparedObject) -> Sequence[str]:
        raise NotKnown  # only the application can say that an account is gone


@dataclass(frozen=True, slots=True)
class SlicePages:
    """The arguments with which `plan_one` plans the objects of one slice from the stored list of accounts. *reader* answers from the list.
    *ownership* has the owners of the accounts.
    """

    reader: IndexReader = IndexReader()
    ownership: SliceOwnership = SliceOwnership()

    async def plan(self, prepared: PreparedObject) -> PlanResult:
        """Return the plan if the list is sufficient for it. Raises NotKnown if the application must be asked."""
        return await plan_one(prepared, self.reader, self.ownership)


async def read_index(
    connection: Connection, job: Job, known: SliceFacts, prepared: Iterable[PreparedObject], cycle: int | None
) -> SlicePages:
    """Return the stored list of accounts, with the answers to the questions that the plans of these objects may ask. Answers that are no
    longer reliable are left out. Reading the list takes a few queries.
    """
    if not known.has_index:
        return SlicePages()
    asking = asking_among(prepared)
    asked = questions_of(asking)
    answers = await target_index.find(connection, job.id, known.kind, asked) if asked else {}
    asked -= await _made_since(connection, job, known, asking, cycle)
    if answers:
        asked -= await target_index.written_since(connection, job.id, known.kind, answers)
    reader = IndexReader(asked, answers, {account.id: account for account in known.indexed.values()})
    return await with_owners(connection, job, known.kind, asking, reader)


def asking_among(prepared: Iterable[PreparedObject]) -> list[PreparedObject]:
    """Return the objects whose plans need an answer from the application."""
    return [one for one in prepared if wanted(one) is not NextQuestion.NOTHING]


def questions_of(asking: Iterable[PreparedObject]) -> set[Question]:
    """Return the questions to the application that planning the objects in *asking* may require."""
    return {_question(query) for one in asking for query in (*one.queries, *unique_candidates(one))}


async def with_owners(
    connection: Connection, job: Job, kind: ObjectKind, asking: Sequence[PreparedObject], reader: IndexReader
) -> SlicePages:
    """Return *reader* for one slice, together with the owners of the accounts in the answers of *reader*."""
    found = {account.id for accounts in reader.answers.values() for account in accounts}
    if not found:
        return SlicePages(reader)
    # Read the journal before the links, so that an owner recorded in between shows up in at least one of them.
    candidates = [candidate for one in asking for candidate in _candidates(job, kind, reader.answers, one)]
    under_way = await wanted_by_others(connection, job.id, kind.value, candidates)
    return SlicePages(reader, SliceOwnership(await links.holders(connection, job.id, kind, found), under_way))


async def choose_values(
    job: Job, known: SliceFacts, prepared: Iterable[PreparedObject], pages: SlicePages, claims: Claims
) -> SlicePages:
    """Return *pages* with unique values chosen for all objects of the slice that will get an account. The values are claimed together, in
    one or two rounds.
    """
    if not known.has_index or not unique_mappings(job.configuration.mapping_for(known.kind)):
        return pages
    choices: dict[str, list[UniqueChoice]] = {}
    for one in prepared:
        try:
            if unique_candidates(one) and (await pages.plan(one)).plan.action is Action.CREATE:
                choices[one.obj.id] = choices_of(one)
        except Exception:  # noqa: S112  # reported when the object is planned itself
            continue

    async def is_in_use(attribute: str, value: str) -> bool:
        return bool(await pages.reader.find(known.kind, attribute, value))

    await choose(known.kind, [choice for its in choices.values() for choice in its], claims, is_in_use)
    taken = {source_id: taken_by(its) for source_id, its in choices.items()}
    return replace(pages, ownership=replace(pages.ownership, taken=taken))


async def _made_since(
    connection: Connection, job: Job, known: SliceFacts, asking: Sequence[PreparedObject], cycle: int | None
) -> set[Question]:
    """Return the questions that the list cannot answer. For these, a matching account was created, or may have been created, after the list
    was read.
    """
    keys = {match_key(job.id, known.kind, query): _question(query) for one in asking for query in one.queries}
    if not keys or cycle is None:
        return set()
    return {keys[key] for key in await made_since_cycle(connection, cycle, keys)}


def _candidates(
    job: Job, kind: ObjectKind, answers: AccountsByQuestion, prepared: PreparedObject
) -> Iterator[Candidate]:
    """Return the accounts in the list that match the questions of one object."""
    for query in prepared.queries:
        for account in answers.get(_question(query), ()):
            yield Candidate(prepared.obj.id, account.id, (match_key(job.id, kind, query),))


def _question(query: MatchQuery) -> Question:
    return query.attribute, folded(query.attribute, query.value)
