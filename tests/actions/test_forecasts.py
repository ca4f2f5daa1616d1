"""Forecasts that a process computes in the background while pages ask for them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from lockstep.actions.forecasts import FRESH, MOST_KEPT, Forecasts, ReportProgress

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def counting() -> tuple[list[str], Callable[[ReportProgress], Coroutine[Any, Any, str]]]:
    """A forecast that notes when it is computed, and reports 1 of 2 objects."""
    computed: list[str] = []

    async def compute(report: ReportProgress) -> str:
        computed.append("once")
        report(1, 2)
        return f"result {len(computed)}"

    return computed, compute


async def test_pages_that_ask_for_the_same_forecast_share_one_computation() -> None:
    forecasts, (computed, compute) = Forecasts(), counting()

    first = forecasts.join("ada", "x", compute, now=NOW)
    second = forecasts.join("ada", "x", compute, now=NOW, anew=True)  # still running
    assert await first.is_ready(within_seconds=5)

    assert first is second and await first.task == "result 1" and computed == ["once"]
    assert (first.done, first.total) == (1, 2)
    assert forecasts.join("bo", "x", compute, now=NOW) is not first


async def test_a_finished_forecast_is_computed_again_for_a_new_page_and_when_it_is_old() -> None:
    forecasts, (_, compute) = Forecasts(), counting()

    results = [
        await forecasts.join("ada", "x", compute, now=now, anew=anew).task
        for now, anew in ((NOW, False), (NOW + FRESH, False), (NOW, True), (NOW + 2 * FRESH, False))
    ]

    assert results == ["result 1", "result 1", "result 2", "result 3"]


async def test_an_error_is_shown_once_and_then_the_forecast_is_begun_again() -> None:
    forecasts, (_, compute) = Forecasts(), counting()

    async def fail(_: ReportProgress) -> str:
        raise ValueError("no database")

    failed = forecasts.join("ada", "x", fail, now=NOW)
    assert await failed.is_ready(within_seconds=5)

    assert forecasts.join("ada", "x", compute, now=NOW) is failed
    assert await forecasts.join("ada", "x", compute, now=NOW).task == "result 1"


async def test_a_cancelled_forecast_is_begun_again() -> None:
    forecasts, (_, compute) = Forecasts(), counting()
    cancelled = forecasts.join("ada", "x", compute, now=NOW)
    cancelled.task.cancel()
    await asyncio.wait({cancelled.task})

    again = forecasts.join("ada", "x", compute, now=NOW)

    assert again is not cancelled and await again.task == "result 1"


async def test_the_oldest_forecast_is_cancelled_when_there_are_too_many() -> None:
    forecasts = Forecasts()

    async def never(_: ReportProgress) -> None:
        await asyncio.Event().wait()

    begun = [forecasts.join("ada", str(number), never, now=NOW).task for number in range(MOST_KEPT + 1)]
    await asyncio.wait({begun[0]})

    assert begun[0].cancelled() and not any(task.done() for task in begun[1:])
    for task in begun:
        task.cancel()


async def test_a_forecast_that_is_begun_again_is_no_longer_the_oldest() -> None:
    forecasts, (_, compute) = Forecasts(), counting()
    for number in range(MOST_KEPT):
        await forecasts.join("ada", str(number), compute, now=NOW).task
    renewed = forecasts.join("ada", "0", compute, now=NOW, anew=True)

    forecasts.join("ada", "one more", compute, now=NOW)

    assert forecasts.join("ada", "0", compute, now=NOW) is renewed


async def test_nobody_is_told_of_the_error_of_a_forecast_that_no_page_asks_for() -> None:
    forecasts, told = Forecasts(), list[object]()

    async def fail(_: ReportProgress) -> str:
        raise ValueError("no database")

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, details: told.append(details))
    try:
        await asyncio.wait({forecasts.join("ada", "x", fail, now=NOW).task})
        await asyncio.sleep(0)
        del forecasts
        gc.collect()
    finally:
        loop.set_exception_handler(before)

    assert told == []
