"""Orders in the command palette: which are offered in each state of provisioning, and for which text."""

from __future__ import annotations

import pytest

from lockstep.actions import applications, credentials
from lockstep.vault import Secret
from tests.support.admin_centre import Browser, Centre

ON = "status = 'on', started = true"
PAUSED = "status = 'off', started = true, paused_at = now()"
QUARANTINE = (
    """quarantine = '{"reason": "EncounteredQuarantineException", "nextAttempt": "2030-01-01T00:00:00+00:00"}'"""
)


async def documo(centre: Centre, *, has_credentials: bool = True) -> None:
    await applications.add_application(centre.hub.context, "documo")
    if has_credentials:
        await credentials.set_credentials(
            centre.hub.context, "documo", tenant_url="http://127.0.0.1:9/scim/v2", secret_token=Secret("t0ken")
        )


async def offered(admin: Browser, text: str) -> list[str]:
    page = await admin.get(f"/search/palette?q={text.replace(' ', '+')}")
    return [link.rpartition("/")[2] for link in page.links if "/provisioning/order/" in link]


@pytest.mark.parametrize(
    ("state", "orders"),
    [
        ("status = 'off', started = false", ["start"]),
        (ON, ["pause", "run"]),
        (PAUSED, ["start"]),
        (f"{ON}, {QUARANTINE}", ["pause"]),
        (f"{PAUSED}, {QUARANTINE}", ["start"]),
    ],
    ids=["never started", "on", "paused", "in quarantine", "paused in quarantine"],
)
async def test_orders_that_change_the_state_of_provisioning_are_offered(
    centre: Centre, admin: Browser, state: str, orders: list[str]
) -> None:
    await documo(centre)
    await centre.hub.fetch(f"update job set {state} returning 1")

    found = [one for order in ("pause", "start", "run") for one in await offered(admin, f"{order} documo")]

    assert found == orders


async def test_run_is_not_offered_while_a_cycle_is_running(centre: Centre, admin: Browser) -> None:
    await documo(centre)
    await centre.hub.fetch(f"update job set {ON} returning 1")
    await centre.hub.fetch(
        "insert into cycle (job, kind, config_version) select id, 'incremental', 1 from job returning 1"
    )

    assert await offered(admin, "run documo") == []
    assert await offered(admin, "pause documo") == ["pause"]


async def test_start_is_not_offered_without_credentials(centre: Centre, admin: Browser) -> None:
    await documo(centre, has_credentials=False)

    assert await offered(admin, "start documo") == []


async def test_every_word_beside_the_name_belongs_to_the_order(centre: Centre, admin: Browser) -> None:
    await documo(centre)
    await centre.hub.fetch(f"update job set {ON} returning 1")

    assert await offered(admin, "run documo now") == ["run"]
    assert await offered(admin, "pause documo lindqvist") == []


async def test_start_says_whether_everyone_is_evaluated_or_provisioning_continues(
    centre: Centre, admin: Browser
) -> None:
    await documo(centre)
    first = await admin.get("/apps/documo/provisioning/order/start")
    await centre.hub.fetch(f"update job set {PAUSED} returning 1")
    await centre.hub.fetch(
        """insert into cycle (job, kind, state, phase, config_version, ended_at)
        select id, 'initial', 'succeeded', 'done', 1, now() from job returning 1"""
    )

    again = await admin.get("/apps/documo/provisioning/order/start")

    assert "You first see what an initial cycle would do to everyone in scope" in first.text
    assert "From then on, changes are sent as they happen" in again.text
