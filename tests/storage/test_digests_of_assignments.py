"""The digest of an application's assignments changes with everything that a list of them shows, and with nothing else."""

from __future__ import annotations

import pytest

from lockstep.postgres.pool import Connection
from lockstep.storage.assignments import assignments_of_applications, digests_of_applications

JOB = "scim.a"
_ASSIGNED = """
insert into source (name, kind, display_name) values ('hr', 'csv', 'HR') on conflict do nothing;
insert into person (id, source, anchor, user_principal_name, attributes)
select md5('p' || n)::uuid, 'hr', n::text, 'person' || n, '{}' from generate_series(1, 3) as n;
insert into grp (id, source, anchor, display_name, attributes)
select md5('g' || n)::uuid, 'hr', n::text, 'group' || n, '{}' from generate_series(1, 2) as n;
insert into app_role (app, id, position, value, display_name) select id, md5('r')::uuid, 1, 'Reader', 'Reads' from application;
insert into assignment (app, principal_kind, principal_id, role_id)
select id, 'User', md5('p1')::uuid, md5('r')::uuid from application union all
select id, 'Group', md5('g1')::uuid, md5('r')::uuid from application union all
select id, 'User', md5('p2')::uuid, md5('r')::uuid from application union all
select id, 'Group', md5('g2')::uuid, md5('r')::uuid from application union all
select id, 'User', md5('purged')::uuid, '00000000-0000-0000-0000-000000000000' from application
"""
SHOWN = {
    "name of a person": "update person set user_principal_name = 'other' where anchor = '1'",
    "names that two people exchanged": """update person set user_principal_name = 'between' where anchor = '1';
        update person set user_principal_name = 'person1' where anchor = '2';
        update person set user_principal_name = 'person2' where anchor = '1'""",
    "person in the recycle bin": "update person set deleted_at = now() where anchor = '1'",
    "purged person": "delete from person where anchor = '1'",
    "name of a group": "update grp set display_name = 'other' where anchor = '1'",
    "names that two groups exchanged": """update grp set display_name = case anchor when '1' then 'group2' else 'group1' end
        where anchor in ('1', '2')""",
    "group in the recycle bin": "update grp set deleted_at = now() where anchor = '1'",
    "purged group": "delete from grp where anchor = '1'",
    "value of a role": "update app_role set value = 'Writer'",
    "name of a role": "update app_role set display_name = 'Writes'",
    "removed role": "delete from app_role",
    "another role": "update assignment set role_id = md5('q')::uuid where principal_kind = 'User'",
    "another role of those that were removed": "update assignment set role_id = md5('q')::uuid where principal_id = md5('purged')::uuid",
    "another person": "update assignment set principal_id = md5('p3')::uuid where principal_id = md5('p1')::uuid",
    "kind of a purged principal": "update assignment set principal_kind = 'Group' where principal_id = md5('purged')::uuid",
    "another purged principal": "update assignment set principal_id = md5('q')::uuid where principal_id = md5('purged')::uuid",
    "assignment that was removed and made again": "update assignment set id = md5('again')::uuid where principal_id = md5('g1')::uuid",
    "removed assignment": "delete from assignment where principal_kind = 'Group'",
    "added assignment": """insert into assignment (app, principal_kind, principal_id)
        select app, 'User', md5('p3')::uuid from assignment limit 1""",
}
NOT_SHOWN = {
    "attribute of a person": "update person set attributes = '{\"department\": \"Sales\"}' where anchor = '1'",
    "person without an assignment": "update person set user_principal_name = 'other' where anchor = '3'",
    "description of a role": "update app_role set description = 'other'",
}


async def read(connection: Connection) -> tuple[object, object]:
    cursor = await connection.execute("select id::text from application")
    [(app,)] = await cursor.fetchall()
    return await assignments_of_applications(connection, [app]), await digests_of_applications(connection, [app])


async def before_and_after(connection: Connection, change: str) -> list[tuple[object, object]]:
    for statement in _ASSIGNED.split(";\n"):
        await connection.execute(statement)
    before = await read(connection)
    await connection.execute(change)
    return [before, await read(connection)]


@pytest.mark.parametrize("change", SHOWN.values(), ids=SHOWN)
async def test_digest_changes_with_what_a_list_shows(connection: Connection, change: str) -> None:
    (rows, digest), (changed_rows, changed_digest) = await before_and_after(connection, change)

    assert rows != changed_rows and digest != changed_digest


@pytest.mark.parametrize("change", NOT_SHOWN.values(), ids=NOT_SHOWN)
async def test_digest_stays_while_a_list_shows_the_same(connection: Connection, change: str) -> None:
    before, after = await before_and_after(connection, change)

    assert before == after
