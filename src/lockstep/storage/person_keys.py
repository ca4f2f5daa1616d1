"""The keys by which sources identify people. If a person's key has changed, the employee id shows who the person is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from lockstep.errors import conflict
from lockstep.postgres.pool import Connection


async def holders_of_employee_ids(
    connection: Connection, source: str, numbers: Iterable[str]
) -> dict[str, list[tuple[str, str, str]]]:
    """Map each employee id to the people of *source* outside the recycle bin who have it. Each person is a tuple of id, anchor and user
    principal name.
    """
    cursor = await connection.execute(
        """select attributes->>'employeeId', id::text, anchor, user_principal_name from person
        where source = %s and deleted_at is null and attributes ? 'employeeId' and attributes->>'employeeId' = any(%s)""",
        (source, list(set(numbers))),
    )
    found: dict[str, list[tuple[str, str, str]]] = {}
    for number, *holder in await cursor.fetchall():
        found.setdefault(number, []).append((holder[0], holder[1], holder[2]))
    return found


async def give_new_keys(connection: Connection, source: str, keys: Mapping[str, str]) -> int:
    """Set the new *keys* (person id to key) of people of *source*, except keys that another person already has. Returns how many were set.

    The next import treats the rows of these people as changed.
    """
    cursor = await connection.execute(
        """update person set anchor = given.key, row_hash = null, version = nextval('object_version'), updated_at = now()
        from unnest(%(ids)s::uuid[], %(keys)s::text[]) as given (id, key)
        where person.id = given.id and person.source = %(source)s
            and not exists (select from person other where other.source = %(source)s and other.anchor = given.key)""",
        {"source": source, "ids": list(keys), "keys": list(keys.values())},
    )
    return cursor.rowcount


async def replace_keys(connection: Connection, source: str, keys: Mapping[str, str]) -> int:
    """Replace the *keys* (old to new) of people of *source*. Returns how many were replaced. Two people may exchange keys.

    Raises LockstepError if another person of the source has one of the new keys.
    """
    # Replace the keys in two steps: within one statement the unique index would reject two people who swap keys.
    cursor = await connection.execute(
        """update person set anchor = E'\n' || given.new, row_hash = null, version = nextval('object_version'), updated_at = now()
        from unnest(%(old)s::text[], %(new)s::text[]) as given (old, new)
        where person.source = %(source)s and person.anchor = given.old""",
        {"source": source, "old": list(keys), "new": list(keys.values())},
    )
    changed = cursor.rowcount
    try:
        await connection.execute(
            "update person set anchor = substr(anchor, 2) where source = %s and starts_with(anchor, E'\n')", (source,)
        )
    except psycopg.errors.UniqueViolation:
        raise conflict(
            f"One of the new keys already belongs to a person of {source} who is not in the file; nothing was changed",
            next_step=f"Import the file first, so that people missing from it leave the directory: lockstep sources import {source}",
        ) from None
    return changed
