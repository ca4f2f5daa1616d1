"""The number of SQL statements for a page does not grow with what it shows: all objects of one kind are read together."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

from lockstep.actions import applications, uploads
from lockstep.actions.single_sign_on.settings import change_sign_on
from lockstep.engine.records import Change
from lockstep.postgres.pool import transaction
from lockstep.storage import provisioning_log
from lockstep.storage.log_record import LogRecord
from lockstep.web.page import all_pages
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import Hub
from tests.support.statements import counted_statements

# Number n to m of everything that a page lists. Person 1 is a member of group 1 and has to do with every application.
_MORE = """
insert into source (name, kind, display_name) values ('lockstep', 'local', 'Lockstep') on conflict do nothing;
insert into source (name, kind, display_name)
select 'source-' || n, 'csv', 'Source ' || n from generate_series(%(n)s::int, %(m)s::int) as n;
insert into person (id, source, anchor, user_principal_name, attributes, manager_id)
select md5('person ' || n)::uuid, 'lockstep', n::text, 'person' || n || '@contoso.test', jsonb_build_object('displayName', 'Person ' || n,
    'userPrincipalName', 'person' || n || '@contoso.test', 'accountEnabled', true, 'department', 'D' || n),
    md5('person ' || 1 + n %% 2)::uuid from generate_series(%(n)s::int, %(m)s::int) as n;
insert into grp (id, source, anchor, display_name, attributes)
select md5('group ' || n)::uuid, 'hr', 'g' || n, 'Group ' || n, jsonb_build_object('displayName', 'Group ' || n)
from generate_series(%(n)s::int, %(m)s::int) as n;
insert into member (group_id, member_id, member_kind)
select md5('group 1')::uuid, md5('person ' || n)::uuid, 'User' from generate_series(%(n)s::int, %(m)s::int) as n
union select md5('group ' || n)::uuid, md5('person 1')::uuid, 'User' from generate_series(%(n)s::int, %(m)s::int) as n;
insert into app_role (app, id, position, value, display_name)
select id, md5('role ' || n)::uuid, 100 + n, 'role' || n, 'Role ' || n from application, generate_series(%(n)s::int, %(m)s::int) as n;
insert into assignment (app, principal_kind, principal_id)
select id, 'Group', md5('group ' || n)::uuid from application, generate_series(1, %(m)s::int) as n
union all select id, 'User', md5('person ' || n)::uuid from application, generate_series(1, %(m)s::int) as n on conflict do nothing;
update job set status = 'on', started = true;
insert into link (job, kind, source_id, target_id, state, display)
select job.id, 'User', md5('person ' || n)::uuid, 't' || n, 'live', 'person' || n from job, generate_series(1, %(m)s::int) as n
on conflict do nothing;
insert into dirty (job, kind, source_id, lane, reasons, failures, first_failed_at, not_before, last_error)
select id, 'User', md5('person ' || n)::uuid, 3, '{attributes}', 2, now(), now() + interval '1 hour',
    '{"code": "DuplicateTargetEntries", "reason": "Refused", "nextStep": "Look"}' from job, generate_series(1, %(m)s::int) as n
on conflict do nothing;
insert into operation (id, job, kind, source_id, action, state, target_id, attempt, planned_at)
select gen_random_uuid(), job.id, 'User', md5('person ' || n)::uuid, 'disable', 'held', 't' || n, 0, now()
from job, generate_series(1, %(m)s::int) as n on conflict do nothing;
insert into sign_in_log (at, person, person_display, result, code, address)
select now(), md5('person ' || n)::uuid, 'person' || n, 'failure', 'WrongPassword', '192.0.2.7'
from generate_series(%(n)s::int, %(m)s::int) as n;
insert into person_session (person, secret_hash, methods, signed_in_at, seen_at, expires_at)
select md5('person 1')::uuid, decode(md5('session ' || n), 'hex'), '{password}', now(), now(), now() + interval '1 hour'
from generate_series(%(n)s::int, %(m)s::int) as n;
insert into source_run (source, actor, file_name, passes, failure)
select 'hr', 'ada', 'people.csv', '[]', '' from generate_series(%(n)s::int, %(m)s::int);
insert into preview (job, state, started_by, config_version, done, counts)
select id, 'done', 'ada', config_version, 1, '{"create": 1}' from job, generate_series(%(n)s::int, %(m)s::int) as n;
insert into preview_object (preview, rank, sort_name, id, kind, name, display_name, action, is_held, is_due, effects, code, reason,
    next_step, target_id, changes)
select preview.id, 4, 'person' || n, md5('person ' || n)::uuid, 'User', 'person' || n, '', 'create', false, true, '{}', '', 'new', '', '',
    '[]' from preview, generate_series(1, %(m)s::int) as n on conflict do nothing;
insert into cycle (job, kind, state, phase, config_version, started_at, ended_at, total, done, counts)
select id, 'incremental', 'succeeded', 'done', config_version, now(), now(), 1, 1, '{"updated": 1}'
from job, generate_series(%(n)s::int, %(m)s::int) as n
"""

# Pages that rehearse a change before the click: what it would do is planned in each application that it concerns. They begin it in the
# background, which must not be counted for other pages.
REHEARSES = ("/delete", "/remove", "/consequences")


async def add(hub: Hub, first: int, last: int) -> None:
    """One more application, and of everything else the numbers *first* to *last*."""
    context = hub.context
    await applications.add_application(context, "documo", name=f"app-{last}", display_name=f"App {last}")
    async with transaction(hub.pool) as connection:
        for statement in _MORE.split(";\n"):
            await connection.execute(statement, {"n": first, "m": last})
        for app in await applications.list_applications(replace(context, within=connection)):
            records = [
                LogRecord(str(uuid4()), str(uuid4()), None, "update", "failure", "User", None, f"person{number}", "Refused",
                          "system", changes=(Change("title", "a", "b"),))
                for number in range(first, last + 1)
            ]  # fmt: skip
            await provisioning_log.append(connection, app.job, app.id, records)


async def addresses(hub: Hub) -> dict[str, str]:
    """The address of every page with values for its parameters. A route with a parameter that has no value here fails."""
    [(person, group, change, number, run, cycle, email, record, preview)] = await hub.fetch(
        """select md5('person 1')::uuid::text, md5('group 1')::uuid::text, (select change_id::text from provisioning_log limit 1),
            (select max(seq)::text from audit_log), (select max(id)::text from source_run),
            (select max(cycle.id)::text from cycle join job on job.id = cycle.job
                join application on application.id = job.app and application.name = 'app-2'),
            (select min(email) from administrator), (select max(id::text) from sign_in_log),
            (select max(preview.id)::text from preview join job on job.id = preview.job
                join application on application.id = job.app and application.name = 'app-2')"""
    )
    upload = await uploads.keep_upload(hub.context, "hr", "people.csv", _file())
    values = {
        "app": "app-2", "template": "documo", "object": "user", "email": email, "person": person, "group": group,
        "source": "hr", "run": run, "record": record,
        "change": change, "number": number, "cycle": cycle, "preview": preview, "order": "pause",
        "file": "ProvisioningLogs.json", "upload": upload.id, "what": "metadata",
    }  # fmt: skip
    pages = [page.path for page in all_pages() if page.method == "GET" and not page.is_public]
    more = {
        "/apps/{app}/provisioning/mappings/{object}/edit": "/apps/app-2/provisioning/mappings/user/edit?target=userName",
        "/logs/sign-ins/download/{file}": "/logs/sign-ins/download/SignInLogs.json",
        "/apps/{app}/provisioning/preview/{preview}/download/{file}": f"/apps/app-2/provisioning/preview/{preview}/download/preview.csv",
        "/logs/audit/download/{file}": "/logs/audit/download/AuditLogs.json",
        "/users/{person}/timeline/{file}": f"/users/{person}/timeline/timeline.json",
        "/groups/{group}/timeline/{file}": f"/groups/{group}/timeline/timeline.csv",
    }
    return {path: more.get(path) or path.format(**values) for path in pages}


async def _file() -> AsyncIterator[bytes]:
    yield b"id,userPrincipalName,displayName\n1,person1@contoso.test,Person 1\n"


async def statements_of(admin: Browser, path: str) -> tuple[int, list[str]]:
    """The status, and the statements for one page. The header is read only now and then, so the least of three requests counts."""
    found = []
    for _ in range(3):
        with counted_statements() as sent:
            page = await admin.get(path)
        if 'aria-busy="true"' in page.html:
            await admin.settled(path if path.endswith("/consequences") else f"{path}/consequences")
        found.append((len(sent), page.status, list(sent)))
    _, status, sent = min(found, key=lambda one: one[0])
    return status, sent


async def test_no_page_sends_more_statements_for_more_things(centre: Centre, admin: Browser) -> None:
    await add(centre.hub, 1, 2)  # up to two of each
    await change_sign_on(centre.hub.context, "app-2", {"mode": "saml"})
    few = {route: await statements_of(admin, path) for route, path in (await addresses(centre.hub)).items()}
    for last in range(3, 8):
        await add(centre.hub, last, last)
    paths = await addresses(centre.hub)

    grown, shown = {}, 0
    for route, path in paths.items():
        _, before = few[route]
        status, after = await statements_of(admin, path)
        assert status < 500, f"{path} answered {status}"
        shown += status == 200
        if len(after) > len(before) and not route.endswith(REHEARSES):
            grown[route] = (Counter(after) - Counter(before)).most_common(3)

    assert grown == {}
    assert shown > 0.9 * len(paths)


async def test_people_who_get_access_are_counted_once_for_the_list_of_assignments(
    centre: Centre, admin: Browser
) -> None:
    await add(centre.hub, 1, 2)

    _, sent = await statements_of(admin, "/apps/app-2/users-groups")

    assert sum("select count(*)" in one and "from effective_assignment" in one for one in sent) == 1
