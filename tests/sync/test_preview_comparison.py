"""A preview is compared with an earlier one of the same application, object by object, and never with one that no longer exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from lockstep.actions import job_previews
from lockstep.actions.context import Context
from lockstep.actions.job_previews import PreviewedObject, PreviewFilter, PreviewRow
from lockstep.errors import Kind, LockstepError
from lockstep.storage import preview_objects
from tests.support.sync_world import World, person_id, upn

ANNA = PreviewedObject(
    kind="User", id=person_id(1), name=upn(1), display_name="Anna", action="refuse", is_held=False, is_due=True, effects=(),
    code="ImportSkipped", reason="The mapping excludes Anna", next_step="", target_id="", changes=(),
)  # fmt: skip


async def made(context: Context, world: World) -> PreviewRow:
    begun = await job_previews.begin_preview(context, world.app)
    assert await job_previews.make_due_preview(context)
    return await job_previews.show_preview(context, world.app, begun.id)


async def stopped(context: Context, world: World, objects: Sequence[PreviewedObject] = ()) -> int:
    """Return the number of a preview that was stopped after *objects* were planned."""
    begun = await job_previews.begin_preview(context, world.app)
    async with world.pool.connection() as connection:
        await preview_objects.add(connection, begun.id, objects)
    await job_previews.stop_preview(context, world.app, begun.id)
    return begun.id


async def changed_between(context: Context, world: World, before: PreviewedObject, after: PreviewedObject) -> int:
    earlier, later = await stopped(context, world, [before]), await stopped(context, world, [after])
    return await job_previews.count_objects(context, world.app, later, PreviewFilter(differs_from=earlier))


async def kind_of_refusal(context: Context, world: World, number: int, wanted: PreviewFilter) -> set[Kind]:
    """List, count and page the objects; return the kinds of the errors."""

    async def all_pages() -> None:
        async for _ in job_previews.pages_of_objects(context, world.app, number, wanted):
            pass

    kinds = set()
    for asked in (
        job_previews.list_objects(context, world.app, number, wanted),
        job_previews.count_objects(context, world.app, number, wanted),
        all_pages(),
    ):
        with pytest.raises(LockstepError) as refused:
            await asked
        kinds.add(refused.value.kind)
    return kinds


async def test_preview_is_not_compared_with_one_that_was_discarded(context: Context, world: World) -> None:
    await world.add_people(range(3))
    earlier, later = await made(context, world), await made(context, world)

    await job_previews.discard_preview(context, world.app, earlier.id)

    asked = PreviewFilter(differs_from=earlier.id)
    assert await kind_of_refusal(context, world, later.id, asked) == {Kind.NOT_FOUND}


async def test_comparison_with_a_preview_that_is_not_kept_any_more_is_not_offered(
    context: Context, world: World
) -> None:
    await world.add_people(range(3))
    earlier, later = await made(context, world), await made(context, world)
    assert later.difference == {"earlier": earlier.id, "changed": 0, "gone": 0}

    await job_previews.discard_preview(context, world.app, earlier.id)

    assert (await job_previews.show_preview(context, world.app, later.id)).difference is None


async def test_comparison_is_not_offered_if_newer_previews_displace_the_earlier_one(
    context: Context, world: World
) -> None:
    await made(context, world)
    for _ in range(job_previews.KEPT - 1):
        await stopped(context, world)

    later = await made(context, world)

    assert later.difference is None


async def test_preview_is_not_compared_with_that_of_another_application(context: Context, world: World) -> None:
    await world.add_people(range(3))
    first = await made(context, world)
    async with world.pool.connection() as connection:
        await connection.execute(
            """with added as (insert into application (name, display_name, template) values ('other', 'Other', 'custom') returning id),
                job_of_it as (insert into job (id, app) select 'other', id from added returning id)
            select id from job_of_it"""
        )
        cursor = await connection.execute(
            """insert into preview (job, state, started_by, config_version) values ('other', 'done', 'bo', 1) returning id"""
        )
        row = await cursor.fetchone()
    assert row is not None

    asked = PreviewFilter(differs_from=int(row[0]))
    assert await kind_of_refusal(context, world, first.id, asked) == {Kind.NOT_FOUND}


async def test_list_that_is_read_page_by_page_ends_with_an_error_if_the_earlier_preview_is_discarded_meanwhile(
    context: Context, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_previews, "PAGE", 1)
    await world.add_people(range(3))
    earlier = await stopped(context, world)
    later = await made(context, world)
    asked = PreviewFilter(differs_from=earlier)
    pages = job_previews.pages_of_objects(context, world.app, later.id, asked)
    assert [one.name for one in await anext(pages)] == [upn(0)]

    await job_previews.discard_preview(context, world.app, earlier)

    with pytest.raises(LockstepError, match=f"has no preview {earlier}"):
        await anext(pages)


async def test_new_name_alone_is_no_difference(context: Context, world: World) -> None:
    renamed = replace(ANNA, display_name="Anna Berg", reason="The mapping excludes Anna Berg")

    assert await changed_between(context, world, ANNA, renamed) == 0


@pytest.mark.parametrize(
    "after",
    [
        replace(ANNA, action="skip"),
        replace(ANNA, code="NoMatchingAttribute"),
        replace(ANNA, is_held=True),
        replace(ANNA, target_id="u_771"),
        replace(ANNA, changes=[{"displayName": "active", "oldValue": "True", "newValue": "False"}]),
    ],
    ids=["action", "reason code", "held", "account", "change"],
)
async def test_object_differs_by(context: Context, world: World, after: PreviewedObject) -> None:
    assert await changed_between(context, world, ANNA, after) == 1


async def test_object_that_only_the_earlier_preview_had_is_counted_as_gone(context: Context, world: World) -> None:
    await world.add_people(range(3))
    earlier = await made(context, world)
    await world.unassign([2])

    later = await made(context, world)

    assert later.difference == {"earlier": earlier.id, "changed": 0, "gone": 1}


async def test_database_knows_how_many_objects_there_are_before_it_compares_them(
    context: Context, world: World
) -> None:
    await world.add_people(range(3))

    await made(context, world)

    assert await world.value("select reltuples::int from pg_class where relname = 'preview_object'") == 3
