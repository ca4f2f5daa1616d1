"""Do a logged request again on the present data, and undo it: why did that client get 400?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documo.store.database import Store
from lockstep.errors import invalid


async def replay_request(store: Store, tenant_id: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The status and body that the request would get now; nothing of it stays."""
    raise invalid("Replay is not there yet")
