"""Operations: work that goes on after its request was answered with 202."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lockstep.actions import access_tokens, sources
from lockstep.actions.background_tasks import MOST_AT_ONCE, BackgroundTasks, TaskName, begin_task, show_task
from lockstep.actions.context import Context, Progress
from lockstep.actions.sources import PassKind
from lockstep.errors import LockstepError
from tests.api.conftest import Client
from tests.support.hub import Hub, person, write_csv

IMPORT = TaskName("import", "hr", "/sources/hr")


def told(fault: Exception) -> Mapping[str, Any]:
    return {"detail": str(fault)}


async def test_import_is_accepted_and_its_operation_has_the_result(client: Client, tmp_path: Path) -> None:
    file = str(write_csv(tmp_path / "more.csv", [person("ola"), person("ulf")]))
    await sources.save_source(
        client.hub.context, "more", kind="csv", config={"files": [{"path": file, "kind": "people"}]}
    )

    done = await client.finished("sources/more/import")

    assert (done.body["state"], done.body["target"], done.body["error"]) == ("succeeded", "more", None)
    assert done.body["result"]["passes"][0]["read"] == 2
    assert (await client.get(done.body["resource"])).body["people"] == 2


async def test_import_that_the_caller_may_not_make_is_refused_and_no_operation_begins(client: Client) -> None:
    small = await access_tokens.create_service_token(client.hub.context, "reader", ["directory.read"])

    answer = await client.post("sources/hr/import", headers={"Authorization": f"Bearer {small.secret}"})
    unknown = await client.post("sources/none/import")

    assert (answer.status, unknown.status) == (403, 404)
    assert await client.hub.fetch("select count(*) from background_task") == [(0,)]


async def test_operation_is_shown_to_the_caller_who_began_it_and_to_nobody_else(client: Client) -> None:
    other = await access_tokens.create_service_token(client.hub.context, "other", ["directory.read", "sources.write"])
    begun = await client.post("sources/hr/import", dryRun=True)

    theirs = await client.call("GET", begun.headers["location"], headers={"Authorization": f"Bearer {other.secret}"})

    assert theirs.status == 404


async def test_progress_of_an_operation_is_read_while_it_works(hub: Hub) -> None:
    tasks, go_on = BackgroundTasks(), asyncio.Event()

    async def work(context: Context) -> Mapping[str, Any]:
        context.on_progress(Progress(PassKind.PEOPLE, 340, 0.25))
        await go_on.wait()
        return {"made": 1}

    task = await begin_task(hub.context, tasks, IMPORT, work, explain=told)
    async with asyncio.timeout(20):
        while (seen := await show_task(hub.context, task.id, explain=told)).done == 0:
            await asyncio.sleep(0.02)
        go_on.set()
        while (ended := await show_task(hub.context, task.id, explain=told)).ended_at is None:
            await asyncio.sleep(0.02)

    assert (seen.phase, seen.done, seen.fraction, seen.ended_at) == ("people", 340, 0.25, None)
    assert (ended.result, ended.error) == ({"made": 1}, None)


async def test_operation_of_a_server_that_stops_has_failed(hub: Hub) -> None:
    tasks = BackgroundTasks()

    async def work(_: Context) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    task = await begin_task(hub.context, tasks, IMPORT, work, explain=told)
    await asyncio.sleep(0)  # it has begun
    await tasks.stop()
    stopped = await show_task(hub.context, task.id, explain=told)

    assert stopped.ended_at is not None and "server stopped" in str(stopped.error)


async def test_operation_of_a_server_that_was_killed_has_failed_too(hub: Hub) -> None:
    lost_id = "4f0cbb8a-2f1c-4f4b-9d53-0e3a6cf4c7a1"
    await hub.fetch(
        """insert into background_task (id, kind, target, resource, actor, beat_at)
        values (%s, 'import', 'hr', '/sources/hr', %s, now() - interval '2 minutes')""",
        lost_id, hub.context.actor.name,
    )  # fmt: skip

    lost = await show_task(hub.context, lost_id, explain=told)

    assert lost.ended_at is not None and "server stopped" in str(lost.error)


async def test_a_server_takes_on_no_more_operations_than_it_can_work_on(hub: Hub) -> None:
    tasks = BackgroundTasks()

    async def work(_: Context) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    for _ in range(MOST_AT_ONCE):
        await begin_task(hub.context, tasks, IMPORT, work, explain=told)
    with pytest.raises(LockstepError, match="already"):
        await begin_task(hub.context, tasks, IMPORT, work, explain=told)
    await tasks.stop()
