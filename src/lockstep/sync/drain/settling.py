"""Settle operations whose outcome is unknown: search the application for what the journal says was sent.

The present desired state is not used. An account that our create made is linked to the object it was made for, whatever the state of that
object is now. The object is planned again only when none of its operations is open. Nothing is written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from lockstep.engine.decisions.gone import ended
from lockstep.engine.decisions.mapping import held_values
from lockstep.engine.decisions.matching import differs_in_case, match_key
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.settlement import (
    SentOperation,
    base_after_change,
    base_of_made,
    is_switched_off,
    may_be_made_by,
    resembles,
    sent,
    took_effect,
)
from lockstep.engine.records import Account, Action, Link, LinkState, Values
from lockstep.ports import TargetReader
from lockstep.storage import links, under_way
from lockstep.storage.journal import SettledOperation
from lockstep.storage.links import Holder
from lockstep.storage.operations import OpenOperation
from lockstep.storage.target_members import UnsureMember
from lockstep.storage.under_way import Candidate
from lockstep.sync.drain.member_records import MEMBERS
from lockstep.sync.outcome.links import made_link
from lockstep.sync.outcome.outcomes import Failure
from lockstep.sync.planning.accounts import known_queries, read_account
from lockstep.sync.planning.ownership import witnesses_beside
from lockstep.sync.planning.planner import CountingReader
from lockstep.sync.services import Job, Services

MAYBE_CREATED = "MaybeCreated"
UNANSWERED = frozenset({None, 502, 503, 504})  # HTTP statuses after which a request may still reach the application


@dataclass(slots=True)
class Settlement:
    """The result of checking an object's open operations in the application. *settled* contains the operations whose outcome is now known.
    *done* contains the settled operations that took effect, each with its account.

    *link* is the object's link, including any changes that the check found. `changed_link` is the same link, or None if the check changed
    nothing. *stray* is a second active account that Lockstep created for the same object. *problem* tells people why an operation stays
    open. *waits* is the reason why the application must be checked again soon, or "" if there is none.
    """

    link: Link | None
    settled: list[SettledOperation] = field(default_factory=list)
    done: list[tuple[OpenOperation, Account | None]] = field(default_factory=list)
    unsure: list[UnsureMember] = field(default_factory=list)
    is_linked_now: bool = False
    is_changed: bool = False
    takes_over: bool = False
    stray: Account | None = None
    problem: Failure | None = None
    waits: str = ""
    may_still_arrive: bool = False  # a request may still reach the application, so this is not a failure
    requests: int = 0

    @property
    def changed_link(self) -> Link | None:
        return self.link if self.is_changed else None

    def end(self, operation: OpenOperation, state: str, account: Account | None = None) -> None:
        self.settled.append(SettledOperation(operation.id, state, account.id if account is not None else ""))
        if state == "confirmed":
            self.done.append((operation, account))

    def relink(self, link: Link, *, is_new: bool = False) -> None:
        self.link, self.is_changed = link, True
        self.is_linked_now = self.is_linked_now or is_new


async def settle(
    services: Services, job: Job, prepared: PreparedObject, unsettled: Sequence[OpenOperation], reader: TargetReader
) -> Settlement:
    """Find the outcome of every operation in *unsettled*: first the changes, oldest first, then the creates, newest first.

    Raises TargetError if the application cannot be read.
    """
    counting = CountingReader(reader)
    run = _Run(services, job, prepared, counting, Settlement(prepared.link))
    creates = [one for one in unsettled if one.action == Action.CREATE]
    for operation in unsettled:
        if operation.action == MEMBERS:
            run.found.unsure += _members_of(operation)
            run.found.end(operation, "dropped")
        elif operation.action != Action.CREATE:
            await run.change(operation)
    # The values of the newest create are closest to the present ones, so its account is the one to keep.
    for operation in reversed(creates):
        await run.create(operation, rivals=creates)
    run.found.requests = counting.requests
    return run.found


@dataclass(slots=True)
class _Run:
    """Settles the operations of one object."""

    services: Services
    job: Job
    prepared: PreparedObject
    reader: CountingReader
    found: Settlement
    assigned: set[str] = field(default_factory=set)  # accounts that already settled another create
    _read: dict[str, Account | None] = field(default_factory=dict)

    # -- changes and deletions

    async def change(self, operation: OpenOperation) -> None:
        """Settle *operation*, a change or a deletion, by comparing it with the current values of the account."""
        what = self._sent(operation)
        account = await self._account(what)
        took = took_effect(what, account, self.prepared.mapping)
        link = self.found.link
        if link is None or link.target_id != what.target_id or link.state is LinkState.TOMBSTONE:
            await self._change_of_unlinked(operation, account, took=took)
            return
        self.found.end(operation, "confirmed" if took else "dropped", account)
        if account is None:
            if took:  # we deleted it; otherwise the account is lost, and the plan reports it
                self.found.relink(ended(link, self.services.moment()))
            return
        base = base_after_change(link.base, what, account, self.prepared.mapping)
        state = {Action.DISABLE.value: LinkState.DISABLED, Action.ENABLE.value: LinkState.LIVE}.get(what.action)
        state = state if took and state is not None and link.state is not LinkState.RELEASED else link.state
        self.found.relink(replace(link, base=base, state=state, etag=account.etag or link.etag, desired_hash=""))

    async def _change_of_unlinked(self, operation: OpenOperation, account: Account | None, *, took: bool) -> None:
        """Settle a change to an account that is not linked to the object.

        If *operation* is the one that matched the account, and it took effect, the account is linked now: the link could not be recorded in
        time. If *operation* is not the one that matched the account, the account was already linked when *operation* was sent. Somebody has
        removed that link since, so the account no longer belongs to the object.
        """
        self.found.end(operation, "confirmed" if took else "dropped", account)
        if account is None or not took or not operation.matched_by or _holds_account(self.found.link):
            return
        holder = (await self._holders({account.id})).get(account.id)
        if holder is not None and not holder.has_left:
            return
        self.found.takes_over = holder is not None
        # The base includes the values that the account already had; otherwise the next plan would write them again.
        mapping = self.prepared.mapping
        held = held_values(mapping, account.resource) if mapping is not None else {}
        base = base_after_change(held, self._sent(operation), account, mapping)
        self._link_to(account, base=base, matched_by=operation.matched_by)

    # -- creates

    async def create(self, operation: OpenOperation, *, rivals: Sequence[OpenOperation]) -> None:
        """Settle a create: use the values that were sent to search for the account that the create may have made."""
        what = self._sent(operation)
        if not what.queries and not what.target_id:
            self._stays_open(operation, "and the journal does not say how to find it")
            return
        accounts = await self._made_by(operation, what)
        if accounts is None:
            self.found.waits = "The account may have been created for another object"
            return
        if not accounts:
            await self._not_found(operation, what)
            return
        if len(accounts) > len(rivals):
            names = ", ".join(one.id for one in accounts)
            self._stays_open(operation, f"and several accounts match what was sent: {names}")
            return
        account = accounts[0]
        self.assigned.add(account.id)
        link = self.found.link
        if link is not None and link.target_id == account.id and link.state is not LinkState.TOMBSTONE:
            self.found.end(operation, "confirmed", account)
        elif not _holds_account(link):
            self.found.end(operation, "confirmed", account)
            self._link_to(account, base=base_of_made(what, account, self.prepared.mapping), made_by=what)
        elif is_switched_off(account):
            self.found.end(operation, "confirmed", account)
        else:
            if operation.target_id != account.id:  # so that the account is found even if disabling it fails
                self.found.settled.append(SettledOperation(operation.id, "ambiguous", account.id))
            self.found.stray = account

    async def _made_by(self, operation: OpenOperation, what: SentOperation) -> list[Account] | None:
        """Return the accounts that the open create *operation* may have made, the best match first. Accounts that other objects own are
        left out.

        Returns None if another object has an open operation that may have created one of these accounts, or that is about to link one of
        them.
        """
        found = await self._search(what)
        if not found:
            return []
        holders = await self._holders(found)
        async with self.services.pool.connection() as connection:
            kind, source_id = self.prepared.obj.kind, self.prepared.obj.id
            others = await under_way.made_for_others(connection, self.job.id, kind.value, source_id, found)
            keys = tuple(match_key(self.job.id, kind, query) for query in what.queries)
            candidates = [Candidate(source_id, one, keys) for one in found] if keys else []
            contested = (
                await under_way.wanted_by_others(connection, self.job.id, kind.value, candidates)
                if candidates
                else set()
            )
        free = [one for key, one in found.items() if key not in {*holders, *others, *self.assigned}]
        if any((source_id, one.id) in contested for one in free):
            return None
        return free

    async def _search(self, what: SentOperation) -> dict[str, Account]:
        kind, mapping = self.prepared.obj.kind, self.prepared.mapping
        found: dict[str, Account] = {}
        for query in what.queries:
            for account in await self.reader.find(kind, query.attribute, query.value):
                # Some applications ignore letter case where it matters, others change it in the values that we send.
                if differs_in_case(account, query) and (mapping is None or not resembles(what, account, mapping)):
                    continue
                if may_be_made_by(what, account, query):
                    found.setdefault(account.id, account)
        if what.target_id and what.target_id not in found:
            named = await self._account(what)
            # A late response named this account. If it belonged to another object, it would show different values.
            if named is not None and (mapping is None or resembles(what, named, mapping)):
                found = {named.id: named, **found}
        elif what.target_id:
            found = {what.target_id: found[what.target_id]}
        return found

    async def _not_found(self, operation: OpenOperation, what: SentOperation) -> None:
        """Handle a create for which the search found no account. The create is dropped if its request can no longer arrive at the
        application, and if a second search, after a pause, finds no account either. Otherwise the create stays open.
        """
        status = (operation.error or {}).get("status")
        if status in UNANSWERED and operation.age < timedelta(seconds=self.services.times.late_arrival_seconds):
            self.found.waits, self.found.may_still_arrive = "The account may still be created", True
            return
        await asyncio.sleep(self.services.times.search_lag_seconds)
        if await self._made_by(operation, what) == []:
            self.found.end(operation, "dropped")
        else:
            self.found.waits = "The account has just appeared"

    def _stays_open(self, operation: OpenOperation, why: str) -> None:
        app = self.job.row.app_name
        self.found.problem = Failure(
            MAYBE_CREATED,
            f"An account may have been created for {self.prepared.obj.display}: the response was lost, {why}.",
            f"See which account belongs to this person: lockstep links {app} --orphans. "
            f"Then: lockstep links {app} --user {self.prepared.obj.display} --choose ACCOUNT",
        )

    # -- shared by both

    def _link_to(
        self, account: Account, *, base: Values, made_by: SentOperation | None = None, matched_by: str = ""
    ) -> None:
        self.found.relink(made_link(self.prepared, account, base, made_by, matched_by=matched_by), is_new=True)

    async def _account(self, what: SentOperation) -> Account | None:
        if what.target_id not in self._read:
            mapping, link = self.prepared.mapping, self.found.link
            base: Values = link.base if link is not None and link.target_id == what.target_id else {}
            queries = (*known_queries(mapping, base), *known_queries(mapping, what.after), *what.queries)
            others = partial(witnesses_beside, self.prepared, self.services.pool, self.job.id)
            self._read[what.target_id] = await read_account(
                self.reader, self.prepared.obj.kind, what.target_id, queries, witnesses=others
            )
        return self._read[what.target_id]

    async def _holders(self, accounts: Mapping[str, Any] | set[str]) -> dict[str, Holder]:
        """Return the other objects that own these accounts, by account."""
        async with self.services.pool.connection() as connection:
            held = await links.holders(connection, self.job.id, self.prepared.obj.kind.value, accounts)
        return {key: one for key, one in held.items() if one.source_id != self.prepared.obj.id}

    def _sent(self, one: OpenOperation) -> SentOperation:
        return sent(one.id, one.action, one.target_id, one.after, one.queries, self.prepared.mapping)


def _holds_account(link: Link | None) -> bool:
    return link is not None and link.state in (LinkState.LIVE, LinkState.DISABLED) and not link.is_forgotten


def _members_of(operation: OpenOperation) -> list[UnsureMember]:
    members = (operation.after or {}).get("members", ())
    return [UnsureMember(one["group"], one["member"], one["account"]) for one in members]
