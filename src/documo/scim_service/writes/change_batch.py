"""Change many resources in one transaction: lock, decide, write. Used by PUT and PATCH.

Each change is decided while its resource is locked, so no concurrent change is lost. A refused change does not affect the others. Members
of groups are locked before groups, here and on delete, so that the two never deadlock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import psycopg

from documo.access.member_passwords import hash_password
from documo.identifiers import read_id
from documo.scim_service.request.exchange import check_conditions
from documo.scim_service.tenant.tenants import ScimTenant
from documo.scim_service.writes.account_rules import Admins, seats_error
from documo.scim_service.writes.derive import columns_of
from documo.scim_service.writes.member_check import checked_members
from documo.scim_service.writes.memberships import Memberships, questions
from documo.scim_service.writes.resource_change import ChangeDecision, ChangedResource, ResourceChange
from documo.store import group_members, resources
from documo.store.actors import key_actor
from documo.store.database import Store
from documo.store.resources import LockedResource, ResourceColumns, ResourceRow
from documo.store.round_trip import Statement, Transaction, open_transaction
from documo.tenant_schemas import unique_attribute
from lockstep.scim.errors import ScimError, not_found, uniqueness_error
from lockstep.scim.members import (
    AddMembers,
    Member,
    MemberChange,
    RemoveAllMembers,
    RemoveMembers,
    ReplaceMembers,
)
from lockstep.scim.registry import ResourceDefinition

FEW_MEMBERS = 100
MOST_AT_ONCE = 100  # operations of one change that are applied without leaving the event loop
_long_decisions = asyncio.Semaphore(1)


async def run_changes(store: Store, changes: Sequence[ResourceChange]) -> list[ChangedResource | Exception]:
    """Return the outcome of each change. If the database refuses the batch, the changes are tried one by one."""
    try:
        return await _run(store, changes)
    except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected) as refused:
        if len(changes) > 1:
            return [answer for change in changes for answer in await run_changes(store, [change])]
        if isinstance(refused, psycopg.errors.DeadlockDetected):
            return await _run(store, changes)
        return [_name_is_taken(changes[0])]


async def _run(store: Store, changes: Sequence[ResourceChange]) -> list[ChangedResource | Exception]:
    tenant = changes[0].tenant
    actor = key_actor({change.id: change.key for change in changes})
    async with open_transaction(store, tenant.id, actor=actor) as transaction:
        batch = _Batch(tenant, transaction)
        return await batch.run(changes)


class _Batch:
    """One transaction in progress."""

    def __init__(self, tenant: ScimTenant, transaction: Transaction) -> None:
        self._tenant = tenant
        self._transaction = transaction
        self._stored: dict[str, LockedResource] = {}
        self._kinds: dict[str, str] = {}
        self._memberships = Memberships(())
        self._admins = Admins(tenant, transaction)
        self._items: dict[str, dict[str, Any]] = {}
        self._member_statements: list[Statement] = []
        self._ended: list[str] = []
        self._other_role: list[str] = []

    async def run(self, changes: Sequence[ResourceChange]) -> list[ChangedResource | Exception]:
        await self._lock(changes)
        answers: list[LockedResource | Exception] = []
        for change in changes:
            try:
                answers.append(await self._decide(change))
            except ScimError as refused:
                answers.append(refused)
        return await self._write(changes, answers)

    async def _lock(self, changes: Sequence[ResourceChange]) -> None:
        ids = {change.id for change in changes}
        named = set().union(*(change.named_members() for change in changes))
        known = [group_members.known_members(self._tenant.id, sorted(named))] if named else []
        asked = _membership_questions(self._tenant.id, changes)
        results = await self._transaction.send(*known, resources.lock(self._tenant.id, sorted(ids)), *asked)
        self._kinds = dict(results[0]) if known else {}
        self._stored = {row[0]: LockedResource(*row) for row in results[len(known)]}
        self._memberships = Memberships(results[len(known) + 1 :])

    async def _decide(self, change: ResourceChange) -> LockedResource:
        stored = self._stored.get(change.id)
        if stored is None or stored.kind != change.kind:
            raise not_found(f"There is no {change.kind} {change.id[:100]!r}.")
        check_conditions(change.conditions, stored.version)
        decision = await self._decision(change, stored)
        statements = self._member_changes(change)
        password_hash = await hash_password(decision.password)
        document, columns = decision.document, decision.columns
        if document is None or columns is None:
            if not statements:
                return stored
            document = orjson.loads(stored.document)
            columns = columns_of(document, self._definition(change), self._tenant, with_search=False)
        now_active = columns.active
        if change.kind == "User" and now_active and not stored.active:
            full = await seats_error(self._transaction, self._tenant)
            if full is not None:
                raise full
        if await self._is_held(change, stored, columns):
            raise _name_is_taken(change)
        if change.kind == "User":
            was_admin = self._admins.is_one(stored.role, active=stored.active)
            is_admin = self._admins.is_one(columns.role, active=now_active)
            name, path = str(document.get("userName")), "roles" if now_active else "active"
            await self._admins.change(before=was_admin, after=is_admin, name=name, path=path)
        if change.kind == "User" and stored.active and not now_active:
            self._ended.append(change.id)
        if columns.role != stored.role:
            self._other_role.append(change.id)
        self._member_statements += statements
        return self._put(stored, document, columns, password_hash, change.key)

    async def _decision(self, change: ResourceChange, stored: LockedResource) -> ChangeDecision:
        """Return the result of the change's `decide`. A long decision runs in a thread, one at a time, so that other requests do not
        wait for it.
        """
        if change.operations <= MOST_AT_ONCE:
            return change.decide(stored)
        async with _long_decisions:
            return await asyncio.to_thread(change.decide, stored)

    async def _is_held(self, change: ResourceChange, stored: LockedResource, columns: ResourceColumns) -> bool:
        """Whether the user's new name must be refused because it is taken. Always False if the account does not reserve the names of
        deleted members.

        A name is taken if another member has it. It is also taken if a deleted member had it, and that member can still be restored or is
        kept as deactivated.
        """
        account, name = self._tenant.account, columns.unique_name
        if change.kind != "User" or not account.hold_names or name is None:
            return False
        before = columns_of(orjson.loads(stored.document), self._definition(change), self._tenant, with_search=False)
        if before.unique_name == name:
            return False
        statement = resources.lock_namesake(self._tenant.id, change.kind, name, account.undelete_days)
        (rows,) = await self._transaction.send(statement)
        return bool(rows)

    def _put(
        self, stored: LockedResource, document: dict[str, Any], columns: ResourceColumns, password_hash: str | None,
        key: str | None,
    ) -> LockedResource:  # fmt: skip
        version = stored.version + 1
        earlier = self._items.get(stored.id, {})
        item = resources.item_of(stored.id, document, columns, version=version, password_hash=password_hash, key=key)
        for name in ("search", "password_hash"):
            item[name] = item[name] if item[name] is not None else earlier.get(name)
        self._items[stored.id] = item
        after = stored._replace(
            version=version, document=orjson.dumps(document).decode(), active=columns.active, role=columns.role
        )
        self._stored[stored.id] = after
        return after

    async def _write(
        self, changes: Sequence[ResourceChange], answers: list[LockedResource | Exception]
    ) -> list[ChangedResource | Exception]:
        tenant_id = self._tenant.id
        statements = list(self._member_statements)
        if self._items:
            statements.append(resources.update(tenant_id, list(self._items.values())))
        if self._ended:
            statements.append(resources.end_keys(tenant_id, self._ended))
        if self._other_role:
            statements.append(resources.tell_of_owners(tenant_id, self._other_role))
        if any(change.kind == "Role" for change in changes) and self._items:
            statements.append(resources.tell(tenant_id))
        groups = list(
            dict.fromkeys(change.id for change in changes if change.kind == "Group" and change.id in self._stored)
        )
        statements += [group_members.few_members(tenant_id, group_id, FEW_MEMBERS) for group_id in groups]
        results = await self._transaction.send(*statements, commit=True)
        at = len(self._member_statements)
        times = {row[0]: row[2] for row in results[at]} if self._items else {}
        few = dict(zip(groups, (rows[0][0] for rows in results[len(results) - len(groups) :]), strict=True))
        return [
            answer if isinstance(answer, Exception) else _changed(answer, times.get(answer.id), few.get(answer.id))
            for answer in answers
        ]

    def _definition(self, change: ResourceChange) -> ResourceDefinition:
        return self._tenant.registry.resource(change.kind)

    def _member_changes(self, change: ResourceChange) -> list[Statement]:
        """Return the statements for member changes. There is no statement for a change that has no effect, such as adding a present member.
        Raises ScimError before it records any change.
        """
        tenant_id, group_id, known = self._tenant.id, change.id, self._memberships
        statements: list[Statement] = []
        for member_change, pairs in [(one, self._wanted(change, one)) for one in change.members]:
            match member_change:
                case AddMembers():
                    if known.add(group_id, {member for member, _ in pairs}):
                        statements.append(group_members.add(tenant_id, group_id, pairs))
                case RemoveMembers(values):
                    ids = [found for value in values if (found := read_id(value))]
                    if known.remove(group_id, set(ids)):
                        statements.append(group_members.remove(tenant_id, group_id, ids))
                case ReplaceMembers() | RemoveAllMembers():
                    if known.replace(group_id, {member for member, _ in pairs}):
                        statements.append(group_members.keep_only(tenant_id, group_id, [member for member, _ in pairs]))
                        statements += [group_members.add(tenant_id, group_id, pairs)] if pairs else []
        return statements

    def _wanted(self, change: ResourceChange, member_change: MemberChange) -> list[tuple[str, str]]:
        """Return the (id, kind) pairs of the members that *member_change* adds or sets; empty for a removal."""
        if isinstance(member_change, AddMembers | ReplaceMembers):
            return self._pairs(change, member_change.members)
        return []

    def _pairs(self, change: ResourceChange, members: Sequence[Member]) -> list[tuple[str, str]]:
        return checked_members(members, self._kinds, self._tenant, group_id=change.id, tolerances=change.tolerances)


def _membership_questions(tenant_id: int, changes: Sequence[ResourceChange]) -> list[Statement]:
    """Return the queries that show whether *changes* really change the members of their groups."""
    named: dict[str, set[str]] = {}
    for change in changes:
        if change.members:
            named.setdefault(change.id, set()).update(change.touched_members())
    replaced = {change.id for change in changes if change.replaces_members}
    return questions(tenant_id, named, sorted(replaced)) if named else []


def _name_is_taken(change: ResourceChange) -> ScimError:
    unique = unique_attribute(change.tenant.registry.resource(change.kind))
    name = unique.name if unique is not None else "id"
    return uniqueness_error(f"The new {name} belongs to another {change.kind}, or is reserved for a deleted one.", name)


def _changed(stored: LockedResource, modified: str | None, members: list[list[str]] | None) -> ChangedResource:
    row = ResourceRow(
        stored.id,
        stored.kind,
        stored.version,
        stored.document,
        stored.created,
        modified or stored.modified,
        stored.groups,
    )
    return ChangedResource(row, [(member, kind) for member, kind in members] if members is not None else None)
