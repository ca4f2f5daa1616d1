from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.support.browser import (
    Visitor,
    chromium,
    documo_sign_in,
    documo_sign_in_again,
    first_sign_in,
    sign_in_again,
    visiting,
)
from tests.support.sign_on_world import Both
from tests.support.up_process import Up, running_up


@pytest.fixture(scope="session")
def up() -> Iterator[Up]:
    """Both products with people and a finished first cycle."""
    with running_up("--people", "200", "--seed", "20261123") as running:
        yield running


@pytest.fixture(scope="module")
def up_both() -> Iterator[Both]:
    """Both products of their own, in which a test file sets up single sign-on."""
    with running_up("--people", "60", "--seed", "20261123") as running:
        yield Both(running)


@pytest.fixture(scope="session")
async def chrome() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
async def first_administrator(chrome: Browser, up: Up) -> None:
    """The first administrator has a password."""
    await first_sign_in(chrome, up)


@pytest.fixture
async def session(chrome: Browser, up: Up, first_administrator: None) -> Any:
    """The browser state of a new session of the first administrator, which is confirmed for ten minutes."""
    return await sign_in_again(chrome, up)


@pytest.fixture(scope="session")
async def documo_password(chrome: Browser, up: Up) -> None:
    """Documo's Admin has a password."""
    await documo_sign_in(chrome, up)


@pytest.fixture
async def documo_session(chrome: Browser, up: Up, documo_password: None) -> Any:
    """The browser state of a new session of Documo's Admin, which is confirmed for ten minutes."""
    return await documo_sign_in_again(chrome, up)


@pytest.fixture
async def visitor(chrome: Browser, up: Up, session: Any) -> AsyncIterator[Visitor]:
    """A page of a Global administrator. The test fails if the browser's console said anything, or a request left the origin."""
    async with visiting(chrome, up.origin, session) as one:
        yield one
        assert one.said == []
