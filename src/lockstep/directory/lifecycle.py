"""Purge objects whose retention period in the recycle bin has ended.

The objects to mark are determined before rows are deleted, because afterwards nothing shows who was assigned.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from lockstep.directory.edit import Edit, Touched, editing
from lockstep.directory.groups import GROUP, remove_members
from lockstep.directory.people import USER, PersonWrite, write_people
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage import groups as group_store
from lockstep.storage import people as people_store
from lockstep.storage.groups import GroupRow
from lockstep.storage.people import PersonRow

PURGE_AFTER = timedelta(days=30)
_BATCH = 500


async def purge_due(
    database: Pool | Connection, now: datetime, *, after: timedelta = PURGE_AFTER, actor: str = "system"
) -> tuple[int, Touched]:
    """Purge, in batches, the people and groups that have been in the recycle bin for longer than *after*. Returns the number of purged
    objects and the jobs to drain.
    """
    purged, touched = 0, Touched()
    while True:
        async with editing(database, actor=actor) as edit:
            people = await people_store.due_for_purge(edit.connection, now - after, limit=_BATCH)
            groups = await group_store.due_for_purge(edit.connection, now - after, limit=_BATCH)
            await purge_people(edit, people)
            await purge_groups(edit, groups)
        purged += len(people) + len(groups)
        touched |= edit.touched
        if not people and not groups:
            return purged, touched


async def purge_people(edit: Edit, people: list[PersonRow]) -> None:
    """Delete people permanently. Their direct reports are left without a manager."""
    if not people:
        return
    ids = [person.id for person in people]
    gone = set(ids)
    await edit.mark_changed(USER, [_all(one) for one in ids], reason="purged", is_leaving=True)
    reports = await people_store.reports_of(edit.connection, ids)
    writes = [PersonWrite(replace(one, manager_id=None), one) for one in reports if one.id not in gone]
    await write_people(edit, writes)
    await remove_members(edit, await group_store.edges_of_members(edit.connection, ids))
    await people_store.remove_people(edit.connection, ids)
    for person in people:
        edit.record(USER, person.id, "purged", before={"userPrincipalName": person.user_principal_name})


async def purge_groups(edit: Edit, groups: list[GroupRow]) -> None:
    if not groups:
        return
    ids = [group.id for group in groups]
    await edit.mark_changed(GROUP, [_all(one) for one in ids], reason="purged", is_leaving=True)
    await remove_members(edit, await group_store.edges_of_members(edit.connection, ids))
    await group_store.remove_groups(edit.connection, ids)
    for group in groups:
        edit.record(GROUP, group.id, "purged", before={"displayName": group.display_name})


def _all(object_id: str) -> dict[str, object]:
    return {"id": object_id, "changed": [], "concerns_all": True}
