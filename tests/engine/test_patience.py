"""How pauses grow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockstep.engine.patience import growing_pause


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 0), (1, 5), (2, 10), (3, 20), (7, 320), (8, 600), (9, 600), (10**9, 600)]
)
def test_each_try_in_vain_doubles_the_pause_up_to_ten_minutes(tries: int, seconds: int) -> None:
    assert growing_pause(tries) == timedelta(seconds=seconds)
