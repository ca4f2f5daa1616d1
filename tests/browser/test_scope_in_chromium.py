"""The live count of a scoping filter is the number of people whom the next plan finds in scope, for every operator."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.async_api import Browser, Page, Response, expect

from lockstep.actions import applications, credentials, job_previews, settings, sources
from lockstep.engine.rules.operators import OPERATORS
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.browser import Visitor
from tests.support.hub import HEADER, Hub, person, write_csv
from tests.support.lockstep_browser import visiting_centre
from tests.support.scripted_scim import scripted_scim

pytestmark = pytest.mark.full
HERE = "/apps/documo/provisioning/mappings/user/scope"
FILTERED = "ScopingFilterFailed"  # the code of a plan's reason
COLUMNS = (*HEADER, "city", "employeeType", "employeeHireDate")
PEOPLE = [
    person("anna", department="Sales", city="Oslo", employeeType="6", employeeHireDate="2020-01-01"),
    person("bo", department="Sales", city="", employeeType="1", accountEnabled="False"),
    person("cy", department="Legal", city="Bergen", employeeType="2"),
    person("di", department="", city="Oslo", employeeType=""),
    person("ed", department="sales", city="Paris", employeeType="ten"),
]
DISABLED = "bo"  # who is not provisioned, whether they match or not
# By operator: the attribute, the value ("" if the operator takes none) and who matches.
CASES = {
    "EQUALS": ("department", "Sales", "anna bo"),
    "NOT EQUALS": ("department", "Sales", "cy ed"),
    "IS TRUE": ("accountEnabled", "", "anna cy di ed"),
    "IS FALSE": ("accountEnabled", "", "bo"),
    "IS NULL": ("city", "", "bo"),
    "IS NOT NULL": ("city", "", "anna cy di ed"),
    "Present": ("department", "", "anna bo cy ed"),
    "REGEX MATCH": ("department", "S.*", "anna bo"),
    "NOT REGEX MATCH": ("department", "S.*", "cy ed"),
    "Greater_Than": ("employeeType", "1", "anna cy"),
    "Greater_Than_OR_EQUALS": ("employeeType", "1", "anna bo cy"),
    "Includes": ("department", "al", "anna bo cy ed"),
    "ENDS_WITH": ("department", "gal", "cy"),
    "&": ("employeeType", "2", "anna cy"),
    "!&": ("employeeType", "2", "bo"),
    "BEFORE": ("employeeHireDate", "now", "anna"),
    "AFTER": ("employeeHireDate", "now-P1D", ""),
}


@pytest.fixture
async def visitor(chrome: Browser, hub: Hub, tmp_path: Path) -> AsyncIterator[Visitor]:
    """Five people, and an application without accounts in whose scope everybody is."""
    file = write_csv(tmp_path / "people.csv", PEOPLE, columns=COLUMNS)
    async with scripted_scim() as served:
        targets = ScimTargets((served.origin,))
        hub.context = context = replace(hub.context, opener=targets)
        await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
        await applications.add_application(context, "documo")
        url = f"{served.origin}/scim/v2"
        await credentials.set_credentials(context, "documo", tenant_url=url, secret_token=Secret("t0ken"))
        await settings.change_settings(context, "documo", scope="all")
        async with visiting_centre(chrome, hub) as visitor:
            yield visitor
        await targets.close()


async def in_scope_of_the_next_plan(hub: Hub) -> set[str]:
    begun = await job_previews.begin_preview(hub.context, "documo")
    assert await job_previews.make_due_preview(hub.context)
    planned = await job_previews.list_objects(hub.context, "documo", begun.id)
    assert len(planned) == len(PEOPLE)
    return {one.name.partition("@")[0] for one in planned if one.code != FILTERED} - {DISABLED}


def is_count_of(operator: str, value: str, answer: Response) -> bool:
    """Whether *answer* counts the row as it is, and not as it was while it was filled in."""
    sent = parse_qs(answer.request.post_data or "", keep_blank_values=True)
    return answer.url.endswith(f"{HERE}/try") and (sent.get("operator-0-0"), sent.get("value-0-0")) == (
        [operator],
        [value],
    )


async def counted(page: Page, answer: Response) -> int:
    """The number of *answer*, once the page shows it."""
    found = re.search(r"(\d+) of \d+ people match", await answer.text())
    assert found
    await expect(page.get_by_role("region", name="Who matches")).to_contain_text(found[0])
    return int(found[1])


async def test_live_count_of_each_operator_is_the_number_of_people_whom_the_next_plan_finds_in_scope(
    visitor: Visitor, hub: Hub
) -> None:
    page, found = visitor.page, {}
    for operator, (attribute, value, _) in CASES.items():
        await settings.set_scope(hub.context, "documo", [])
        await visitor.go(HERE)
        await page.get_by_role("button", name="Add scoping filter").click()
        await page.get_by_label("Scoping Filter Title").fill(operator)
        await page.get_by_label("Attribute", exact=True).fill(attribute)
        async with page.expect_response(partial(is_count_of, operator, value)) as answered:
            await page.get_by_label("Operator", exact=True).select_option(operator)
            if value:
                await page.get_by_label("Value", exact=True).fill(value)
        live = await counted(page, await answered.value)
        await page.get_by_role("region", name="Unsaved changes").get_by_role("button", name="Save").click()
        await page.get_by_role("heading", name="Save the Source Object Scope").wait_for()
        await page.get_by_role("button", name="Save").click()
        await page.get_by_role("link", name="1 scoping filter").wait_for()
        found[operator] = (live, await in_scope_of_the_next_plan(hub))

    expected = {operator: set(names.split()) for operator, (_, _, names) in CASES.items()}
    assert found == {operator: (len(names), names - {DISABLED}) for operator, names in expected.items()}
    assert CASES.keys() == OPERATORS.keys()
