"""The record of one member: who manages the member, changes by hand, and deletion.

A provisioning directory overwrites name, email and phone with its next change, so a change by hand would be lost silently. These fields
are therefore read-only for a member that provisioning manages, as long as the account has a key that may provision
(docs/decisions/0040-what-may-be-changed-of-a-provisioned-member.md). Admins can always change the role, and disable or delete the member,
because they must be able to end access at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from documo.members import TenantFacts, refuse_bad_email, refuse_last_admin
from documo.store import keys as keys_table
from documo.store import member_records as table
from documo.store import members as members_table
from documo.store.database import Store
from lockstep.errors import LockstepError, conflict, invalid, not_found
from lockstep.postgres.pool import Connection

DIRECTORY_FIELDS = ("Email", "First name", "Last name", "Phone")
_MOST = 200  # characters of a name or phone


@dataclass(frozen=True, slots=True)
class MemberDetails:
    """The parts of a member's record that an Admin may change."""

    user_name: str
    given_name: str
    family_name: str
    phone: str


@dataclass(frozen=True, slots=True)
class Management:
    """Whether provisioning manages a member. *key* is the name of the first key that wrote the member, or "" if that key is no longer
    known.

    *is_read_only* is true if provisioning manages the member and the account has a key that may provision. The directory would then
    overwrite a change by hand.
    """

    is_managed: bool
    key: str = ""
    is_read_only: bool = False


async def details_of(store: Store, tenant: TenantFacts, who: str) -> tuple[MemberDetails, Management]:
    """Return the details of a member, and who manages them. Raises LockstepError for an unknown member."""
    async with store.tenant(tenant.id) as connection:
        member_id = await _member_id(connection, tenant.id, who)
        row = await table.read_record(connection, tenant.id, member_id)
        provisions = await keys_table.may_provision(connection, tenant.id)
    return _details(row.document), management_of(row.source, row.managed_by, row.managing_key, provisions=provisions)


def management_of(source: str, managed_by: str | None, key: str | None, *, provisions: bool) -> Management:
    """Return who manages a member.

    *source* is "scim" if provisioning created the member. *managed_by* is the id of the first key that wrote the member, and *key* is the
    name of that key. *provisions* is true if the account has a key that may provision.
    """
    is_managed = source == "scim" or managed_by is not None
    return Management(is_managed, key or "", is_managed and provisions)


async def change_details(
    store: Store, tenant: TenantFacts, who: str, wanted: MemberDetails, *, force: bool = False
) -> None:
    """Change email, name and phone of a member.

    Raises LockstepError for an unknown member, for an email that is invalid or taken, and for a value that is too long or unprintable.
    Without *force*, also raises it for a member whose details the directory writes.
    """
    refuse_bad_email(wanted.user_name)
    for label, text in zip(DIRECTORY_FIELDS, asdict(wanted).values(), strict=True):
        if len(text) > _MOST or not text.isprintable():
            raise invalid(f"{label} is longer than {_MOST} characters, or contains unprintable characters")
    try:
        async with store.tenant(tenant.id) as connection:
            member_id = await _member_id(connection, tenant.id, who)
            row = await table.read_record(connection, tenant.id, member_id)
            if _details(row.document) == wanted:
                return
            provisions = await keys_table.may_provision(connection, tenant.id)
            management = management_of(row.source, row.managed_by, row.managing_key, provisions=provisions)
            if management.is_read_only and not force:
                raise _is_written_by_directory(row.document)
            await table.write_document(connection, tenant.id, member_id, changed(row.document, wanted), kind=row.kind)
    except psycopg.errors.UniqueViolation:
        raise conflict(f"A member with the user name {wanted.user_name} already exists") from None


def changed(document: dict[str, Any], wanted: MemberDetails) -> dict[str, Any]:
    """Return a copy of a SCIM User with the new details.

    Attributes that depend on the details change as well: formatted name, display name, emails. All others are unchanged.
    """
    before = _details(document)
    after = {**document, "userName": wanted.user_name}
    name = {key: value for key, value in (document.get("name") or {}).items() if key != "formatted"}
    name |= {"givenName": wanted.given_name, "familyName": wanted.family_name}
    after["name"] = {key: value for key, value in name.items() if value}
    if not after["name"]:
        del after["name"]
    shown = " ".join(filter(None, (wanted.given_name, wanted.family_name)))
    if document.get("displayName") and (before.given_name, before.family_name) != (
        wanted.given_name,
        wanted.family_name,
    ):
        after["displayName"] = shown or wanted.user_name
    if before.user_name != wanted.user_name and document.get("emails"):
        after["emails"] = [
            {**one, "value": wanted.user_name} if one.get("value") == before.user_name else one
            for one in document["emails"]
        ]
    if before.phone != wanted.phone:
        others = [one for one in document.get("phoneNumbers") or () if one.get("value") != before.phone]
        after["phoneNumbers"] = [*([{"value": wanted.phone, "type": "work"}] if wanted.phone else []), *others]
        if not after["phoneNumbers"]:
            del after["phoneNumbers"]
    return after


async def delete_member(store: Store, tenant: TenantFacts, who: str, *, force: bool = False) -> int:
    """Delete a member. The member's keys and sessions end in the same transaction. Returns the number of keys revoked.

    The member can be restored within the account's undelete window. Raises LockstepError for an unknown member and, unless *force* is
    true, for the last Admin.
    """
    async with store.tenant(tenant.id) as connection:
        member_id = await _member_id(connection, tenant.id, who)
        if not force:
            await refuse_last_admin(connection, tenant, member_id, who)
        row = await table.read_record(connection, tenant.id, member_id)
        return await table.soft_delete(connection, tenant.id, member_id, kind=row.kind)


def _details(document: dict[str, Any]) -> MemberDetails:
    name = document.get("name") or {}
    phones = [one for one in document.get("phoneNumbers") or () if one.get("value")]
    work = next((one for one in phones if one.get("type") == "work"), phones[0] if phones else {})
    return MemberDetails(
        str(document.get("userName") or ""),
        str(name.get("givenName") or ""),
        str(name.get("familyName") or ""),
        str(work.get("value") or ""),
    )


def _is_written_by_directory(document: dict[str, Any]) -> LockstepError:
    return conflict(
        f"Your directory writes the email, name and phone of {document.get('userName')}",
        why="Its next change would overwrite yours",
        next_step="Change them in your directory",
        code="ManagedByProvisioning",
    )


async def _member_id(connection: Connection, tenant_id: int, who: str) -> str:
    member_id = await members_table.find_member(connection, tenant_id, who)
    if member_id is None:
        raise not_found(f"There is no member {who[:200]!r}", next_step="documo members list")
    return member_id
