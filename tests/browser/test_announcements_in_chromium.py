"""What live updates change is said in a polite live region, at most once in five seconds."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.async_api import Browser, expect

from lockstep.actions import applications
from tests.support.hub import Hub
from tests.support.lockstep_browser import visiting_centre

pytestmark = pytest.mark.full
RUNNING = """insert into cycle (job, kind, state, phase, config_version, started_at, total, done, counts)
    select id, 'initial', 'running', 'write', config_version, now(), 100, 40, '{}' from job returning job"""
NOTE = """() => {
    window.notes = [];
    const region = document.getElementById("announced");
    new MutationObserver(() => window.notes.push([Date.now(), region.textContent])).observe(region, {childList: true});
}"""
ADVANCE = """(done) => {
    document.querySelector("progress[role=progressbar]").setAttribute("aria-valuetext", `${done} of 100 people`);
    document.dispatchEvent(new CustomEvent("htmx:after:swap", {detail: {ctx: {}}}));
}"""


async def test_progress_is_said_when_the_page_changes_by_itself(chrome: Browser, hub: Hub) -> None:
    await applications.add_application(hub.context, "documo")
    await hub.fetch("update job set status = 'on', started = true")
    [(job,)] = await hub.fetch(RUNNING)
    async with visiting_centre(chrome, hub) as visitor:
        page = visitor.page
        await page.clock.install()
        await page.route(
            "**/events*", lambda route: route.fulfill(status=502)
        )  # the page asks by itself, as often as its clock says
        await visitor.go("/apps/documo/provisioning")
        bar = page.get_by_role("progressbar", name="Progress of the cycle")
        await expect(bar).to_have_attribute("aria-valuetext", re.compile("^40 of 100 "))
        said = page.get_by_role("status").filter(has_text=re.compile("Progress of the cycle: 70 of 100 "))
        await expect(said).to_have_count(0)
        await hub.fetch("update cycle set done = 70 where job = %s", job)

        async with page.expect_response("**/apps/documo/provisioning"):
            await page.clock.run_for(15_000)
        await expect(bar).to_have_attribute("aria-valuetext", re.compile("^70 of 100 "))
        await page.clock.run_for(6_000)

        await expect(said).to_have_count(1)
        await expect(said).to_have_attribute("aria-live", "polite")
        visitor.said.clear()  # the browser tells of each stream that it could not open


async def test_fast_progress_is_said_every_five_seconds_and_its_last_state_always(chrome: Browser, hub: Hub) -> None:
    await applications.add_application(hub.context, "documo")
    await hub.fetch("update job set status = 'on', started = true")
    await hub.fetch(RUNNING)
    async with visiting_centre(chrome, hub) as visitor:
        page = visitor.page
        await page.clock.install()
        await visitor.go("/apps/documo/provisioning")
        await page.evaluate(NOTE)
        for done in range(50, 62):
            await page.evaluate(ADVANCE, done)
            await page.clock.run_for(1_000)
        await page.clock.run_for(6_000)
        notes = await page.evaluate("() => window.notes")

    # Timers of the page's clock may fire a few milliseconds early.
    times = [at for at, _ in notes]
    assert len(notes) in (3, 4)
    assert all(later - earlier > 4_900 for earlier, later in itertools.pairwise(times))
    assert "61 of 100 people" in notes[-1][1]
