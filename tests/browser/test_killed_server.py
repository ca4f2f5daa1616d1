"""The server is killed under open pages and started again on the same address."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, Dialog, expect

from lockstep.actions import applications, sources
from lockstep.actions.permissions import Role
from lockstep.postgres.database import Database
from lockstep.web.callers import SESSION_COOKIE
from tests.support.admin_centre import serving_centre
from tests.support.browser import Visitor, visiting
from tests.support.hub import Hub, person, write_csv
from tests.support.reused_databases import ReusedDatabase
from tests.support.scripted_scim import ScriptedScim, scripted_scim
from tests.support.serving_process import BIN, free_port

pytestmark = pytest.mark.full
RUNNING = """insert into cycle (job, kind, state, phase, config_version, started_at, total, done, counts)
    select id, 'initial', 'running', 'write', config_version, now(), 100, 40, '{}' from job returning job"""
PEOPLE = 80
PATIENCE = 60_000.0  # milliseconds; only a test that fails waits so long


class Server:
    """`lockstep serve` on one port and one database, without a worker unless *has_worker* is set."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database, self.port = folder, database, free_port()
        self.has_worker = False
        self.origin = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        worker = () if self.has_worker else ("--no-worker",)
        command = [str(BIN / "lockstep"), "serve", *worker, "--port", str(self.port), "--data", str(self.folder)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "is listening" in line:
                return
        raise AssertionError("".join(said))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DATABASE_URL": self.database.conninfo}

    def run(self, *words: str, given: str = "") -> None:
        command = [str(BIN / "lockstep"), "--data", str(self.folder), *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, env=self.environment)
        assert done.returncode == 0, done.stderr

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)


@pytest.fixture
def server(tmp_path: Path, reused_lockstep_database: ReusedDatabase, hub: Hub) -> Server:
    return Server(tmp_path / "data", reused_lockstep_database.database)


@pytest.fixture
async def visitor_of_server(chrome: Browser, hub: Hub, server: Server) -> AsyncIterator[Visitor]:
    """A Global administrator's page on the server that is killed. What the browser says about refused connections is expected."""
    await applications.add_application(hub.context, "documo")
    async with serving_centre(hub) as centre:
        secret = await centre.new_session(Role.GLOBAL_ADMINISTRATOR)
    server.start()
    try:
        async with visiting(chrome, server.origin) as visitor:
            await visitor.page.context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": server.origin}])
            yield visitor
    finally:
        server.kill()


async def test_the_progress_of_a_cycle_is_stale_while_the_server_is_down_and_right_again_without_a_click(
    visitor_of_server: Visitor, server: Server, hub: Hub
) -> None:
    page = visitor_of_server.page
    bar = page.get_by_role("progressbar").first
    stale = page.get_by_role("status").filter(has_text="Live updates paused")
    await hub.fetch("update job set status = 'on', started = true")
    [(job,)] = await hub.fetch(RUNNING)
    await page.clock.install()
    async with page.expect_response("**/events*"):
        await visitor_of_server.go("/apps/documo/provisioning")
    await expect(bar).to_have_attribute("aria-valuetext", re.compile("^40 of 100 "))

    server.kill()
    await page.clock.run_for(60_000)
    await expect(stale).to_contain_text(re.compile(r"last data \d+:\d\d"))
    await expect(bar).to_have_attribute("aria-valuetext", re.compile("^40 of 100 "))
    await hub.fetch("update cycle set done = 70 where job = %s", job)
    server.start()

    await expect(stale).to_be_hidden(timeout=PATIENCE)
    await page.clock.run_for(10_000)
    await expect(bar).to_have_attribute("aria-valuetext", re.compile("^70 of 100 "), timeout=PATIENCE)


WATCH = """
new MutationObserver(() => {
    for (const bar of document.querySelectorAll("progress[role=progressbar]")) window.noted(+bar.ariaValueNow, +bar.ariaValueMax);
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


class Bar:
    """Every state of the page's progress bar, also across reloads."""

    def __init__(self) -> None:
        self.states: list[tuple[int, int]] = []
        self._changed = asyncio.Event()

    def noted(self, done: int, total: int) -> None:
        self.states.append((done, total))
        self._changed.set()

    async def passes(self, number: int) -> None:
        while not self.states or self.states[-1][0] < number:
            self._changed.clear()
            await self._changed.wait()


class SlowApplication(ScriptedScim):
    """Creates only as many accounts as it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.lets = asyncio.Semaphore(0)
        self.answers["create"] = self._create

    def let(self, number: int) -> None:
        for _ in range(number):
            self.lets.release()

    async def _create(self, request: web.Request) -> web.StreamResponse:
        await self.lets.acquire()
        return await self._answer("create", request)


async def test_the_bar_of_a_real_cycle_never_goes_back_although_the_page_is_reloaded_and_the_server_killed(
    visitor_of_server: Visitor, server: Server, hub: Hub, tmp_path: Path
) -> None:
    page, seen = visitor_of_server.page, Bar()
    rows = [person(f"p{one:03}") for one in range(PEOPLE)]
    file = write_csv(tmp_path / "people.csv", rows)
    await sources.import_file(hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await page.expose_function("noted", seen.noted)
    await page.add_init_script(WATCH)
    bar = page.get_by_role("progressbar", name="Progress of the cycle")

    async with scripted_scim(SlowApplication()) as application:
        assert isinstance(application, SlowApplication)
        await asyncio.to_thread(server.run, "outbound", "add", application.origin)
        url = f"{application.origin}/scim/v2"
        await asyncio.to_thread(
            server.run, "creds", "set", "documo", "--tenant-url", url, "--token-stdin", given="a-token"
        )
        await asyncio.to_thread(server.run, "settings", "documo", "--scope", "all")
        await asyncio.to_thread(server.run, "start", "documo")
        server.kill()
        server.has_worker = True
        server.start()
        await visitor_of_server.go("/apps/documo/provisioning")
        application.let(30)
        await seen.passes(20)
        await page.reload()
        await expect(bar).to_have_attribute("aria-valuetext", re.compile(rf"^\d+ of {PEOPLE} people$"))
        server.kill()
        server.start()
        application.let(PEOPLE * 2)
        await expect(bar).to_have_attribute("aria-valuetext", f"{PEOPLE} of {PEOPLE} people", timeout=2 * PATIENCE)

    done = [one for one, _ in seen.states]
    assert {total for _, total in seen.states} == {PEOPLE}
    assert done == sorted(done) and any(20 <= one < PEOPLE for one in done)
    assert len(application.user_names) == PEOPLE


async def test_a_reload_while_the_server_is_down_asks_before_unsaved_edits_are_lost(
    visitor_of_server: Visitor, server: Server
) -> None:
    page = visitor_of_server.page
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await visitor_of_server.go("/apps/documo/provisioning/mappings/user")
    name = page.get_by_label("Name", exact=True)
    await name.fill("Everybody to Documo")
    server.kill()

    await page.evaluate("() => location.reload()")
    await expect(page.get_by_role("region", name="Unsaved changes")).to_be_visible()
    assert asked == ["beforeunload"]
    await expect(name).to_have_value("Everybody to Documo")
    server.start()
    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page.get_by_role("heading", name="Review the change")).to_be_visible()


async def test_save_while_the_server_is_down_keeps_the_page_with_its_input_and_saves_once_the_server_is_back(
    visitor_of_server: Visitor, server: Server
) -> None:
    page = visitor_of_server.page
    await visitor_of_server.go("/apps/documo/provisioning/mappings/user")
    name, save = page.get_by_label("Name", exact=True), page.get_by_role("button", name="Save", exact=True)
    problem = page.get_by_text("The server can't be reached, so nothing was saved.")
    await name.fill("Everybody to Documo")
    server.kill()

    await save.click()
    await expect(problem).to_be_visible()
    await save.click()
    await expect(problem).to_have_count(1)
    await expect(name).to_have_value("Everybody to Documo")
    await expect(page.get_by_role("region", name="Unsaved changes")).to_be_visible()
    server.start()
    await save.click()
    await expect(page.get_by_role("heading", name="Review the change")).to_be_visible()
    await save.click()
    await expect(page.get_by_text("The mapping was saved")).to_be_visible()

    await visitor_of_server.go("/apps/documo/provisioning/mappings/user")
    await expect(name).to_have_value("Everybody to Documo")
