"""Work that continues after its request was answered."""

from __future__ import annotations

from fastapi import Request

from lockstep.actions import status
from lockstep.actions.rows.provisioning import cycle_json
from lockstep.api.background import OperationJson, operation_of
from lockstep.api.door import Asked, router_of
from lockstep.api.shapes import NEXT_LOOK, rooted
from lockstep.errors import not_found

router = router_of("Operations")
_LARGEST = 2**62


@router.get("/operations/{operation}")
async def show_operation(context: Asked, request: Request, operation: str) -> OperationJson:
    """Show the progress of work that was accepted with status 202. Read it again after Retry-After seconds until `endedDateTime` is set."""
    kind, _, number = operation.partition("-")
    if kind != "cycle":
        return await operation_of(context, request, operation)
    if not (number.isascii() and number.isdigit()) or int(number) > _LARGEST:
        raise not_found(f"There is no operation {operation}")
    app, cycle = await status.find_cycle(context, int(number))
    row = cycle_json(cycle)
    if row["endedDateTime"] is None:
        request.state.headers.update(NEXT_LOOK)
    return {
        "id": operation,
        "kind": "cycle",
        "target": app,
        "application": app,
        "state": row["state"],
        "createdDateTime": row["startedDateTime"],
        "endedDateTime": row["endedDateTime"],
        "phase": "",
        "done": row["done"],
        "total": row["total"],
        "fraction": row["done"] / row["total"] if row["total"] else None,
        "result": None,
        "error": row["error"],
        "resource": rooted(request, f"/applications/{app}/cycles/{cycle.id}"),
    }
