from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub
from tests.support.previewed_application import previewed_application
from tests.support.scripted_scim import ScriptedScim


@pytest.fixture
async def centre(hub: Hub) -> AsyncIterator[Centre]:
    """The admin centre on the hub's database."""
    async with serving_centre(hub) as running:
        yield running


@pytest.fixture
async def admin(centre: Centre) -> Browser:
    """A browser of a Global administrator, who has just entered the password."""
    return await centre.signed_in()


@pytest.fixture
async def application(centre: Centre, tmp_path: Path) -> AsyncIterator[ScriptedScim]:
    """Documo with the account of Bo; Anna, Bo and =Cy are assigned to it."""
    async with previewed_application(centre, tmp_path) as served:
        yield served
