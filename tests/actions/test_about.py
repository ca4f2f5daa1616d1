"""The versions of an installation."""

from __future__ import annotations

from lockstep.actions.about import show_about
from tests.support.hub import Hub


async def test_the_metadata_of_installed_packages_is_read_once_in_a_process(hub: Hub) -> None:
    first, second = await show_about(hub.context), await show_about(hub.context)

    assert first.parts and first.parts is second.parts
