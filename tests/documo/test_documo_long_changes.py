"""A change with many operations makes only its own client wait."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence

from documo.scim_service.writes.change_batch import MOST_AT_ONCE
from documo.scim_service.writes.collect import Collector
from tests.support.documo_client import Client

LONG = 1_000


async def test_a_batch_holds_no_more_weight_than_its_limit() -> None:
    batches: list[list[int]] = []

    async def run(_: Hashable, questions: Sequence[int]) -> Sequence[int | Exception]:
        batches.append(list(questions))
        return list(questions)

    collector: Collector[int, int] = Collector(run, max_batch=10, lanes=1, weigh=lambda weight: weight)
    await asyncio.gather(*(collector.ask("tenant", weight) for weight in (1, 4, 5, 6, 4, 50, 1)))

    assert batches == [[1, 4, 5], [6, 4], [50], [1]]


async def test_other_requests_are_answered_while_a_long_change_is_decided(api: Client) -> None:
    """On the event loop no request would be answered between the beginning and the end of the decision."""
    lee, kim = await api.user("lee@x.example"), await api.user("kim@x.example")
    operations = [{"op": "add", "path": f'emails[type eq "n{at}"].value', "value": "a@x.example"} for at in range(LONG)]
    assert len(operations) > MOST_AT_ONCE
    answered = 0

    change = asyncio.create_task(api.patch(f"/Users/{lee}", *operations))
    while not change.done():
        await api.get(f"/Users/{kim}")
        answered += 1

    change.result()
    assert answered > 5
