"""The daily jobs of an administrator, each done on the pages from Home in at most four interactions.

An interaction is a click, or a text typed into one field together with the key that opens or sends it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import DOCUMO_EMAIL, documo_sign_in, first_sign_in, visiting
from tests.support.up_process import BIN, Up, running_up
from tests.support.waiting import wait_until

pytestmark = pytest.mark.full
MOST = 4
WHO = "kim.berg@contoso.test"


@pytest.fixture(scope="module")
def busy() -> Iterator[Up]:
    """A morning with work to do: writes are held for approval, and Documo refuses new members because it has no free seat."""
    with running_up("--people", "200", "--seed", "20261123") as up:
        leaver = next(one["name"] for one in _json("lockstep", up, "links", "documo")["items"] if one["name"] != WHO)
        _run("lockstep", up, "people", "disable", leaver)
        _run("lockstep", up, "run", "documo", "--wait", code=6)
        _run("lockstep", up, "settings", "documo", "--deletion-threshold", "5")
        _run("lockstep", up, "assign", "remove", "documo", "--group", "all-sales", "--yes")
        linked = _run("lockstep", up, "links", "documo", "-o", "name").split()
        _run("documo", up, "accounts", "set", "Contoso", "--seats", str(len(linked)))
        _run("lockstep", up, "assign", "documo", "--group", "all-legal", "--role", "Member", "--yes")
        yield up


def _run(program: str, up: Up, *words: str, code: int = 0) -> str:
    where = ["--data", str(up.data)]
    command = [str(BIN / program), *where, *words] if program == "lockstep" else [str(BIN / program), *words, *where]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def _json(program: str, up: Up, *words: str, code: int = 0) -> Any:
    return json.loads(_run(program, up, *words, "-o", "json", code=code))


def _key_named(name: str, up: Up) -> Any:
    return next(one for one in _json("documo", up, "keys", "list")["keys"] if one["name"] == name)


@pytest.fixture(scope="module")
async def signed_in(chrome: Browser, busy: Up) -> Any:
    return await first_sign_in(chrome, busy)


class Job:
    """One job. It counts what its person does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.done = 0

    async def click(self, target: Locator) -> None:
        self.done += 1
        await target.click()

    async def link(self, name: str | re.Pattern[str]) -> None:
        await self.click(self.page.get_by_role("link", name=name).first)

    async def button(self, name: str | re.Pattern[str]) -> None:
        await self.click(self.page.get_by_role("button", name=name).first)

    async def fill(self, label: str, text: str) -> None:
        self.done += 1
        await self.page.get_by_label(label).first.fill(text)

    async def choose(self, label: str, option: str) -> None:
        self.done += 1
        await self.page.get_by_label(label, exact=True).first.select_option(label=option)

    async def search(self, text: str, result: str | re.Pattern[str]) -> None:
        """Type into the palette and open a result."""
        await self.page.keyboard.press("Control+k")
        await self.page.keyboard.type(text)
        palette = self.page.get_by_role("dialog", name="Command palette")
        self.done += 1
        await self.click(palette.get_by_role("link", name=result).first)

    async def sees(self, text: str | re.Pattern[str]) -> None:
        await expect(self.page.get_by_role("main").get_by_text(text).filter(visible=True).first).to_be_visible()

    async def heading(self, text: str | re.Pattern[str]) -> None:
        await expect(self.page.get_by_role("heading", level=1, name=text)).to_be_visible()


@pytest.fixture
async def job(chrome: Browser, busy: Up, signed_in: Any) -> AsyncIterator[Job]:
    """A job that begins on Home. The test fails if it took more than `MOST` interactions."""
    async with visiting(chrome, busy.origin, signed_in) as visitor:
        await visitor.go("/")
        job = Job(visitor.page)
        yield job
        assert job.done <= MOST, f"{job.done} interactions"
        assert visitor.said == []


@pytest.fixture(scope="module")
async def member(chrome: Browser, busy: Up) -> Any:
    return await documo_sign_in(chrome, busy)


@pytest.fixture
async def documo(chrome: Browser, busy: Up, member: Any) -> AsyncIterator[Job]:
    """A job of an admin of the account that begins on Documo's first page."""
    async with visiting(chrome, busy.documo_origin, member) as visitor:
        await visitor.go("/")
        job = Job(visitor.page)
        yield job
        assert job.done <= MOST, f"{job.done} interactions"
        assert visitor.said == []


class TestAdministrator:
    """The IT administrator who clicks."""

    async def test_sees_in_five_seconds_what_needs_a_person(self, job: Job) -> None:
        await job.heading("1 thing needs you")
        await job.sees("writes wait for approval")
        await job.sees("will be retried")

    async def test_finds_out_why_one_person_is_in_an_application(self, job: Job) -> None:
        await job.search(f"why is {WHO} in documo", re.compile("Why is Kim Berg in or out of Documo"))
        await job.heading("Kim Berg in Documo")
        await job.sees("assigned directly")

    async def test_provisions_one_person_now(self, job: Job) -> None:
        await job.search(f"provision {WHO} documo", re.compile("Provision Kim Berg on demand"))
        await job.button(re.compile("^Provision"))
        await job.sees("The account is up to date")

    async def test_approves_one_held_change(self, job: Job) -> None:
        await job.link("Review")
        await job.button(re.compile("^Approve .*@contoso.test"))
        await expect(job.page.get_by_text("1 change approved")).to_be_visible()

    async def test_retries_only_what_fails(self, job: Job) -> None:
        await job.search("failures", "Failures")
        await job.sees("has no free seats")
        await job.button("Retry")
        await expect(job.page.get_by_text(re.compile(r"objects? retried now"))).to_be_visible()

    async def test_finds_the_mapping_that_must_change(self, job: Job) -> None:
        await job.search("documo mappings", "Documo: Mappings")
        await job.link("Synchronize Microsoft Entra users to Documo")
        await job.heading("Attribute-Mapping")

    async def test_changes_the_scope_and_sees_the_consequence_first(self, job: Job) -> None:
        await job.search("documo settings", "Documo: Settings")
        await job.choose("Scope", "Sync all users and groups")
        await job.sees(re.compile("[Ss]aving"))
        await expect(job.page.get_by_role("button", name="Save")).to_be_visible()

    async def test_adds_an_application_from_the_gallery(self, job: Job) -> None:
        await job.link("Applications")
        await job.link("New application")
        await job.link("Documo")
        await expect(job.page.get_by_role("button", name="Create")).to_be_visible()

    async def test_replaces_the_secret_token(self, job: Job, busy: Up) -> None:
        whose = ("--account", "Contoso", "--member", DOCUMO_EMAIL, "--name", "next")
        key = json.loads(_run("documo", busy, "keys", "create", *whose, "-o", "json"))["key"]

        await job.search("rotate", "Documo: Secret Token")
        await job.fill("Secret Token", key)
        await job.button("Save")

        await expect(job.page.get_by_text(re.compile("^Saved"))).to_be_visible()
        # Documo writes the requests of half a second together, and with them the last use of each key.
        wait_until(lambda: _key_named("next", busy)["last_used_at"] is not None)


class TestAuditor:
    async def test_exports_who_got_and_lost_access_in_a_date_range(self, job: Job) -> None:
        await job.link("Logs")
        await job.choose("Date", "Last 7 days")
        await job.button("Apply")
        async with job.page.expect_download() as waiting:
            await job.button(re.compile("CSV"))
        assert WHO in Path(await (await waiting.value).path()).read_text()

    async def test_lists_the_accounts_without_an_owner(self, job: Job) -> None:
        await job.search("orphans", "Documo: Links")
        await job.link(re.compile("[Oo]rphan|without"))
        await job.heading(re.compile("[Oo]rphan|without"))

    async def test_sees_who_changed_the_configuration_with_before_and_after(self, job: Job) -> None:
        await job.link("Logs")
        await job.link("Audit logs")
        await job.link(re.compile("Update provisioning settings|provisioning"))
        await job.sees(re.compile("Before|Old value"))

    async def test_verifies_that_no_audit_entry_was_edited(self, job: Job) -> None:
        await job.link("Logs")
        await job.link("Audit logs")
        await job.link("Verify chain")
        await job.sees(re.compile("chain|intact"))

    async def test_reviews_who_can_administer(self, job: Job) -> None:
        await job.search("administrators", "Administrators")
        await job.sees("Global administrator")

    async def test_sees_how_long_leavers_kept_access(self, job: Job) -> None:
        await job.sees("Time to deprovision p95")
        await job.link(re.compile("Time to deprovision"))
        await job.sees(re.compile(r"[Dd]isabled? "))

    async def test_checks_that_secrets_are_encrypted_and_when_they_were_set(self, job: Job) -> None:
        await job.search("secrets", "Secrets")
        row = job.page.get_by_role("row").filter(has=job.page.get_by_role("rowheader", name="Secret Token"))
        await expect(row).to_contain_text("Encrypted")
        await expect(row).to_contain_text("ago by")

    async def test_sees_who_approved_a_held_change_and_why_it_was_held(self, job: Job) -> None:
        await job.link("Logs")
        await job.link("Audit logs")
        await job.link("Decide on held deletes")
        await job.sees("approved")
        await job.sees("reasons")
        await job.sees("ada@contoso.test")


class TestHelpDesk:
    async def test_reads_one_sentence_about_a_person(self, job: Job) -> None:
        await job.search(f"{WHO} documo", re.compile("Why is Kim Berg"))
        await job.sees("assigned directly")

    async def test_sees_the_timeline_of_a_person(self, job: Job) -> None:
        await job.search(WHO, re.compile("^Kim Berg"))
        await job.sees("Created in Documo")

    async def test_copies_an_answer_for_the_ticket(self, job: Job) -> None:
        await job.search(f"{WHO} documo", re.compile("Why is Kim Berg"))
        await expect(job.page.get_by_role("button", name="Copy answer")).to_have_attribute(
            "data-copy", re.compile("PROVISIONED|up to date")
        )
        await job.button("Copy answer")

    async def test_tells_an_outage_from_a_problem_of_one_person(self, job: Job) -> None:
        await job.link("Documo")
        await job.sees(re.compile("Waiting for your approval"))

    async def test_knows_when_the_next_cycle_is(self, job: Job) -> None:
        await job.sees(re.compile(r"^in \d+ minutes$"))

    async def test_looks_up_the_account_in_the_application(self, job: Job) -> None:
        await job.search(f"{WHO} documo", re.compile("Why is Kim Berg"))
        await expect(job.page.get_by_role("button", name="Copy the account ID")).to_be_visible()

    async def test_provisions_that_person_again(self, job: Job) -> None:
        await job.search(f"{WHO} documo", re.compile("Why is Kim Berg"))
        await job.link("Provision on demand")
        await job.button(re.compile("^Provision"))
        await job.sees("The account is up to date")

    async def test_hands_the_case_over_with_a_link_that_has_everything(self, job: Job) -> None:
        await job.search(f"{WHO} documo", re.compile("Why is Kim Berg"))
        await job.heading("Kim Berg in Documo")
        address = job.page.url

        await job.page.goto("about:blank")
        await job.page.goto(address)

        await job.heading("Kim Berg in Documo")
        await job.sees("assigned directly")


class TestPlatformEngineer:
    """Who scripts. An interaction is a command."""

    def test_reads_what_a_file_would_change_and_whether_the_system_differs_from_it(
        self, busy: Up, tmp_path: Path
    ) -> None:
        file = tmp_path / "documo.yaml"
        file.write_text(_run("lockstep", busy, "export", "documo"))
        assert _run("lockstep", busy, "plan", str(file), "--detailed-exitcode").startswith("No changes")

        file.write_text(file.read_text().replace("source: surname", "source: givenName"))
        planned = _run("lockstep", busy, "plan", str(file), "--detailed-exitcode", code=2)
        differs = _run("lockstep", busy, "diff", str(file), "--detailed-exitcode", code=2)
        assert "name.familyName" in planned and "name.familyName" in differs

    def test_reads_logs_and_states_as_json(self, busy: Up) -> None:
        [status] = _json("lockstep", busy, "status", code=6)["items"]
        records = _json("lockstep", busy, "logs", "--limit", "3")["items"]
        assert (status["application"], status["standing"], len(records)) == ("documo", "held", 3)

    def test_backs_everything_up(self, busy: Up, tmp_path: Path) -> None:
        _run("lockstep", busy, "backup", str(tmp_path / "backup"))
        assert list(tmp_path.iterdir())


class TestEngineer:
    """Who offers the SCIM endpoint, on Documo's pages."""

    async def test_sees_the_exact_request_and_the_answer(self, documo: Job) -> None:
        await documo.link("Account Settings")
        await documo.link("SCIM request log")
        await documo.click(
            documo.page.get_by_role("link", name=re.compile("^POST")).first
        )  # opens a run of alike requests
        await documo.click(documo.page.get_by_role("link", name=re.compile("^POST")).nth(1))
        await documo.sees("urn:ietf:params:scim")

    async def test_issues_a_key(self, documo: Job) -> None:
        await documo.link("Account Settings")
        await documo.link("API keys")
        await documo.fill("Name", "Okta")
        await documo.button("Create key")
        await documo.sees(re.compile("dk_live_"))

    async def test_finds_the_curl_command_of_a_request(self, documo: Job) -> None:
        await documo.link("Account Settings")
        await documo.link("SCIM request log")
        await documo.click(documo.page.get_by_role("link", name=re.compile("^POST")).first)
        await documo.click(documo.page.get_by_role("link", name=re.compile("^POST")).nth(1))
        await documo.sees(re.compile("^curl "))

    async def test_revokes_a_key_that_nobody_has_used(self, documo: Job) -> None:
        await documo.link("Account Settings")
        await documo.link("API keys")
        await documo.link("Revoke Okta")
        await documo.click(documo.page.get_by_role("dialog").get_by_role("button", name="Revoke"))
        await expect(documo.page.get_by_text("Requests with this key are refused from now on")).to_be_visible()

    async def test_sees_whether_provisioning_works(self, documo: Job) -> None:
        await documo.link("Account Settings")
        await documo.link("SCIM")
        await documo.sees(re.compile("last request$"))


class TestLast:
    """Jobs that undo the setup of the others come last."""

    async def test_rejects_all_held_changes_with_the_number_typed(self, job: Job) -> None:
        await job.link("Review")
        heading = await job.page.get_by_role("heading", name=re.compile("^Decide all")).inner_text()
        await job.fill("Type", heading.split()[-1])
        await job.button("Reject all")
        await expect(job.page.get_by_text(re.compile(r"[1-9]\d* changes? rejected"))).to_be_visible()
