from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lockstep.actions import sources
from lockstep.actions.person_sign_in import passwords
from lockstep.actions.person_sign_in.outcomes import Visitor
from tests.portal.openid_world import OpenIdWorld, openid_world
from tests.support.admin_centre import Centre, serving_centre
from tests.support.hub import Hub, person, upn, write_csv

PASSWORD = "correct horse battery"


@pytest.fixture
async def directory(hub: Hub, tmp_path: Path) -> Hub:
    """A directory with Anna, Ben and Carla."""
    file = write_csv(tmp_path / "people.csv", [person(name) for name in ("anna", "ben", "carla")])
    await sources.import_file(hub.context, "hr", {"files": [{"path": str(file)}]}, is_kept=True)
    return hub


@pytest.fixture
async def centre(directory: Hub) -> AsyncIterator[Centre]:
    """The admin centre and the portal."""
    async with serving_centre(directory) as running:
        yield running


@pytest.fixture
async def world(centre: Centre) -> OpenIdWorld:
    return await openid_world(centre)


async def secret_of_link(centre: Centre, name: str) -> str:
    link = await passwords.new_sign_in_link(centre.context, upn(name))
    return link.path.removeprefix("/myapps/link/")


async def with_password(centre: Centre, name: str, password: str = PASSWORD) -> None:
    """Let the person called *name* have a password."""
    secret = await secret_of_link(centre, name)
    await passwords.accept_link(centre.context, secret, password, visitor=Visitor())
