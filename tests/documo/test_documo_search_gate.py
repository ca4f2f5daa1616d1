"""One account's searches do not block other accounts: how many run, how many wait, and the response when there are too many."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from documo.scim_service.request.failures import Throttled
from documo.scim_service.search.gate import KEPT_FREE, SearchGate
from documo.search_limits import SearchLimits
from documo.settings import search_limits_from
from documo.store.database import Store
from lockstep.errors import LockstepError
from tests.support.documo_client import Client, Documo, documo_on
from tests.support.waiting import until

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
A, B, C = 1, 2, 3
PATIENT = SearchLimits(patience_seconds=60)
SEARCHES = [
    {"filter": 'displayName co "a"'},
    {"filter": 'not (title eq "x")'},
    {"filter": 'title eq "x" or nickName eq "y"'},
    {"filter": 'title eq "x"'},
    {"sortBy": "name.familyName"},
    {"startIndex": "900000"},
]


class Searches:
    """Searches at a gate, each of which runs until it is released."""

    def __init__(self, gate: SearchGate) -> None:
        self._gate = gate
        self.ran: list[int] = []

    def start(self, tenant_id: int) -> tuple[asyncio.Task[None], asyncio.Event]:
        ended = asyncio.Event()

        async def search() -> None:
            async with self._gate.place(tenant_id):
                self.ran.append(tenant_id)
                await ended.wait()

        return asyncio.create_task(search()), ended


async def held(documo: Documo, account: Client) -> AsyncExitStack:
    """Hold the places of an account, like two searches that do not end."""
    stack = AsyncExitStack()
    for _ in range(2):
        await stack.enter_async_context(documo.running.searches.place(account.account.id))
    return stack


async def test_an_account_whose_searches_do_not_end_leaves_the_others_alone(store: Store) -> None:
    async with documo_on(store, search_limits=PATIENT) as documo:
        a, b = await documo.client("Alpha"), await documo.client("Beta")
        user = await b.user("lee@beta.example", displayName="Lee")
        async with await held(documo, a):
            waiting = [asyncio.create_task(a.find('displayName co "x"')) for _ in range(20)]
            await until(lambda: documo.running.searches.waiting(a.account.id) == 20)

            assert (await b.get(f"/Users/{user}")).status == 200
            assert (await b.find('displayName co "ee"')).ids == [user]
            assert (await b.find('userName eq "lee@beta.example"')).ids == [user]
            await b.user("kim@beta.example")
            assert (await a.get("/Users", filter='userName eq "nobody@alpha.example"')).status == 200
            await a.user("own@alpha.example")
        assert {reply.status for reply in await asyncio.gather(*waiting)} == {200}


@pytest.mark.parametrize("query", SEARCHES, ids=str)
async def test_every_search_that_may_scan_waits_for_a_place(store: Store, query: dict[str, Any]) -> None:
    async with documo_on(store, search_limits=PATIENT) as documo:
        a = await documo.client("Alpha")
        async with await held(documo, a):
            search = asyncio.create_task(a.send("GET", "/Users", **query))
            await until(lambda: documo.running.searches.waiting(a.account.id) == 1)
        assert (await search).status == 200


@pytest.mark.parametrize("path", ["/.search", "/Users/.search"])
async def test_a_search_in_a_body_waits_for_a_place(store: Store, path: str) -> None:
    async with documo_on(store, search_limits=PATIENT) as documo:
        a = await documo.client("Alpha")
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": 'displayName co "x"'}
        async with await held(documo, a):
            search = asyncio.create_task(a.send("POST", path, body))
            await until(lambda: documo.running.searches.waiting(a.account.id) == 1)
        assert (await search).status == 200


async def test_the_search_beyond_those_that_may_wait_is_told_when_to_come_again(store: Store) -> None:
    async with documo_on(store, search_limits=SearchLimits(waiting=1, patience_seconds=60)) as documo:
        a, b = await documo.client("Alpha"), await documo.client("Beta")
        async with await held(documo, a):
            third = asyncio.create_task(a.find('displayName co "x"'))
            await until(lambda: documo.running.searches.waiting(a.account.id) == 1)
            fourth = await a.find('displayName co "x"')
            of_another = await b.find('displayName co "x"')
        assert fourth.status == 429
        assert fourth.headers["Retry-After"] == "2"
        assert (fourth.body["schemas"], fourth.body["status"]) == ([ERROR], "429")
        assert "searches" in fourth.body["detail"]
        assert (await third).status == of_another.status == 200


async def test_a_search_that_has_waited_too_long_is_told_when_to_come_again(store: Store) -> None:
    async with documo_on(store, search_limits=SearchLimits(patience_seconds=0)) as documo:
        a = await documo.client("Alpha")
        async with await held(documo, a):
            reply = await a.find('displayName co "x"')
        assert (reply.status, reply.headers["Retry-After"]) == (429, "2")
        assert (await a.find('displayName co "x"')).status == 200


async def test_a_search_that_fails_gives_its_place_back(documo: Documo, api: Client) -> None:
    for _ in range(5):
        assert (await api.find('nobody co "x"')).status == 400
        assert (await api.send("GET", "/Users", sortBy="nobody")).status == 400
        assert (await api.send("GET", "/Users", cursor="nonsense")).status == 400
    assert documo.running.searches.running(api.account.id) == 0


@pytest.mark.parametrize(("connections", "places"), [(1, 1), (2, 1), (4, 1), (5, 2), (8, 5), (20, 17)])
async def test_searches_leave_connections_for_everything_else(connections: int, places: int) -> None:
    gate = SearchGate(connections, SearchLimits(at_once=1))
    searches = Searches(gate)
    tasks = [searches.start(account) for account in range(1, 31)]
    await until(lambda: all(gate.running(account) + gate.waiting(account) for account in range(1, 31)))
    assert len(searches.ran) == places
    for task, _ in tasks:
        task.cancel()
    await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)


async def test_one_account_never_has_all_places_whatever_is_set() -> None:
    gate = SearchGate(KEPT_FREE + 3, SearchLimits(at_once=50))
    searches = Searches(gate)
    tasks = [searches.start(account) for account in (A, A, A, A, B)]
    await until(lambda: gate.running(B) == 1)
    assert sorted(searches.ran) == [A, A, B]
    for task, _ in tasks:
        task.cancel()
    await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)


async def test_places_go_round_the_accounts_that_wait() -> None:
    gate = SearchGate(1, PATIENT)
    searches = Searches(gate)
    tasks = [searches.start(account) for account in (A, A, A, A, B, C, B)]
    await until(lambda: gate.waiting(A) + gate.waiting(B) + gate.waiting(C) == 6)

    for _, ended in tasks:
        ended.set()

    await asyncio.gather(*(task for task, _ in tasks))
    assert searches.ran == [A, A, B, C, A, B, A]


async def test_a_search_that_is_cancelled_frees_its_place() -> None:
    gate = SearchGate(1, PATIENT)
    searches = Searches(gate)
    running, _ = searches.start(A)
    await until(lambda: gate.running(A) == 1)
    following, ended = searches.start(B)
    await until(lambda: gate.waiting(B) == 1)

    running.cancel()

    await until(lambda: gate.running(B) == 1)
    ended.set()
    await following
    assert (gate.running(A), gate.running(B)) == (0, 0)


async def test_a_search_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    gate = SearchGate(1, SearchLimits(waiting=1, patience_seconds=60))
    searches = Searches(gate)
    running, ended = searches.start(A)
    waiting, _ = searches.start(A)
    await until(lambda: gate.waiting(A) == 1)
    with pytest.raises(Throttled):
        async with gate.place(A):
            pass

    waiting.cancel()

    following, last = searches.start(A)
    await until(lambda: gate.waiting(A) == 1)
    ended.set()
    last.set()
    await asyncio.gather(running, following)
    assert searches.ran == [A, A]
    assert (gate.running(A), gate.waiting(A)) == (0, 0)


async def test_a_place_that_comes_with_the_cancellation_is_not_lost() -> None:
    gate = SearchGate(1, PATIENT)
    searches = Searches(gate)
    running, ended = searches.start(A)
    waiting, _ = searches.start(B)
    await until(lambda: gate.waiting(B) == 1)

    ended.set()
    await until(lambda: gate.running(B) == 1)  # the place is granted, but its search has not resumed yet
    waiting.cancel()

    await asyncio.gather(running, waiting, return_exceptions=True)
    assert gate.running(B) == 0
    async with gate.place(C):
        assert gate.running(C) == 1


def test_limits_of_searches_come_from_the_environment() -> None:
    limits = search_limits_from({"DOCUMO_SEARCH_SECONDS": "7", "DOCUMO_SEARCHES_PER_ACCOUNT": "3"})
    assert (limits.milliseconds, limits.at_once) == (7000, 3)
    assert search_limits_from({}) == SearchLimits()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DOCUMO_SEARCH_SECONDS", "0"), ("DOCUMO_SEARCH_SECONDS", "61"), ("DOCUMO_SEARCHES_PER_ACCOUNT", "none")],
)
def test_a_limit_of_searches_that_is_none_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(LockstepError, match=variable):
        search_limits_from({variable: value})
