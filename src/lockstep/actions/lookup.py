"""Find a person or group by the name that somebody typed. If it does not exist, the error suggests similar names."""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.directory.attributes import plain, shown
from lockstep.errors import LockstepError, conflict, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, groups, people, sources
from lockstep.storage.applications import ApplicationRow
from lockstep.storage.batches import as_id
from lockstep.storage.groups import GroupRow
from lockstep.storage.people import PersonRow
from lockstep.storage.sources import SourceRecord
from lockstep.wording import counted, did_you_mean

_MOST_NAMED = 5


async def find_application(connection: Connection, name: str) -> ApplicationRow:
    found = await applications.find_application(connection, name)
    if found is None:
        known = [one.name for one in await applications.list_applications(connection)]
        other = f"Available: {', '.join(known)}" if known else "Add one: lockstep apps add documo"
        raise unknown("application", name, known, otherwise=other)
    return found


async def find_person(connection: Connection, name: str) -> PersonRow:
    """Find a person who is not in the recycle bin, by user principal name, by id, or by another name.

    The other names are the employee id, the mail address, the display name, and the given name followed by the surname. Accents are
    ignored. If *name* has the form of an id, only ids are compared. Raises LockstepError if nobody has this name, or if several people have
    it.
    """
    found = await people.find_person(connection, plain(name))
    if found is not None:
        return found
    # Somebody's employee id or display name may be the id of another person, who is gone.
    is_named = as_id(plain(name)) is None
    called_so = await people.find_by_any_name(connection, plain(name), limit=_MOST_NAMED + 1) if is_named else []
    if len(called_so) == 1:
        return called_so[0]
    if called_so:
        some = ", ".join(one.user_principal_name for one in called_so[:_MOST_NAMED])
        raise conflict(
            f'Several people are called "{shown(name.strip())}"',
            next_step=f"Use the user principal name: {some}{', ...' if len(called_so) > _MOST_NAMED else ''}",
        )
    deleted = await people.find_person(connection, name.strip(), is_deleted=True)
    if deleted is not None:
        raise not_found(
            f"{deleted.user_principal_name} is deleted",
            next_step=f"Restore: lockstep people restore {deleted.user_principal_name}",
        )
    near = await people.near_names(connection, name.strip())
    raise unknown("person", name, near, otherwise="See: lockstep people list --search TEXT")


async def find_deleted_person(connection: Connection, name: str) -> PersonRow:
    found = await people.find_person(connection, name.strip(), is_deleted=True)
    if found is None:
        if await people.find_person(connection, name.strip()):
            raise conflict(f"{name} is not deleted")
        raise unknown("deleted person", name, [], otherwise="See: lockstep people list --deleted")
    return found


async def find_group(connection: Connection, name: str, *, is_deleted: bool = False) -> GroupRow:
    """Find a group by display name or id. Raises LockstepError if several groups have that display name."""
    found = await groups.find_groups(connection, name.strip(), is_deleted=is_deleted)
    if len(found) > 1 and not is_deleted:
        ids = ", ".join(one.id for one in found[:5])
        raise conflict(counted(len(found), "group") + f' are called "{name}"', next_step=f"Use an id: {ids}")
    if not found:
        known = [one.display_name for one, _ in await groups.list_groups(connection, is_deleted=is_deleted, limit=5000)]
        raise unknown("group", name, known, otherwise="See: lockstep groups list")
    return found[0]


async def find_source(connection: Connection, name: str) -> SourceRecord:
    found = await sources.read_source(connection, name)
    if found is None:
        known = [one.name for one in await sources.list_sources(connection)]
        raise unknown("source", name, known, otherwise="Add one: lockstep sources add NAME --people FILE")
    return found


def unknown(noun: str, name: str, known: Iterable[str], *, otherwise: str) -> LockstepError:
    """Return the error for a name that does not exist. *noun* says what was searched for, such as "person". *known* contains the existing
    names. The next step of the error suggests up to three similar names, or is *otherwise* if no name is similar.
    """
    return not_found(f'Unknown {noun} "{name}"', next_step=did_you_mean(name, known, most=3, otherwise=otherwise))
