"""Who is recognised, and under which key: marriages, a different key column, a renamed source, and what a dry run shows."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lockstep.actions.jobs import new_services
from lockstep.actions.source_decisions import reject_hold, who_is_held
from lockstep.actions.source_keys import rekey_source, rename_source
from lockstep.actions.sources import import_source, rehearse_import, save_source, show_source
from lockstep.directory.rows import PassResult
from lockstep.errors import LockstepError
from lockstep.sync.drive import WORK_QUEUE, Drive
from lockstep.sync.worker.tasks import build_app, run_schedule
from lockstep.targets.opener import ScimTargets
from tests.support.hub import Hub, confirm_what_waits, guid, person, upn, write_csv

COLUMNS = ("userPrincipalName", "displayName", "surname", "employeeId")


def staff(name: str, number: str, **values: str) -> dict[str, str]:
    row = {"userPrincipalName": upn(name), "displayName": name, "surname": name, "employeeId": number} | values
    return {column: row[column] for column in COLUMNS}


ANNA, BO = staff("anna.arslan", "0101"), staff("bo", "0102")
MARRIED = staff("anna.schmidt", "0101")


async def bring(hub: Hub, path: Path, name: str = "hr", **config: object) -> PassResult:
    [result] = await import_source(hub.context, name, config={"files": [{"path": str(path)}], **config})
    return result


def write(folder: Path, *rows: dict[str, str]) -> Path:
    return write_csv(folder / "p.csv", rows, columns=COLUMNS)


async def live(hub: Hub) -> dict[str, str]:
    """Ids of live people by user principal name."""
    rows = await hub.fetch("select user_principal_name, id::text from person where deleted_at is null")
    return {str(name): str(key) for name, key in rows}


# --- people who marry ---


async def test_leaver_and_joiner_with_one_employee_id_are_held_and_neither_removed_nor_created(
    hub: Hub, tmp_path: Path
) -> None:
    await bring(hub, write(tmp_path, ANNA, BO))

    result = await bring(hub, write(tmp_path, MARRIED, BO))

    assert (result.created, result.removed, len(result.renamings)) == (0, 0, 1)
    assert set(await live(hub)) == {upn("anna.arslan"), upn("bo")}
    [hold] = (await show_source(hub.context, "hr")).holds
    assert f"{upn('anna.arslan')} as {upn('anna.schmidt')} (employee id 0101)" in hold.reason
    assert await who_is_held(hub.context, "hr") == {"Renaming": [f"{upn('anna.arslan')} as {upn('anna.schmidt')}"]}


async def test_confirmed_renaming_keeps_the_person_and_the_next_import_brings_the_new_values(
    hub: Hub, tmp_path: Path
) -> None:
    await bring(hub, write(tmp_path, ANNA, BO))
    before = await live(hub)
    await bring(hub, write(tmp_path, MARRIED, BO))

    decision = await confirm_what_waits(hub)
    result = await bring(hub, write(tmp_path, MARRIED, BO))

    assert (decision.renamed, decision.left) == (1, 0)
    assert (result.created, result.removed, result.updated) == (0, 0, 1)
    assert (await live(hub))[upn("anna.schmidt")] == before[upn("anna.arslan")]


async def test_rejected_renaming_is_two_people_from_the_next_import_on(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write(tmp_path, ANNA, BO))
    await bring(hub, write(tmp_path, MARRIED, BO))

    await reject_hold(hub.context, "hr")
    result = await bring(hub, write(tmp_path, MARRIED, BO))

    assert (result.created, result.removed) == (1, 1)
    assert set(await live(hub)) == {upn("anna.schmidt"), upn("bo")}


async def test_held_renaming_ends_by_itself_when_the_old_name_is_back(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write(tmp_path, ANNA, BO))
    await bring(hub, write(tmp_path, MARRIED, BO))

    await bring(hub, write(tmp_path, ANNA, BO))

    assert (await show_source(hub.context, "hr")).holds == []


async def test_two_people_with_one_employee_id_who_are_both_in_the_file_are_two_people(
    hub: Hub, tmp_path: Path
) -> None:
    await bring(hub, write(tmp_path, ANNA))

    result = await bring(hub, write(tmp_path, MARRIED, ANNA))

    assert (result.created, result.removed, result.renamings) == (1, 0, [])


async def test_new_domain_for_everybody_is_one_decision_and_nobody_leaves(hub: Hub, tmp_path: Path) -> None:
    old = [staff(f"p{number}", f"{number:04}") for number in range(30)]
    await bring(hub, write(tmp_path, *old))
    before = set((await live(hub)).values())
    new = [row | {"userPrincipalName": row["userPrincipalName"].replace("contoso", "fabrikam")} for row in old]

    held = await bring(hub, write(tmp_path, *new))
    await confirm_what_waits(hub)
    result = await bring(hub, write(tmp_path, *new))

    assert (len(held.renamings), held.removed, result.updated, result.created) == (30, 0, 30, 0)
    assert set((await live(hub)).values()) == before


async def test_first_import_without_a_number_for_life_offers_one(hub: Hub, tmp_path: Path) -> None:
    first = await bring(hub, write(tmp_path, ANNA))
    second = await bring(hub, write(tmp_path, ANNA))

    assert any('--map "employeeId=id"' in note and "leaver and a joiner" in note for note in first.notes)
    assert not any("leaver and a joiner" in note for note in second.notes)


# --- another key ---


async def test_source_gets_another_key_and_nobody_leaves(hub: Hub, tmp_path: Path) -> None:
    file = write(tmp_path, ANNA, BO)
    await save_source(
        hub.context, "hr", kind="csv", config={"files": [{"path": str(file), "kind": "people"}]}, replaces=True
    )
    await import_source(hub.context, "hr")
    before = await live(hub)

    done = await rekey_source(hub.context, "hr", "employeeId")
    write(tmp_path, MARRIED, BO)
    [result] = await import_source(hub.context, "hr")

    assert (done.people, done.absent) == (2, 0)
    assert (result.created, result.removed, result.updated, result.unchanged) == (0, 0, 1, 1)
    assert (await live(hub))[upn("anna.schmidt")] == before[upn("anna.arslan")]
    assert await hub.fetch("select distinct attributes->>'employeeId' = anchor from person") == [(True,)]


async def test_map_to_another_key_than_the_settled_one_is_refused_with_the_command_that_changes_it(
    hub: Hub, tmp_path: Path
) -> None:
    await bring(hub, write(tmp_path, ANNA))

    with pytest.raises(LockstepError) as refused:
        await bring(hub, write(tmp_path, ANNA), map={"employeeId": "id"})

    assert 'sources rekey SOURCE --key "employeeId"' in refused.value.next_step


@pytest.mark.parametrize(
    ("numbers", "why"), [(("7", "7"), 'have the same value, "7"'), (("7", ""), "Line 3 has no value in this column")]
)
async def test_column_that_cannot_tell_people_apart_is_refused_as_the_key(
    hub: Hub, tmp_path: Path, numbers: tuple[str, str], why: str
) -> None:
    file = write(tmp_path, staff("anna", numbers[0]), staff("bo", numbers[1]))
    await bring(hub, file)

    with pytest.raises(LockstepError) as refused:
        await rekey_source(hub.context, "hr", "employeeId", config={"files": [{"path": str(file)}]})

    assert why in refused.value.why
    assert await hub.fetch("select count(*) from person where anchor = user_principal_name") == [(2,)]


async def test_keys_may_change_hands_when_the_key_changes(hub: Hub, tmp_path: Path) -> None:
    rows = [{"id": "1", "userPrincipalName": upn("anna"), "number": "2"}]
    rows += [{"id": "2", "userPrincipalName": upn("bo"), "number": "1"}]
    file = write_csv(tmp_path / "p.csv", rows, columns=("id", "userPrincipalName", "number"))
    await bring(hub, file)

    await rekey_source(hub.context, "hr", "number", config={"files": [{"path": str(file)}]})

    assert await hub.fetch("select anchor from person order by user_principal_name") == [("2",), ("1",)]


# --- another name ---


async def test_first_import_by_hand_becomes_the_registered_source(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", [person("anna"), person("bo")])
    await hub.add_source("csv")
    await bring(hub, file, "csv")
    taken = await bring(hub, file)
    assert ("of the source csv" in taken.bad_rows[0].reason, taken.taken_by) == (True, {"csv": 2})

    await rename_source(hub.context, "csv", "hr")
    result = await bring(hub, file)

    assert (result.unchanged, result.bad, result.removed) == (2, 0, 0)
    assert await hub.fetch("select name from source order by name") == [("hr",)]
    assert await hub.fetch("select id::text from person order by user_principal_name") == [
        (guid("anna"),), (guid("bo"),)
    ]  # fmt: skip


async def test_source_that_has_brought_people_takes_over_no_others(hub: Hub, tmp_path: Path) -> None:
    await hub.add_source("csv")
    await bring(hub, write_csv(tmp_path / "a.csv", [person("anna")]), "csv")
    await bring(hub, write_csv(tmp_path / "b.csv", [person("bo")]))

    with pytest.raises(LockstepError, match="already has people or groups"):
        await rename_source(hub.context, "csv", "hr")


# --- a dry run ---


async def test_dry_run_names_who_would_come_change_and_leave_and_changes_nothing(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo")]))
    later = write_csv(tmp_path / "q.csv", [person("anna", surname="Lind"), person("cy")])
    count = "select (select count(*) from change), (select count(*) from person), (select generation from source)"
    before = await hub.fetch(count)

    [result] = await rehearse_import(hub.context, "hr", config={"files": [{"path": str(later)}]})

    assert [(one.what, one.name, one.changed) for one in result.movements] == [
        ("updated", upn("anna"), ("surname",)), ("created", upn("cy"), ()), ("removed", upn("bo"), ()),
    ]  # fmt: skip
    assert await hub.fetch(count) == before
    assert (await bring(hub, later)).movements == result.movements


async def test_dry_run_registers_no_source(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", [person("anna")])

    [result] = await rehearse_import(hub.context, "new", config={"files": [{"path": str(file)}]})

    assert result.created == 1
    assert await hub.fetch("select name from source") == [("hr",)]


# --- read again by a worker ---


async def test_source_with_an_interval_is_read_by_a_worker_when_it_is_due_and_not_before(
    hub: Hub, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "p.csv", [person("anna")])
    config = {"files": [{"path": str(file)}], "every": "PT15M"}
    await save_source(hub.context, "hr", kind="csv", config=config, replaces=True)
    await hub.add_source("by-hand")
    services = new_services(replace(hub.context, opener=ScimTargets(())))

    async def read(name: str) -> None:
        await import_source(hub.context, name)

    async def tick() -> list[str]:
        """The minutely schedule, and a worker after it; returns the sources that were read."""
        app = build_app(services, import_source=read)
        async with app.open_async():
            await run_schedule(services, Drive(app=app))
            due = await hub.fetch("select args->>'name' from procrastinate_jobs where task_name = 'import_source'")
            await app.run_worker_async(
                queues=[WORK_QUEUE], wait=False, delete_jobs="always", install_signal_handlers=False
            )
        return [str(row[0]) for row in due]

    assert (await tick(), await tick()) == (["hr"], [])
    assert set(await live(hub)) == {upn("anna")}
    view = await show_source(hub.context, "hr")
    assert view.read_at and view.next_read_at == view.read_at + timedelta(minutes=15)

    await hub.fetch(
        "update source set watermark = watermark || '{\"readAt\": \"2026-01-01T00:00:00Z\"}' where name = 'hr'"
    )
    file.unlink()
    with contextlib.suppress(LockstepError):
        await import_source(hub.context, "hr")

    assert "There is no file" in (await show_source(hub.context, "hr")).failure
    assert await tick() == [], "what failed waits for its interval too"


@pytest.mark.parametrize("every", ["15m", "klingon", "PT1S", 15])
async def test_interval_that_cannot_be_is_refused_when_the_source_is_registered(
    hub: Hub, tmp_path: Path, every: object
) -> None:
    file = write_csv(tmp_path / "p.csv", [person("anna")])

    with pytest.raises(LockstepError, match="is not a valid import interval"):
        await save_source(hub.context, "new", kind="csv", config={"files": [{"path": str(file)}], "every": every})
