"""The obligations in `ports.py`, which every target meets. Each has a test with its name.

A module that tests a target has a subclass of `TargetContract` and a fixture `application`, which has no accounts at the start.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

import pytest

from lockstep.engine.records import Account, Change, ObjectKind
from lockstep.ports import Answer, NewAccount, Target, TargetError, Turns, Verdict

USER, GROUP = ObjectKind.USER, ObjectKind.GROUP
BUSY_SECONDS = 30
UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Failure(StrEnum):
    """The effect of an application, or of the network, on requests."""

    REFUSES_THE_CREDENTIALS = "refuses the credentials"
    IS_BUSY = "is busy"  # and asks for BUSY_SECONDS
    CANNOT_BE_REACHED = "cannot be reached"
    LOSES_THE_REQUEST = "loses the request"
    LOSES_THE_ANSWER = "loses the answer"


VERDICTS = {
    Failure.REFUSES_THE_CREDENTIALS: Verdict.UNAUTHORIZED,
    Failure.IS_BUSY: Verdict.THROTTLED,
    Failure.CANNOT_BE_REACHED: Verdict.UNREACHABLE,
    Failure.LOSES_THE_REQUEST: Verdict.AMBIGUOUS,
    Failure.LOSES_THE_ANSWER: Verdict.AMBIGUOUS,
}


class Application(Protocol):
    """An application that a contract is run against. Its listings have pages of two accounts."""

    def open(self, turns: Turns | None = None) -> Target: ...

    def fail(self, failure: Failure | None, *, after: int = 0) -> None:
        """From the request after the next *after* ones on; None ends it."""
        ...

    @property
    def operation_ids(self) -> list[str]:
        """Of the writes that reached the application."""
        ...


class CountedTurns:
    """Grants every request, or none while *wait* is not 0."""

    def __init__(self) -> None:
        self.spent = 0
        self.wait = 0.0

    async def spend(self) -> float:
        self.spent += not self.wait
        return self.wait


Write = Callable[[Target, Account, Account, Account], Awaitable[Answer]]
# Each with a person, a group of this person, and another person.
WRITES: dict[str, Write] = {
    "create": lambda target, *_: target.create(USER, {"userName": "new@x.test"}, operation_id="o"),
    "create_many": lambda target, *_: create_two(target),
    "update": lambda target, one, *_: rename(target, one, "Other"),
    "delete": lambda target, one, *_: target.delete(USER, one.id, etag="", operation_id="o"),
    "members": lambda target, _, group, other: target.change_members(
        group.id, add=[other.id], remove=[], operation_id="o"
    ),
}
READS: dict[str, Callable[[Target, Account, Account], Awaitable[Any]]] = {
    "find": lambda target, *_: target.find(USER, "userName", "anna@x.test"),
    "get": lambda target, one, _: target.get(USER, one.id),
    "members_of": lambda target, _, group: target.members_of(group.id),
    "pages": lambda target, *_: listed(target, USER),
}


async def rename(target: Target, account: Account, name: str, *, etag: str = "") -> Answer:
    change = Change("displayName", account.resource.get("displayName"), name)
    return await target.update(account.kind, account.id, [change], current=account, etag=etag, operation_id="o")


async def create_two(target: Target, second: str = "other@x.test") -> Answer:
    """The answer to the second of two creates that share a request."""
    names = ("new@x.test", second)
    answers = await target.create_many(USER, [NewAccount(f"o {name}", {"userName": name}) for name in names])
    assert len(answers) == 2
    return answers[1]


async def create(target: Target, name: str, kind: ObjectKind = USER) -> Account:
    values = {"displayName": name} if kind is GROUP else {"userName": f"{name}@x.test", "displayName": name.title()}
    answer = await target.create(kind, values, operation_id=f"create {name}")
    assert (answer.verdict, answer.account is not None) == (Verdict.DONE, True), answer
    assert answer.account is not None
    return answer.account


async def listed(target: Target, kind: ObjectKind) -> list[str]:
    return [account.id async for page in target.pages(kind) for account in page.accounts]


async def state(target: Target, group: Account) -> Any:
    """All that the contract's writes can change."""
    users = [account.resource async for page in target.pages(USER) for account in page.accounts]
    shown = sorted((str(one["userName"]), str(one.get("displayName"))) for one in users)
    return shown, await target.members_of(group.id)


@contextmanager
def failing(application: Application, failure: Failure, *, after: int = 0) -> Iterator[None]:
    application.fail(failure, after=after)
    yield
    application.fail(None)


@pytest.fixture
def target(application: Application) -> Target:
    return application.open()


class TargetContract:
    """The tests. Their names are the obligations."""

    # -- reading

    async def test_search_finds_exactly_the_accounts_with_the_value(self, target: Target) -> None:
        anna = await create(target, "anna")
        await create(target, "annabel")
        await create(target, "anna", GROUP)

        assert [one.id for one in await target.find(USER, "userName", "anna@x.test")] == [anna.id]
        assert [one.kind for one in await target.find(GROUP, "displayName", "anna")] == [GROUP]
        assert list(await target.find(USER, "userName", "ann")) == []

    async def test_search_ignores_the_case_of_a_user_name(self, target: Target) -> None:
        anna = await create(target, "anna")

        assert [one.id for one in await target.find(USER, "userName", "ANNA@X.test")] == [anna.id]

    async def test_account_is_read_by_its_id_with_its_values(self, target: Target) -> None:
        anna = await create(target, "anna")

        found = await target.get(USER, anna.id)

        assert found is not None
        assert (found.kind, found.id, found.resource["userName"]) == (USER, anna.id, "anna@x.test")

    async def test_id_that_the_application_does_not_know_is_read_as_none(self, target: Target) -> None:
        anna = await create(target, "anna")

        assert [await target.get(kind, one) for kind, one in ((USER, UNKNOWN), (GROUP, anna.id))] == [None, None]

    @pytest.mark.parametrize("count", [0, 1, 2, 5])
    async def test_listing_contains_every_account_of_the_kind_once_and_says_when_it_is_complete(
        self, target: Target, count: int
    ) -> None:
        made = {(await create(target, f"p{number}")).id for number in range(count)}
        await create(target, "team", GROUP)

        pages = [page async for page in target.pages(USER)]

        ids = [account.id for page in pages for account in page.accounts]
        assert (set(ids), len(ids), pages[-1].total) == (made, count, count)
        assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]

    async def test_members_of_a_group_are_read_as_account_ids(self, target: Target) -> None:
        anna, ben, team = await create(target, "anna"), await create(target, "ben"), await create(target, "t", GROUP)
        assert await target.members_of(team.id) == frozenset()

        await target.change_members(team.id, add=[anna.id, ben.id], remove=[], operation_id="o")

        assert await target.members_of(team.id) == frozenset({anna.id, ben.id})

    async def test_members_of_an_unknown_group_are_not_read_as_an_empty_group(self, target: Target) -> None:
        with pytest.raises(TargetError) as raised:
            await target.members_of(UNKNOWN)

        assert raised.value.answer.verdict is Verdict.GONE

    @pytest.mark.parametrize("failure", Failure)
    @pytest.mark.parametrize("what", READS)
    async def test_read_that_fails_raises_and_never_returns_an_empty_result(
        self, application: Application, target: Target, what: str, failure: Failure
    ) -> None:
        anna, team = await create(target, "anna"), await create(target, "team", GROUP)

        with failing(application, failure), pytest.raises(TargetError) as raised:
            await READS[what](target, anna, team)

        assert raised.value.answer.verdict is VERDICTS[failure]

    async def test_listing_that_breaks_off_raises_and_is_never_complete(
        self, application: Application, target: Target
    ) -> None:
        for number in range(5):
            await create(target, f"p{number}")

        seen = []
        with failing(application, Failure.LOSES_THE_ANSWER, after=1), pytest.raises(TargetError):
            async for page in target.pages(USER):
                seen.append(page.is_last)

        assert seen == [False]

    # -- writing

    async def test_create_returns_the_account_and_its_id(self, target: Target) -> None:
        answer = await target.create(USER, {"userName": "anna@x.test", "name.familyName": "Lind"}, operation_id="o")

        assert (answer.verdict, answer.account is not None) == (Verdict.DONE, True)
        assert answer.account is not None
        assert (answer.account.resource["userName"], answer.account.resource["name"]) == (
            "anna@x.test",
            {"familyName": "Lind"},
        )
        assert await listed(target, USER) == [answer.account.id]

    @pytest.mark.parametrize("name", ["anna@x.test", "ANNA@x.test"])
    async def test_create_with_a_user_name_in_use_is_a_conflict_and_makes_no_account(
        self, target: Target, name: str
    ) -> None:
        anna = await create(target, "anna")

        answer = await target.create(USER, {"userName": name}, operation_id="o")

        assert (answer.verdict, await listed(target, USER)) == (Verdict.CONFLICT, [anna.id])

    async def test_update_changes_the_values_that_it_names_and_nothing_else(self, target: Target) -> None:
        anna = await create(target, "anna")

        answer = await rename(target, anna, "Anna Lind")

        found = await target.get(USER, anna.id)
        assert (answer.verdict, found is not None) == (Verdict.DONE, True)
        assert found is not None
        assert (found.resource["userName"], found.resource["displayName"]) == ("anna@x.test", "Anna Lind")

    async def test_update_to_none_clears_the_value(self, target: Target) -> None:
        anna = await create(target, "anna")

        answer = await target.update(
            USER, anna.id, [Change("displayName", "Anna", None)], current=anna, etag="", operation_id="o"
        )

        found = await target.get(USER, anna.id)
        assert (answer.is_done, found is not None) == (True, True)
        assert found is not None
        assert not found.resource.get("displayName")

    async def test_update_that_is_sent_again_succeeds(self, target: Target) -> None:
        anna = await create(target, "anna")

        assert [(await rename(target, anna, "Anna Lind")).is_done for _ in range(2)] == [True, True]

    async def test_update_to_a_user_name_in_use_is_a_conflict_and_changes_nothing(self, target: Target) -> None:
        anna = await create(target, "anna")
        await create(target, "ben")
        changes = [Change("displayName", "Anna", "Other"), Change("userName", "anna@x.test", "BEN@x.test")]

        answer = await target.update(USER, anna.id, changes, current=anna, etag="", operation_id="o")

        found = await target.get(USER, anna.id)
        assert (answer.verdict, found is not None) == (Verdict.CONFLICT, True)
        assert found is not None
        assert (found.resource["userName"], found.resource["displayName"]) == ("anna@x.test", "Anna")

    async def test_user_name_that_was_given_up_is_free(self, target: Target) -> None:
        anna = await create(target, "anna")
        change = Change("userName", "anna@x.test", "lind@x.test")
        await target.update(USER, anna.id, [change], current=anna, etag="", operation_id="o")

        answer = await target.create(USER, {"userName": "anna@x.test"}, operation_id="o2")

        assert answer.verdict is Verdict.DONE

    async def test_write_with_an_outdated_etag_is_stale_and_changes_nothing(self, target: Target) -> None:
        anna = await create(target, "anna")
        await rename(target, anna, "Anna Lind")

        answers = [
            await rename(target, anna, "Another", etag=anna.etag),
            await target.delete(USER, anna.id, etag=anna.etag, operation_id="o"),
        ]

        found = await target.get(USER, anna.id)
        assert ([one.verdict for one in answers], found is not None) == ([Verdict.STALE, Verdict.STALE], True)
        assert found is not None
        assert found.resource["displayName"] == "Anna Lind"

    async def test_update_of_an_unknown_account_reports_it_as_gone_and_creates_none(self, target: Target) -> None:
        unknown = Account(USER, UNKNOWN, {"id": UNKNOWN})

        answer = await rename(target, unknown, "Anna")

        assert (answer.verdict, await listed(target, USER)) == (Verdict.GONE, [])

    async def test_delete_is_done_and_is_already_done_when_it_is_sent_again(self, target: Target) -> None:
        anna = await create(target, "anna")

        answers = [await target.delete(USER, anna.id, etag="", operation_id=one) for one in ("o1", "o2")]

        assert [one.verdict for one in answers] == [Verdict.DONE, Verdict.DONE_ALREADY]

    async def test_deleted_account_is_found_nowhere_and_is_not_a_member_of_any_group(self, target: Target) -> None:
        anna, team = await create(target, "anna"), await create(target, "team", GROUP)
        await target.change_members(team.id, add=[anna.id], remove=[], operation_id="o")

        await target.delete(USER, anna.id, etag="", operation_id="o2")

        found = await target.get(USER, anna.id), list(await target.find(USER, "userName", "anna@x.test"))
        assert (found, await listed(target, USER), await target.members_of(team.id)) == ((None, []), [], frozenset())

    # -- members

    async def test_members_are_added_and_removed_and_all_others_stay(self, target: Target) -> None:
        people = [await create(target, name) for name in ("anna", "ben", "cem")]
        anna, ben, cem = (one.id for one in people)
        team = await create(target, "team", GROUP)
        await target.change_members(team.id, add=[anna, ben], remove=[], operation_id="o")

        answer = await target.change_members(team.id, add=[cem], remove=[anna], operation_id="o2")

        assert (answer.is_done, await target.members_of(team.id)) == (True, frozenset({ben, cem}))

    async def test_change_of_members_that_is_sent_again_succeeds(self, target: Target) -> None:
        anna, ben, team = await create(target, "anna"), await create(target, "ben"), await create(target, "t", GROUP)
        await target.change_members(team.id, add=[ben.id], remove=[], operation_id="o")

        answers = [
            await target.change_members(team.id, add=[anna.id], remove=[ben.id], operation_id=one)
            for one in ("o1", "o2")
        ]

        assert ([one.is_done for one in answers], await target.members_of(team.id)) == (
            [True, True],
            frozenset({anna.id}),
        )

    async def test_change_of_no_members_is_already_done_and_sends_nothing(self, application: Application) -> None:
        turns = CountedTurns()
        target = application.open(turns)
        team = await create(target, "team", GROUP)
        before = turns.spent

        answer = await target.change_members(team.id, add=[], remove=[], operation_id="o")

        assert (answer.verdict, turns.spent - before) == (Verdict.DONE_ALREADY, 0)

    async def test_if_one_member_is_unknown_the_whole_change_is_refused(self, target: Target) -> None:
        anna, team = await create(target, "anna"), await create(target, "team", GROUP)

        answer = await target.change_members(team.id, add=[anna.id, UNKNOWN], remove=[], operation_id="o")

        assert (answer.verdict, await target.members_of(team.id)) == (Verdict.REFUSED, frozenset())

    async def test_change_of_members_of_an_unknown_group_reports_the_group_as_gone(self, target: Target) -> None:
        anna = await create(target, "anna")

        answer = await target.change_members(UNKNOWN, add=[anna.id], remove=[], operation_id="o")

        assert answer.verdict is Verdict.GONE

    # -- what goes wrong

    @pytest.mark.parametrize("failure", Failure)
    @pytest.mark.parametrize("what", WRITES)
    async def test_write_that_fails_returns_an_answer_that_says_how_it_failed_and_never_raises(
        self, application: Application, target: Target, what: str, failure: Failure
    ) -> None:
        anna, ben, team = await create(target, "anna"), await create(target, "ben"), await create(target, "t", GROUP)
        before = await state(target, team)
        assert await target.creates_at_once() > 1

        with failing(application, failure):
            answer = await WRITES[what](target, anna, team, ben)

        happened = await state(application.open(), team) != before
        assert (answer.verdict, happened) == (VERDICTS[failure], failure is Failure.LOSES_THE_ANSWER)
        assert answer.account is None

    async def test_answer_of_a_busy_application_says_when_the_next_request_may_be_sent(
        self, application: Application, target: Target
    ) -> None:
        with failing(application, Failure.IS_BUSY):
            answer = await target.create(USER, {"userName": "anna@x.test"}, operation_id="o")

        assert answer.wait is not None
        assert answer.wait >= timedelta(seconds=BUSY_SECONDS - 1)

    @pytest.mark.parametrize("what", WRITES)
    async def test_answer_to_a_request_that_was_sent_has_its_exchange(self, target: Target, what: str) -> None:
        anna, ben, team = await create(target, "anna"), await create(target, "ben"), await create(target, "t", GROUP)

        answer = await WRITES[what](target, anna, team, ben)

        assert answer.is_done
        assert [one.method for one in answer.exchanges][-1] in ("POST", "PATCH", "DELETE")
        assert all(one.status is not None and one.status < 300 for one in answer.exchanges)

    # -- many at once

    async def test_creates_that_share_a_request_have_one_answer_each(self, application: Application) -> None:
        turns = CountedTurns()
        target = application.open(turns)
        assert await target.creates_at_once() >= 3
        before = turns.spent
        names = ["anna@x.test", "ben@x.test", "cem@x.test"]

        answers = await target.create_many(USER, [NewAccount(name, {"userName": name}) for name in names])

        assert turns.spent - before == 1
        assert [one.verdict for one in answers] == [Verdict.DONE] * 3
        assert [one.account.resource["userName"] for one in answers if one.account is not None] == names
        assert sorted(await listed(target, USER)) == sorted(one.account.id for one in answers if one.account)
        assert [[part.shares_request for part in one.exchanges] for one in answers] == [[False], [True], [True]]

    async def test_refused_create_does_not_affect_the_other_creates_in_the_same_request(self, target: Target) -> None:
        anna = await create(target, "anna")
        assert await target.creates_at_once() >= 3
        names = ["ben@x.test", "ANNA@x.test", "cem@x.test"]

        answers = await target.create_many(USER, [NewAccount(name, {"userName": name}) for name in names])

        assert [one.verdict for one in answers] == [Verdict.DONE, Verdict.CONFLICT, Verdict.DONE]
        assert answers[1].account is None
        made = {one.account.id for one in answers if one.account is not None}
        assert set(await listed(target, USER)) == {anna.id} | made

    async def test_creates_that_share_a_request_carry_the_ids_of_their_operations(
        self, application: Application, target: Target
    ) -> None:
        await target.creates_at_once()
        names = ["anna@x.test", "ben@x.test"]

        await target.create_many(USER, [NewAccount(f"op {name}", {"userName": name}) for name in names])

        assert application.operation_ids == ["op anna@x.test", "op ben@x.test"]

    async def test_without_a_turn_none_of_the_creates_is_sent(self, application: Application) -> None:
        turns = CountedTurns()
        target = application.open(turns)
        assert await target.creates_at_once() > 1
        turns.wait = 20.0

        answers = await target.create_many(USER, [NewAccount(str(n), {"userName": f"p{n}"}) for n in range(3)])

        assert [(one.verdict, one.exchanges) for one in answers] == [(Verdict.THROTTLED, ())] * 3
        assert await listed(application.open(), USER) == []

    # -- whatever is asked

    async def test_every_write_carries_the_id_of_its_operation(self, application: Application, target: Target) -> None:
        anna, team = await create(target, "anna"), await create(target, "team", GROUP)
        change = Change("displayName", "Anna", "Lind")

        await target.update(USER, anna.id, [change], current=anna, etag="", operation_id="op-update")
        await target.change_members(team.id, add=[anna.id], remove=[], operation_id="op-members")
        await target.delete(USER, anna.id, etag="", operation_id="op-delete")

        assert application.operation_ids == ["create anna", "create team", "op-update", "op-members", "op-delete"]

    @pytest.mark.parametrize("what", [*READS, *WRITES])
    async def test_request_waits_for_its_turn_and_without_a_turn_nothing_is_sent(
        self, application: Application, what: str
    ) -> None:
        turns = CountedTurns()
        target = application.open(turns)
        anna, ben, team = await create(target, "anna"), await create(target, "ben"), await create(target, "t", GROUP)
        assert turns.spent == 3
        before = await state(application.open(), team)
        turns.wait = 20.0

        answer = await asked(target, what, anna, team, ben)

        assert answer.verdict is Verdict.THROTTLED
        assert answer.wait is not None
        assert (answer.exchanges, await state(application.open(), team)) == ((), before)


async def asked(target: Target, what: str, one: Account, group: Account, other: Account) -> Answer:
    """The answer of a write, or the one with which a read failed."""
    if what in WRITES:
        return await WRITES[what](target, one, group, other)
    with pytest.raises(TargetError) as raised:
        await READS[what](target, one, group)
    return raised.value.answer
