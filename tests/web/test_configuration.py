"""Configuration as YAML on the pages: it is planned and then applied as planned, errors are shown at their line, and earlier versions can
be restored.
"""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from lockstep.actions import applications, configuration_history, settings
from lockstep.actions.context import Context
from lockstep.actions.permissions import Role
from lockstep.targets.opener import ScimTargets
from tests.support.admin_centre import Browser, Centre, Page

HERE = "/apps/documo/provisioning/configuration"


@pytest.fixture
async def documo(centre: Centre) -> str:
    return (await applications.add_application(centre.hub.context, "documo")).id


def text_of(page: Page) -> str:
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page.html, re.S)
    assert found is not None
    return html.unescape(found[1])


def hidden(page: Page, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.html)
    return found[1] if found else ""


def context_of(centre: Centre) -> Context:
    return replace(centre.hub.context, opener=ScimTargets(()))


async def scope_of(centre: Centre) -> str:
    return (await settings.show_settings(context_of(centre), "documo")).scope


async def test_a_text_is_planned_and_applied_as_planned(centre: Centre, admin: Browser, documo: str) -> None:
    page = await admin.get(HERE)
    changed = text_of(page).replace("scope: assigned", "scope: all")
    planned = await admin.post(HERE, {"step": "plan", "yaml": changed, "base": hidden(page, "base")})
    still = await scope_of(centre)
    form = {"step": "apply", "yaml": changed, "base": hidden(page, "base")}
    unseen = await admin.post(HERE, form | {"mark": "another"})
    applied = await admin.post(HERE, form | {"mark": hidden(planned, "mark")})

    assert 'scope: "assigned" -&gt; "all"' in planned.html or 'scope: "assigned" -> "all"' in planned.text
    assert still == "assigned" and unseen.status == 400 and "other changes than the plan showed" in unseen.text
    assert applied.status == 303 and await scope_of(centre) == "all"


async def test_a_text_that_others_have_overtaken_is_not_planned(centre: Centre, admin: Browser, documo: str) -> None:
    page = await admin.get(HERE)
    await settings.change_settings(context_of(centre), "documo", deletion_threshold=77)

    late = await admin.post(HERE, {"step": "plan", "yaml": text_of(page), "base": hidden(page, "base")})

    assert late.status == 400 and "Someone changed the configuration" in late.text


async def test_an_error_stands_with_its_line_beside_the_text(centre: Centre, admin: Browser, documo: str) -> None:
    page = await admin.get(HERE)
    wrong = text_of(page).replace("scope: assigned", "scope: <script>")
    line = wrong[: wrong.index("scope: <script>")].count("\n") + 1

    refused = await admin.post(HERE, {"step": "plan", "yaml": wrong, "base": hidden(page, "base")})
    other = await admin.post(
        HERE, {"step": "plan", "yaml": wrong.replace("name: documo", "name: elsewhere"), "base": hidden(page, "base")}
    )

    assert refused.status == 400 and f"Line {line}, column" in refused.text
    assert "scope: <script>" in text_of(refused) and "scope: <script>" not in refused.html
    assert other.status == 400


async def test_an_earlier_version_is_restored_after_a_plan(centre: Centre, admin: Browser, documo: str) -> None:
    await settings.change_settings(context_of(centre), "documo", scope="all")
    history = await admin.get("/apps/documo/provisioning/history?version=1")
    page = await admin.get(f"{HERE}?version=1")
    still = await scope_of(centre)
    form = {"step": "apply", "yaml": text_of(page), "base": hidden(page, "base"), "prune": "on"}
    restored = await admin.post(HERE, form | {name: hidden(page, name) for name in ("mark", "version")})
    named = await admin.get("/apps/documo/provisioning/history")

    assert "Restore configuration version 1" in named.text
    assert f"{HERE}?version=1" in history.links and "Restoring version 1" in page.text
    assert still == "all" and restored.status == 303 and await scope_of(centre) == "assigned"
    assert (await admin.get(f"{HERE}?version=99")).status == 404


HISTORY = "/apps/documo/provisioning/history"


async def test_comment_on_a_version_is_shown_in_the_history_and_can_be_changed(
    centre: Centre, admin: Browser, documo: str
) -> None:
    page = await admin.get(HERE)
    edited = {"yaml": text_of(page).replace("scope: assigned", "scope: all"), "base": hidden(page, "base")}
    planned = await admin.post(HERE, {"step": "plan", **edited})
    await admin.post(
        HERE, {"step": "apply", "mark": hidden(planned, "mark"), "comment": "Branch <b>4711</b>", **edited}
    )
    applied = await admin.get(HISTORY)
    first = await admin.post(HISTORY, {"version": "1", "comment": "  As delivered\n by  Contoso "})
    long = await admin.post(HISTORY, {"version": "1", "comment": "x" * 1_001})
    shown = await admin.get(f"{HISTORY}?version=1&below=2")

    assert "Branch <b>4711</b>" in applied.text and "<b>4711" not in applied.html
    assert first.status == 303 and "As delivered by Contoso" in shown.text
    assert long.status == 400 and "The comment has 1,001 characters" in long.text and "x" * 1_001 in long.html
    assert (await admin.post(HISTORY, {"version": "9", "comment": "x"})).status == 404
    assert [one.comment for one in await configuration_history.list_versions(context_of(centre), "documo")] == [
        "Branch <b>4711</b>", "As delivered by Contoso",
    ]  # fmt: skip


async def test_saving_what_already_holds_creates_no_version(centre: Centre, documo: str) -> None:
    await settings.change_settings(context_of(centre), "documo", mode="automatic", scope="assigned")

    assert len(await configuration_history.list_versions(context_of(centre), "documo")) == 1


async def test_who_may_not_change_the_configuration_reads_comments(centre: Centre, admin: Browser, documo: str) -> None:
    await admin.post(HISTORY, {"version": "1", "comment": "As delivered"})
    auditor = await centre.signed_in(Role.AUDITOR)

    page, refused = await auditor.get(HISTORY), await auditor.post(HISTORY, {"version": "1", "comment": ""})

    assert "As delivered" in page.text and "Save comment" not in page.text and refused.status == 403
    assert "As delivered" in (await admin.get(HISTORY)).text


async def test_who_may_not_change_the_configuration_reads_it(centre: Centre, admin: Browser, documo: str) -> None:
    auditor = await centre.signed_in(Role.AUDITOR)
    owner = await centre.signed_in(Role.APPLICATION_OWNER, app=documo)

    page = await auditor.get(HERE)
    refused = await auditor.post(HERE, {"step": "plan", "yaml": "x", "base": "x"})
    own = await owner.get(HERE)

    assert "kind: Application" in page.text and "<textarea" not in page.html and refused.status == 403
    assert "<textarea" in own.html
    assert (await owner.get("/settings/configuration")).status == 403
    assert "kind: Tenant" in (await admin.get("/settings/configuration")).html
    assert (await admin.get(f"{HERE}.yaml")).html.startswith("apiVersion")
