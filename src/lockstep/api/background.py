"""Requests whose work continues after the response. The response has status 202 and names the address of the operation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import Request
from typing_extensions import TypedDict

from lockstep.actions import background_tasks as tasks
from lockstep.actions.background_tasks import TaskName, TaskRow, TaskWork
from lockstep.actions.context import Context
from lockstep.actions.rows.times import iso, iso_time
from lockstep.api.door import as_problem
from lockstep.api.shapes import NEXT_LOOK, rooted


class OperationJson(TypedDict):
    """An operation that continues after its request was answered. *state* is `running`, `succeeded` or `failed`. *resource* is the address
    of the created or changed object. *phase* names the present step. *fraction* is between 0 and 1, or null if the total is unknown.
    *error* is a problem.
    """

    id: str
    kind: str
    target: str
    application: str | None
    state: str
    createdDateTime: str
    endedDateTime: str | None
    phase: str
    done: int
    total: int | None
    fraction: float | None
    result: Any
    error: Mapping[str, Any] | None
    resource: str


async def accepted(context: Context, request: Request, name: TaskName, work: TaskWork) -> OperationJson:
    """Start *work* as an operation, and return the operation. The response gets a header Location with the address of the operation."""
    known = await tasks.begin_task(context, request.app.state.tasks, name, work, explain=partial(_problem, request))
    request.state.headers["Location"] = rooted(request, f"/operations/{known.id}")
    return operation_json(request, known)


async def operation_of(context: Context, request: Request, task: str) -> OperationJson:
    return operation_json(request, await tasks.show_task(context, task, explain=partial(_problem, request)))


def operation_json(request: Request, task: TaskRow) -> OperationJson:
    if task.ended_at is None:
        request.state.headers.update(NEXT_LOOK)
        state = "running"
    else:
        state = "succeeded" if task.error is None else "failed"
    return {
        "id": task.id,
        "kind": task.kind,
        "target": task.target,
        "application": None,
        "state": state,
        "createdDateTime": iso_time(task.created_at),
        "endedDateTime": iso(task.ended_at),
        "phase": task.phase,
        "done": task.done,
        "total": None,
        "fraction": task.fraction,
        "result": task.result,
        "error": task.error,
        "resource": rooted(request, task.resource),
    }


def _problem(request: Request, fault: Exception) -> Mapping[str, Any]:
    return as_problem(request, fault)
