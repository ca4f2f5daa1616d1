"""Find errors in an application when provisioning is idle: compare its accounts and group members with the directory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lockstep.cli.up.verification import ScimAccountReader
from lockstep.postgres.pool import Connection
from tests.journeys.people_who_change import OUTSIDE
from tests.journeys.test_kill_nine import context_of

_SHOULD = f"""select lower(user_principal_name), id::text, link.target_id from person
left join link on link.kind = 'User' and link.source_id = person.id and link.state = 'live'
where deleted_at is null and account_enabled and attributes ->> 'department' is distinct from '{OUTSIDE}'
    and exists (select from effective_assignment held where held.kind = 'User' and held.object_id = person.id)"""
_RECORDS = ("person", "link", "operation", "dirty", "dirty_member", "target_member", "provisioning_log", "change")
_OPEN = "select kind, action, state, count(*) from operation where state in ('planned', 'ambiguous') group by 1, 2, 3"
_MEMBERS = """select grp.display_name, member.member_id::text, link.target_id from member
join grp on grp.id = member.group_id and grp.deleted_at is null
left join link on link.kind = 'User' and link.source_id = member.member_id and link.state in ('live', 'disabled')"""


@dataclass(slots=True)
class Wrong:
    """A sentence for each error, by kind."""

    active: list[str] = field(default_factory=list)
    inactive: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {one.name: len(getattr(self, one.name)) for one in fields(self)}

    def sentences(self) -> list[str]:
        return [sentence for one in fields(self) for sentence in getattr(self, one.name)]


async def wrong_in(data: Path, reader: ScimAccountReader) -> Wrong:
    async with context_of(data) as context, context.reading() as connection:
        rows = await (await connection.execute(_SHOULD)).fetchall()
        should = {name: account for name, _, account in rows}
        entitled = {person for _, person, _ in rows}
        wrong = Wrong(open=[f"open: {row}" for row in await (await connection.execute(_OPEN)).fetchall()])
        wrong.members = await _wrong_members(connection, entitled, reader)
    accounts = [one for one in await reader.listing() if not one["userName"].endswith("@sandbox.example")]
    active = Counter(str(one["userName"]).lower() for one in accounts if one["active"])
    ids = {str(one["userName"]).lower(): one["id"] for one in accounts if one["active"]}
    wrong.active = [f"{name} is active and should not be" for name in active if name not in should]
    wrong.inactive = [f"{name} should be active and is not" for name in should if name not in active]
    wrong.doubled = [f"{name} exists {count} times" for name, count in active.items() if count > 1]
    wrong.unlinked = [f"{name} is not linked" for name, key in ids.items() if name in should and should[name] != key]
    return wrong


async def keep_evidence(data: Path, file: Path, wrong: Wrong) -> None:
    """Write the errors, and Lockstep's records, to *file*."""
    kept: dict[str, Any] = {"wrong": wrong.sentences()}
    async with context_of(data) as context, context.reading() as connection:
        for table in _RECORDS:
            cursor = await connection.execute(f"select to_jsonb({table}) from {table}")
            kept[table] = [row[0] for row in await cursor.fetchall()]
    file.write_text(json.dumps(kept))


async def _wrong_members(connection: Connection, entitled: set[str], reader: ScimAccountReader) -> list[str]:
    """Everyone who should have access is in the group; apart from them, only members with a disabled account may be."""
    held: dict[str, set[str]] = {
        group["displayName"]: {one["value"] for one in group.get("members") or ()} for group in await _groups(reader)
    }
    must: dict[str, set[str]] = {}
    may: dict[str, set[str]] = {}
    for group, person, account in await (await connection.execute(_MEMBERS)).fetchall():
        if person in entitled:
            must.setdefault(group, set()).add(account)
        may.setdefault(group, set()).add(account)
    wrong = [f"{group} is not in the application" for group in may.keys() - held.keys()]
    for group, accounts in held.items():
        wrong += [f"{account} is not in {group} and should be" for account in must.get(group, set()) - accounts]
        wrong += [f"{account} is in {group} and should not be" for account in accounts - may.get(group, set())]
    return wrong


async def _groups(reader: ScimAccountReader) -> list[Mapping[str, Any]]:
    page: Mapping[str, Any] = await reader.read("/Groups?count=100")
    return list(page.get("Resources", []))
