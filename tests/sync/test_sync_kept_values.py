"""Values that an application does not keep are sent twice, reported and then left alone; rewritten values are remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockstep.engine.records import Account, ObjectKind
from lockstep.ports import Answer, Verdict
from lockstep.storage import unkept
from lockstep.storage.unkept import KeptAttribute, MissingAttribute
from lockstep.sync.outcome.kept_values import in_order
from tests.support.model_target import USER, ModelTarget, answered
from tests.support.sync_world import CONFIG, USERS, World, person_id, upn

OPTIONAL = [{"target": path, "source": path} for path in ("costCenter", "title", "employeeType")]
WITH_OPTIONAL = CONFIG | {"mappings": [USERS | {"attributes": [*USERS["attributes"], *OPTIONAL]}]}
VALUES: dict[str, Any] = {"costCenter": "KST-119", "title": "Clerk", "employeeType": "Staff  Member"}


class Forgetful(ModelTarget):
    """Drops the attributes in *drops*, normalises blanks in those of *rewrites*, ignores changes of those in *ignores*; *is_silent*:
    answers writes without a body.
    """

    drops: frozenset[str] = frozenset({"costCenter"})
    rewrites: frozenset[str] = frozenset({"employeeType"})
    ignores: frozenset[str] = frozenset()
    is_silent = False
    shows_little = False  # writes are answered with the user name alone

    async def create(self, kind: Any, values: Any, *, operation_id: str) -> Answer:
        answer = await super().create(kind, self._kept(values), operation_id=operation_id)
        return self._answered(answer, answer.account) if self.shows_little else answer

    async def update(self, kind: Any, target_id: str, changes: Any, **more: Any) -> Answer:
        kept = [one for one in changes if one.path not in self.drops | self.ignores]
        answer = await super().update(kind, target_id, kept, **more)
        self.accounts[kind][target_id] = self._kept(self.accounts[kind][target_id])
        return self._answered(answer, self._account(kind, target_id))

    def _kept(self, values: Any) -> dict[str, Any]:
        return {
            path: " ".join(value.split()) if path in self.rewrites else value
            for path, value in values.items()
            if path not in self.drops
        }

    def _answered(self, answer: Answer, account: Account | None) -> Answer:
        if account is not None and self.shows_little:
            account = replace(account, resource={key: account.resource[key] for key in ("id", "userName")})
        return replace(answer, account=None if self.is_silent else account)


@pytest.fixture
def target() -> ModelTarget:
    return Forgetful()


async def writes_of_a_full_cycle(world: World) -> int:
    before = world.target.writes
    await world.sync()
    return world.target.writes - before


async def not_kept(world: World) -> list[tuple[Any, ...]]:
    return await world.rows("select path, answers from unkept_attribute order by path")


async def test_dropped_attribute_is_sent_with_two_creates_and_never_again(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2, 3], **VALUES)

    counts = [await writes_of_a_full_cycle(world) for _ in range(3)]

    assert counts == [3, 0, 0]
    assert await not_kept(world) == [("costCenter", 3)]


async def test_two_answers_for_one_person_are_enough(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1], **VALUES)

    counts = [await writes_of_a_full_cycle(world) for _ in range(4)]

    assert counts == [1, 1, 0, 0]
    assert await not_kept(world) == [("costCenter", 2)]


async def test_answers_without_a_body_leave_it_to_the_next_full_reading(world: World, target: Forgetful) -> None:
    target.is_silent = True
    target.drops = target.rewrites = frozenset()
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    target.drops, target.rewrites = frozenset({"costCenter"}), frozenset({"employeeType"})
    await world.change([1, 2], costCenter="KST-120", employeeType="A  B")
    for values in target.accounts[USER].values():
        values.pop("costCenter")
    await world.drain()

    counts = [await writes_of_a_full_cycle(world) for _ in range(3)]

    assert counts == [2, 0, 0]
    assert await not_kept(world) == [("costCenter", 2)]
    told = await world.rows(
        """select step ->> 'description' from provisioning_log, jsonb_array_elements(record -> 'steps') as step
        where step ->> 'name' = 'EntryExportReadBack' and source_id = %s and at > (select max(at) from provisioning_log
            where action = 'update')""",
        person_id(1),
    )
    assert sorted(text for (text,) in told) == [
        "costCenter was sent, but the application did not return it.",
        'employeeType was sent as "A  B", but the application returned "A B".',
    ]


async def test_rewritten_value_is_left_and_a_change_at_the_source_is_sent(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    assert [await writes_of_a_full_cycle(world) for _ in range(2)] == [2, 0]

    await world.change([1], employeeType="External  Member")
    await world.drain()

    assert target.people()[upn(1)]["employeeType"] == "External Member"
    assert await writes_of_a_full_cycle(world) == 0


async def test_rewritten_value_that_somebody_changes_in_the_application_is_put_right(
    world: World, target: Forgetful
) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    account = next(iter(target.accounts[USER].values()))
    account["employeeType"] = "by hand"

    assert await writes_of_a_full_cycle(world) == 1
    assert {one["employeeType"] for one in target.people().values()} == {"Staff Member"}
    assert await writes_of_a_full_cycle(world) == 0


async def test_value_that_an_application_never_changes_is_written_once(world: World, target: Forgetful) -> None:
    target.ignores = frozenset({"title"})
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2, 3], **VALUES)
    await world.sync()
    await world.change([1], title="Director")

    counts = [await writes_of_a_full_cycle(world) for _ in range(2)]

    assert counts == [1, 0]
    assert ("title", 1) not in await not_kept(world)


async def test_change_of_what_is_not_kept_is_no_write_and_goes_along_with_another(
    world: World, target: Forgetful
) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    writes = target.writes

    await world.change([1], costCenter="KST-200")
    await world.drain()
    assert target.writes == writes

    await world.change([1], title="Director")
    await world.drain()
    changed = await world.value(
        "select record -> 'modifiedProperties' from provisioning_log where action = 'update' order by at desc limit 1"
    )
    assert sorted(one["displayName"] for one in changed) == ["costCenter", "title"]


async def test_attribute_that_is_kept_again_is_sent_for_everybody_who_waits(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    await world.change([1], costCenter="KST-200")
    await world.drain()

    target.drops = frozenset()
    await world.add_people([3], **VALUES)
    await world.drain()

    assert await not_kept(world) == []
    assert target.people()[upn(1)]["costCenter"] == "KST-200"


async def test_an_answer_that_has_the_value_begins_the_count_again(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1], **VALUES)
    await world.sync()
    target.drops = frozenset()
    await world.add_people([2], **VALUES)
    await world.drain()

    assert await not_kept(world) == []


async def test_another_mapping_of_the_attribute_is_tried_from_the_start(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    other = [*OPTIONAL[1:], {"target": "costCenter", "source": "department"}]
    await world.configure(CONFIG | {"mappings": [USERS | {"attributes": [*USERS["attributes"], *other]}]})
    assert await not_kept(world) == []

    target.drops = frozenset()
    await world.change([1, 2], department="Sales")
    await world.drain()

    assert target.people()[upn(1)]["costCenter"] == "Sales"


async def test_what_was_learnt_stays_when_another_mapping_changes(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()

    other = [OPTIONAL[0], OPTIONAL[2]]
    await world.configure(CONFIG | {"mappings": [USERS | {"attributes": [*USERS["attributes"], *other]}]})

    assert [path for path, _ in await not_kept(world)] == ["costCenter"]
    assert await writes_of_a_full_cycle(world) == 0


async def test_forgetting_sends_again_what_differs(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    await world.change([1], costCenter="KST-200")
    await world.drain()
    target.drops = frozenset()

    async with world.pool.connection() as connection:
        await unkept.forget(connection, world.job)
    await world.drain()

    assert target.people()[upn(1)]["costCenter"] == "KST-200"
    assert await writes_of_a_full_cycle(world) == 1
    assert target.people()[upn(2)]["costCenter"] == "KST-119"


@pytest.mark.parametrize("ignores", ["active", "userName"])
async def test_essential_value_that_is_not_kept_is_a_failure_that_stays(
    world: World, target: Forgetful, ignores: str
) -> None:
    target.ignores = frozenset({ignores})
    await world.add_people([1])
    await world.sync()
    if ignores == "active":
        await world.unassign([1])
    else:
        await world.change([1], userPrincipalName="new@contoso.com")
    await world.drain()

    [(code, reason)] = await world.rows("select last_error ->> 'code', last_error ->> 'reason' from dirty")
    assert code == "NotKept"
    assert reason.startswith(f"{ignores} was rejected")
    assert await world.value("select state from link") == "live"
    assert await world.value("select status from provisioning_log order by at desc limit 1") == "failure"

    target.ignores = frozenset()
    await world.rows("update dirty set not_before = '-infinity' returning 1")
    await world.drain()
    assert await world.value("select count(*) from dirty") == 0
    if ignores == "active":
        assert target.people()[upn(1)]["active"] is False


async def test_log_names_what_was_not_kept_as_it_was_sent(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1], **VALUES)
    await world.sync()

    steps = await world.value("select record -> 'steps' from provisioning_log where source_id = %s", person_id(1))

    told = {step["details"]["attribute"]: step for step in steps if step["name"] == "EntryExportReadBack"}
    assert told["costCenter"]["details"]["reason"] == "ValueNotKept"
    assert told["costCenter"]["description"] == "costCenter was sent, but the application did not return it."
    assert told["employeeType"]["details"]["reason"] == "ValueRewritten"
    assert '"Staff  Member"' in told["employeeType"]["description"]


async def test_answers_that_show_a_part_of_the_account_prove_nothing(world: World, target: Forgetful) -> None:
    target.drops = target.rewrites = frozenset()
    target.shows_little = True
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2, 3], **VALUES)
    await world.sync()
    await world.change([1], title="Director")
    await world.drain()

    assert await not_kept(world) == []
    assert target.people()[upn(1)]["title"] == "Director"
    assert await writes_of_a_full_cycle(world) == 0


async def test_reading_that_fails_gives_nothing_up_and_undoes_no_write(world: World, target: Forgetful) -> None:
    target.before = lambda verb, key: answered(Verdict.AMBIGUOUS) if verb == "get" else None
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)

    cycle = await world.sync()

    assert cycle.counts == {"created": 2}
    assert await not_kept(world) == []


async def test_account_is_read_back_only_until_it_is_known_what_is_not_kept(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    reads = target.requests["get"]

    await world.add_people([3, 4], **VALUES)
    await world.drain()

    assert (reads, target.requests["get"]) == (2, 2)


async def test_difference_that_is_withheld_is_recorded_once(world: World, target: Forgetful) -> None:
    await world.configure(WITH_OPTIONAL)
    await world.add_people([1, 2], **VALUES)
    await world.sync()
    await world.change([1], costCenter="KST-200")
    await world.drain()
    before = await world.value("select updated_at from link where source_id = %s", person_id(1))

    await world.change([1], country="Norway")
    await world.drain()

    assert await world.value("select updated_at from link where source_id = %s", person_id(1)) == before


@pytest.mark.parametrize(
    ("answers", "kept", "missing"),
    [("mm", [], [2]), ("mkm", ["title"], [1]), ("mmk", ["title"], []), ("kmm", ["title"], [2])],
)
def test_answers_of_a_batch_are_counted_from_the_last_that_had_the_value(
    answers: str, kept: list[str], missing: list[int]
) -> None:
    held = KeptAttribute(ObjectKind.USER, "title")
    left_out = MissingAttribute(ObjectKind.USER, "title", "Users", person_id(1), "Given1")

    found_kept, found_missing = in_order([held if answer == "k" else left_out for answer in answers])

    assert [one.path for one in found_kept] == kept
    assert [one.answers for one in found_missing] == missing
