from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub


@pytest.fixture
async def centre(hub: Hub) -> AsyncIterator[Centre]:
    """The admin centre on the hub's database."""
    async with serving_centre(hub) as running:
        yield running


@pytest.fixture
async def admin(centre: Centre) -> Browser:
    """A browser of a Global administrator, who has just entered the password."""
    return await centre.signed_in()
