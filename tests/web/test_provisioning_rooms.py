"""Held changes, quarantine, object links, cycles and configuration history of an application."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lockstep.actions import applications, credentials, links, settings, sources, status
from lockstep.actions.permissions import Role
from lockstep.actions.rows.provisioning import link_json
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from lockstep.web.page import address
from lockstep.web.pages import links as links_page
from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.documo_client import USER
from tests.support.hub import Hub, guid, person, write_csv
from tests.support.target_servers import LIST_URN, serving

HERE = "/apps/documo/provisioning"
NAMES = ("anna", "bo", "cy")


@pytest.fixture
async def job(centre: Centre, tmp_path: Path) -> AsyncIterator[str]:
    """The job of Documo with three linked people."""
    targets = ScimTargets(("http://127.0.0.1",))
    centre.hub.context = context = replace(centre.hub.context, opener=targets)
    found = await applications.add_application(context, "documo")
    file = write_csv(tmp_path / "people.csv", [person(name) for name in NAMES])
    await sources.import_file(context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    for name in NAMES:
        await centre.hub.fetch(
            "insert into link (job, kind, source_id, target_id, state, base, display) values (%s, 'User', %s, %s, 'live', '{}', %s)",
            found.job, guid(name), f"u_{name}", f"<i>{name}</i>@contoso.test",
        )  # fmt: skip
    yield found.job
    await targets.close()


async def hold(centre: Centre, job: str) -> None:
    """A held disable for everybody."""
    error = {"guard": "TooManyDeletes", "message": "too many", "cause": "unassigned", "why": "no longer assigned"}
    for name in NAMES:
        await centre.hub.fetch(
            "insert into operation (id, job, kind, source_id, target_id, action, state, error, attempt, planned_at) "
            "values (gen_random_uuid(), %s, 'User', %s, %s, 'disable', 'held', %s, 1, now())",
            job, guid(name), f"u_{name}", json.dumps(error),
        )  # fmt: skip


async def states(centre: Centre, job: str) -> list[str]:
    return sorted(
        str(row[0]) for row in await centre.hub.fetch("select state from operation where job = %s order by 1", job)
    )


async def test_one_linked_account_is_counted_in_the_singular(centre: Centre, admin: Browser, job: str) -> None:
    await centre.hub.fetch("delete from link where target_id <> %s", f"u_{NAMES[0]}")
    await centre.hub.fetch("update job set status = 'on', started = true")

    overview = await admin.get(HERE)
    home = await admin.get("/")

    assert "1 linked account" in overview.text and "1 linked accounts" not in overview.text
    assert "linked account" in home.text and "linked accounts" not in home.text


async def test_held_changes_are_decided_one_by_one_and_all_with_the_number_typed(
    centre: Centre, admin: Browser, job: str
) -> None:
    await hold(centre, job)
    page = await admin.get(f"{HERE}/held")
    assert "&lt;i&gt;anna&lt;/i&gt;" in page.html and "<i>anna" not in page.html
    assert "3 accounts would" in page.text and "Approve all" in page.text
    (one, *_) = [str(row[0]) for row in await centre.hub.fetch("select id from operation where job = %s", job)]

    await admin.post(f"{HERE}/held", {"reject": one})
    assert (await states(centre, job)).count("held") == 2
    wrong = await admin.post(f"{HERE}/held", {"decision": "approve-all", "confirmation": "3"})
    assert wrong.status == 400 and "2 changes would be decided now" in wrong.text
    assert (await states(centre, job)).count("held") == 2
    done = await admin.post(f"{HERE}/held", {"decision": "approve-all", "confirmation": "2"})

    assert done.status == 303 and (await states(centre, job)).count("held") == 0


async def test_a_filter_that_finds_no_held_change_says_so_and_nothing_is_approved(
    centre: Centre, admin: Browser, job: str
) -> None:
    empty = await admin.get(f"{HERE}/held")
    await hold(centre, job)

    none = await admin.get(f"{HERE}/held?search=nobody")
    await admin.post(f"{HERE}/held?search=nobody", {"decision": "approve-all", "confirmation": "0"})

    assert "Nothing is waiting for approval" in empty.text
    assert "No held change matches the filter" in none.text
    assert (await states(centre, job)).count("held") == 3


async def test_quarantine_shows_reason_evidence_and_exits(centre: Centre, admin: Browser, job: str) -> None:
    calm = await admin.get(f"{HERE}/quarantine")
    quarantine = {
        "reason": "EncounteredQuarantineException",
        "currentBegan": "2026-11-20T08:00:00+00:00",
        "seriesCount": 3,
        "nextAttempt": "2099-01-01T00:00:00+00:00",
        "error": {"code": "Unauthorized", "message": "The key <b>was</b> refused", "nextStep": "Make a new key"},
    }
    await centre.hub.fetch(
        "update job set status = 'on', started = true, quarantine = %s where id = %s", json.dumps(quarantine), job
    )

    page = await admin.get(f"{HERE}/quarantine")
    overview = await admin.get(HERE)
    await admin.post(f"{HERE}/quarantine/clear")
    found = (await status.show_status(centre.hub.context, "documo")).quarantine

    assert "is not in quarantine" in calm.text
    assert "The key <b>was</b> refused" in page.text and "<b>was</b>" not in page.html and "Try again now" in page.text
    assert "The application refuses the connection" in page.text and "Lockstep sends nothing" in page.text
    assert "Everything that was attempted has worked" not in overview.text and "Next attempt" in overview.text
    assert "Provisioning is in quarantine" in overview.text and f"{HERE}/quarantine" in overview.links
    assert found is not None and not str(found["nextAttempt"]).startswith("2099")


async def test_pages_of_links_neither_repeat_nor_skip_one_of_the_same_name_and_survive_one_that_is_forgotten(
    centre: Centre, admin: Browser, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_page, "SIZE", 1)
    await centre.hub.fetch("update link set display = 'Same'")
    order = [row.target_id for row in await links.list_links(centre.hub.context, "documo")]

    seen, here = [], f"{HERE}/links"
    while here:
        page = await admin.get(here)
        seen += [one for one in order if one in page.text]
        here = next((href for href in page.links if "after=" in href), "")
        await centre.hub.fetch("delete from link where target_id = %s", seen[-1])

    assert seen == order and len(order) == 3


async def test_account_that_is_looked_for_is_not_called_deleted(centre: Centre, admin: Browser, job: str) -> None:
    await centre.hub.fetch("update link set state = 'tombstone' where target_id in ('u_anna', 'u_bo')")
    await centre.hub.fetch(
        "update link set gone_at = now() - interval '1 hour', review_at = '2099-01-01' where target_id = 'u_anna'"
    )
    sought = await admin.get(f"{HERE}/links?state=sought")
    deleted = await admin.get(f"{HERE}/links?state=tombstone")
    person = await admin.get(f"/users/{guid('anna')}")
    rows = [link_json(row) for row in await links.list_links(centre.hub.context, "documo")]

    assert "u_anna" in sought.text and "u_bo" not in sought.text and "If it comes back" in sought.text
    assert "u_bo" in deleted.text and "u_anna" not in deleted.text and "If it comes back" not in deleted.text
    assert "Account not found, being looked for" in person.text
    assert {row["account"]: (row["state"], row["nextSearch"]) for row in rows} == {
        "u_anna": ("sought", "2099-01-01T00:00:00.000Z"),
        "u_bo": ("tombstone", None),
        "u_cy": ("live", None),
    }


async def test_links_are_paged_searched_and_forgotten(centre: Centre, admin: Browser, job: str) -> None:
    [anna, *_] = await links.list_links(centre.hub.context, "documo")
    page = await admin.get(address(f"{HERE}/links", after=f"User:{guid('anna')}:{anna.display}"))
    found = await admin.get(f"{HERE}/links?search=u_bo")
    none = await admin.get(f"{HERE}/links?state=lost")

    assert "u_anna" not in page.text and "u_bo" in page.text and "u_cy" in page.text
    assert "u_bo" in found.text and "u_cy" not in found.text and "<i>bo" not in found.html
    assert "No link matches the filter" in none.text
    done = await admin.post(f"{HERE}/links/forget", {"user": guid("bo")})
    assert done.status == 303
    assert [row.target_id for row in await links.list_links(centre.hub.context, "documo")] == ["u_anna", "u_cy"]


async def test_links_name_the_attribute_that_matched(centre: Centre, admin: Browser, job: str) -> None:
    before = await admin.get(f"{HERE}/links")
    await centre.hub.fetch("update link set matched_by = 'userName' where target_id = 'u_bo' returning 1")
    after = await admin.get(f"{HERE}/links")

    assert "Matched by" not in before.text and "userName" not in before.text
    assert after.text.count("userName") == 1


async def test_accounts_without_a_link_say_why_they_cannot_be_read(centre: Centre, admin: Browser, job: str) -> None:
    page = await admin.get(f"{HERE}/links/orphans")
    shown = await admin.get(f"{HERE}/links")
    chosen = await admin.post(f"{HERE}/links/choose", {"user": "anna@contoso.test", "account": "u_9"})

    assert page.status == 200 and "has no credentials" in page.text and "Retry" in page.text
    assert chosen.status == 400 and 'value="u_9"' in chosen.html
    assert "disables the account if the person is not in scope" in shown.text


async def list_of_two(_: web.Request) -> web.Response:
    """Accounts that nobody is linked to: one resembles Dora."""
    accounts: list[dict[str, Any]] = [
        {"id": "u_7", "userName": "nobody", "displayName": "Nobody <b>Known</b>"},
        {"id": "u_8", "userName": "dora@contoso.test", "name": {"givenName": "Dora", "familyName": "Test"}},
    ]
    return web.json_response(
        {"schemas": [LIST_URN], "totalResults": 2, "Resources": [{"schemas": [USER], **one} for one in accounts]}
    )


async def test_accounts_without_a_link_name_who_probably_owns_them(
    hub: Hub, centre: Centre, job: str, tmp_path: Path
) -> None:
    context = hub.context
    file = write_csv(tmp_path / "more.csv", [person("dora")])
    await sources.import_file(context, "more", {"files": [{"path": str(file)}]}, is_kept=True)
    async with serving(list_of_two) as server:
        await credentials.set_credentials(
            context, "documo", tenant_url=f"{server.origin}/scim/v2", secret_token=Secret("a-secret")
        )
        async with serving_centre(hub, allow=(server.origin,)) as reaching:
            admin = await reaching.signed_in()
            page = await admin.get(f"{HERE}/links/orphans")

    assert page.status == 200 and "2 accounts without a link" in page.text
    assert "No likely owner in the directory" in page.text and "<b>Known" not in page.html
    assert f'name="user" value="{guid("dora")}"' in page.html and 'name="account" value="u_8"' in page.html


async def test_cycles_and_history_are_listed_and_compared(centre: Centre, admin: Browser, job: str) -> None:
    empty = await admin.get(f"{HERE}/cycles")
    ((cycle,),) = await centre.hub.fetch(
        """insert into cycle (job, kind, state, phase, config_version, ended_at, total, done, counts)
        values (%s, 'initial', 'entryLevelErrors', 'done', 1, now(), 3, 3, '{"created": 2, "failed": 1}') returning id""",
        job,
    )
    await settings.change_settings(centre.hub.context, "documo", scope="all")

    listed, one = await admin.get(f"{HERE}/cycles"), await admin.get(f"{HERE}/cycles/{cycle}")
    history, missing = await admin.get(f"{HERE}/history"), await admin.get(f"{HERE}/cycles/999999")
    nonsense = await admin.get(f"{HERE}/history?version=77")

    assert "No cycle yet" in empty.text
    assert "2 created, 1 failing" in listed.text and "Some failed" in listed.text
    assert 'aria-valuetext="3 of 3 objects"' in one.html
    assert 'scope: "assigned" -> "all"' in history.text and "In force" in history.text
    assert (missing.status, nonsense.status) == (404, 404)


async def test_an_auditor_decides_nothing(centre: Centre, admin: Browser, job: str) -> None:
    await hold(centre, job)
    auditor = await centre.signed_in(Role.AUDITOR)

    for path in ("held", "quarantine", "links", "cycles", "history"):
        assert (await auditor.get(f"{HERE}/{path}")).status == 200
    assert "Approve" not in (await auditor.get(f"{HERE}/held")).text
    for path, form in (
        ("held", {"decision": "approve-all", "confirmation": "3"}),
        ("quarantine/clear", {}),
        ("links/forget", {"user": guid("bo")}),
        ("retry", {}),
    ):
        assert (await auditor.post(f"{HERE}/{path}", form)).status == 403, path
    assert (await states(centre, job)).count("held") == 3
