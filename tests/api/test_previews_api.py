"""Previews of a whole application over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lockstep.actions import job_previews
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor, Context
from lockstep.actions.credentials import set_credentials
from lockstep.vault import Secret
from tests.api.conftest import PEOPLE, Client
from tests.support.hub import upn
from tests.support.scripted_scim import ScriptedScim, scripted_scim

HERE = "applications/documo/previews"


@pytest.fixture
async def application() -> AsyncIterator[ScriptedScim]:
    async with scripted_scim() as served:
        yield served


@pytest.fixture
def allowed(application: ScriptedScim) -> tuple[str, ...]:
    return (application.origin,)


@pytest.fixture
async def worker(client: Client, application: ScriptedScim) -> Context:
    """The context of a worker. Documo has credentials, and everybody is in scope."""
    context = client.contexts(Actor("worker"))
    tenant_url = f"{application.origin}/scim/v2"
    await set_credentials(context, "documo", tenant_url=tenant_url, secret_token=Secret("t0ken"))
    await settings_actions.change_settings(context, "documo", scope="all")
    return context


async def test_preview_is_accepted_and_its_address_shows_the_result(client: Client, worker: Context) -> None:
    begun = await client.post(HERE)
    waiting = await client.get(begun.headers["location"])
    await job_previews.make_due_preview(worker)
    made = await client.get(begun.headers["location"])

    assert (begun.status, waiting.body["state"]) == (202, "waiting")
    assert (made.body["state"], made.body["counts"]["create"]) == ("done", len(PEOPLE))


async def test_objects_are_paged_and_filtered(client: Client, worker: Context) -> None:
    number = (await client.post(HERE)).body["id"]
    await job_previews.make_due_preview(worker)

    first = (await client.get(f"{HERE}/{number}/objects", limit=2, count=True)).body
    rest = (await client.get(f"{HERE}/{number}/objects", limit=2, cursor=first["nextCursor"])).body
    searched = (await client.get(f"{HERE}/{number}/objects", filter='action eq "create" and name co "kim"')).body
    refused = await client.get(f"{HERE}/{number}/objects", filter='action eq "explode"')

    assert first["count"] == len(PEOPLE)
    assert [one["name"] for one in first["items"] + rest["items"]] == [upn(name) for name in PEOPLE[:4]]
    assert [one["name"] for one in searched["items"]] == [upn("kim.berg")]
    assert refused.status == 400


async def test_objects_are_compared_only_with_a_kept_preview(client: Client, worker: Context) -> None:
    numbers = []
    for _ in range(2):
        numbers.append((await client.post(HERE)).body["id"])
        await job_previews.make_due_preview(worker)
    there = f"{HERE}/{numbers[1]}/objects"

    same = await client.get(there, filter=f"differsFrom eq {numbers[0]}", count=True)
    await client.call("DELETE", f"{HERE}/{numbers[0]}")
    removed = await client.get(there, filter=f"differsFrom eq {numbers[0]}")
    none = await client.get(there, filter="differsFrom eq 0")

    assert (same.body["items"], same.body["count"]) == ([], 0)
    assert (removed.status, none.status) == (404, 404)
    assert (await client.get(f"{HERE}/{numbers[1]}")).body["difference"] is None


async def test_preview_is_stopped_and_removed(client: Client, worker: Context) -> None:
    number = (await client.post(HERE)).body["id"]

    second = await client.post(HERE)
    stopped = await client.post(f"{HERE}/{number}/stop")
    again = await client.post(f"{HERE}/{number}/stop")
    await client.call("DELETE", f"{HERE}/{number}")
    gone = await client.get(f"{HERE}/{number}")

    assert (second.status, stopped.body["state"], again.status, gone.status) == (409, "stopped", 409, 404)


async def test_preview_is_applied_once_for_one_key_and_refused_after_a_change(client: Client, worker: Context) -> None:
    number = (await client.post(HERE)).body["id"]
    await job_previews.make_due_preview(worker)

    begun = await client.post(f"{HERE}/{number}/apply", headers={"Idempotency-Key": "apply-1"})
    again = await client.post(f"{HERE}/{number}/apply", headers={"Idempotency-Key": "apply-1"})
    other = await client.post(f"{HERE}/{number}/apply")
    left = await client.get(f"{HERE}/{number}/left")
    await settings_actions.change_settings(worker, "documo", scope="assigned")
    stale = await client.post(f"{HERE}/{number}/apply")

    assert (begun.status, begun.body["preview"], begun.body["state"]) == (202, number, "running")
    assert begun.headers["location"].endswith(f"/operations/cycle-{begun.body['id']}")
    assert (again.status, again.body) == (202, begun.body)
    assert (other.status, other.body["code"]) == (409, "PreviewBeingApplied")
    assert (left.status, left.body["items"]) == (200, [])
    assert (stale.status, stale.body["code"]) == (409, "PreviewStale")


async def test_objects_that_were_left_are_paged_with_both_plans(client: Client, worker: Context) -> None:
    number = (await client.post(HERE)).body["id"]
    await job_previews.make_due_preview(worker)
    async with worker.pool.connection() as connection:
        await connection.execute(
            """insert into preview_left (preview, kind, id, planned)
            select preview, kind, id, to_jsonb(preview_object) - array['preview', 'rank', 'sort_name'] || '{"action": "skip"}'
            from preview_object"""
        )

    first = (await client.get(f"{HERE}/{number}/left", limit=1)).body
    rest = (await client.get(f"{HERE}/{number}/left", limit=100, cursor=first["nextCursor"])).body

    found = first["items"] + rest["items"]
    assert len({one["planned"]["id"] for one in found}) == len(found) == len(PEOPLE)
    assert {(one["planned"]["action"], one["previewed"]["action"]) for one in found} == {("skip", "create")}
