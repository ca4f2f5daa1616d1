"""Create many resources in one statement. A resource that conflicts fails; the others are created.

If an inactive or soft-deleted member has the same name, the tenant's restore policy decides. A create never takes over a member who was
created in Documo itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import psycopg

from documo.identifiers import new_id
from documo.scim_service.tenant.tenants import ScimTenant
from documo.scim_service.writes.account_rules import seats_error
from documo.store import group_members, resources
from documo.store.actors import key_actor
from documo.store.database import Store
from documo.store.resources import ResourceColumns, ResourceRow
from documo.store.round_trip import Rows, Statement, Transaction, one_trip, open_transaction
from lockstep.scim.errors import ScimError, uniqueness_error


@dataclass(frozen=True, slots=True)
class Creation:
    """One resource to create. All creations of a batch are of one tenant and one kind."""

    tenant: ScimTenant
    kind: str
    document: dict[str, Any]
    columns: ResourceColumns
    unique_name_path: str = ""
    password_hash: str | None = None
    id: str = ""  # chosen in advance by a bulk request, whose operations refer to each other
    member_ids: tuple[str, ...] = ()
    key: str | None = None


class CreatedResource(NamedTuple):
    """A resource that was created. *kinds* maps the id of each requested member that exists to the kind of the member. It may also contain
    ids that only other resources of the same batch requested.
    """

    row: ResourceRow
    kinds: Mapping[str, str]


class _Namesake(NamedTuple):
    id: str
    deleted: bool
    active: bool
    source: str
    version: int
    document: str


async def run_creates(store: Store, creations: Sequence[Creation]) -> list[CreatedResource | Exception]:
    """Return the outcome of each creation: the created resource, or the error for which the creation was refused. The created resources are
    durable when this returns.
    """
    tenant, kind = creations[0].tenant, creations[0].kind
    if tenant.account.seats is not None and kind == "User":
        return [await _create_within_seats(store, creation) for creation in creations]
    ids = [creation.id or new_id() for creation in creations]
    told = [resources.tell(tenant.id)] if kind == "Role" else []
    hold_days = _hold_days(tenant) if kind == "User" else None
    statements = _statements(creations, ids, hold_days)
    actor = key_actor({resource_id: one.key for resource_id, one in zip(ids, creations, strict=True)})
    results = await one_trip(store, tenant.id, [*statements, *told], actor=actor)
    made, kinds = _outcome(results[: len(statements)])
    answers: list[CreatedResource | Exception] = []
    for creation, resource_id in zip(creations, ids, strict=True):
        created = made.get(resource_id)
        answers.append(_made(creation, resource_id, created, kinds) if created else await _settle(store, creation))
    return answers


def _statements(creations: Sequence[Creation], ids: Sequence[str], hold_days: int | None) -> list[Statement]:
    """Return the statements of one transaction: they create all resources, and then add the members of the resources that were created."""
    tenant_id, kind = creations[0].tenant.id, creations[0].kind
    items = [
        resources.item_of(resource_id, c.document, c.columns, password_hash=c.password_hash, key=c.key)
        for c, resource_id in zip(creations, ids, strict=True)
    ]
    create = resources.create(tenant_id, kind, items, hold_days=hold_days)
    pairs = [(group, member) for c, group in zip(creations, ids, strict=True) for member in c.member_ids]
    if not pairs:
        return [create]
    # Every transaction that changes members locks them first, so that no two deadlock.
    known = group_members.known_members(tenant_id, sorted({member for _, member in pairs}))
    return [known, create, group_members.add_known(tenant_id, pairs)]


def _outcome(results: Sequence[Rows]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the creation time of each resource and the kind of each member, from the results of `_statements`."""
    return (dict(results[1]), dict(results[0])) if len(results) > 1 else (dict(results[0]), {})


def _hold_days(tenant: ScimTenant) -> int | None:
    """Return for how many days the name of a deleted person counts as taken, or None if such a name is free at once.

    While the name counts as taken, the restore policy decides the outcome of a request to create a person with this name.
    """
    account = tenant.account
    return account.undelete_days if account.hold_names or account.restore_policy != "new" else None


def _made(creation: Creation, resource_id: str, created: str, kinds: Mapping[str, str]) -> CreatedResource:
    text = orjson.dumps(creation.document).decode()
    return CreatedResource(ResourceRow(resource_id, creation.kind, 1, text, created, created), kinds)


async def _create_within_seats(store: Store, creation: Creation) -> CreatedResource | Exception:
    """Create one member if a seat is free.

    If no seat is free and the name is taken as well, the refusal says that the name is taken. A client that retries a create must learn
    that the account exists.
    """
    tenant = creation.tenant
    made: dict[str, str] = {}
    async with open_transaction(store, tenant.id, actor=key_actor({"": creation.key})) as transaction:
        if not creation.columns.active or await seats_error(transaction, tenant) is None:
            resource_id = creation.id or new_id()
            results = await transaction.send(*_statements([creation], [resource_id], _hold_days(tenant)), commit=True)
            made, kinds = _outcome(results)
    return _made(creation, resource_id, made[resource_id], kinds) if made else await _settle(store, creation)


async def _settle(store: Store, creation: Creation) -> CreatedResource | Exception:
    """Resolve a creation that failed because its unique name is in use or was used by a deleted resource, or because no seat was free."""
    taken = _taken(creation)
    name = creation.columns.unique_name
    if name is None:
        return taken
    try:
        return await _settle_name(store, creation, name, taken)
    except psycopg.errors.UniqueViolation:
        return taken  # a concurrent request took the name before we could restore its former owner


async def _settle_name(store: Store, creation: Creation, name: str, taken: ScimError) -> CreatedResource | Exception:
    tenant = creation.tenant
    async with open_transaction(store, tenant.id, actor=key_actor({"": creation.key})) as transaction:
        (rows,) = await transaction.send(
            resources.lock_namesake(tenant.id, creation.kind, name, tenant.account.undelete_days)
        )
        namesake = _Namesake(*rows[0]) if rows else None
        restores = namesake is not None and _may_restore(namesake, creation)
        if namesake is not None and not restores and not (namesake.deleted and _name_is_free(namesake, creation)):
            return taken
        if creation.columns.active and creation.kind == "User":
            full = await seats_error(transaction, tenant)
            if full is not None:
                return full
        if namesake is not None and restores:
            return await _restore(transaction, creation, namesake)
        return await _insert(transaction, creation, taken)  # the name was freed, or its member was deleted


def _may_restore(namesake: _Namesake, creation: Creation) -> bool:
    if creation.kind != "User" or creation.tenant.account.restore_policy != "restore" or namesake.source != "scim":
        return False
    return namesake.deleted or (not namesake.active and creation.columns.active)


def _name_is_free(namesake: _Namesake, creation: Creation) -> bool:
    account = creation.tenant.account
    if creation.kind != "User":
        return True
    return not account.hold_names and (account.restore_policy != "conflict" or namesake.source == "local")


async def _insert(transaction: Transaction, creation: Creation, taken: ScimError) -> CreatedResource | Exception:
    resource_id = creation.id or new_id()
    results = await transaction.send(*_statements([creation], [resource_id], None), commit=True)
    made, kinds = _outcome(results)
    return _made(creation, resource_id, made[resource_id], kinds) if made else taken


async def _restore(transaction: Transaction, creation: Creation, namesake: _Namesake) -> CreatedResource:
    tenant_id = creation.tenant.id
    version = namesake.version + 1
    item = resources.item_of(
        namesake.id, creation.document, creation.columns, version=version, password_hash=creation.password_hash,
        key=creation.key,
    )  # fmt: skip
    statements = [resources.update(tenant_id, [item])]
    if namesake.deleted:
        statements.append(resources.count_change(tenant_id, creation.kind, 1))
    statements.append(resources.read(tenant_id, [namesake.id]))
    results = await transaction.send(*statements, commit=True)
    return CreatedResource(ResourceRow(*results[-1][0]), {})


def _taken(creation: Creation) -> ScimError:
    path = creation.unique_name_path or "id"
    value = creation.document.get(path)
    shown = f"{path} {value!r}" if isinstance(value, str) else path
    cure = "Find it with a filter and change it, or choose another value."
    account = creation.tenant.account
    if account.hold_names or account.restore_policy == "conflict":
        cure += f" If no filter finds it, it belongs to a deleted {creation.kind}, which an admin can restore."
    return uniqueness_error(f"{shown[:300]} belongs to another {creation.kind}. {cure}", path)
