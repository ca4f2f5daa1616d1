"""When failures quarantine a job, what that slows, when it ends, and when failed objects are tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lockstep.ports import Answer, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage.failing import count_failing
from lockstep.sync.drive import Drive
from lockstep.sync.worker.tasks import run_schedule, run_sweep
from tests.support.model_target import ModelTarget, answered
from tests.support.sync_groups import WITH_GROUPS
from tests.support.sync_groups import refusing as refusing_members
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn
from tests.support.waiting import until

REFUSED = answered(Verdict.REFUSED, status=400, code="UnprocessableEntity", detail="No such department")


def refusing(numbers: range) -> Callable[[str, str], Answer | None]:
    names = {upn(number) for number in numbers}
    return lambda verb, key: REFUSED if verb == "create" and key in names else None


async def quarantine(world: World) -> dict[str, Any] | None:
    found: dict[str, Any] | None = await world.value("select quarantine from job")
    return found


async def scheduled_cycle(world: World) -> None:
    await world.rows("update job set next_cycle_at = now() returning 1")
    await run_schedule(world.services, Drive(pool=world.pool))
    await world.drain()


async def let_attempt_be_due(world: World) -> None:
    await world.rows(
        """update job set quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now())) returning 1"""
    )
    await world.rows("update dirty set not_before = now() where resume ? 'isSlowed' returning 1")


async def test_failures_are_compared_with_all_objects_and_not_with_those_of_one_cycle(
    world: World, target: ModelTarget
) -> None:
    target.before = refusing(range(12))
    await world.add_people(range(60))
    await world.sync()
    assert await quarantine(world) is None

    await world.rows("update dirty set not_before = now() where failures > 0 returning 1")
    await world.drain()

    assert (await world.cycle()).counts == {"failed": 12}
    assert await quarantine(world) is None


async def quarantined(world: World, target: ModelTarget) -> None:
    """Thirty people, fifteen of them refused."""
    target.before = refusing(range(15))
    await world.add_people(range(30))
    await world.sync()
    found = await quarantine(world)
    assert found is not None
    assert found["reason"] == "EncounteredEscrowProportionThreshold"
    assert found["error"]["message"] == "15 of 30 objects fail"


async def test_quarantine_for_failures_slows_what_gives_access_and_not_what_ends_it(
    world: World, target: ModelTarget
) -> None:
    await quarantined(world, target)

    await world.add_people([100])
    await world.change([20], surname="Renamed")
    await world.unassign([21])
    await world.drain()

    assert upn(100) not in target.people()
    assert target.people()[upn(20)]["name.familyName"] == "Sur20"
    assert target.people()[upn(21)]["active"] is False
    assert await quarantine(world) is not None
    assert await world.rows("select count(*) from cycle where state = 'running'") == [(0,)]


async def test_people_who_leave_by_a_filter_flow_through_a_quarantine(world: World, target: ModelTarget) -> None:
    by_surname = {"title": "all", "all": [{"attribute": "surname", "operator": "NOT EQUALS", "value": "Gone"}]}
    await world.configure({**CONFIG, "mappings": [{**USERS, "scopingFilters": [by_surname]}]})
    await quarantined(world, target)

    await world.change([20], surname="Gone")
    await world.drain()

    assert target.people()[upn(20)]["active"] is False


async def test_attempt_of_a_quarantine_tries_a_few_and_goes_on_slowly_while_they_fail(
    world: World, target: ModelTarget
) -> None:
    await quarantined(world, target)
    target.requests.clear()

    await let_attempt_be_due(world)
    await scheduled_cycle(world)

    assert target.requests["create"] == 10
    found = await quarantine(world)
    assert found is not None
    assert found["seriesCount"] == 2
    assert datetime.fromisoformat(found["nextAttempt"]) > datetime.now(UTC) + timedelta(minutes=75)
    assert await world.value("select next_cycle_at > now() + interval '75 minutes' from job")


async def test_quarantine_ends_when_few_enough_fail(world: World, target: ModelTarget) -> None:
    await quarantined(world, target)
    await world.add_people([100])
    await world.drain()
    target.before = lambda verb, key: None

    await let_attempt_be_due(world)
    await scheduled_cycle(world)
    await world.drain()  # what the end of the quarantine woke

    assert len(target.people()) == 31
    assert await quarantine(world) is None
    assert await world.value("select count(*) from dirty") == 0


async def test_first_success_does_not_end_a_quarantine(world: World, target: ModelTarget) -> None:
    await quarantined(world, target)

    await world.unassign([21])
    await world.drain()

    assert (await world.cycle()).counts["disabled"] == 1
    assert await quarantine(world) is not None


async def test_quarantine_of_months_switches_nothing_off(world: World, target: ModelTarget) -> None:
    await quarantined(world, target)
    await world.rows("""update job set quarantine = jsonb_set(quarantine, '{seriesBegan}', '"2020-01-01T00:00:00+00:00"')
        returning 1""")  # fmt: skip

    await let_attempt_be_due(world)
    await scheduled_cycle(world)
    await world.unassign([21])
    await world.drain()

    assert await world.value("select status from job") == "on"
    assert target.people()[upn(21)]["active"] is False


async def test_new_mapping_is_a_reason_to_try_a_quarantined_job_now(world: World, target: ModelTarget) -> None:
    await quarantined(world, target)

    await world.configure(CONFIG)

    assert await world.value("select (quarantine ->> 'nextAttempt')::timestamptz <= now() from job")


async def test_refused_managers_do_not_quarantine(world: World, target: ModelTarget) -> None:
    manager = {"target": "manager", "source": "manager"}
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": [*USERS["attributes"], manager]}]})
    await world.add_people(range(20))
    await world.sync()
    target.before = lambda verb, key: REFUSED if verb == "update" else None

    await world.rows("update person set manager_id = %s where id <> %s returning 1", person_id(0), person_id(0))
    await world.change(range(1, 20))
    await world.drain()

    assert (await world.cycle()).counts == {"failed": 19}
    assert await quarantine(world) is None


async def test_refused_member_counts_against_its_groups_and_neither_the_person_nor_the_job(
    world: World, target: ModelTarget
) -> None:
    await world.configure(WITH_GROUPS)
    await world.add_people(range(3))
    async with transaction(world.pool) as connection:
        await connection.execute(
            """with made as (
                insert into grp (id, source, anchor, display_name, attributes)
                select gen_random_uuid(), 'admin', name, name, jsonb_build_object('displayName', name)
                from generate_series(1, 12), lateral (select 'Team ' || generate_series) as given (name) returning id
            ), assigned as (
                insert into assignment (app, principal_kind, principal_id) select %s, 'Group', id from made
            )
            insert into member (group_id, member_id, member_kind) select made.id, one, 'User' from made, unnest(%s::uuid[]) as one""",
            (world.app, [person_id(number) for number in range(3)]),
        )
    refusing_members(target, 0)

    cycle = await world.sync()

    assert cycle.counts["membersRefused"] == 12
    assert await quarantine(world) is None
    async with world.pool.connection() as connection:
        failing = await count_failing(connection, world.job)
    assert (failing.base, failing.references) == (0, 12)
    assert await world.rows("select kind from dirty where kind = 'User'") == []
    assert await world.rows("select distinct kind from provisioning_log where status = 'failure'") == [("Group",)]


async def test_cycle_ends_and_is_judged_at_once(world: World, target: ModelTarget) -> None:
    target.before = refusing(range(15))
    await world.add_people(range(30))
    await world.start()
    async with transaction(world.pool) as connection:
        await connection.execute("select from job for no key update")
        drain = asyncio.create_task(world.drain())

        async def waits() -> bool:
            return bool(await world.value("select count(*) from pg_locks where not granted"))

        await until(waits)
        assert (await world.cycle()).ended_at is None
    await drain

    assert (await world.cycle()).ended_at is not None
    assert await quarantine(world) is not None


async def test_scheduled_cycle_leaves_those_who_failed_to_their_own_time(world: World, target: ModelTarget) -> None:
    target.before = refusing(range(1))
    await world.add_people(range(5))
    await world.sync()
    target.requests.clear()

    await scheduled_cycle(world)

    assert target.writes == 0
    assert await world.value("select not_before > now() + interval '5 hours' from dirty")


async def test_new_credentials_are_a_reason_to_try_again(world: World, target: ModelTarget) -> None:
    target.before = refusing(range(1))
    await world.add_people(range(5))
    await world.sync()

    await world.rows("update credential set secret = secret returning 1")

    assert await world.value("select not_before <= now() from dirty")


@pytest.mark.parametrize("trouble", ["look", "fault"])
async def test_leaver_is_never_given_up_whatever_failed_on_the_way(
    world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    await world.add_people([1])
    await world.sync()
    await world.unassign([1])
    long_ago = datetime.now(UTC) - timedelta(days=40)
    await world.rows(
        """update dirty set failures = 40, first_failed_at = %s, resume = '{"stage": "lookAgain"}' returning 1""",
        long_ago,
    )
    if trouble == "look":
        target.before = lambda verb, key: answered(Verdict.REFUSED, status=400) if verb == "get" else None
    else:
        await world.rows("update link set base = '7' returning 1")  # nothing that can be planned with

    await world.drain()

    assert target.people()[upn(1)]["active"] is True
    assert await world.value("select not_before < now() + interval '25 hours' from dirty")
    assert await world.value("select count(*) from provisioning_log where status = 'failure'") == 1


async def test_person_who_starts_later_gets_the_account_when_the_day_comes(world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, "startDate": {"attribute": "employeeHireDate"}})
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await world.add_people([1], employeeHireDate=tomorrow)
    await world.add_people([2])

    cycle = await world.sync()

    assert set(target.people()) == {upn(2)}
    assert (cycle.state, cycle.counts) == ("succeeded", {"created": 1, "skipped": 1})
    assert await world.value("select abs(extract(epoch from not_before - now()) - 86400) < 100 from dirty")

    await world.rows(
        """update person set attributes = attributes || jsonb_build_object('employeeHireDate', now() - interval '1 minute')
        where id = %s returning 1""",
        person_id(1),
    )
    await world.rows("update dirty set not_before = now() returning 1")
    assert await run_sweep(world.services, Drive(pool=world.pool)) == [world.job]
    await world.drain()

    assert set(target.people()) == {upn(1), upn(2)}
    assert await world.value("select count(*) from dirty") == 0


async def test_person_whom_a_condition_about_today_lets_in_gets_the_account_when_the_day_comes(
    world: World, target: ModelTarget
) -> None:
    """Nothing changes in the source: only the day of the person comes."""
    started = 'IIF(DateDiff("d", CDate([employeeHireDate]), Now()) >= 0, "True", "False")'
    filters = [{"title": "Started", "all": [{"expression": started}]}]
    await world.configure({**CONFIG, "mappings": [{**USERS, "scopingFilters": filters}]})
    await world.add_people([1], employeeHireDate=(datetime.now(UTC) + timedelta(days=3)).isoformat())
    await world.add_people([2], employeeHireDate=(datetime.now(UTC) - timedelta(days=3)).isoformat())

    cycle = await world.sync()

    assert set(target.people()) == {upn(2)}
    assert cycle.counts == {"created": 1, "skipped": 1}

    # The next midnight is not the day yet.
    assert await world.value("select not_before between now() and now() + interval '24 hours' from dirty")
    await world.rows("update dirty set not_before = now() returning 1")
    assert await run_sweep(world.services, Drive(pool=world.pool)) == [world.job]
    await world.drain()
    assert set(target.people()) == {upn(2)}
    assert await world.value("select not_before > now() from dirty")

    await world.rows(
        """update person set attributes = attributes || jsonb_build_object('employeeHireDate', now() - interval '1 minute')
        where id = %s returning 1""",
        person_id(1),
    )
    await world.rows("update dirty set not_before = now() returning 1")
    assert await run_sweep(world.services, Drive(pool=world.pool)) == [world.job]
    await world.drain()
    assert set(target.people()) == {upn(1), upn(2)}


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.CONFLICT, Verdict.GONE])
async def test_search_that_fails_is_in_the_log(world: World, target: ModelTarget, verdict: Verdict) -> None:
    await world.sync()
    broken = answered(verdict, status=404, code="Incompatible", detail="Model found nothing at GET /Users")
    target.before = lambda verb, key: broken if verb == "find" else None

    await world.add_people([1])
    await world.drain()

    assert (await world.cycle()).counts == {"failed": 1}
    found = await world.rows(
        "select kind, source_display, error_code, reason from provisioning_log where status = 'failure'"
    )
    assert found == [("User", upn(1), "Incompatible", "Model found nothing at GET /Users")]
