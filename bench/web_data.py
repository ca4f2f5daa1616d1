"""The data of an organisation of some size: people, accounts, cycles, a log, and a Global administrator who is signed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from lockstep.actions import applications
from lockstep.actions.context import Actor
from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import LONGEST
from lockstep.actions.throughput import KEPT as CHARTS_KEPT
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.storage import activity, administrator_sessions, administrators
from lockstep.storage.administrators import RoleGrant
from lockstep.web.page import all_pages
from lockstep.wiring import House

ADMIN = "bench@contoso.test"

_PEOPLE = """
insert into person (id, source, anchor, user_principal_name, attributes)
select md5('person ' || n)::uuid, 'hr', n::text, 'person' || n || '@contoso.test', jsonb_build_object(
    'userPrincipalName', 'person' || n || '@contoso.test', 'accountEnabled', true, 'displayName', 'Person ' || n,
    'givenName', 'Person', 'surname', 'Number ' || n, 'department', 'Department ' || n %% 40, 'jobTitle', 'Engineer')
from generate_series(1, %(people)s) as n;
insert into grp (id, source, anchor, display_name, attributes)
select md5('group ' || n)::uuid, 'hr', 'g' || n, 'Group ' || n, jsonb_build_object('displayName', 'Group ' || n)
from generate_series(1, 200) as n;
insert into member (group_id, member_id, member_kind)
select md5('group ' || 1 + n %% 200)::uuid, md5('person ' || n)::uuid, 'User' from generate_series(1, %(people)s) as n;
insert into assignment (app, principal_kind, principal_id)
select application.id, 'Group', md5('group ' || n)::uuid from application, generate_series(1, 20) as n;
insert into assignment (app, principal_kind, principal_id)
select application.id, 'User', md5('person ' || n)::uuid from application, generate_series(1, 1000) as n;
"""
# The figures of the charts: half an hour each, then minutes, and the batches of this minute. They are summed as a running Lockstep does. A
# changed length of the queue every ten minutes.
_FIGURES = """
insert into activity (job, at, minutes, counts, failures, responses, gained, lost)
select job.id, part.at, part.minutes,
    jsonb_build_object('created', 3 + n %% 5, 'updated', 20 + n %% 17, 'disabled', n %% 3, 'failed', n %% 2, 'skipped', n %% 4),
    case when n %% 2 = 1 then jsonb_build_object('DuplicateTargetEntries', 1, 'Timeout', n %% 3) end,
    (select jsonb_object_agg(length::text, 1 + (length * n) %% 9) from generate_series(30 + n %% 5, 42 + n %% 5) as length),
    (select jsonb_object_agg(length::text, 1 + (length * n) %% 5) from generate_series(70 + n %% 7, 84 + n %% 7) as length),
    case when n %% 3 > 0 then
        (select jsonb_object_agg(length::text, 1 + (length * n) %% 3) from generate_series(72 + n %% 7, 82 + n %% 7) as length) end
from job, (
    select date_trunc('hour', now() - interval '2 hours') - n * interval '30 minutes' as at, 30 as minutes, n
    from generate_series(1, 48 * %(days)s) as n
    union all
    select date_trunc('minute', now()) - n * interval '1 minute', 1, n from generate_series(1, 180) as n
    where date_trunc('minute', now()) - n * interval '1 minute' >= date_trunc('hour', now() - interval '2 hours')
    union all
    select date_trunc('minute', now()) + n * interval '1 second', 0, n from generate_series(1, 5) as n
) as part;
insert into queue_depth (job, at, waiting)
select job.id, now() - n * interval '10 minutes', (n * 37) %% 400 from job, generate_series(1, 144 * %(days)s) as n;
insert into preview (job, state, started_by, ended_at, config_version, phase, done, total, counts)
select job.id, 'done', 'bench', now(), config_version, 'done', %(people)s, %(people)s,
    jsonb_build_object('create', %(people)s / 10, 'update', %(people)s - %(people)s / 10)
from job join application on application.id = job.app where application.name = 'app-1';
insert into preview_object (preview, rank, sort_name, id, kind, name, display_name, action, is_held, is_due, effects, code, reason,
    next_step, target_id, changes)
select preview.id, case when n %% 10 = 0 then 4 else 6 end, 'person ' || n, md5('person ' || n)::uuid, 'User',
    'person' || n || '@contoso.test', 'Person ' || n, case when n %% 10 = 0 then 'create' else 'update' end, false, true, '{}', '',
    'The person is in scope', '', 't' || n,
    '[{"displayName": "department", "oldValue": "A", "newValue": "B"}, {"displayName": "title", "oldValue": null, "newValue": "C"}]'
from preview, generate_series(1, %(people)s) as n;
"""
# The first application has everybody, the others a tenth. One object in a hundred fails.
_WORK = """
update job set status = 'on', started = true;
insert into link (job, kind, source_id, target_id, state, display)
select job.id, 'User', md5('person ' || n)::uuid, 't' || n, 'live', 'person' || n || '@contoso.test'
from (select id, row_number() over (order by id) as place from job) as job, generate_series(1, %(people)s) as n
where place = 1 or n %% 10 = 0;
insert into dirty (job, kind, source_id, lane, reasons, failures, first_failed_at, not_before, last_error)
select job, kind, source_id, 3, '{attributes}', 2, now() - interval '1 hour', now() + interval '1 hour',
    '{"code": "DuplicateTargetEntries", "reason": "The application refused the user", "nextStep": "Look at the record"}'
from link where right(target_id, 2) = '10';
insert into cycle (job, kind, state, phase, config_version, started_at, ended_at, total, done, counts)
select id, case n when 1 then 'initial' else 'incremental' end, 'succeeded', 'done', config_version,
    now() - make_interval(mins => 40 * (60 - n)), now() - make_interval(mins => 40 * (60 - n) - 1), 100, 100, '{"updated": 100}'
from job, generate_series(1, 60) as n order by n;
insert into provisioning_log (id, change_id, at, job, app, cycle, action, status, kind, source_id, source_display, target_id,
    target_display, error_code, reason, duration_ms, record)
select gen_random_uuid(), gen_random_uuid(), now() - (%(rows)s - n) * interval '20 seconds', job.id, job.app, 1,
    (array['create', 'update', 'update', 'disable'])[1 + n %% 4], case when n %% 50 = 0 then 'failure' else 'success' end, 'User',
    md5('person ' || 1 + n %% %(people)s)::uuid, 'person' || 1 + n %% %(people)s || '@contoso.test', 't' || n, 'person' || n,
    case when n %% 50 = 0 then 'DuplicateTargetEntries' else '' end, 'The department changed', 12,
    '{"steps": [], "modifiedProperties": [{"displayName": "department", "oldValue": "A", "newValue": "B"}]}'
from generate_series(1, %(rows)s) as n
join (select id, app, row_number() over (order by id) as place from job) as job on place = 1 + n %% %(applications)s
order by n;
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    people: int
    rows: int
    applications: int
    rounds: int
    listeners: int


async def fill(house: House, sizes: Sizes) -> None:
    """Create the data, with as few statements as possible."""
    context = house.context(Actor("bench", is_operator=True))
    for number in range(sizes.applications):
        await applications.add_application(
            context, "documo", name=f"app-{number + 1}", display_name=f"App {number + 1}"
        )
    given = {
        "people": sizes.people,
        "rows": sizes.rows,
        "applications": sizes.applications,
        "days": CHARTS_KEPT.days,
    }
    async with await psycopg.AsyncConnection.connect(str(house.pool.conninfo), autocommit=True) as connection:
        await connection.execute("insert into source (name, kind, display_name) values ('hr', 'csv', 'HR')")
        for statement in (_PEOPLE + _WORK + _FIGURES).split(";\n"):
            if statement.strip():
                await connection.execute(statement, given)
        await activity.sum_up(connection)
        await connection.execute("vacuum (analyze)")  # so that autovacuum does not run while pages are measured


async def new_session(house: House) -> str:
    """The secret of a session of a Global administrator."""
    secret, now = new_secret(), datetime.now(UTC)
    async with house.pool.connection() as connection:
        who = await administrators.insert_administrator(connection, ADMIN, display_name="Bench", actor="bench")
        await administrators.replace_grants(
            connection, who, [RoleGrant(Role.GLOBAL_ADMINISTRATOR.value, None)], actor="bench"
        )
        await administrator_sessions.insert_session(
            connection, who, hash_of(secret), device="bench", now=now, expires_at=now + LONGEST
        )
    return secret


async def addresses(house: House) -> dict[str, str]:
    """The address of each GET page, by its route, with real values for its parameters. Routes with an unknown parameter are absent."""
    async with house.pool.connection() as connection:
        found = await (
            await connection.execute(
                """select (select id::text from person limit 1), (select id::text from grp limit 1),
                    (select max(seq)::text from audit_log),
                    (select max(id)::text from cycle where cycle.job = max(provisioning_log.job)),
                    (array_agg(change_id::text order by seq desc))[1],
                    (array_agg(id::text order by seq desc))[1], (select max(id)::text from preview) from provisioning_log where app = (
                    select id from application where name = 'app-1')"""
            )
        ).fetchone()
    assert found is not None
    person, group, entry, cycle, change, record, preview = found
    values = {
        "app": "app-1", "template": "documo", "object": "user", "email": ADMIN, "person": person, "group": group, "source": "hr",
        "name": "hr", "number": entry, "cycle": cycle, "change": change, "change_id": change, "record": record,
        "id": record, "preview": preview,
    }  # fmt: skip
    routes = [page.path for page in all_pages() if page.method == "GET" and not page.is_public]
    return {path: path.format(**values) for path in routes if set(re.findall(r"\{(\w+)\}", path)) <= set(values)}
