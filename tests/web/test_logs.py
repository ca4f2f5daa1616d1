"""Provisioning logs: the list, its filters and downloads, and one change."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from uuid import uuid4

import orjson
import pytest
from psycopg.types.json import Jsonb

from lockstep.actions import applications
from lockstep.actions.permissions import Role
from lockstep.engine.plans import Step, StepStatus, StepType
from lockstep.engine.records import Change
from lockstep.postgres.pool import transaction
from lockstep.storage import provisioning_log
from lockstep.storage.log_record import LoggedContent, LoggedError, LoggedExchange, LogRecord
from lockstep.web.page import address
from lockstep.web.pages.provisioning_logs import DOWNLOADS, TABS
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import guid


def record(who: str, status: str = "success", code: str = "", action: str = "create") -> LogRecord:
    error = LoggedError(code, f"{who} was refused", "Correct the address") if code else None
    content = LoggedContent("https://app.test/scim/Users", '{"userName": "it\'s"}', '{"status": "409"}')
    return LogRecord(
        str(uuid4()),
        str(uuid4()),
        None,
        action,
        status,
        "User",
        None,
        who,
        f"{who} was refused" if code else "",
        "system",
        changes=(Change("title", None, "=1+1"),),
        error=error,
        exchanges=(LoggedExchange("POST", 409, 0.25, "req-7", content if code else None),),
    )


async def write(centre: Centre, admin: Browser, *records: LogRecord) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    (app,) = await applications.list_applications(centre.hub.context)
    async with transaction(centre.hub.pool) as connection:
        await provisioning_log.append(connection, app.job, app.id, records)


async def test_the_log_shows_what_passes_the_filter_of_its_address(centre: Centre, admin: Browser) -> None:
    empty = await admin.get("/logs/provisioning")
    await write(centre, admin, record("anna"), record("<script>kim", "failure", "uniqueness"))

    page = await admin.get("/logs/provisioning")
    failed = await admin.get("/logs/provisioning?app=documo&status=failure&code=uniqueness&text=REFUSED&range=1h")
    none = await admin.get("/logs/provisioning?person=nobody&after=x")

    assert "Nothing has been logged yet" in empty.text
    assert "Date Identity Action Source system Target system Status" in page.text
    assert "anna" in page.text and "<script>kim" in page.text and "<script>kim" not in page.html
    assert "<script>kim" in failed.text and "anna" not in failed.text
    assert "No log entry matches this filter" in none.text


async def test_steps_of_a_change_are_named_in_words_with_the_names_of_graph_beside_them(
    centre: Centre, admin: Browser
) -> None:
    step = Step("EntryMatching", StepType.MATCHING, StepStatus.SUCCESS, "No account matches.")
    await write(centre, admin, replace(record("anna"), steps=(step,)))
    listed = await admin.get("/logs/provisioning")

    page = await admin.get(
        next(href for href in listed.links if re.fullmatch(r"/logs/provisioning/[0-9a-f-]{36}", href))
    )

    assert "Match No account matches. EntryMatching" in page.text


async def test_who_lost_access_is_one_choice_and_the_download_has_the_same_records(
    centre: Centre, admin: Browser
) -> None:
    gone = [
        replace(record(f"gone-{action}", action=action), reason=f"Not assigned: {action}")
        for action in ("disable", "delete", "stagedDelete")
    ]
    await write(centre, admin, record("anna"), record("bo", action="update"), *gone)

    lost = await admin.get("/logs/provisioning?action=lost&range=7d")
    download = await admin.get("/logs/provisioning/download/ProvisioningLogs.csv?action=lost&range=7d")

    assert all(
        f"gone-{action}" in lost.text and f"gone-{action}" in download.html
        for action in ("disable", "delete", "stagedDelete")
    )
    assert not any(name in lost.text or name in download.html for name in ("anna", "bo,"))
    assert sorted(line["reason"] for line in csv.DictReader(io.StringIO(download.html))) == [
        "Not assigned: delete", "Not assigned: disable", "Not assigned: stagedDelete",
    ]  # fmt: skip
    assert 'form="log-filter" formaction="/logs/provisioning/download/ProvisioningLogs.csv"' in lost.html


async def test_pages_of_the_log_neither_repeat_nor_skip_a_record(centre: Centre, admin: Browser) -> None:
    await write(centre, admin, *(record(f"person-{number:03}") for number in range(70)))

    first = await admin.get("/logs/provisioning")
    older = next(href for href in first.links if "after=" in href)
    second = await admin.get(older)

    seen = [f"person-{number:03}" in first.text for number in range(70)]
    rest = [f"person-{number:03}" in second.text for number in range(70)]
    assert sum(seen) == 50 and sum(rest) == 20 and all(a != b for a, b in zip(seen, rest, strict=True))


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"errorInformation": None, "steps": None},
        {"errorInformation": {}},
        {"errorInformation": {"errorCode": "x"}, "steps": [{}], "modifiedProperties": [{}], "exchanges": [{}]},
        {"errorInformation": "text", "steps": "text", "modifiedProperties": [None], "exchanges": [{"status": None}]},
        [],
    ],
)
async def test_a_record_is_shown_in_every_form_in_which_it_may_be_stored(
    centre: Centre, admin: Browser, stored: object
) -> None:
    written = record("kim", "failure", "uniqueness")
    await write(centre, admin, written)
    async with transaction(centre.hub.pool) as connection:
        await connection.execute("update provisioning_log set record = %s, reason = ''", (Jsonb(stored),))

    for tab in TABS:
        page = await admin.get(address(f"/logs/provisioning/{written.change_id}", tab=tab))
        assert (page.status, "kim" in page.text) == (200, True), tab
    for name in DOWNLOADS:
        assert (await admin.get(f"/logs/provisioning/download/{name}")).status == 200


async def test_a_success_says_that_nothing_needs_attention(centre: Centre, admin: Browser) -> None:
    done = record("kim")
    await write(centre, admin, done)

    page = await admin.get(f"/logs/provisioning/{done.change_id}?tab=Troubleshooting+%26+Recommendations")

    assert "Nothing needs attention" in page.text


async def test_a_change_shows_its_exchange_with_the_token_in_a_variable(centre: Centre, admin: Browser) -> None:
    failure = record("kim", "failure", "uniqueness")
    await write(centre, admin, failure)
    here = f"/logs/provisioning/{failure.change_id}"

    help_ = await admin.get(here + "?tab=Troubleshooting+%26+Recommendations")
    exchange = await admin.get(here + "?tab=HTTP+exchange")

    assert "What to do: Correct the address" in help_.text
    assert "409, 250 ms" in exchange.text and "req-7" in exchange.text
    assert "Authorization: Bearer $SCIM_TOKEN" in exchange.text and "'\"'\"'" in exchange.text
    assert (await admin.get("/logs/provisioning/unknown")).status == 404


async def test_downloads_have_exactly_the_filtered_records(centre: Centre, admin: Browser) -> None:
    await write(centre, admin, record("anna"), record("kim", "failure", "uniqueness"))

    as_json = await admin.get("/logs/provisioning/download/ProvisioningLogs.json?status=failure")
    as_csv = await admin.get("/logs/provisioning/download/ProvisioningLogs.csv?status=failure")
    changed = await admin.get("/logs/provisioning/download/ProvisioningLogs_ModifiedProperties.csv")
    nothing = await admin.get("/logs/provisioning/download/ProvisioningLogs.json?text=nobody")

    assert [one["sourceIdentity"]["displayName"] for one in orjson.loads(as_json.html)] == ["kim"]
    assert "kim" in as_csv.html and "anna" not in as_csv.html and "attachment" in as_csv.headers["Content-Disposition"]
    assert ",title,,'=1+1" in changed.html
    assert orjson.loads(nothing.html) == []


async def test_a_change_leads_to_the_attempts_before_and_after_it(centre: Centre, admin: Browser) -> None:
    anna = guid("anna")
    attempts = [replace(record("anna", "failure", "uniqueness"), source_id=anna) for _ in range(3)]
    await write(centre, admin, attempts[0], record("kim"), attempts[1], attempts[2])
    first, middle, last = (f"/logs/provisioning/{one.change_id}" for one in attempts)

    page = await admin.get(f"{middle}?tab=Summary")
    begin, end = await admin.get(first), await admin.get(last)

    assert f"{first}?tab=Summary" in page.links and f"{last}?tab=Summary" in page.links
    assert "Previous attempt" not in begin.text and middle in begin.links
    assert "Next attempt" not in end.text and middle in end.links
    assert "/logs/provisioning?app=documo&status=failure&code=uniqueness" in page.links


async def test_failures_are_grouped_by_their_cause_and_retried_together(centre: Centre, admin: Browser) -> None:
    await admin.post("/apps/new/documo", {"displayName": "Documo"})
    nothing = await admin.get("/logs/provisioning/failures")
    for number in range(7):
        code = "uniqueness" if number < 5 else "invalidValue"
        await centre.hub.fetch(
            """insert into dirty (job, kind, source_id, lane, reasons, failures, first_failed_at, not_before, last_error)
            select id, 'User', gen_random_uuid(), 3, '{attributes}', 2, now(), now() + interval '1 hour',
                jsonb_build_object('code', %s::text, 'reason', '<b>taken', 'nextStep', 'Rename one of them') from job""",
            code,
        )
    operator, desk = await centre.signed_in(Role.OPERATOR), await centre.signed_in(Role.HELP_DESK)

    page = await operator.get("/logs/provisioning/failures")
    done = await operator.post("/logs/provisioning/failures/retry", {"app": "documo", "code": "uniqueness"})
    due = await centre.hub.fetch("select last_error->>'code' from dirty where not_before <= now()")
    looked = await desk.get("/logs/provisioning/failures")
    refused = await desk.post("/logs/provisioning/failures/retry", {"app": "documo", "code": "uniqueness"})

    assert "Nothing is failing" in nothing.text
    assert page.text.index("uniqueness") < page.text.index("invalidValue") and "Retry all 7" in page.text
    assert "<b>taken" in page.text and "<b>taken" not in page.html and "Rename one of them" in page.text
    assert "/logs/provisioning?app=documo&status=failure&code=uniqueness" in page.links
    assert done.location == "/logs/provisioning/failures" and due == [("uniqueness",)] * 5
    assert "See the 5" in looked.text and "Retry all" not in looked.text
    assert refused.status == 403


async def test_an_auditor_reads_the_log(centre: Centre, admin: Browser) -> None:
    await write(centre, admin, record("anna"))
    auditor = await centre.signed_in(Role.AUDITOR)

    assert "anna" in (await auditor.get("/logs/provisioning")).text


def attempt(
    status: int | None, detail: str, user_name: str, *, method: str = "POST", action: str = "create"
) -> LogRecord:
    """A failed attempt to write Anna."""
    request = orjson.dumps({"userName": user_name, "active": True}).decode()
    content = LoggedContent("https://app.test/scim/Users", request, orjson.dumps({"detail": detail}).decode())
    failed = record("anna", "failure", "uniqueness", action)
    return replace(failed, source_id=guid("anna"), exchanges=(LoggedExchange(method, status, 0.2, "", content),))


async def test_an_exchange_is_compared_with_the_same_request_of_the_previous_attempt(
    centre: Centre, admin: Browser
) -> None:
    first, second = attempt(409, "Taken", "anna@old.test"), attempt(400, "Taken", "anna@new.test")
    await write(centre, admin, first, second)

    page = await admin.get(f"/logs/provisioning/{second.change_id}?tab=HTTP+exchange")
    of_first = await admin.get(f"/logs/provisioning/{first.change_id}?tab=HTTP+exchange")

    assert "Compared with the attempt of" in page.text and "Compared" not in of_first.text
    differences = page.text.partition("Previous and this attempt")[2].partition("Request {")[0]
    assert "status 409 400" in differences and "request.userName anna@old.test anna@new.test" in differences
    assert "detail" not in differences and "active" not in differences


@pytest.mark.parametrize("other", [attempt(409, "x", "a", method="PUT"), attempt(409, "x", "a", action="update")])
async def test_an_exchange_is_not_compared_with_another_kind_of_request(
    centre: Centre, admin: Browser, other: LogRecord
) -> None:
    now = attempt(409, "Taken", "anna")
    await write(centre, admin, other, now)

    page = await admin.get(f"/logs/provisioning/{now.change_id}?tab=HTTP+exchange")

    assert page.status == 200 and "Compared" not in page.text


async def test_equal_attempts_are_said_to_be_the_same_also_if_a_body_is_not_json(
    centre: Centre, admin: Browser
) -> None:
    first, second = attempt(None, "Taken", "anna"), attempt(None, "Taken", "anna")
    cut = LoggedContent("https://app.test/scim/Users", '{"userName": "an', "<html>")
    first, second = (replace(one, exchanges=(LoggedExchange("POST", None, 0.2, "", cut),)) for one in (first, second))
    await write(centre, admin, first, second)

    page = await admin.get(f"/logs/provisioning/{second.change_id}?tab=HTTP+exchange")

    assert "The request and the response are the same." in page.text


async def test_an_accepted_attempt_has_no_bodies_to_compare(centre: Centre, admin: Browser) -> None:
    first = attempt(409, "Taken", "anna")
    accepted = replace(record("anna"), source_id=guid("anna"))
    await write(centre, admin, first, accepted)

    page = await admin.get(f"/logs/provisioning/{accepted.change_id}?tab=HTTP+exchange")

    assert "Compared" not in page.text and "stored only for failed requests" in page.text
