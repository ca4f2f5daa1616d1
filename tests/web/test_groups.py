"""Groups: their members page by page, creating groups with and without a rule, and changes, whose consequences are shown first."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.actions import applications, assignments, groups, people, sources
from lockstep.actions.permissions import Role
from lockstep.errors import LockstepError
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid, person, write_csv

ANNA, BO = f"User:{guid('anna')}", f"User:{guid('bo')}"


@pytest.fixture
async def sales(centre: Centre, tmp_path: Path) -> str:
    """The id of a group with 60 members; Anna and Bo are not among them."""
    rows = [
        person("anna", displayName="Anna <b>Lindqvist</b>"),
        person("bo", department="Legal"),
        *(person(f"p{number:03}", department="Support") for number in range(60)),
    ]
    file = write_csv(tmp_path / "people.csv", rows)
    context = centre.hub.context
    await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    group = await groups.create_group(context, "Sales & <Co>")
    await groups.change_members(context, group.id, add=[f"p{number:03}@contoso.test" for number in range(60)])
    return group.id


async def names_of(centre: Centre, group: str) -> set[str]:
    return {one["name"] for one in (await groups.show_group(centre.hub.context, group)).members}


async def test_groups_and_members_are_paged_without_repeating_or_skipping(
    centre: Centre, admin: Browser, sales: str
) -> None:
    for number in range(60):
        await groups.create_group(centre.hub.context, f"team {number:02}")

    listed = await admin.get("/groups")
    rest = await admin.get(next(link for link in listed.links if "after=" in link))
    first = await admin.get(f"/groups/{sales}")
    second = await admin.get(next(link for link in first.links if "after=" in link))
    found = await admin.get(f"/groups/{sales}?search=p059")

    assert "50 groups on this page" in listed.text and "11 groups on this page" in rest.text
    assert "50 of 60 members" in first.text and "10 of 60 members" in second.text
    one, two = (page.html.partition('id="history"')[0] for page in (first, second))
    assert all((f"p{n:03}@contoso" in one) != (f"p{n:03}@contoso" in two) for n in range(60))
    assert "Members added" in first.text and "@contoso.test, p" in first.text and "and 50 more" in first.text
    assert "p059@contoso.test" in found.text and "p058@contoso.test" not in found.html.partition('id="history"')[0]


async def test_members_are_added_and_removed_after_the_consequences_were_shown(
    centre: Centre, admin: Browser, sales: str
) -> None:
    await applications.add_application(centre.hub.context, "documo")
    await assignments.assign(centre.hub.context, "documo", groups=[sales])
    await centre.hub.fetch("update job set status = 'on', started = true")
    nested = await groups.create_group(centre.hub.context, "Interns")
    both = {"principal": [ANNA, f"Group:{nested.id}"]}
    here = f"/groups/{sales}/members"

    chooser = await admin.get(f"{here}/add?search=lindqvist")
    asked = await admin.post(f"{here}/add", both | {"step": "review"})
    before = await names_of(centre, sales)
    done = await admin.post(f"{here}/add", both | {"step": "confirm"})
    after = await names_of(centre, sales)
    removing = await admin.post(f"{here}/remove", both)
    removed = await admin.post(f"{here}/remove", both | {"step": "confirm"})
    nothing = await admin.post(f"{here}/add", {"step": "review"})

    assert f'value="{ANNA}"' in chooser.html and "<b>Lindqvist" not in chooser.html
    assert "Documo: 1 person would get an account" in asked.text and "anna@contoso.test" not in before
    assert done.location == f"/groups/{sales}" and {"anna@contoso.test", "Interns"} <= after
    assert "Remove 2 members?" in removing.text
    assert removed.status == 303 and await names_of(centre, sales) == before
    assert nothing.status == 400 and "No person or group was selected" in nothing.text


async def test_a_group_is_created_by_hand_and_a_second_of_the_name_is_refused_on_the_form(
    centre: Centre, admin: Browser
) -> None:
    made = await admin.post("/groups/new", {"name": "Readers", "description": "Read only", "step": "create"})
    again = await admin.post("/groups/new", {"name": "Readers", "description": "<b>Twice", "step": "create"})

    page = await admin.get(made.location)
    assert made.status == 303 and "Read only" in page.text and "Created in Lockstep" in page.text
    assert again.status == 400 and "A group called Readers already exists" in again.text
    assert 'value="&lt;b&gt;Twice"' in again.html


def rule_form(attribute: str, value: str, **others: str) -> dict[str, str]:
    clause = {"title-0": "", "attribute-0-0": attribute, "operator-0-0": "EQUALS", "value-0-0": value}
    return {"membership": "rule", **clause, **others}


@pytest.mark.usefixtures("sales")
async def test_a_group_by_rule_shows_who_would_come_and_refuses_an_unknown_attribute_with_what_was_meant(
    centre: Centre, admin: Browser
) -> None:
    tried = await admin.post("/groups/new/try", rule_form("department", "Legal"))
    wrong = await admin.post("/groups/new/try", rule_form("departmnt", "Legal"))
    refused = await admin.post("/groups/new", rule_form("departmnt", "Legal", name="Lawyers", step="create"))
    more = await admin.post("/groups/new", rule_form("department", "Legal", name="Lawyers", row="add-0"))
    made = await admin.post("/groups/new", rule_form("department", "Legal", name="Lawyers", step="create"))

    assert "1 person matches: 1 would join" in tried.text and "bo@contoso.test" in tried.text
    assert '"departmnt", did you mean "department"? See' in wrong.text
    assert refused.status == 400 and 'value="departmnt"' in refused.html and 'value="Lawyers"' in refused.html
    assert "attribute-0-1" in more.html
    assert await names_of(centre, made.location.rpartition("/")[2]) == {"bo@contoso.test"}
    page = await admin.get(made.location)
    assert 'department EQUALS "Legal"' in page.text and "Add members" not in page.text


@pytest.mark.usefixtures("sales")
async def test_an_edited_rule_names_who_would_leave_before_it_is_saved_and_removing_it_keeps_the_members(
    centre: Centre, admin: Browser
) -> None:
    made = await admin.post("/groups/new", rule_form("department", "Legal", name="Lawyers", step="create"))
    here, group = f"{made.location}/rule", made.location.rpartition("/")[2]

    form = await admin.get(here)
    asked = await admin.post(here, rule_form("department", "Sales", step="review"))
    before = await names_of(centre, group)
    saved = await admin.post(here, rule_form("department", "Sales", step="save"))
    after = await names_of(centre, group)
    clearing = await admin.post(here, rule_form("department", "Sales", step="clear"))
    cleared = await admin.post(here, {"step": "clear-now"})

    assert 'value="Legal"' in form.html
    assert "1 would join, 1 would leave" in asked.text and "bo@contoso.test" in asked.text
    assert before == {"bo@contoso.test"} and saved.location == made.location and after == {"anna@contoso.test"}
    assert "Remove the rule?" in clearing.text and cleared.status == 303
    shown = await groups.show_group(centre.hub.context, group)
    assert shown.group.rule is None and await names_of(centre, group) == after


async def test_a_group_is_deleted_only_after_the_number_of_its_members_was_typed_and_comes_back(
    centre: Centre, admin: Browser, sales: str
) -> None:
    here = f"/groups/{sales}"

    asked = await admin.get(f"{here}/delete")
    seen = await admin.settled(f"{here}/delete/consequences")
    wrong = await admin.post(f"{here}/delete", {"confirmation": "6"})
    still = await groups.show_group(centre.hub.context, sales)
    done = await admin.post(f"{here}/delete", {"confirmation": "60"})
    with pytest.raises(LockstepError):
        await groups.show_group(centre.hub.context, sales)
    deleted, page = await admin.get("/groups?show=deleted"), await admin.get(here)
    restoring = await admin.post(f"{here}/restore")
    await admin.post(f"{here}/restore", {"step": "confirm"})

    assert "The group has 60 members" in asked.text and f'hx-get="{here}/delete/consequences"' in asked.html
    assert "Delete the group" not in asked.text, "the button comes with what happens to accounts"
    assert "Type 60 to confirm" in seen.text and "Delete the group" in seen.text
    assert wrong.status == 400 and "Type 60" in wrong.text and still.group.deleted_at is None
    assert done.location == "/groups" and "Sales & <Co>" in deleted.text and "Restore" in page.text
    assert "Restore the group?" in restoring.text
    assert len(await names_of(centre, sales)) == 60


async def test_the_people_who_lose_their_accounts_are_named_before_a_group_is_deleted(
    centre: Centre, admin: Browser, sales: str
) -> None:
    context = centre.hub.context
    await applications.add_application(context, "documo")
    await assignments.assign(context, "documo", groups=[sales], role="Member")
    await centre.hub.fetch(
        """insert into link (job, kind, source_id, target_id, state, display, base)
        select job.id, 'User', person.id, user_principal_name, 'live', user_principal_name,
            jsonb_build_object('userName', user_principal_name) from job, person
        where user_principal_name < 'p003' and user_principal_name > 'p' returning job"""
    )
    await centre.hub.fetch("update job set status = 'on', started = true")

    seen = await admin.settled(f"/groups/{sales}/delete/consequences")

    assert "Documo: 3 people would lose their accounts (p000@contoso.test, p001@contoso.test, p002" in seen.text
    assert (await groups.show_group(context, sales)).group.deleted_at is None


async def test_help_desk_sees_a_group_without_controls_and_is_refused(centre: Centre, sales: str) -> None:
    await people.set_enabled(centre.hub.context, ["p000@contoso.test"], is_enabled=False)
    desk = await centre.signed_in(Role.HELP_DESK)

    page = await desk.get(f"/groups/{sales}")
    listed = await desk.get("/groups")
    refused = [
        await desk.post("/groups/new", {"name": "x", "step": "create"}),
        await desk.post(f"/groups/{sales}/members/remove", {"principal": BO, "step": "confirm"}),
        await desk.post(f"/groups/{sales}/delete", {"confirmation": "60"}),
        await desk.post(f"/groups/{sales}/rule", rule_form("department", "Legal", step="save")),
    ]

    assert "Disabled" in page.text and "Add members" not in page.text and "Remove selected" not in page.text
    assert "New group" not in listed.text
    assert [one.status for one in refused] == [403] * 4
