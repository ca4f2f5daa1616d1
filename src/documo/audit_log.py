"""The audit log of an account: who changed what (on the pages, through the API or with a command), and who signed in.

Triggers write an entry in the transaction of each change. Entries cannot be changed, and are removed after the account's retention time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from documo import entry_ids
from documo.identifiers import read_id
from documo.store import audit_log as table
from documo.store.database import Store
from documo.store.secrets import secret
from documo.tenant_schemas import Custom, registry_of
from lockstep.errors import not_found
from lockstep.postgres.pool import Connection

ACTIVITIES: Mapping[str, str] = {
    "create": "Created",
    "change": "Changed",
    "activate": "Activated",
    "deactivate": "Deactivated",
    "delete": "Deleted",
    "restore": "Restored",
    "set password": "Password set",
    "end": "Ended",
    "download": "Downloaded",
    "revoke": "Revoked",
    "verify": "Verified",
    "sign in": "Signed in",
    "refuse": "Sign-in refused",
    "lock": "Sign-in locked",
}
DOORS: Mapping[str, str] = {"member": "Pages", "command": "Command line", "key": "SCIM", "system": "Documo"}
_OF_MEMBERS = ("User", "Operator", "Sign-in", "Password link", "Second factor", "Session")
# The kinds that triggers write for tables; resources have the name of their type.
KINDS = (
    "API key", "Account", "Branding", "Document", "Domain", "Event stream", "Operator", "Password link", "Second factor",
    "Session", "Sign-in", "Signing key", "Single sign-on", "Trusted issuer",
)  # fmt: skip
MOST_EXPORTED = 10_000

remove_old = table.remove_old


@dataclass(frozen=True, slots=True)
class AccountAuditFilter:
    """A selection of entries; "" and None match all. *actor* is a part of the actor's name. *text* is a part of the name of the changed
    object, or the object's id.
    """

    actor: str = ""
    text: str = ""
    kind: str = ""
    activity: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change or sign-in. *before* and *after* contain the attributes that differ."""

    id: str
    at: datetime
    actor_kind: str
    actor: str
    actor_id: str | None
    activity: str
    kind: str
    object_id: str
    object_name: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return ACTIVITIES.get(self.activity, self.activity)

    @property
    def member_id(self) -> str:
        """The member that the entry concerns, or ""."""
        return self.object_id if self.kind in _OF_MEMBERS and read_id(self.object_id) else ""

    @property
    def door(self) -> str:
        return DOORS[self.actor_kind]

    def differences(self) -> list[tuple[str, Any, Any]]:
        """Return the attribute, the old value and the new value of each change. A value that did not exist is None."""
        return [
            (name, self.before.get(name), self.after.get(name)) for name in dict.fromkeys([*self.before, *self.after])
        ]


async def find_entries(
    store: Store, tenant_id: int, wanted: AccountAuditFilter, *, most: int, below: str = ""
) -> list[AuditEntry]:
    """Return at most *most* entries, newest first, that are older than the entry *below*. If *below* is "", start with the newest entry."""
    async with store.tenant(tenant_id) as connection:
        key = await _key(connection)
        number = entry_ids.unseal(key, tenant_id, below)
        rows = await table.rows(
            connection, tenant_id, below=number, most=most, actor=wanted.actor, text=wanted.text, kind=wanted.kind,
            activity=wanted.activity, since=wanted.since, until=wanted.until,
        )  # fmt: skip
    return [_entry_of(row, entry_ids.seal(key, tenant_id, row.seq)) for row in rows]


async def show_entry(store: Store, tenant_id: int, entry_id: str) -> AuditEntry:
    """Return one entry. Raises LockstepError if the id is unknown."""
    async with store.tenant(tenant_id) as connection:
        number = entry_ids.unseal(await _key(connection), tenant_id, entry_id)
        row = await table.entry(connection, tenant_id, number) if number is not None else None
    if row is None:
        raise not_found(
            "The audit log does not have this entry", next_step="Choose one in the audit log: documo audit list"
        )
    return _entry_of(row, entry_id)


async def note_download(store: Store, tenant_id: int, document_id: str, name: str) -> None:
    """Record that the actor of *store* downloads a document."""
    async with store.tenant(tenant_id) as connection:
        await table.note(
            connection, tenant_id, activity="download", kind="Document", object_id=document_id, object_name=name
        )


async def _key(connection: Connection) -> bytes:
    return await secret(connection, "audit entries", entry_ids.SECRET_BYTES)


def kinds_of(custom: Custom) -> list[str]:
    """Return the kinds of objects that can occur in the log of an account with the schemas *custom*, sorted by name."""
    types = (definition.type.name for definition in registry_of(custom).definitions())
    return sorted({*KINDS, *types})


def as_json(entry: AuditEntry) -> dict[str, Any]:
    """Convert an entry to JSON."""
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "actorKind": entry.actor_kind,
        "actorId": entry.actor_id,
        "activity": entry.activity,
        "kind": entry.kind,
        "objectId": entry.object_id,
        "object": entry.object_name,
        "before": dict(entry.before),
        "after": dict(entry.after),
    }


def _entry_of(row: table.AccountAuditRow, entry_id: str) -> AuditEntry:
    if row.actor_kind == "key":
        actor = row.key_name or "a removed key"
    elif row.kind == "Sign-in" and row.actor_kind == "system":
        actor = "Somebody"
    else:
        actor = row.actor_name or "Documo"
    return AuditEntry(
        entry_id, row.at, row.actor_kind, actor, row.actor_id, row.activity, row.kind, row.object_id, row.object_name,
        row.before or {}, row.after or {},
    )  # fmt: skip
