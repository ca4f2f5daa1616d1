"""People and groups: the list, one person in every application, the explanation, and changes with their consequences first."""

from __future__ import annotations

from pathlib import Path

from lockstep.actions import assignments, groups, people, sources
from lockstep.actions.permissions import Role
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

    assert "not assigned" in page.text and "not assigned" in one.text, one.text[200:900]
    assert other.status == 404


async def test_a_group_shows_its_members_and_applications(centre: Centre, admin: Browser, tmp_path: Path) -> None:
    await contoso(centre, tmp_path)
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    group = await groups.create_group(centre.hub.context, "Sales & <Co>")
    await groups.change_members(centre.hub.context, group.id, add=["anna@contoso.test"])
    await assignments.assign(centre.hub.context, "documo", groups=[group.id])

    listed = await admin.get("/groups?search=sales")
    page = await admin.get(f"/groups/{group.id}")

    assert "Sales & <Co>" in listed.text and "<Co>" not in listed.html
    assert "anna@contoso.test" in page.text and "documo" in page.text


async def test_help_desk_may_look_at_people_and_not_change_them(centre: Centre, tmp_path: Path) -> None:
    await contoso(centre, tmp_path)
    desk = await centre.signed_in(Role.HELP_DESK)

    assert (await desk.get(f"/users/{guid('anna')}")).status == 200
    assert (await desk.post(f"/users/{guid('anna')}/disable", {"step": "confirm"})).status == 403
