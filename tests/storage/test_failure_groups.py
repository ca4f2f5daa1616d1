"""The objects that fail, grouped by their error: a few of them are named, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockstep.postgres.pool import Connection
from lockstep.storage.failure_groups import failure_groups
from tests.support.statements import counted_statements

JOB = "scim.a"
_FAILING = """
insert into source (name, kind, display_name) values ('hr', 'csv', 'HR') on conflict do nothing;
insert into person (id, source, anchor, user_principal_name, attributes)
select md5('p' || n)::uuid, 'hr', n::text, 'person' || n, '{{}}' from generate_series(1, 40) as n;
insert into dirty (job, kind, source_id, lane, reasons, failures, last_error)
select '{job}', 'User', lpad(n::text, 32, '0')::uuid, 3, '{{}}', 1,
    jsonb_build_object('code', case when n <= 40 then 'Taken' else 'Gone' end)
from generate_series(1, 42) as n;
insert into dirty (job, kind, source_id, lane, reasons, failures) select '{job}', 'User', md5('p1')::uuid, 1, '{{}}', 1;
insert into link (job, kind, source_id, target_id, state, display)
select '{job}', 'User', lpad(n::text, 32, '0')::uuid, 't' || n, 'live', case when n <> 2 then 'name ' || n else '' end
from generate_series(1, 40) as n
"""


async def fill(connection: Connection) -> None:
    for statement in _FAILING.format(job=JOB).split(";\n"):
        await connection.execute(statement)


async def test_each_group_names_its_first_objects_by_link_then_person_then_id(connection: Connection) -> None:
    await fill(connection)

    found = await failure_groups(connection, [JOB], names=3)

    assert [(one.code, one.count, one.leavers) for one in found] == [("Taken", 40, 0), ("Gone", 2, 0), ("", 1, 1)]
    second = "00000000-0000-0000-0000-000000000002"
    assert found[0].names == ["name 1", second, "name 3"]
    assert found[2].names == ["person1"]


async def test_only_the_objects_that_are_named_are_looked_up(connection: Connection) -> None:
    await fill(connection)
    await connection.execute("analyze")
    with counted_statements() as sent:
        await failure_groups(connection, [JOB], names=3)

    cursor = await connection.execute(
        "explain (analyze, format json) " + sent[0], {"jobs": [JOB], "names": 3, "leavers": 1}
    )
    [[[explained]]] = await cursor.fetchall()

    looked_up = sum(
        node["Actual Loops"]
        for node in nodes(explained["Plan"])
        if node.get("Relation Name") in ("link", "person", "grp")
    )
    assert 0 < looked_up <= 3 * (3 + 2 + 1)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)
