"""Search and the command palette: questions lead to the explanation, and nobody finds what they may not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockstep.actions import applications, credentials, groups, people, search, sources
from lockstep.actions.permissions import Role
from lockstep.postgres.pool import transaction
from lockstep.storage import provisioning_log
from lockstep.vault import Secret
from lockstep.web.frame import LOG_TABS, SETTINGS_TABS, Frames
from lockstep.web.page import all_pages
from lockstep.web.search_places import OF_APPLICATION, PLACES
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid, person, write_csv
from tests.web.test_logs import record

ANNA = guid("anna")


@pytest.fixture
async def contoso(centre: Centre, tmp_path: Path) -> None:
    """Two applications, three people, a group and a record in the log of each application."""
    rows = [
        person("anna", displayName="Anna <b>Lindqvist</b>", employeeId="E-77"),
        person("bo", displayName="Bo Ångström", accountEnabled="False"),
        person("annalena", displayName="Annalena Berg"),
    ]
    file = write_csv(tmp_path / "people.csv", rows, columns=[*rows[1], "employeeId"])
    context = centre.hub.context
    await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await groups.create_group(context, "Documo readers")
    for name, title in (("documo", "Documo"), ("box", "Box & Co")):
        await applications.add_application(context, "documo", name=name, display_name=title)
    for app in await applications.list_applications(context):
        async with transaction(centre.hub.pool) as connection:
            logged = record(f"zed-{app.name}@contoso.test", "failure", "uniqueness")
            await provisioning_log.append(connection, app.job, app.id, [logged])


@pytest.mark.usefixtures("contoso")
@pytest.mark.parametrize(
    "question",
    [
        "why is Lindqvist not in Documo?",
        "Why isn’t anna@contoso.test in documo",
        "does E-77 have an account in Docu?",
        "is Lindqvist's account missing in Documo?",
    ],
)
async def test_a_question_about_a_person_and_an_application_leads_to_the_explanation(
    admin: Browser, question: str
) -> None:
    page = await admin.get(f"/search?q={question}")

    assert (page.status, page.location) == (303, f"/users/{ANNA}/explain?app=documo")


@pytest.mark.usefixtures("contoso")
async def test_a_question_that_several_people_could_be_meant_by_offers_each_of_them(admin: Browser) -> None:
    page = await admin.get("/search?q=why is anna not in Box %26 Co?")

    assert page.status == 200
    assert f"/users/{ANNA}/explain?app=box" in page.links
    assert f"/users/{guid('annalena')}/explain?app=box" in page.links
    assert "Why is Anna <b>Lindqvist</b> in or out of Box & Co?" in page.text and "<b>Lindqvist" not in page.html
    assert f"/apps/box/provisioning/on-demand?principal=User%3A{ANNA}&step=preview" in page.links


@pytest.mark.usefixtures("contoso")
async def test_an_order_to_provision_somebody_offers_it_first(centre: Centre, admin: Browser) -> None:
    desk, auditor = await centre.signed_in(Role.HELP_DESK), await centre.signed_in(Role.AUDITOR)
    order = "/search/palette?q=provision Lindqvist in documo"

    assert (await admin.htmx(order)).links[0].startswith("/apps/documo/provisioning/on-demand?principal=User")
    assert (await desk.htmx(order)).links[0].startswith("/apps/documo/provisioning/on-demand?principal=User")
    assert not any("on-demand" in link for link in (await auditor.htmx(order)).links)


@pytest.mark.usefixtures("contoso")
async def test_a_question_need_not_name_the_only_application_that_can_be_meant(centre: Centre) -> None:
    apps = {app.name: app.id for app in await applications.list_applications(centre.hub.context)}
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=apps["box"])

    page = await owner.get("/search?q=why has Lindqvist no account?")

    assert page.location == f"/users/{ANNA}/explain?app=box"


@pytest.mark.usefixtures("contoso")
async def test_people_groups_applications_records_and_pages_are_found_by_a_part_of_their_names(admin: Browser) -> None:
    found = {
        text: (await admin.htmx(f"/search/palette?q={text}")).links
        for text in ("angstrom", "documo", "zed-box", "admin", ANNA, "documo creden", "uniqueness")
    }

    assert found["angstrom"] == [f"/users/{guid('bo')}"]
    assert "/apps/documo" in found["documo"] and any(link.startswith("/groups/") for link in found["documo"])
    assert any(link.startswith("/logs/provisioning/") for link in found["zed-box"])
    assert "/settings/admins" in found["admin"]
    assert found[ANNA] == [f"/users/{ANNA}"]
    assert "/apps/documo/provisioning/settings" in found["documo creden"]
    assert len([link for link in found["uniqueness"] if link.startswith("/logs/provisioning/")]) == 2


@pytest.mark.usefixtures("contoso")
async def test_a_task_is_found_in_every_application_when_the_text_names_none(centre: Centre, admin: Browser) -> None:
    apps = {app.name: app.id for app in await applications.list_applications(centre.hub.context)}
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=apps["box"])

    of_all = await admin.htmx("/search/palette?q=secret token")
    of_own = await owner.htmx("/search/palette?q=secret token")

    assert of_all.links == [f"/apps/{name}/provisioning/settings#secretToken" for name in sorted(apps)]
    assert of_own.links == ["/apps/box/provisioning/settings#secretToken"]


@pytest.mark.usefixtures("contoso")
async def test_the_palette_offers_places_before_anything_is_typed_and_says_so_when_nothing_matches(
    admin: Browser,
) -> None:
    empty = await admin.htmx("/search/palette")
    nothing = await admin.htmx("/search/palette?q=<script>zzz")
    page = await admin.get("/search?q=zzz")

    assert "/logs/provisioning" in empty.links and "<html" not in empty.html
    assert "Nothing matches “<script>zzz”" in nothing.text and "<script>" not in nothing.html
    assert page.status == 200 and "Nothing matches" in page.text


@pytest.mark.usefixtures("contoso")
async def test_an_owner_finds_only_the_own_application_and_its_log(centre: Centre) -> None:
    apps = {app.name: app.id for app in await applications.list_applications(centre.hub.context)}
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=apps["box"])

    hidden = await owner.htmx("/search/palette?q=documo")
    zed = await owner.htmx("/search/palette?q=zed")
    asked = await owner.get("/search?q=why is Lindqvist not in Documo?")
    admins = await owner.htmx("/search/palette?q=administrators")

    assert [link for link in hidden.links if link.startswith("/apps")] == []
    assert "zed-box" in zed.text and "zed-documo" not in zed.text
    assert asked.status == 200 and not any("app=documo" in link for link in asked.links)
    assert "/settings/admins" not in admins.links


@pytest.mark.usefixtures("contoso")
async def test_deleted_people_are_found_after_the_others_and_marked(centre: Centre, admin: Browser) -> None:
    await people.delete(centre.hub.context, [ANNA])

    found = await search.find(centre.hub.context, "anna")
    page = await admin.htmx("/search/palette?q=anna")

    assert [one.id for one in found.people] == [guid("annalena"), ANNA]
    assert "deleted" in page.text


async def test_every_page_has_the_search_and_the_palette(admin: Browser) -> None:
    page = await admin.get("/apps")

    assert 'action="/search"' in page.html and 'id="palette"' in page.html


def test_every_place_that_is_offered_has_a_page_and_every_tab_is_offered() -> None:
    frames = Frames({page.path for page in all_pages() if page.method == "GET"})
    offered = {place.href.partition("#")[0] for place in PLACES}

    assert [place.href for place in PLACES if not frames.leads(place.href.partition("#")[0])] == []
    assert [tail for _, tail, _, _ in OF_APPLICATION if not frames.leads(f"/apps/documo{tail.partition('#')[0]}")] == []
    assert [href for _, href in (*SETTINGS_TABS, *LOG_TABS) if href not in offered] == []


@pytest.mark.usefixtures("contoso")
async def test_an_order_leads_to_its_consequence_and_is_carried_out_there(centre: Centre, admin: Browser) -> None:
    await centre.hub.fetch("update job set status = 'on', started = true")

    (first, *_) = (await admin.get("/search/palette?q=pause+documo")).links
    confirmation = await admin.get(first)
    before = await centre.hub.fetch("select count(*) from job where status = 'off'")
    done = await admin.post("/apps/documo/provisioning/pause")

    assert first == "/apps/documo/provisioning/order/pause"
    assert "Pause Documo?" in confirmation.text and "No more changes are sent to Documo." in confirmation.text
    assert 'action="/apps/documo/provisioning/pause"' in confirmation.html and "autofocus" in confirmation.html
    assert before == [(0,)]  # reading the confirmation changes nothing
    assert done.status == 303
    assert (await admin.get(first)).location == "/apps/documo/provisioning"  # there is nothing left to pause


@pytest.mark.usefixtures("contoso")
@pytest.mark.parametrize(
    "text, offered",
    [("stop documo", True), ("run documo", True), ("start documo", False), ("documo", False), ("pause nothing", False)],
)
async def test_only_orders_that_the_state_allows_are_offered(
    centre: Centre, admin: Browser, text: str, offered: bool
) -> None:
    await centre.hub.fetch("update job set status = 'on', started = true")

    page = await admin.get(f"/search/palette?q={text.replace(' ', '+')}")

    assert any("/provisioning/order/" in link for link in page.links) is offered


@pytest.mark.usefixtures("contoso")
async def test_paused_application_in_quarantine_can_be_started_and_not_paused(centre: Centre, admin: Browser) -> None:
    await credentials.set_credentials(
        centre.hub.context, "documo", tenant_url="https://documo.test/scim/v2", secret_token=Secret("t0ken")
    )
    await centre.hub.fetch(
        """update job set status = 'off', started = true, quarantine = '{"reason": "EncounteredQuarantineException",
            "since": "2026-11-30T00:00:00Z", "nextAttempt": "2026-11-30T06:00:00Z"}'"""
    )

    pause, start = [(await admin.get(f"/search/palette?q={word}+documo")).links for word in ("pause", "start")]

    assert "/apps/documo/provisioning/order/pause" not in pause
    assert "/apps/documo/provisioning/order/start" in start


@pytest.mark.usefixtures("contoso")
async def test_orders_need_the_permission_to_control_provisioning(centre: Centre) -> None:
    await centre.hub.fetch("update job set status = 'on', started = true")
    auditor = await centre.signed_in(Role.AUDITOR)

    palette = await auditor.get("/search/palette?q=pause+documo")
    page = await auditor.get("/apps/documo/provisioning/order/pause")

    assert not any("/provisioning/order/" in link for link in palette.links)
    assert page.status == 403


@pytest.mark.usefixtures("contoso")
async def test_unknown_order_is_not_found(admin: Browser) -> None:
    assert (await admin.get("/apps/documo/provisioning/order/explode")).status == 404
