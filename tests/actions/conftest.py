from __future__ import annotations

import pytest

from tests.support.set_clock import SetClock


@pytest.fixture
def clock() -> SetClock:
    return SetClock()
