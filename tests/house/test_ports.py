"""The ports require only what their callers use."""

from __future__ import annotations

from lockstep.ports import Target
from lockstep.sync.services import Services
from lockstep.targets.opener import ScimTargets


def test_only_the_owner_of_the_connections_closes_anything() -> None:
    assert hasattr(ScimTargets, "close")
    assert not hasattr(Target, "close")
    assert not hasattr(Services, "close")
