"""Which earlier request an HTTP exchange is compared with, and which of their parts are compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lockstep.actions.logs import LogRow
from lockstep.web.exchange_differences import compared_exchanges

USERS = "https://app.test/scim/Users"


def exchange(request: str, *, url: str = USERS, response: str = "{}") -> dict[str, Any]:
    return {"method": "POST", "url": url, "status": 409, "requestBody": request, "responseBody": response}


def attempt(minute: int, *exchanges: dict[str, Any]) -> LogRow:
    at = datetime(2026, 3, 1, 10, minute, tzinfo=UTC)
    return LogRow(
        minute, str(minute), "", at, "", "", None, "create", "failure", "User", None, "anna", "", "", "", "", 0, "system",
        {"exchanges": exchanges},
    )  # fmt: skip


def differences(now: LogRow, *earlier: LogRow) -> tuple[int | None, list[tuple[str, str | None, str | None]]]:
    """The minute of the attempt that the last exchange of *now* is compared with, and the differences."""
    *_, compared = compared_exchanges(now, earlier)
    minute = compared.earlier_at.minute if compared.earlier_at else None
    return minute, [(one.path, one.before, one.after) for one in compared.differences]


def test_request_is_compared_with_the_last_attempt_and_not_with_the_first() -> None:
    first, second = attempt(1, exchange('{"userName": "a"}')), attempt(2, exchange('{"userName": "b"}'))

    found = differences(attempt(3, exchange('{"userName": "c"}')), first, second)

    assert found == (2, [("request.userName", "b", "c")])


def test_request_is_compared_with_the_last_of_several_in_the_same_attempt() -> None:
    before = attempt(1, exchange('{"userName": "a"}'), exchange('{"userName": "b"}'))

    assert differences(attempt(2, exchange('{"userName": "c"}')), before) == (1, [("request.userName", "b", "c")])


def test_attempt_without_stored_bodies_is_passed_over() -> None:
    refused, accepted = attempt(1, exchange('{"userName": "a"}')), attempt(2, exchange("", url="", response=""))

    assert differences(attempt(3, exchange('{"userName": "a"}')), refused, accepted) == (1, [])


def test_address_and_response_are_compared_too() -> None:
    before = attempt(1, exchange("{}", response='{"detail": "Taken"}'))

    _, found = differences(attempt(2, exchange("{}", url=f"{USERS}?flag", response='{"detail": "Busy"}')), before)

    assert found == [("url", USERS, f"{USERS}?flag"), ("response.detail", "Taken", "Busy")]


def test_body_that_is_not_json_is_compared_as_text() -> None:
    before = attempt(1, exchange("{}", response="<html>One"))

    _, found = differences(attempt(2, exchange("{}", response="<html>Two")), before)

    assert found == [("response", "<html>One", "<html>Two")]
