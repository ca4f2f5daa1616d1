"""Changing the outbound list needs a separate permission: whoever may set up an application may not therefore change where Lockstep
connects to.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockstep.actions import outbound
from lockstep.actions.context import Actor
from lockstep.actions.permissions import EVERYTHING, Permission
from lockstep.errors import Kind, LockstepError
from tests.support.hub import Hub

PLACE = "https://app.internal:8443"
OWNER = Actor("app-owner", EVERYTHING - {Permission.OUTBOUND_WRITE})


@pytest.mark.parametrize("change", [outbound.add_place, outbound.remove_place])
async def test_whoever_sets_up_applications_may_not_change_the_list(hub: Hub, change: object) -> None:
    await outbound.add_place(hub.context, PLACE)
    assert callable(change)

    with pytest.raises(LockstepError) as refused:
        await change(replace(hub.context, actor=OWNER), PLACE)

    assert refused.value.kind is Kind.FORBIDDEN
    assert [one.entry for one in await outbound.list_places(hub.context)] == [PLACE]
