"""Which creates share a request, and that no create is sent once it may no longer be sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lockstep.engine.records import Action, ObjectKind
from lockstep.engine.rules.configuration import Limits
from lockstep.sync.drain.leases import Leases
from lockstep.sync.drain.sharing import FIRST_SIZE, Sharing
from lockstep.sync.drain.work import WorkQueue, Write
from tests.support.model_target import ModelTarget
from tests.support.sync_world import CONFIG, World

USER, GROUP = ObjectKind.USER, ObjectKind.GROUP


def write(action: Action = Action.CREATE, kind: ObjectKind = USER, *, lane: int = 1) -> Write:
    plan = SimpleNamespace(action=action, kind=kind)
    return Write(cast(Any, SimpleNamespace(lane=lane)), cast(Any, SimpleNamespace(plan=plan)), "op")


def queue_of(*works: Write) -> WorkQueue:
    queue = WorkQueue()
    for work in works:
        queue.put(work)
    return queue


@pytest.fixture
def target() -> ModelTarget:
    target = ModelTarget()
    target.most_creates = 1000
    return target


def many(number: int = 1_599) -> list[Write]:
    """Creates of which, with one more, sizes of 16, 32, 64 and 100 take equal parts."""
    return [write() for _ in range(number)]


async def shared(sharing: Sharing, *waiting: Write, first: Write | None = None, **limits: Any) -> int:
    return len(await sharing.with_others(first or write(), queue_of(*waiting), Limits(**limits)))


async def test_first_request_is_small(target: ModelTarget) -> None:
    assert await shared(Sharing(target, 1), *many()) == FIRST_SIZE


async def test_requests_grow_to_twice_the_size_and_up_to_100(target: ModelTarget) -> None:
    sharing = Sharing(target, 1)
    sizes = []
    for _ in range(4):
        sizes.append(await shared(sharing, *many()))
        sharing.note(sizes[-1], 0.001)

    assert sizes == [16, 32, 64, 100]


async def test_request_carries_what_the_application_makes_within_a_second(target: ModelTarget) -> None:
    sharing = Sharing(target, 1)

    sharing.note(16, 1.6)

    assert await shared(sharing, *many()) == 10


@pytest.mark.parametrize(("waiting", "size"), [(16, 9), (39, 14), (63, 16), (64, 13)])
async def test_waiting_creates_are_divided_evenly(target: ModelTarget, waiting: int, size: int) -> None:
    assert await shared(Sharing(target, 1), *many(waiting)) == size


async def test_slow_moment_does_not_end_bulk_requests(target: ModelTarget) -> None:
    sharing = Sharing(target, 1)

    sharing.note(16, 30)
    assert await shared(sharing, *(write() for _ in range(99))) == 1
    sharing.note(1, 0.01)

    assert await shared(sharing, *(write() for _ in range(99))) == 2


async def test_single_creates_do_not_change_the_size_of_requests(target: ModelTarget) -> None:
    sharing = Sharing(target, 1)

    sharing.note(1, 0.4)

    assert await shared(sharing, *many()) == FIRST_SIZE


async def test_limits_of_application_and_configuration_hold(target: ModelTarget) -> None:
    waiting = [write() for _ in range(99)]

    assert await shared(Sharing(target, 1), *waiting, creates_per_request=7) == 7
    target.most_creates = 5
    assert await shared(Sharing(target, 1), *waiting, creates_per_request=7) == 5


async def test_application_is_not_asked_if_creates_do_not_share_requests(target: ModelTarget) -> None:
    async def asked() -> int:
        raise AssertionError("the application was asked")

    target.creates_at_once = asked  # type: ignore[method-assign]
    waiting = [write() for _ in range(9)]

    assert await shared(Sharing(target, 1), *waiting, creates_per_request=1) == 1
    assert await shared(Sharing(target, 10), *waiting) == 1
    assert await shared(Sharing(target, 1), *waiting, first=write(Action.UPDATE)) == 1


async def test_as_many_waiting_creates_as_senders_share_a_request(target: ModelTarget) -> None:
    assert await shared(Sharing(target, 9), *(write() for _ in range(9))) == 10


@pytest.mark.parametrize("other", [write(kind=GROUP), write(Action.DISABLE), write(Action.DELETE)])
async def test_only_adjacent_creates_of_the_same_kind_share_a_request(target: ModelTarget, other: Write) -> None:
    assert await shared(Sharing(target, 1), write(), other, write()) == 2


async def test_leaver_who_arrived_in_the_meantime_comes_before_the_waiting_creates(target: ModelTarget) -> None:
    queue = queue_of(*(write() for _ in range(9)), write(Action.DISABLE, lane=0))

    assert len(await Sharing(target, 1).with_others(write(), queue, Limits())) == 1

    first = await queue.get()
    assert cast(Write, first).planned.plan.action is Action.DISABLE


async def test_no_create_is_sent_whose_lease_became_too_short_while_the_application_was_asked(
    world: World, target: ModelTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: dict[int, float] = {}
    late: set[int] = set()
    left = Leases.seconds_left

    def add(self: Leases, attempt: int, *, since: float) -> None:
        self._ends[attempt] = ends[attempt] = since + self._lease_seconds

    async def slow_answer() -> int:
        late.update(ends if not late else ())
        return 1000

    monkeypatch.setattr(Leases, "add", add)
    monkeypatch.setattr(Leases, "seconds_left", lambda self, one: 0.0 if one in late else left(self, one))
    target.creates_at_once = slow_answer  # type: ignore[method-assign]
    await world.configure({**CONFIG, "limits": {"concurrency": 1}})
    await world.add_people(range(40))

    await world.sync()

    tried_late = await world.rows("select id from operation where attempt = any(%s)", list(late))
    assert tried_late
    assert not {str(one) for (one,) in tried_late} & set(target.operations)
    assert len(target.people()) == 40
