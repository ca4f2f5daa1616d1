"""Change many resources in one transaction: lock, decide, write. Used by PUT and PATCH alike.

What a change says about a resource is decided under its row lock, so nothing is lost between two changes; one that is refused leaves
the others untouched. Members of groups are locked before groups, here and on delete, so that the two never wait in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
import psycopg

from documo.identifiers import read_id
from documo.scim_service.create_batch import seats_error
from documo.scim_service.derive import columns_of
from documo.scim_service.exchange import Conditions, check_conditions
from documo.scim_service.incoming import hash_password
from documo.scim_service.tenants import Tenant
from documo.scim_service.unique_names import unique_attribute
from documo.store import group_members, resources
from documo.store.database import Store
from documo.store.resources import Columns, Row, Stored
from documo.store.round_trip import Statement, Transaction, open_transaction
from lockstep.scim.errors import ScimError, invalid_value, not_found, uniqueness_error
from lockstep.scim.members import (
    AddMembers,
    Member,
    MemberChange,
    RemoveAllMembers,
    RemoveMembers,
    ReplaceMembers,
)

FEW_MEMBERS = 100
UNKNOWN_MEMBERS = "unknown_members_left_out"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a resource. *document* None leaves it as it is; *columns* are those of the new document."""

    document: dict[str, Any] | None = None
    columns: Columns | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One change. *decide* is called under the lock and may raise ScimError. All changes of a batch are of one tenant."""

    tenant: Tenant
    kind: str
    id: str
    decide: Callable[[Stored], Decision]
    members: tuple[MemberChange, ...] = ()
    conditions: Conditions = Conditions()  # noqa: RUF009 -- frozen
    tolerances: list[str] = field(default_factory=list)

    def named_members(self) -> set[str]:
        """The ids that would become members."""
        return {found for members in self._lists() for member in members if (found := read_id(member.value))}

    @property
    def new_members(self) -> int:
        """How many rows of members this may make."""
        return sum(len(members) for members in self._lists())

    def _lists(self) -> list[tuple[Member, ...]]:
        return [c.members for c in self.members if isinstance(c, AddMembers | ReplaceMembers)]


class Changed(NamedTuple):
    """The resource after the change, and (id, kind) of the members of a group that is small enough to be shown whole."""

    row: Row
    members: list[tuple[str, str]] | None


async def run_changes(store: Store, changes: Sequence[Change]) -> list[Changed | Exception]:
    """The outcome of each change. When the database refuses the batch, each is tried by itself."""
    try:
        return await _run(store, changes)
    except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected) as refused:
        if len(changes) > 1:
            return [answer for change in changes for answer in await run_changes(store, [change])]
        if isinstance(refused, psycopg.errors.DeadlockDetected):
            return await _run(store, changes)
        return [_name_is_taken(changes[0])]


async def _run(store: Store, changes: Sequence[Change]) -> list[Changed | Exception]:
    tenant = changes[0].tenant
    async with open_transaction(store, tenant.id) as transaction:
        batch = _Batch(tenant, transaction)
        return await batch.run(changes)


class _Batch:
    """One transaction in the making."""

    def __init__(self, tenant: Tenant, transaction: Transaction) -> None:
        self._tenant = tenant
        self._transaction = transaction
        self._stored: dict[str, Stored] = {}
        self._kinds: dict[str, str] = {}
        self._items: dict[str, dict[str, Any]] = {}
        self._member_statements: list[Statement] = []
        self._ended: list[str] = []
        self._other_role: list[str] = []

    async def run(self, changes: Sequence[Change]) -> list[Changed | Exception]:
        await self._lock(changes)
        answers: list[Stored | Exception] = []
        for change in changes:
            try:
                answers.append(await self._decide(change))
            except ScimError as refused:
                answers.append(refused)
        return await self._write(changes, answers)

    async def _lock(self, changes: Sequence[Change]) -> None:
        ids = {change.id for change in changes}
        named = set().union(*(change.named_members() for change in changes))
        statements = [resources.lock(self._tenant.id, sorted(ids))]
        if named:
            statements.insert(0, group_members.known_members(self._tenant.id, sorted(named)))
        *known, locked = await self._transaction.send(*statements)
        self._kinds = dict(known[0]) if known else {}
        self._stored = {row[0]: Stored(*row) for row in locked}

    async def _decide(self, change: Change) -> Stored:
        stored = self._stored.get(change.id)
        if stored is None or stored.kind != change.kind:
            raise not_found(f"There is no {change.kind} {change.id[:100]!r}.")
        check_conditions(change.conditions, stored.version)
        decision = change.decide(stored)
        statements = self._member_changes(change)
        password_hash = await hash_password(decision.password)
        if decision.document is None or decision.columns is None:
            return stored
        now_active = decision.columns.active
        if change.kind == "User" and now_active and not stored.active:
            full = await seats_error(self._transaction, self._tenant)
            if full is not None:
                raise full
        if await self._is_held(change, stored, decision.columns):
            raise _name_is_taken(change)
        if change.kind == "User" and stored.active and not now_active:
            self._ended.append(change.id)
        if decision.columns.role != stored.role:
            self._other_role.append(change.id)
        self._member_statements += statements
        return self._put(stored, decision.document, decision.columns, password_hash)

    async def _is_held(self, change: Change, stored: Stored, columns: Columns) -> bool:
        """Whether the new name is kept for a deleted member, who may come back."""
        account, name = self._tenant.account, columns.unique_name
        if change.kind != "User" or not account.hold_names or name is None:
            return False
        definition = self._tenant.registry.resource(change.kind)
        if columns_of(orjson.loads(stored.document), definition, self._tenant, with_search=False).unique_name == name:
            return False
        statement = resources.lock_namesake(self._tenant.id, change.kind, name, account.undelete_days)
        (rows,) = await self._transaction.send(statement)
        return bool(rows)

    def _put(self, stored: Stored, document: dict[str, Any], columns: Columns, password_hash: str | None) -> Stored:
        version = stored.version + 1
        earlier = self._items.get(stored.id, {})
        item = resources.item_of(stored.id, document, columns, version=version, password_hash=password_hash)
        for name in ("search", "password_hash"):
            item[name] = item[name] if item[name] is not None else earlier.get(name)
        self._items[stored.id] = item
        after = stored._replace(
            version=version, document=orjson.dumps(document).decode(), active=columns.active, role=columns.role
        )
        self._stored[stored.id] = after
        return after

    async def _write(self, changes: Sequence[Change], answers: list[Stored | Exception]) -> list[Changed | Exception]:
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

    def _member_changes(self, change: Change) -> list[Statement]:
        tenant_id, group_id, statements = self._tenant.id, change.id, []
        for member_change in change.members:
            match member_change:
                case AddMembers(members):
                    statements.append(group_members.add(tenant_id, group_id, self._pairs(change, members)))
                case RemoveMembers(values):
                    ids = [found for value in values if (found := read_id(value))]
                    statements.append(group_members.remove(tenant_id, group_id, ids))
                case ReplaceMembers(members):
                    pairs = self._pairs(change, members)
                    statements.append(group_members.keep_only(tenant_id, group_id, [pair[0] for pair in pairs]))
                    statements.append(group_members.add(tenant_id, group_id, pairs))
                case RemoveAllMembers():
                    statements.append(group_members.keep_only(tenant_id, group_id, []))
        return statements

    def _pairs(self, change: Change, members: Sequence[Member]) -> list[tuple[str, str]]:
        return checked_members(members, self._kinds, self._tenant, group_id=change.id, tolerances=change.tolerances)


def checked_members(
    members: Sequence[Member], kinds: Mapping[str, str], tenant: Tenant, *, tolerances: list[str], group_id: str = ""
) -> list[tuple[str, str]]:
    """(id, kind) of the members that exist.

    One that does not is left out, and noted among *tolerances*: clients push members and leavers in no order, and one who is gone
    must not keep a hundred others out. The strict profile refuses it with ScimError("invalidValue").
    """
    pairs = []
    for member in members:
        member_id = read_id(member.value) or ""
        kind = kinds.get(member_id)
        if member_id == group_id and group_id:
            raise invalid_value("A group cannot be a member of itself.", "members.value")
        if kind is not None:
            pairs.append((member_id, kind))
        elif not tenant.profile.tolerances:
            raise invalid_value(
                f"There is no user or group {member.value[:100]!r} to be a member. Create it first.", "members.value"
            )
        elif UNKNOWN_MEMBERS not in tolerances:
            tolerances.append(UNKNOWN_MEMBERS)
    return pairs


def _name_is_taken(change: Change) -> ScimError:
    unique = unique_attribute(change.tenant.registry.resource(change.kind))
    name = unique.name if unique is not None else "id"
    return uniqueness_error(
        f"The new {name} is taken by another {change.kind}, or by a deleted one whose name is kept.", name
    )


def _changed(stored: Stored, modified: str | None, members: list[list[str]] | None) -> Changed:
    row = Row(
        stored.id,
        stored.kind,
        stored.version,
        stored.document,
        stored.created,
        modified or stored.modified,
        stored.groups,
    )
    return Changed(row, [(member, kind) for member, kind in members] if members is not None else None)
