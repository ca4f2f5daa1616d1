"""The effects of a pass on the directory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, groups, people, source_decisions, sources
from lockstep.directory.intake import IntakeOptions
from lockstep.directory.rows import PassResult
from lockstep.errors import LockstepError
from lockstep.postgres.advisory_locks import session_lock
from lockstep.storage.locks import pass_of_source
from tests.support.hub import HEADER, Hub, confirm_what_waits, guid, person, upn, write_csv


async def bring(hub: Hub, path: Path, **config: object) -> PassResult:
    [result] = await sources.import_source(hub.context, "hr", config={"files": [{"path": str(path)}], **config})
    return result


async def names(hub: Hub, *, deleted: bool = False) -> set[str]:
    condition = "is not null" if deleted else "is null"
    rows = await hub.fetch(f"select split_part(user_principal_name, '@', 1) from person where deleted_at {condition}")
    return {str(row[0]) for row in rows}


def many(count: int, *, start: int = 0) -> list[dict[str, str]]:
    return [person(f"p{number}") for number in range(start, start + count)]


async def test_first_import_creates_everybody_under_their_own_id(hub: Hub, tmp_path: Path) -> None:
    result = await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo", accountEnabled="False")]))

    assert (result.read, result.created, result.bad) == (2, 2, 0)
    rows = await hub.fetch(
        "select id::text, account_enabled, attributes->>'department' from person order by anchor = %s", guid("bo")
    )
    assert rows == [(guid("anna"), True, "Sales"), (guid("bo"), False, "Sales")]


async def test_unchanged_rows_are_not_written(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", many(30))
    await bring(hub, file)
    before = await hub.fetch("select id, version, xmin::text from person order by id")

    result = await bring(hub, file)

    assert (result.unchanged, result.updated, result.created) == (30, 0, 0)
    assert await hub.fetch("select id, version, xmin::text from person order by id") == before
    assert await hub.fetch("select count(*) from change") == [(30,)]


async def test_changed_row_goes_to_the_feed_with_what_changed_only(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo")]))

    result = await bring(
        hub, write_csv(tmp_path / "p.csv", [person("anna", surname="New", department=""), person("bo")])
    )

    assert (result.updated, result.unchanged) == (1, 1)
    rows = await hub.fetch("select object_id::text, changed, before, after from change where what = 'updated'")
    assert rows == [
        (guid("anna"), ["department", "surname"], {"department": "Sales", "surname": "Test"}, {"surname": "New"})
    ]


async def test_person_missing_from_a_whole_pass_is_deleted_and_comes_back_with_their_row(
    hub: Hub, tmp_path: Path
) -> None:
    await bring(hub, write_csv(tmp_path / "both.csv", [person("anna"), person("bo")]))

    gone = await bring(hub, write_csv(tmp_path / "one.csv", [person("anna")]))
    deleted = await names(hub, deleted=True)
    back = await bring(hub, tmp_path / "both.csv")

    assert (gone.removed, deleted) == (1, {"bo"})
    assert (back.restored, await names(hub)) == (1, {"anna", "bo"})


async def test_person_deleted_by_hand_stays_deleted_while_their_row_does_not_change(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", [person("anna"), person("bo")])
    await bring(hub, file)
    await people.delete(hub.context, [upn("bo")])

    result = await bring(hub, file)

    assert (result.restored, await names(hub, deleted=True)) == (0, {"bo"})


async def test_partial_file_makes_nobody_a_leaver(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "both.csv", [person("anna"), person("bo")]))

    result = await bring(hub, write_csv(tmp_path / "one.csv", [person("cy")]), partial=True)

    assert (result.created, result.removed, await names(hub)) == (1, 0, {"anna", "bo", "cy"})


@pytest.mark.parametrize(
    ("kept", "is_held"),
    [(0, True), (3, True), (179, True), (180, False), (181, False)],
    ids=["an empty file", "three of two hundred", "21 of 200 gone", "20 of 200: not over 10 %", "19 gone"],
)
async def test_source_that_shrank_makes_nobody_a_leaver(hub: Hub, tmp_path: Path, kept: int, is_held: bool) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(200)))

    result = await bring(hub, write_csv(tmp_path / "less.csv", many(kept), columns=HEADER), partial=False)

    assert bool(result.held) == is_held
    assert len(await names(hub)) == (200 if is_held else kept)
    assert len((await sources.show_source(hub.context, "hr")).holds) == int(is_held)


async def test_few_missing_people_of_a_small_source_leave_without_asking(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(30)))

    result = await bring(hub, write_csv(tmp_path / "less.csv", many(11)))

    assert (result.held, result.removed) == ("", 19)


async def test_creates_and_updates_of_a_pass_that_is_held_apply(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(100)))

    result = await bring(hub, write_csv(tmp_path / "less.csv", [person("p0", surname="Changed"), person("newcomer")]))

    assert result.held
    assert (result.created, result.updated, result.removed) == (1, 1, 0)
    assert await hub.fetch("select attributes->>'surname' from person where id = %s", guid("p0")) == [("Changed",)]


async def test_confirming_lets_exactly_those_leave_whom_the_pass_missed(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(100)))
    await bring(hub, write_csv(tmp_path / "less.csv", many(3)))

    done = await confirm_what_waits(hub)

    assert (done.left, await names(hub)) == (97, {"p0", "p1", "p2"})
    with pytest.raises(LockstepError, match="Nothing in hr is waiting for a decision"):
        await confirm_what_waits(hub)


@pytest.mark.parametrize("shown", ["", "1/1/97"])
async def test_nothing_is_confirmed_that_was_not_shown(hub: Hub, tmp_path: Path, shown: str) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(100)))
    await bring(hub, write_csv(tmp_path / "less.csv", many(3)))

    with pytest.raises(LockstepError, match="shown"):
        await source_decisions.confirm_hold(hub.context, "hr", shown=shown)

    assert len(await names(hub)) == 100


async def test_rejecting_keeps_everybody(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(100)))
    await bring(hub, write_csv(tmp_path / "less.csv", many(3)))

    done = await source_decisions.reject_hold(hub.context, "hr")

    assert (done.kept, len(await names(hub))) == (97, 100)


async def test_hold_ends_by_itself_when_the_source_is_whole_again(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(100)))
    await bring(hub, write_csv(tmp_path / "less.csv", many(3)))

    await bring(hub, tmp_path / "all.csv")

    assert list((await sources.show_source(hub.context, "hr")).holds) == []


async def test_file_with_other_keys_for_everybody_is_held(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "all.csv", many(50)))
    others = [row | {"id": guid(row["id"])} for row in many(50)]

    result = await bring(hub, write_csv(tmp_path / "other.csv", others))

    assert (result.held != "", result.bad, len(await names(hub))) == (True, 50, 50)


async def test_user_principal_names_may_change_hands_in_one_pass(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo"), person("cy")]))
    swapped = [person("anna", userPrincipalName=upn("bo")), person("bo", userPrincipalName=upn("anna")), person("cy")]

    result = await bring(hub, write_csv(tmp_path / "p.csv", swapped))

    assert (result.updated, result.bad) == (2, 0)
    assert await hub.fetch("select user_principal_name from person where id = %s", guid("anna")) == [(upn("bo"),)]


async def test_newcomer_gets_the_name_of_somebody_who_leaves_in_the_same_pass(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo")]))

    result = await bring(
        hub, write_csv(tmp_path / "p.csv", [person("anna"), person("heir", userPrincipalName=upn("bo"))])
    )

    assert (result.created, result.removed, result.bad) == (1, 1, 0)


async def test_name_that_somebody_else_keeps_is_a_bad_row_and_nobody_is_harmed(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo")]))

    thief = person("thief", userPrincipalName=upn("Anna"))
    result = await bring(hub, write_csv(tmp_path / "p.csv", [person("anna"), person("bo"), thief]))

    assert [(row.line, row.column) for row in result.bad_rows] == [(4, "userPrincipalName")]
    assert await names(hub) == {"anna", "bo"}


async def test_managers_are_found_whether_they_come_before_or_after_their_reports(hub: Hub, tmp_path: Path) -> None:
    rows = [person("bo", manager=upn("Zoe")), person("cy", manager=guid("bo")), person("anna", manager="nobody@x.test")]
    rows += [person("zoe")]
    config = {"files": [{"path": str(write_csv(tmp_path / "p.csv", rows))}]}

    await sources.import_source(hub.context, "hr", config=config, options=IntakeOptions(page_size=1))

    found = await hub.fetch(
        "select id::text, manager_id::text, manager_anchor from person where attributes->>'displayName' <> 'Zoe'"
    )
    assert {row[0]: row[1:] for row in found} == {
        guid("bo"): (guid("zoe"), None),
        guid("cy"): (guid("bo"), None),
        guid("anna"): (None, "nobody@x.test"),
    }


async def test_members_that_come_before_their_people_join_when_they_arrive(hub: Hub, tmp_path: Path) -> None:
    group_rows = [{"id": guid("team"), "displayName": "team"}]
    member_rows = [{"groupDisplayName": "team", "userPrincipalName": upn(name)} for name in ("anna", "late")]
    write_csv(tmp_path / "g.csv", group_rows, columns=("id", "displayName"))
    write_csv(tmp_path / "m.csv", member_rows, columns=("groupDisplayName", "userPrincipalName"))
    write_csv(tmp_path / "p.csv", [person("anna")])
    files = {"files": [{"path": str(tmp_path / name)} for name in ("m.csv", "g.csv", "p.csv")]}
    *_, members = await sources.import_source(hub.context, "hr", config=files)
    assert (members.created, members.awaited) == (1, 1)

    await bring(hub, write_csv(tmp_path / "p2.csv", [person("anna"), person("late")]))

    view = await groups.show_group(hub.context, "team")
    assert [one["name"] for one in view.members] == [upn("anna"), upn("late")]


async def test_member_that_is_no_longer_named_is_taken_out(hub: Hub, tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [person("anna"), person("bo")])
    write_csv(tmp_path / "g.csv", [{"id": guid("team"), "displayName": "team"}], columns=("id", "displayName"))
    columns = ("groupId", "memberId")
    both = [{"groupId": guid("team"), "memberId": guid(name)} for name in ("anna", "bo")]
    write_csv(tmp_path / "m.csv", both, columns=columns)
    files = {"files": [{"path": str(tmp_path / name)} for name in ("p.csv", "g.csv", "m.csv")]}
    await sources.import_source(hub.context, "hr", config=files)

    result = await bring(hub, write_csv(tmp_path / "m.csv", both[:1], columns=columns))

    assert (result.removed, result.unchanged) == (1, 1)
    assert [one["name"] for one in (await groups.show_group(hub.context, "team")).members] == [upn("anna")]


async def test_file_of_one_groups_members_says_nothing_about_other_groups(hub: Hub, tmp_path: Path) -> None:
    write_csv(tmp_path / "p.csv", [person("anna"), person("bo")])
    both = [{"id": guid(name), "displayName": name} for name in ("team", "other")]
    write_csv(tmp_path / "g.csv", both, columns=("id", "displayName"))
    columns = ("id", "userPrincipalName", "displayName", "userType", "accountEnabled")  # as Entra downloads them
    rows = [{name: person(who)[name] for name in columns if name != "userType"} for who in ("anna", "bo")]
    whole = write_csv(tmp_path / "m.csv", rows, columns=columns)
    fewer = write_csv(tmp_path / "m1.csv", rows[:1], columns=columns)
    files = [{"path": str(tmp_path / name)} for name in ("p.csv", "g.csv")]
    files += [{"path": str(whole), "group": name} for name in ("team", "other")]
    await sources.import_source(hub.context, "hr", config={"files": files})

    [result] = await sources.import_source(hub.context, "hr", config={"files": [{"path": str(fewer), "group": "team"}]})

    assert (result.removed, result.unchanged, result.ignored) == (1, 1, ())
    members = {name: await groups.show_group(hub.context, name) for name in ("team", "other")}
    assert {name: [one["name"] for one in view.members] for name, view in members.items()} == {
        "team": [upn("anna")],
        "other": [upn("anna"), upn("bo")],
    }


async def test_one_groups_members_decide_nothing_about_what_is_held_in_another(hub: Hub, tmp_path: Path) -> None:
    people = many(30)
    write_csv(tmp_path / "p.csv", people)
    both = [{"id": guid(name), "displayName": name} for name in ("team", "other")]
    write_csv(tmp_path / "g.csv", both, columns=("id", "displayName"))
    everybody = write_csv(tmp_path / "m.csv", [{"id": one["id"]} for one in people], columns=("id",))
    nobody = write_csv(tmp_path / "m0.csv", [], columns=("id",))

    async def members_of(group: str, path: Path) -> PassResult:
        files = [{"path": str(path), "group": group}]
        [result] = await sources.import_source(hub.context, "hr", config={"files": files})
        return result

    await sources.import_source(
        hub.context, "hr", config={"files": [{"path": str(tmp_path / n)} for n in ("p.csv", "g.csv")]}
    )
    for group in ("team", "other"):
        await members_of(group, everybody)
    assert (await members_of("team", nobody)).held

    assert not (await members_of("other", everybody)).held
    assert len((await sources.show_source(hub.context, "hr")).holds) == 1, "what is held of the team still waits"
    assert not (await members_of("team", everybody)).held
    assert (await sources.show_source(hub.context, "hr")).holds == []


async def test_members_of_a_group_that_the_source_does_not_have_are_refused(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "m.csv", [{"userPrincipalName": upn("anna")}], columns=("id", "userPrincipalName"))

    with pytest.raises(LockstepError) as refused:
        await sources.import_source(hub.context, "hr", config={"files": [{"path": str(file), "group": "nobody"}]})

    assert 'The source hr has no group "nobody"' in refused.value.detail
    assert "lockstep sources import groups.csv --source hr" in refused.value.next_step


async def test_import_that_was_cut_off_between_pages_ends_the_same_when_it_is_run_again(
    hub: Hub, tmp_path: Path
) -> None:
    class Stop(Exception):
        pass

    def stop_at_the_second_page(progress: object) -> None:
        if getattr(progress, "read", 0) >= 20:
            raise Stop

    config = {"files": [{"path": str(write_csv(tmp_path / "p.csv", many(50)))}]}
    with pytest.raises(Stop):
        await sources.import_source(
            replace(hub.context, on_progress=stop_at_the_second_page),
            "hr",
            config=config,
            options=IntakeOptions(page_size=10),
        )
    assert len(await names(hub)) == 20

    result = await bring(hub, tmp_path / "p.csv")

    assert (result.created, result.unchanged, len(await names(hub))) == (30, 20, 50)


async def test_two_imports_of_one_source_do_not_run_at_once(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "p.csv", [person("anna")])
    async with session_lock(hub.pool, pass_of_source("hr")):
        with pytest.raises(LockstepError, match="is already being imported"):
            await bring(hub, file)


async def test_key_that_was_settled_by_the_first_import_is_asked_for_later(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", [person("anna")]))
    without = write_csv(tmp_path / "q.csv", [{"userPrincipalName": upn("anna")}], columns=("userPrincipalName",))

    with pytest.raises(LockstepError) as refused:
        await bring(hub, without)

    assert "no column id" in refused.value.detail
    assert "userPrincipalName" in refused.value.why
    assert "--map COLUMN=id" in refused.value.next_step


async def test_memberships_of_people_who_left_do_not_count_as_a_source_that_shrank(hub: Hub, tmp_path: Path) -> None:
    columns = ("groupId", "memberId")
    teams = [{"id": guid(f"team{number}"), "displayName": f"team{number}"} for number in range(5)]
    edges = [{"groupId": team["id"], "memberId": guid(f"p{number}")} for team in teams for number in range(60)]
    write_csv(tmp_path / "p.csv", many(60))
    write_csv(tmp_path / "g.csv", teams, columns=("id", "displayName"))
    write_csv(tmp_path / "m.csv", edges, columns=columns)
    files = {"files": [{"path": str(tmp_path / name)} for name in ("p.csv", "g.csv", "m.csv")]}
    await sources.import_source(hub.context, "hr", config=files)

    write_csv(tmp_path / "p.csv", many(45))
    write_csv(
        tmp_path / "m.csv",
        [edge for edge in edges if edge["memberId"] in {guid(f"p{n}") for n in range(45)}],
        columns=columns,
    )
    people_pass, _, member_pass = await sources.import_source(hub.context, "hr", config=files)

    assert (people_pass.removed, member_pass.held, member_pass.removed) == (15, "", 75)


async def test_member_added_while_its_group_is_being_assigned_is_marked(hub: Hub, tmp_path: Path) -> None:
    await bring(hub, write_csv(tmp_path / "p.csv", many(1)))
    await applications.add_application(hub.context, "documo")
    await hub.fetch("update job set started = true")
    for number in range(5):
        await groups.create_group(hub.context, f"team{number}")

        await asyncio.gather(
            assignments.assign(hub.context, "documo", groups=[f"team{number}"]),
            groups.change_members(hub.context, f"team{number}", add=[upn("p0")]),
        )

        assert await hub.fetch("select source_id::text from dirty") == [(guid("p0"),)]
        await hub.fetch("delete from dirty")
