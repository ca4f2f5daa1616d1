"""A page shows how far the computation of effects has progressed, and does not wait for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import Consequences
from lockstep.actions.context import Context
from lockstep.actions.forecasts import Forecasts, ReportProgress
from lockstep.web import foreseen

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
WHAT = "group x"


class Computing:
    """Computes the effects of nothing, as soon as *may_end* is set. *begun* counts the computations."""

    def __init__(self) -> None:
        self.begun, self.may_end = 0, asyncio.Event()

    async def foresee(self, context: Context, work: object, *, report: ReportProgress) -> list[Consequences]:
        self.begun += 1
        report(1, 4)
        await self.may_end.wait()
        return []


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> Computing:
    made = Computing()
    monkeypatch.setattr(foreseen, "foresee", made.foresee)
    return made


def caller(name: str, forecasts: Forecasts) -> Context:
    return cast(Context, SimpleNamespace(forecasts=forecasts, actor=SimpleNamespace(name=name), now=lambda: NOW))


async def work(_: Context) -> object:
    return None


async def test_page_shows_progress_until_the_effects_are_known(computing: Computing) -> None:
    anna = caller("anna", Forecasts())

    first = foreseen.begin(anna, WHAT, work)
    meanwhile = await foreseen.so_far(anna, WHAT, work)
    computing.may_end.set()
    last = await foreseen.at_last(anna, WHAT, work)
    shown = await foreseen.so_far(anna, WHAT, work)

    assert (first.is_first, first.lines) == (True, None)
    assert (meanwhile.is_first, meanwhile.lines, meanwhile.done, meanwhile.total) == (False, None, 1, 4)
    assert last.lines == shown.lines == consequence_lines([])
    assert computing.begun == 1


async def test_page_that_is_opened_again_computes_the_effects_anew(computing: Computing) -> None:
    anna = caller("anna", Forecasts())
    computing.may_end.set()

    for _ in range(2):
        foreseen.begin(anna, WHAT, work)
        await foreseen.at_last(anna, WHAT, work)

    assert computing.begun == 2


async def test_administrator_sees_no_effects_that_were_computed_for_another(computing: Computing) -> None:
    forecasts = Forecasts()
    computing.may_end.set()

    for name in ("anna", "ben"):
        await foreseen.at_last(caller(name, forecasts), WHAT, work)

    assert computing.begun == 2


async def test_browser_that_goes_away_does_not_end_the_computation_for_others(computing: Computing) -> None:
    anna = caller("anna", Forecasts())
    waiting = asyncio.create_task(foreseen.at_last(anna, WHAT, work))
    assert (await foreseen.so_far(anna, WHAT, work)).lines is None

    waiting.cancel()
    await asyncio.wait({waiting})
    computing.may_end.set()

    assert (await foreseen.at_last(anna, WHAT, work)).lines == consequence_lines([])
    assert computing.begun == 1
