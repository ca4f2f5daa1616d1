"""People and groups: the list, one person in every application, the explanation, and changes, whose consequences are shown first."""

from __future__ import annotations

import json
from pathlib import Path

from lockstep.actions import applications, assignments, groups, people, sources, timeline
from lockstep.actions.permissions import Role
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.postgres.pool import transaction
from lockstep.storage import provisioning_log
from lockstep.storage.log_record import LogRecord
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid, person, write_csv


async def contoso(centre: Centre, folder: Path) -> None:
    rows = [
        person("anna", displayName="Anna <b>Lindqvist</b>"),
        person("bo", accountEnabled="False"),
        *(person(f"p{number:03}") for number in range(60)),
    ]
    file = write_csv(folder / "people.csv", rows)
    await sources.import_file(centre.hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)


async def test_the_list_is_paged_filtered_and_searched(centre: Centre, admin: Browser, tmp_path: Path) -> None:
    nobody = await admin.get("/users")
    await contoso(centre, tmp_path)

    first = await admin.get("/users")
    following = next(link for link in first.links if "after=" in link)
    second = await admin.get(following)
    disabled = await admin.get("/users?show=disabled")
    missing = await admin.get("/users?search=zzz")

    assert "No people yet" in nobody.text
    assert "50 of 62 people" in first.text and "12 of 62 people" in second.text
    assert "Anna <b>Lindqvist</b>" in first.text and "<b>Lindqvist" not in first.html
    assert "bo@contoso.test" in disabled.text and "anna@contoso.test" not in disabled.text
    assert "No person matches" in missing.text


async def test_people_are_filtered_by_department_and_source_and_the_counts_follow(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    file = write_csv(tmp_path / "more.csv", [person("kim", department="R&D"), person("lee", department="r&d")])
    await sources.import_file(centre.hub.context, "second", {"files": [{"path": str(file)}]}, is_kept=True)

    page = await admin.get("/users?department=R%26D&show=enabled")
    other = await admin.get("/users?source=second&search=kim")
    none = await admin.get("/users?source=staff&department=R%26D")

    assert "kim@contoso.test" in page.text and "lee@contoso.test" in page.text and "p001" not in page.text
    assert "All 2 Enabled 2 Disabled 0 Deleted 0" in page.text
    assert "kim@contoso.test" in other.text and "1 of 1 person" in other.text
    assert "No person matches" in none.text
    assert "/users?show=disabled&department=R%26D" in page.links


async def test_a_person_is_disabled_only_after_the_consequences_were_shown(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    here = f"/users/{guid('anna')}"

    asked = await admin.post(f"{here}/disable")
    before = (await people.show_person(centre.hub.context, "anna@contoso.test")).person
    done = await admin.post(f"{here}/disable", {"step": "confirm"})
    after = (await people.show_person(centre.hub.context, "anna@contoso.test")).person
    await admin.post(f"{here}/delete", {"step": "confirm"})
    deleted = await admin.get(here)

    assert "No account changes" in asked.text and before.account_enabled
    assert done.location == here and not after.account_enabled
    assert "Deleted" in deleted.text and "Restore" in deleted.text


async def test_the_explanation_says_why_somebody_is_not_in_an_application(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    address = f"/users/{guid('anna')}/explain"

    page = await admin.get(address)
    one = await admin.get(f"{address}?app=documo")
    other = await admin.get(f"{address}?app=nothing")

    assert "Not provisioned" in page.text and "not assigned" in one.text, one.text[200:900]
    assert "NOT PROVISIONED" not in one.text and "Matching account Not reached." in one.text
    assert "Next cycle Not scheduled" in one.text and "Copy answer" in one.text
    assert other.status == 404


async def test_the_timeline_has_the_directory_and_every_application_and_can_be_narrowed(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    for name in ("documo", "box"):
        await applications.add_application(centre.hub.context, "documo", name=name, display_name=name.capitalize())
    for app in await applications.list_applications(centre.hub.context):
        records = [
            LogRecord(guid(f"{app.name}{n}"), guid(f"{app.name} change {n}"), None, "create", "failure" if n else "success", "User",
                      guid("anna"), "anna@contoso.test", f"reason {n:02}", "system")
            for n in range(20)
        ]  # fmt: skip
        async with transaction(centre.hub.pool) as connection:
            await provisioning_log.append(connection, app.job, app.id, records)
    await people.set_enabled(centre.hub.context, ["anna@contoso.test"], is_enabled=False)
    await assignments.assign(centre.hub.context, "documo", users=["anna@contoso.test"])
    here = f"/users/{guid('anna')}"
    box = next(app.id for app in await applications.list_applications(centre.hub.context) if app.name == "box")
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=box)

    page = await admin.get(here)
    older = await admin.get(next(link for link in page.links if "before=" in link))
    directory = await admin.get(f"{here}?only=directory")
    documo = await admin.get(f"{here}?only=documo")
    of_owner = await owner.get(here)

    assert page.text.count("Could not be created in") + older.text.count("Could not be created in") == 38
    assert (
        "Created in Documo" in page.text and "Created in Box" in older.text and "Created in the directory" in older.text
    )
    assert "Updated in the directory" in directory.text and "in Documo" not in directory.text
    assert "Assigned to Documo" in directory.text and "appRoleAssignments" not in directory.text
    assert "in Box" not in documo.text and documo.text.count("Could not be created in Documo") == 19
    assert "in Box" in of_owner.text and "Documo" not in of_owner.text


async def test_the_timeline_is_zoomed_by_its_address_and_downloaded_with_the_same_filters(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    app = await applications.add_application(centre.hub.context, "documo")
    records = [
        LogRecord(guid(f"{n}"), guid(f"change {n}"), None, "create", "failure", "User", guid("anna"), "anna@contoso.test",
                  f"=reason {n:02}", "system")
        for n in range(40)
    ]  # fmt: skip
    async with transaction(centre.hub.pool) as connection:
        await provisioning_log.append(connection, app.job, app.id, records)
    await centre.hub.fetch(
        "update provisioning_log set at = '2026-03-01T10:00Z' where reason = '=reason 07' returning 1"
    )
    here = f"/users/{guid('anna')}"

    day = await admin.get(f"{here}?only=documo&since=2026-03-01&until=2026-03-01")
    recent = await admin.get(f"{here}?only=documo&range=24h")
    older = await admin.get(next(link for link in recent.links if "before=" in link))
    nothing = await admin.get(f"{here}?until=2020-01-01")
    downloads = [link for link in day.links if "/timeline/" in link]
    as_csv, as_json = [await admin.get(link) for link in downloads]
    everything = await admin.get(f"{here}/timeline/timeline.json?only=documo")

    assert day.text.count("Could not be created in Documo") == 1 and "=reason 07" in day.text
    assert recent.text.count("Could not be created") + older.text.count("Could not be created") == 39
    assert "range=24h" in next(link for link in recent.links if "before=" in link)
    assert "Nothing happened in this period." in nothing.text
    assert [one["detail"] for one in json.loads(as_json.html)] == ["=reason 07"]
    assert as_csv.html.splitlines()[0] == "time,kind,application,event,by,detail,page,changes"
    assert "provisioning,Documo,Could not be created in Documo,,'=reason 07," in as_csv.html
    assert len(json.loads(everything.html)) == 40
    assert (await admin.get(f"{here}/timeline/timeline.exe")).status == 404


async def test_no_event_is_lost_between_pages_if_several_happened_at_the_same_moment(
    centre: Centre, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    app = await applications.add_application(centre.hub.context, "documo")
    records = [
        LogRecord(guid(f"{n}"), guid(f"change {n}"), None, "create", "failure", "User", guid("anna"), "anna@contoso.test",
                  f"reason {n}", "system")
        for n in range(10)
    ]  # fmt: skip
    async with transaction(centre.hub.pool) as connection:
        await provisioning_log.append(connection, app.job, app.id, records)
    await centre.hub.fetch(
        """update provisioning_log set at = case when seq < (select min(seq) + 5 from provisioning_log)
            then '2026-03-01T10:00Z'::timestamptz else '2026-03-01T11:00Z' end returning 1"""
    )

    pages = [page async for page in timeline.pages_of_timeline(centre.hub.context, guid("anna"), only="documo", size=7)]

    seen = [event.record.reason for page in pages for event in page.events if event.record is not None]
    assert len(pages) == 2 and sorted(seen) == [f"reason {n}" for n in range(10)]


async def test_a_timeline_download_leaves_out_what_the_caller_may_not_read(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    app = await applications.add_application(centre.hub.context, "documo")
    other = await applications.add_application(centre.hub.context, "documo", name="other")
    record = LogRecord(
        guid("1"), guid("change"), None, "create", "success", "User", guid("anna"), "anna", "secret", "system"
    )
    async with transaction(centre.hub.pool) as connection:
        await provisioning_log.append(connection, app.job, app.id, [record])
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=other.id)

    given = [await one.get(f"/users/{guid('anna')}/timeline/timeline.json") for one in (owner, admin)]

    assert ["secret" in one.html for one in given] == [False, True]


async def test_a_person_who_was_created_here_is_edited_after_the_consequences_were_shown(
    centre: Centre, admin: Browser, tmp_path: Path
) -> None:
    await contoso(centre, tmp_path)
    here = f"/users/{guid('anna')}"
    refused = await admin.get(f"{here}/edit")
    await centre.hub.add_source(LOCAL_SOURCE)
    await centre.hub.fetch("update person set source = %s where id = %s", LOCAL_SOURCE, guid("anna"))
    change = {"department": "<b>Legal", "manager": "bo@contoso.test"}

    form = await admin.get(f"{here}/edit")
    asked = await admin.post(f"{here}/edit", change)
    before = (await people.show_person(centre.hub.context, guid("anna"))).person
    wrong = await admin.post(f"{here}/edit", {"employeeHireDate": "soon", "city": "Oslo"})
    done = await admin.post(f"{here}/edit", {**change, "step": "save"})
    after = await people.show_person(centre.hub.context, guid("anna"))
    nothing = await admin.post(f"{here}/edit", {**change, "step": "save"})
    desk = await centre.signed_in(Role.HELP_DESK)

    assert refused.status == 409 and "comes from the source staff" in refused.text
    assert 'value="Sales"' in form.html and f"{here}/edit" in (await admin.get(here)).links
    assert "department Sales <b>Legal" in asked.text and "<b>Legal" not in asked.html
    assert before.attributes["department"] == "Sales"
    assert wrong.status == 400 and "employeeHireDate" in wrong.text and 'value="Oslo"' in wrong.html
    assert done.location == here and after.person.attributes["department"] == "<b>Legal"
    assert after.manager is not None and after.manager.id == guid("bo")
    assert nothing.location == here
    assert (await desk.post(f"{here}/edit", {**change, "city": "Oslo", "step": "save"})).status == 403


async def test_a_group_shows_its_members_and_applications(centre: Centre, admin: Browser, tmp_path: Path) -> None:
    await contoso(centre, tmp_path)
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    group = await groups.create_group(centre.hub.context, "Sales & <Co>")
    await groups.change_members(centre.hub.context, group.id, add=["anna@contoso.test"])
    await assignments.assign(centre.hub.context, "documo", groups=[group.id])

    listed = await admin.get("/groups?search=sales")
    page = await admin.get(f"/groups/{group.id}")

    assert "Sales & <Co>" in listed.text and "<Co>" not in listed.html
    assert "anna@contoso.test" in page.text and "Documo" in page.text


async def test_help_desk_may_look_at_people_and_not_change_them(centre: Centre, tmp_path: Path) -> None:
    await contoso(centre, tmp_path)
    desk = await centre.signed_in(Role.HELP_DESK)

    assert (await desk.get(f"/users/{guid('anna')}")).status == 200
    assert (await desk.post(f"/users/{guid('anna')}/disable", {"step": "confirm"})).status == 403
