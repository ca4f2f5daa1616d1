"""The page about the SCIM connection: its rhythm, what happens to a user, which attributes are taken, and the self-test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from documo import accounts, audit_log
from documo.audit_log import AccountAuditFilter
from documo.identifiers import new_id
from documo.member_records import DIRECTORY_FIELDS
from documo.scim_health import MAPPING, Rhythm, read_rhythm, rhythm_of
from documo.scim_self_check import run_self_test
from lockstep.scim.registry import default_registry
from tests.support.documo_client import Client, Documo
from tests.support.documo_pages import signed_in
from tests.support.documo_world import household

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(*minutes: float) -> list[datetime]:
    return [NOON + timedelta(minutes=one) for one in minutes]


@pytest.mark.parametrize(
    ("moments", "every"),
    [
        ([], None),
        (at(0), None),
        (at(0, 40, 80), None),  # too few to believe
        (at(0, 40, 80, 120), 40),
        (at(0, 5, 10, 40, 45, 80, 120, 125), 40),  # visits of several minutes
        (at(0, 40, 80, 400, 440), 40),  # one night without requests
        (at(*range(0, 61, 5)), 5),  # asks all the time
        (at(0, 1440, 2880, 4320), 1440),
    ],
)
def test_rhythm_is_the_median_between_visits(moments: Sequence[datetime], every: int | None) -> None:
    assert rhythm_of(moments) == (timedelta(minutes=every) if every else None)


def test_silence_is_told_only_when_it_is_longer_than_the_rhythm_explains() -> None:
    rhythm = Rhythm(NOON, timedelta(minutes=40))

    assert rhythm.silence(NOON + timedelta(minutes=80)) is None
    assert rhythm.silence(NOON + timedelta(hours=3)) == timedelta(hours=3)
    assert Rhythm(NOON, None).silence(NOON + timedelta(days=3)) is None
    assert Rhythm(None, None).silence(NOON) is None


async def log_requests(api: Client, moments: Sequence[datetime], client: str) -> None:
    async with api.store.tenant(api.account.id) as connection:
        for moment in moments:
            await connection.execute(
                "insert into request_log values (%s, %s, %s, 'GET', '/scim/v2/Users', 200, 1, null, %s, '{}', '', '', '', '', '')",
                (api.account.id, "req_" + new_id().replace("-", ""), moment, client),
            )


async def test_page_says_for_how_long_no_request_came_and_what_is_usual(api: Client) -> None:
    now = datetime.now(UTC)
    first = now - timedelta(hours=3) - 5 * timedelta(minutes=40)
    await log_requests(api, [first + number * timedelta(minutes=40) for number in range(6)], "Entra")
    await log_requests(api, [now - timedelta(minutes=1)], "curl")  # somebody who looks for the fault
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim")
        await accounts.change_account(api.store, api.account.name, {"scim_enabled": False})
        _, off = await ada.get("/settings/scim")

    assert "No request in 3 h; expected every 40 min" in page and "usually every 40 min" in page
    assert "No request in 3 h" not in off and "SCIM is off" in off


async def test_connection_that_never_asked_has_no_rhythm(api: Client) -> None:
    assert await read_rhythm(api.store, api.account.id) == Rhythm(None, None)
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim")

    assert "None in the last seven days" in page and "expected every" not in page


async def test_requests_of_another_account_make_no_rhythm(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    await log_requests(beta, [datetime.now(UTC) - number * timedelta(hours=1) for number in range(8, 0, -1)], "Okta")

    assert (await read_rhythm(beta.store, beta.account.id)).every == timedelta(hours=1)
    assert await read_rhythm(alpha.store, alpha.account.id) == Rhythm(None, None)


async def test_page_shows_what_a_directory_does_to_a_user_by_the_settings_of_the_account(api: Client) -> None:
    settings = {"default_role": "Viewer", "undelete_days": 7, "restore_policy": "conflict", "hold_names": True}
    await accounts.change_account(api.store, api.account.name, settings)
    async with signed_in(api) as ada:
        _, page = await ada.get("/settings/scim")
        await accounts.change_account(api.store, api.account.name, {"undelete_days": 0, "restore_policy": "new"})
        _, other = await ada.get("/settings/scim")

    assert "Has the default role, Viewer" in page and "restore the user for 7 days" in page
    assert "refused with 409" in page and "The name stays taken" in page
    assert "It cannot be undone" in other and "becomes a new user" in other


async def test_mapping_names_attributes_of_the_schema_and_every_field_that_is_read_only(api: Client) -> None:
    user = default_registry().resource("User")
    named = [one.strip() for row in MAPPING for one in row.attribute.split(",")]
    for name in named:
        assert name == "meta" or user.attribute(name.partition(".")[0]) is not None, name
    locked = " ".join(row.field for row in MAPPING if row.locked)
    assert [one for one in DIRECTORY_FIELDS if one not in locked] == []
    assert {row.attribute for row in MAPPING if not row.locked} == {"active", "roles", "password"}


async def test_mapping_is_what_a_user_here_takes_from_the_directory(api: Client) -> None:
    """Each row of the table, as a directory sends it and as the page of the user shows it."""
    user = await api.user(
        "anna@x.org", externalId="e-17", name={"givenName": "Anna", "familyName": "Berg"}, active=False,
        phoneNumbers=[{"value": "+49 30 1", "type": "work"}], roles=[{"value": "Editor", "primary": True}],
    )  # fmt: skip
    await api.group("Sales", user)
    async with signed_in(api) as ada:
        _, page = await ada.get(f"/users/{user}")
        _, mapping = await ada.get("/settings/scim")

    for text in ("anna@x.org", "e-17", "Anna", "Berg", "Inactive", "+49 30 1", "Editor", "Sales", user):
        assert text in page, text
    assert all(f">{row.attribute}<" in mapping for row in MAPPING)


async def test_self_test_passes_each_step_and_keeps_nothing(documo: Documo) -> None:
    home = await household(await documo.client("Contoso"), "contoso")
    await accounts.change_account(home.store, home.api.account.name, {"seats": 7})
    before, entries = (
        await home.fingerprint(),
        await audit_log.find_entries(home.store, home.tenant, AccountAuditFilter(), most=500),
    )

    steps = await run_self_test(home.store, home.tenant, base_url=home.api.url)

    assert [(step.title, step.problem) for step in steps if not step.is_passed] == []
    assert [step.request.partition(" ")[0] for step in steps] == [
        "GET", "POST", "POST", "GET", "GET", "PATCH", "GET", "PATCH", "GET", "DELETE", "GET",
    ]  # fmt: skip
    assert await home.fingerprint() == before
    assert await audit_log.find_entries(home.store, home.tenant, AccountAuditFilter(), most=500) == entries


async def test_self_test_stops_at_the_step_that_fails_and_says_why(documo: Documo) -> None:
    api = await documo.client(seats=1)

    described, refused = await run_self_test(api.store, api.account.id, base_url=api.url)

    assert (described.is_passed, refused.title, refused.status) == (True, "Create a user", 402)
    assert "seat" in refused.problem


async def test_page_runs_the_self_test_in_every_profile(documo: Documo) -> None:
    for profile in accounts.PROFILES:
        api = await documo.client(profile.capitalize(), profile=profile)
        steps = await run_self_test(api.store, api.account.id, base_url=api.url)
        assert [(profile, step) for step in steps if not step.is_passed] == []
    async with signed_in(api) as ada:
        _, page = await ada.post("/settings/scim/self-test")
        await accounts.change_account(api.store, api.account.name, {"scim_enabled": False})
        _, off = await ada.get("/settings/scim")

    assert "Passed" in page and "Run again" in page and "Failed" not in page
    assert "self-test" not in off.lower()


async def test_self_tests_at_the_same_time_do_not_disturb_each_other_or_a_directory(api: Client) -> None:
    runs = [run_self_test(api.store, api.account.id, base_url=api.url) for _ in range(3)]
    tested, user = await asyncio.gather(asyncio.gather(*runs), api.user("anna@x.org"))

    assert all(step.is_passed for steps in tested for step in steps)
    assert (await api.get(f"/Users/{user}")).status == 200
