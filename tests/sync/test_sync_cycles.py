"""Cycles end to end against the model of an application."""

from __future__ import annotations

from lockstep.postgres.pool import transaction
from lockstep.storage import dirty, dirty_marks, target_index
from tests.support.model_target import USER, ModelTarget
from tests.support.sync_world import CONFIG, USERS, World, upn


async def test_initial_cycle_creates_everybody_once_with_one_request_each(world: World, target: ModelTarget) -> None:
    await world.add_people(range(200))

    cycle = await world.sync()

    assert sorted(target.people()) == [upn(number) for number in range(200)]
    assert target.people()[upn(7)] == {
        "userName": upn(7), "active": True, "name.givenName": "Given7", "name.familyName": "Sur7",
    }  # fmt: skip
    assert (cycle.kind, cycle.state, cycle.total, cycle.done) == ("initial", "succeeded", 200, 200)
    assert cycle.counts == {"created": 200}
    assert cycle.requests == 200 + 1  # one page of the listing
    assert target.requests["find"] == 1  # the probe


async def test_second_cycle_writes_and_asks_nothing(world: World, target: ModelTarget) -> None:
    await world.add_people(range(30))
    await world.sync()
    target.requests.clear()

    await world.change(range(30), department="unmapped")
    await world.drain()

    assert target.requests == {}
    assert (await world.cycle()).counts == {"unchanged": 30}
    assert await world.value("select count(*) from provisioning_log where cycle = %s", (await world.cycle()).id) == 0


async def test_accounts_that_exist_are_linked_by_the_listing_and_only_differences_are_written(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(20))
    for number in range(10):
        target.add({"userName": upn(number).upper(), "active": True, "name.givenName": f"Given{number}",
                    "name.familyName": f"Sur{number}" if number < 5 else "Other"})  # fmt: skip

    cycle = await world.sync()

    assert cycle.counts == {"linked": 5, "updated": 5, "created": 10}
    assert len(target.people()) == 20
    assert cycle.requests == 15 + 1


async def test_link_says_by_which_attribute_the_account_was_matched_and_keeps_it_when_the_account_changes(
    world: World, target: ModelTarget
) -> None:
    await world.add_people([1, 2, 3])
    target.add({"userName": upn(1), "active": True, "name.givenName": "Given1", "name.familyName": "Sur1"})
    target.add({"userName": upn(2), "active": True, "name.givenName": "Other", "name.familyName": "Other"})
    matched = "select display, matched_by from link order by display"

    cycle = await world.sync()
    first = await world.rows(matched)
    await world.change([1, 2, 3], surname="Changed")
    await world.drain()

    assert cycle.counts == {"linked": 1, "updated": 1, "created": 1}
    assert first == [(upn(1), "userName"), (upn(2), "userName"), (upn(3), "")]
    assert await world.rows(matched) == first
    assert {values["name.familyName"] for values in target.people().values()} == {"Changed"}


async def test_account_that_was_lost_and_is_linked_again_keeps_the_attribute_that_matched(
    world: World, target: ModelTarget
) -> None:
    await world.add_people([1, 2, 3])
    target.add({"userName": upn(1), "active": True, "name.givenName": "Given1", "name.familyName": "Sur1"})
    await world.sync()
    accounts = target.accounts[USER]
    links = "select display, state, matched_by from link where display <> %s order by display"

    target.accounts[USER] = {key: one for key, one in accounts.items() if one["userName"] == upn(3)}
    await world.sync()
    lost = await world.rows(links, upn(3))
    target.accounts[USER] = accounts
    await world.sync()

    assert lost == [(upn(1), "lost", "userName"), (upn(2), "lost", "")]
    assert await world.rows(links, upn(3)) == [(upn(1), "live", "userName"), (upn(2), "live", "")]


async def test_restart_reads_pages_and_repairs_what_was_changed_in_the_application(
    world: World, target: ModelTarget
) -> None:
    await world.add_people(range(250))
    await world.sync()
    some = next(iter(target.accounts[USER].values()))
    some["name.familyName"] = "Changed there"
    target.requests.clear()

    cycle = await world.sync()

    assert cycle.counts == {"unchanged": 249, "updated": 1}
    assert target.requests == {"page": 3, "update": 1}
    assert some["name.familyName"].startswith("Sur")


async def test_listing_without_proof_of_completeness_is_not_believed(world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    target.add({"userName": upn(1), "active": True, "name.givenName": "Given1", "name.familyName": "Sur1"})
    target.hides = frozenset(target.accounts[USER])  # announced, but not listed

    cycle = await world.sync()

    assert cycle.counts == {"linked": 1, "created": 2}
    assert len(target.people()) == 3


async def test_person_who_leaves_scope_is_disabled_not_deleted(world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    await world.sync()

    await world.unassign([1])
    await world.drain()

    assert target.people()[upn(1)]["active"] is False
    assert target.people()[upn(2)]["active"] is True
    assert (await world.cycle()).counts == {"disabled": 1}


async def test_person_who_comes_back_is_enabled_and_not_created_again(world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    await world.sync()
    await world.unassign([1])
    await world.drain()

    await world.assign([1])
    await world.drain()

    assert target.people()[upn(1)]["active"] is True
    assert (await world.cycle()).counts == {"enabled": 1}


async def test_rename_updates_only_what_differs(world: World, target: ModelTarget) -> None:
    await world.add_people(range(3))
    await world.sync()
    target.requests.clear()

    await world.change([1], surname="Married")
    await world.drain()

    assert target.people()[upn(1)]["name.familyName"] == "Married"
    assert target.requests == {"update": 1}
    after = await world.value("select after from operation where action = 'update'")
    assert after == {"name.familyName": "Married"}


async def test_leavers_go_before_everybody_who_waits(world: World, target: ModelTarget) -> None:
    await world.add_people(range(300))
    await world.sync()
    target.order.clear()
    await world.change(range(100, 300), surname="Later")
    await world.unassign([7])

    await world.drain()

    leaver = await world.value("select target_id from link where state = 'disabled'")
    assert [key for _, key in target.order].index(leaver) < 16


async def test_narrowing_the_scope_to_assigned_makes_leavers(world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, "scope": "all"})
    await world.add_people(range(4))
    await world.add_people([8, 9], assigned=False)
    await world.sync()

    await world.configure({**CONFIG, "scope": "assigned"})
    cycle = await world.sync()

    assert len(target.people()) == 6
    assert {name for name, values in target.people().items() if not values["active"]} == {upn(8), upn(9)}
    assert cycle.counts == {"unchanged": 4, "disabled": 2}


async def test_skip_is_logged_once_for_a_reason_not_in_every_cycle(world: World, target: ModelTarget) -> None:
    await world.add_people([1])
    await world.add_people([2], assigned=False)
    await world.configure({**CONFIG, "mappings": [{**USERS, "scopingFilters": [
        {"title": "Sales", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}]}]})  # fmt: skip
    await world.sync()
    await world.sync()

    assert await world.rows("select status, error_code, source_display from provisioning_log") == [
        ("skipped", "ScopingFilterFailed", upn(1))
    ]


async def test_two_people_never_share_one_account(world: World, target: ModelTarget) -> None:
    await world.configure({**CONFIG, "mappings": [{**USERS, "attributes": [
        {"target": "userName", "source": "mail", "match": 1}, {"target": "displayName", "source": "userPrincipalName"},
    ]}]})  # fmt: skip
    await world.add_people([1, 2], mail="shared@contoso.com")

    cycle = await world.sync()

    assert len(target.people()) == 1
    assert cycle.counts == {"created": 1, "failed": 1}
    assert cycle.state == "entryLevelErrors"
    assert await world.value("select error_code from provisioning_log where status = 'failure'") in (
        "DuplicateSourceEntries",
    )


async def test_log_record_tells_steps_changes_and_the_account(world: World, target: ModelTarget) -> None:
    await world.add_people([1])
    await world.sync()

    ((action, status, source, target_id, record),) = await world.rows(
        "select action, status, source_display, target_id, record from provisioning_log"
    )

    assert (action, status, source, target_id) == ("create", "success", upn(1), "u_1")
    assert [step["provisioningStepType"] for step in record["steps"]] == [
        "import", "scoping", "matching", "processing", "export",
    ]  # fmt: skip
    assert {"displayName": "userName", "oldValue": None, "newValue": upn(1)} in record["modifiedProperties"]
    assert record["exchanges"][0]["status"] == 200 or record["exchanges"][0]["status"] == 201


async def test_accounts_read_for_an_older_configuration_are_not_trusted(world: World) -> None:
    await world.start()
    cycle = (await world.cycle()).id
    async with world.pool.connection() as connection:
        await target_index.begin(connection, world.job, USER.value, cycle=cycle)
        await target_index.finish(connection, world.job, USER.value)
        assert await target_index.complete_kinds(connection, world.job, cycle=cycle) == {USER.value}

    await world.configure(CONFIG)

    async with world.pool.connection() as connection:
        assert await target_index.complete_kinds(connection, world.job, cycle=cycle) == frozenset()


async def test_the_next_cycle_is_due_after_the_interval_and_at_most_the_jitter_later(world: World) -> None:
    await world.configure({**CONFIG, "schedule": {"interval": "PT1H", "jitter": "PT10M"}})
    waits = set()
    for _ in range(8):
        await world.sync()
        waits.add(await world.value("select extract(epoch from next_cycle_at - now())::float from job"))

    assert all(3590 < wait <= 3600 + 600 for wait in waits)
    assert max(waits) - min(waits) > 5  # drawn again each time


async def test_a_few_of_many_due_objects_are_found_without_reading_them_all(world: World) -> None:
    """The table was empty a moment ago, and PostgreSQL would plan for that."""
    await world.add_people(range(dirty_marks.MANY))
    async with transaction(world.pool) as connection:
        marked = await dirty_marks.mark_all(
            connection, world.job, world.app, "User", everybody=True, cycle=None, reason="test"
        )
        cursor = await connection.execute("select reltuples from pg_class where oid = 'dirty'::regclass")
        assert (await cursor.fetchone())[0] >= marked == dirty_marks.MANY  # type: ignore[index]
    async with world.pool.connection() as connection:
        claims = await dirty.claim(connection, world.job, owner="us", limit=10, lease_seconds=60)
        cursor = await connection.execute(
            "explain " + dirty._BY_LANE,
            {"job": world.job, "owner": "us", "limit": 10, "lease_seconds": 60, "up_to_lane": 9},
        )
        claiming = "\n".join(row[0] for row in await cursor.fetchall())
    assert len({claim.source_id for claim in claims}) == 10
    assert "Tid Scan" in claiming and "Seq Scan on dirty" not in claiming
