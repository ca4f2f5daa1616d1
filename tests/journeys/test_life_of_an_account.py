"""An account's life, from creation to deletion, in Documo and in a strict SCIM server: each step happens exactly once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from lockstep.actions import assignments, people, provisioning
from lockstep.actions import settings as settings_actions
from lockstep.actions.logs import list_log
from lockstep.actions.provisioning import ResetScope
from lockstep.storage.provisioning_log import LogFilter
from tests.journeys.two_applications import DOCUMO, Stage, Wire, open_stage
from tests.support.hub import guid, person, upn

Forward = Callable[[], Awaitable[web.StreamResponse]]


@pytest.fixture(scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as made:
        yield made


async def assign(stage: Stage, *names: str) -> None:
    for app in stage.wires:
        await assignments.assign(stage.context, app, users=[upn(name) for name in names])


async def unassign(stage: Stage, *names: str) -> None:
    for app in stage.wires:
        await assignments.unassign(stage.context, app, users=[upn(name) for name in names])


async def newcomer(stage: Stage, name: str, **values: str) -> None:
    """A person with an account in both applications."""
    await stage.have([person(name, **values)])
    await assign(stage, name)
    await stage.settle()
    stage.forget_requests()


async def states(stage: Stage, name: str) -> set[tuple[str, bool]]:
    """The account's id, and whether it is active, in each application."""
    return {(app, (await wire.listed())[upn(name)]["active"]) for app, wire in stage.wires.items()}


def everywhere(stage: Stage, *, active: bool) -> set[tuple[str, bool]]:
    return {(app, active) for app in stage.wires}


def methods(wire: Wire) -> list[str]:
    return [method for method, _, _ in wire.sent]


async def test_one_account_from_creation_to_purge(stage: Stage) -> None:
    await newcomer(stage, "lena")
    ids = {app: (await wire.listed())[upn("lena")]["id"] for app, wire in stage.wires.items()}

    await people.set_person(stage.context, upn("lena"), {"surname": "Married"})
    await stage.settle()
    for wire in stage.wires.values():
        assert (await wire.listed())[upn("lena")]["name"]["familyName"] == "Married"

    for is_enabled in (False, True):
        await people.set_enabled(stage.context, [upn("lena")], is_enabled=is_enabled)
        await stage.settle()
        assert await states(stage, "lena") == everywhere(stage, active=is_enabled)

    await unassign(stage, "lena")
    await stage.settle()
    assert await states(stage, "lena") == everywhere(stage, active=False)
    await assign(stage, "lena")
    await stage.settle()
    assert await states(stage, "lena") == everywhere(stage, active=True)

    await people.delete(stage.context, [upn("lena")])
    await stage.settle()
    assert await states(stage, "lena") == everywhere(stage, active=False)
    await people.restore(stage.context, [upn("lena")])
    await stage.settle()
    assert await states(stage, "lena") == everywhere(stage, active=True)
    for app, wire in stage.wires.items():
        assert (await wire.listed())[upn("lena")]["id"] == ids[app]
        assert set(methods(wire)) == {"PATCH"}, "one account all the time, and nothing read"
        assert len(wire.sent) == 7

    await people.delete(stage.context, [upn("lena")])
    await people.purge(stage.context, [upn("lena")])
    await stage.settle()
    for app, wire in stage.wires.items():
        assert upn("lena") not in await wire.listed()
        [deleted] = await list_log(stage.context, LogFilter(person=upn("lena"), action="delete"), app=app)
        assert deleted.source_display == upn("lena"), "the directory has forgotten the name, and the log has not"


async def test_account_of_a_person_who_was_unassigned_first_outlives_the_purge_disabled(stage: Stage) -> None:
    await newcomer(stage, "olga")
    await unassign(stage, "olga")
    await stage.settle()
    await people.delete(stage.context, [upn("olga")])
    await stage.settle()
    sent = {app: len(wire.sent) for app, wire in stage.wires.items()}

    await people.purge(stage.context, [upn("olga")])
    await stage.settle()

    for app, wire in stage.wires.items():
        assert (await wire.listed())[upn("olga")]["active"] is False
        assert "DELETE" not in methods(wire)[sent[app] :]


async def test_account_that_somebody_deleted_in_the_application_is_not_made_again_unasked(stage: Stage) -> None:
    await newcomer(stage, "lost")
    for wire in stage.wires.values():
        await wire.ask("DELETE", f"/Users/{(await wire.listed())[upn('lost')]['id']}")

    await people.set_person(stage.context, upn("lost"), {"surname": "Changed"})

    for app, wire in stage.wires.items():
        await stage.cycle(app)
        assert upn("lost") not in await wire.listed()
        (record, *_) = await list_log(stage.context, LogFilter(person=upn("lost")), app=app, limit=1)
        assert record.error_code == "InvalidAnchor"
    await forget(stage, "lost")


async def forget(stage: Stage, name: str) -> None:
    """Remove the people who failed on purpose, so that the next test starts with nothing waiting."""
    await unassign(stage, name)
    for app in stage.wires:
        await stage.cycle(app)


async def test_mapping_changed_mid_life_writes_only_whose_value_changes_and_reads_nothing(stage: Stage) -> None:
    await newcomer(stage, "sales1")
    await newcomer(stage, "hr1", department="HR")
    expression = 'IIF([department]="HR", "People and culture", "")'

    for app in stage.wires:
        await settings_actions.set_mapping(
            stage.context, app, "title", {"expression": f"IgnoreFlowIfNullOrEmpty({expression})", "source": None}
        )
    await stage.settle()

    for wire in stage.wires.values():
        assert methods(wire) == ["PATCH"]
        assert (await wire.listed())[upn("hr1")]["title"] == "People and culture"


async def test_restart_does_everything_again_without_a_second_account(stage: Stage) -> None:
    await newcomer(stage, "again")
    before = {app: set(await wire.listed()) for app, wire in stage.wires.items()}

    for app in stage.wires:
        await provisioning.restart(stage.context, app, [ResetScope.FULL])
    await stage.settle()

    for app, wire in stage.wires.items():
        assert set(await wire.listed()) == before[app]
        assert "POST" not in methods(wire)


async def test_rehired_person_gets_the_old_account_back(stage: Stage) -> None:
    await newcomer(stage, "rehired")
    ids = {app: (await wire.listed())[upn("rehired")]["id"] for app, wire in stage.wires.items()}
    stage.people.pop(guid("rehired"))
    await people.delete(stage.context, [upn("rehired")])
    await stage.settle()

    await stage.have([person("rehired", id=guid("rehired, the second time"))])
    await assign(stage, "rehired")
    await stage.settle()

    assert await states(stage, "rehired") == everywhere(stage, active=True)
    for app, wire in stage.wires.items():
        assert (await wire.listed())[upn("rehired")]["id"] == ids[app]


@pytest.mark.parametrize("fault", ["503", "429", "done but never told"])
async def test_deactivation_survives_what_happens_on_the_way(stage: Stage, fault: str) -> None:
    name = f"leaver{fault[:3]}".strip()
    await newcomer(stage, name)
    wire = stage.wires[DOCUMO]
    left = [fault]

    async def trouble(request: web.Request, forward: Forward) -> web.StreamResponse:
        if request.method != "PATCH" or not left:
            return await forward()
        if left.pop() == "done but never told":
            await forward()
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=429 if fault == "429" else 503, headers={"Retry-After": "1"})

    wire.trouble = trouble
    await people.set_enabled(stage.context, [upn(name)], is_enabled=False)
    await stage.settle()

    assert left == []
    assert await states(stage, name) == everywhere(stage, active=False)
    assert len(wire.writes) == (1 if fault == "done but never told" else 2)


async def test_second_person_who_claims_an_account_is_refused(stage: Stage) -> None:
    expression = 'IIF([department]="Twins", Append([surname], "@one.test"), [userPrincipalName])'
    for app in stage.wires:
        await settings_actions.set_mapping(stage.context, app, "userName", {"expression": expression, "source": None})
    await stage.have(person(name, surname="same", department="Twins") for name in ("first", "second"))
    await assign(stage, "first")
    await stage.settle()
    stage.forget_requests()

    await assign(stage, "second")

    for app, wire in stage.wires.items():
        await stage.cycle(app)
        (record, *_) = await list_log(stage.context, LogFilter(person=upn("second")), app=app, limit=1)
        assert record.error_code == "DuplicateSourceEntries"
        assert wire.writes == []


async def test_person_whom_two_accounts_match_is_refused_and_nothing_is_written(stage: Stage) -> None:
    for app, wire in stage.wires.items():
        await settings_actions.set_mapping(stage.context, app, "displayName", {"match": 2})
        for number in range(2):
            body = {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": f"there-before-{number}@contoso.test",
                "displayName": "Found Twice",
            }
            assert await wire.ask("POST", "/Users", body) == 201
    await stage.have([person("ambiguous", displayName="Found Twice")])
    await assign(stage, "ambiguous")
    stage.forget_requests()

    for app, wire in stage.wires.items():
        await stage.cycle(app)
        (record,) = await list_log(stage.context, LogFilter(person=upn("ambiguous")), app=app)
        assert record.error_code == "DuplicateTargetEntries"
        assert wire.writes == []
