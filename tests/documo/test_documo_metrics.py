"""Documo's `/metrics`: requests by route and totals over all accounts, only with the token, and without any names."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from documo.monitoring import route_of
from documo.settings import read_settings
from documo.store.database import Store
from lockstep.errors import LockstepError
from tests.support.documo_client import Documo, documo_on

TOKEN = "a-token-for-the-metrics-of-documo"


def value(text: str, name: str, **labels: str) -> float | None:
    return next(
        (
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ),
        None,
    )


async def page(documo: Documo, token: str = TOKEN) -> tuple[int, str]:
    url = f"{documo.running.api_url}/metrics"
    async with documo.session.get(url, headers={"Authorization": f"Bearer {token}"}) as reply:
        return reply.status, await reply.text()


async def test_requests_are_counted_by_route_and_nobody_is_named(store: Store) -> None:
    async with documo_on(store, metrics_token=TOKEN) as documo:
        one, other = await documo.client("Contoso"), await documo.client("Fabrikam")
        anna = await one.user("anna.arslan@contoso.test")
        await other.user("bo@fabrikam.test")
        assert (await one.get(f"/Users/{anna}")).status == 200
        assert (await one.get("/Users/no-such-person")).status == 404
        assert (await one.get("/Salaries/of/anna.arslan")).status == 404
        await one.find('userName eq "anna.arslan@contoso.test"')
        await one.send("GET", f"{documo.running.api_url}/anna.arslan")

        status, text = await page(documo)

    assert status == 200
    users = {"route": "/scim/v2/Users", "method": "POST", "status": "201"}
    assert value(text, "documo_requests_total", **users) == 2
    by_id = {"route": "/scim/v2/Users/{id}", "method": "GET"}
    assert value(text, "documo_requests_total", **by_id, status="200") == 1
    assert value(text, "documo_requests_total", **by_id, status="404") == 1
    assert value(text, "documo_requests_total", route="other", status="404") == 2
    assert value(text, "documo_request_seconds_count", route="/scim/v2/Users") == 3
    assert value(text, "documo_accounts") == 2
    assert value(text, "documo_members") == 4
    assert value(text, "documo_database_up") == 1
    assert value(text, "documo_searches_running") == value(text, "documo_searches_waiting") == 0
    for private in ("arslan", "bo@", "Contoso", "Fabrikam", anna, one.token, TOKEN):
        assert private.lower() not in text.lower(), private


async def test_metrics_are_off_without_a_token_and_shown_to_no_other(store: Store, documo: Documo) -> None:
    assert (await page(documo, token=""))[0] == 404
    async with documo_on(store, metrics_token=TOKEN) as guarded:
        key = (await guarded.client()).token
        for wrong in ("", f"{TOKEN}x", key):
            status, text = await page(guarded, wrong)
            assert status == 401
            assert "documo_requests" not in text


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/scim/v2", "/scim/v2"),
        ("/scim/v2/users", "/scim/v2/Users"),
        ("/scim/v2/Users/8b2f/", "/scim/v2/Users/{id}"),
        ("/scim/v2/Groups/.search", "/scim/v2/Groups/.search"),
        ("/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "/scim/v2/Schemas/{id}"),
        ("/scim/v2/Users/8b2f/more/of/it", "other"),
        ("/scim/v2/anna@contoso.test", "other"),
        ("/events/4711", "/events/{stream}"),
        ("/metrics", "/metrics"),
        ("/", "other"),
    ],
)
def test_route_of_a_path_is_one_of_few(path: str, route: str) -> None:
    assert route_of(path) == route


def test_short_token_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMO_METRICS_TOKEN", "letmein")
    with pytest.raises(LockstepError) as refused:
        read_settings()
    assert "letmein" not in str(refused.value)
