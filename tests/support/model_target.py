"""An application in memory: accounts with a unique user name, and the faults that real applications have."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

from lockstep.engine.records import Account, Change, ObjectKind, Values
from lockstep.ports import (
    Answer,
    Exchange,
    NewAccount,
    Probe,
    Target,
    TargetError,
    TargetPage,
    TargetSettings,
    Turns,
    Verdict,
)

USER = ObjectKind.USER
Fault = Callable[[str, str], Answer | None]


class ModelTarget:
    """Implements Target. `accounts` are its resources: per kind, id to values by target path."""

    def __init__(self, *, page_size: int = 100) -> None:
        self.accounts: dict[ObjectKind, dict[str, dict[str, Any]]] = {USER: {}, ObjectKind.GROUP: {}}
        self.members: dict[str, set[str]] = {}
        self.versions: Counter[str] = Counter()  # by id; what a test changes in `accounts` has no version
        self.requests: Counter[str] = Counter()
        self.order: list[tuple[str, str]] = []
        self.operations: list[str] = []
        self.page_size = page_size
        self.most_creates = 1  # in one request; 1 means that there are no bulk requests
        self.hides: frozenset[str] = frozenset()  # ids that are counted in the total but not listed
        self.is_down: Answer | None = None
        self.before: Fault = lambda verb, key: None  # a response instead of the work
        self.after: Fault = lambda verb, key: None  # a false response, after the work
        self.is_unique = True  # whether a user name or group name can exist only once
        self.keeps_last_only = False  # only the last member that a request adds is kept
        self.hides_members = False
        self.seconds = 0.0
        self.gate: asyncio.Event | None = None
        self.most_at_once = 0
        self._at_once = 0
        self._ids = itertools.count(1)
        self._names: dict[tuple[ObjectKind, str], str] = {}

    # -- what tests read

    def people(self) -> dict[str, dict[str, Any]]:
        """Accounts by user name; fails if a name exists twice."""
        found = {values["userName"].lower(): values for values in self.accounts[USER].values()}
        assert len(found) == len(self.accounts[USER]), "an account exists twice"
        return found

    @property
    def writes(self) -> int:
        return sum(self.requests[verb] for verb in ("create", "bulk", "update", "delete", "members"))

    def add(self, values: Mapping[str, Any], kind: ObjectKind = USER) -> str:
        account_id = f"u_{next(self._ids)}"
        self.accounts[kind][account_id] = dict(values)
        self._names[kind, str(values.get("userName") or values.get("displayName")).lower()] = account_id
        return account_id

    # -- reading

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        await self._request("find", value)
        return [
            self._account(kind, one)
            for one, values in self.accounts[kind].items()
            if str(values.get(attribute, "")).lower() == value.lower()
        ]

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        await self._request("get", target_id)
        return self._account(kind, target_id) if target_id in self.accounts[kind] else None

    async def members_of(self, group_id: str) -> frozenset[str] | None:
        await self._request("readMembers", group_id)
        if group_id not in self.accounts[ObjectKind.GROUP]:
            raise TargetError(self._answer("GET", Verdict.GONE, 404))
        return None if self.hides_members else frozenset(self.members.get(group_id, ()))

    async def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        ids = list(self.accounts[kind])
        for start in range(0, max(len(ids), 1), self.page_size):
            await self._request("page", str(start))
            part = tuple(
                self._account(kind, one) for one in ids[start : start + self.page_size] if one not in self.hides
            )
            yield TargetPage(part, len(ids), start + self.page_size >= len(ids))

    # -- writing

    async def create(self, kind: ObjectKind, values: Values, *, operation_id: str) -> Answer:
        key = _name_in(values)
        return await self._write("create", key, operation_id, lambda: self._create(kind, key, values))

    async def creates_at_once(self) -> int:
        return self.most_creates

    async def create_many(self, kind: ObjectKind, creates: Sequence[NewAccount]) -> Sequence[Answer]:
        """Answer one bulk request. The faults of "bulk" apply to the whole request, those of "create" to each create."""
        if len(creates) == 1 or self.most_creates == 1:
            return [await self.create(kind, one.values, operation_id=one.operation_id) for one in creates]
        assert len(creates) <= self.most_creates
        key = str(len(creates))
        await self._take_part("bulk", key)
        early = self.is_down or self.before("bulk", key)
        answers: list[Answer] = []
        for one in creates:
            name = _name_in(one.values)
            self.order.append(("create", name))
            self.operations.append(one.operation_id)
            answer = early or self.before("create", name)
            if answer is None:
                answer = self._create(kind, name, one.values)
                answer = self.after("create", name) or answer
            answers.append(answer)
        late = self.after("bulk", key)
        return [_as_part(late or one, is_first=at == 0) for at, one in enumerate(answers)]

    def _create(self, kind: ObjectKind, key: str, values: Values) -> Answer:
        if self.is_unique and self._names.get((kind, key.lower())) in self.accounts[kind]:
            return self._answer("POST", Verdict.CONFLICT, 409, detail=f"{key} exists")
        made = self.add(values, kind)
        return self._answer("POST", Verdict.DONE, 201, account=self._account(kind, made))

    async def update(
        self,
        kind: ObjectKind,
        target_id: str,
        changes: Sequence[Change],
        *,
        current: Account | None,
        etag: str,
        operation_id: str,
    ) -> Answer:
        def work() -> Answer:
            if target_id not in self.accounts[kind]:
                return self._answer("PATCH", Verdict.GONE, 404)
            if self._is_outdated(target_id, etag):
                return self._answer("PATCH", Verdict.STALE, 412)
            new_name = next((str(one.new) for one in changes if one.path == "userName" and one.new), "")
            if new_name and kind is USER:
                holder = self._names.get((kind, new_name.lower()))
                if self.is_unique and holder in self.accounts[kind] and holder != target_id:
                    return self._answer("PATCH", Verdict.CONFLICT, 409, detail=f"{new_name} exists")
                self._names.pop((kind, str(self.accounts[kind][target_id].get("userName")).lower()), None)
                self._names[kind, new_name.lower()] = target_id
            for change in changes:
                if change.new is None:
                    self.accounts[kind][target_id].pop(change.path, None)
                else:
                    self.accounts[kind][target_id][change.path] = change.new
            self.versions[target_id] += 1
            return self._answer("PATCH", Verdict.DONE, 200, account=self._account(kind, target_id))

        return await self._write("update", target_id, operation_id, work)

    async def delete(self, kind: ObjectKind, target_id: str, *, etag: str, operation_id: str) -> Answer:
        def work() -> Answer:
            if target_id in self.accounts[kind] and self._is_outdated(target_id, etag):
                return self._answer("DELETE", Verdict.STALE, 412)
            if self.accounts[kind].pop(target_id, None) is None:
                return self._answer("DELETE", Verdict.DONE_ALREADY, 404)
            for members in self.members.values():
                members.discard(target_id)
            return self._answer("DELETE", Verdict.DONE, 204)

        return await self._write("delete", target_id, operation_id, work)

    async def change_members(
        self, group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str
    ) -> Answer:
        def work() -> Answer:
            nonlocal add
            if group_id not in self.accounts[ObjectKind.GROUP]:
                return self._answer("PATCH", Verdict.GONE, 404)
            if any(one not in self.accounts[USER] and one not in self.accounts[ObjectKind.GROUP] for one in add):
                return self._answer("PATCH", Verdict.REFUSED, 400, detail="unknown member")
            members = self.members.setdefault(group_id, set())
            if self.keeps_last_only and add:
                members.clear()
                add = add[-1:]
            members |= set(add)
            members -= set(remove)
            self.versions[group_id] += 1
            return self._answer("PATCH", Verdict.DONE, 204)

        if not add and not remove:
            return Answer(Verdict.DONE_ALREADY)
        return await self._write("members", group_id, operation_id, work)

    # -- how it behaves

    async def _request(self, verb: str, key: str) -> None:
        await self._take_part(verb, key)
        answer = self.is_down or self.before(verb, key)
        if answer is not None:
            raise TargetError(answer)

    async def _write(self, verb: str, key: str, operation_id: str, work: Callable[[], Answer]) -> Answer:
        await self._take_part(verb, key)
        self.order.append((verb, key))
        self.operations.append(operation_id)
        early = self.is_down or self.before(verb, key)
        if early is not None:
            return early
        answer = work()
        return self.after(verb, key) or answer

    async def _take_part(self, verb: str, key: str) -> None:
        self.requests[verb] += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(self.seconds)
        finally:
            self._at_once -= 1

    def _account(self, kind: ObjectKind, account_id: str) -> Account:
        resource: dict[str, Any] = {"id": account_id}
        for path, value in self.accounts[kind][account_id].items():
            head, _, tail = path.partition(".")
            if tail and "[" not in path and ":" not in path:
                resource.setdefault(head, {})[tail] = value
            elif path.startswith("roles["):
                resource["roles"] = [{"value": value, "primary": True}]
            else:
                resource[path] = value
        return Account(kind, account_id, resource, self._etag(account_id))

    def _etag(self, account_id: str) -> str:
        return f'"{self.versions[account_id]}"'

    def _is_outdated(self, account_id: str, etag: str) -> bool:
        return etag not in ("", self._etag(account_id))

    def _answer(
        self, method: str, verdict: Verdict, status: int, *, account: Account | None = None, detail: str = ""
    ) -> Answer:
        return Answer(verdict, account, detail=detail, exchanges=(Exchange(method, "/model", status, 0.001),))


def _name_in(values: Values) -> str:
    return str(values.get("userName") or values.get("displayName"))


def _as_part(answer: Answer, *, is_first: bool) -> Answer:
    """Return the answer to one operation of a bulk request. Only the first operation counts the request."""
    return replace(answer, exchanges=tuple(replace(one, shares_request=not is_first) for one in answer.exchanges))


def answered(verdict: Verdict, **more: Any) -> Answer:
    return Answer(verdict, exchanges=(Exchange("POST", "/model", more.pop("status", None), 0.001),), **more)


class TakingTurns:
    """One worker's connection to the model: every request waits for its turn first, as in the real adapter."""

    def __init__(self, target: ModelTarget, turns: Turns) -> None:
        self._target = target
        self._turns = turns

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        await self._read()
        return await self._target.find(kind, attribute, value)

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        await self._read()
        return await self._target.get(kind, target_id)

    async def members_of(self, group_id: str) -> frozenset[str] | None:
        await self._read()
        return await self._target.members_of(group_id)

    async def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        pages = self._target.pages(kind)
        while True:
            await self._read()
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return
            yield page
            if page.is_last:
                return

    async def create(self, kind: ObjectKind, values: Values, **more: Any) -> Answer:
        return await self._too_soon() or await self._target.create(kind, values, **more)

    async def creates_at_once(self) -> int:
        return await self._target.creates_at_once()

    async def create_many(self, kind: ObjectKind, creates: Sequence[NewAccount]) -> Sequence[Answer]:
        if too_soon := await self._too_soon():
            return [too_soon] * len(creates)
        return await self._target.create_many(kind, creates)

    async def update(self, kind: ObjectKind, target_id: str, changes: Sequence[Change], **more: Any) -> Answer:
        return await self._too_soon() or await self._target.update(kind, target_id, changes, **more)

    async def delete(self, kind: ObjectKind, target_id: str, **more: Any) -> Answer:
        return await self._too_soon() or await self._target.delete(kind, target_id, **more)

    async def change_members(
        self, group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str
    ) -> Answer:
        too_soon = await self._too_soon() if add or remove else None
        return too_soon or await self._target.change_members(
            group_id, add=add, remove=remove, operation_id=operation_id
        )

    async def _read(self) -> None:
        if too_soon := await self._too_soon():
            raise TargetError(too_soon)

    async def _too_soon(self) -> Answer | None:
        seconds = await self._turns.spend()
        return Answer(Verdict.THROTTLED, wait=timedelta(seconds=seconds)) if seconds else None


class ModelOpener:
    """Opens connections to the same model."""

    def __init__(self, target: ModelTarget) -> None:
        self.target = target

    def allow(self, more: Iterable[str]) -> None:
        """The model has no address to check."""

    def open(self, settings: TargetSettings, turns: Turns | None = None) -> Target:
        return TakingTurns(self.target, turns) if turns is not None else self.target

    async def discover(self, settings: TargetSettings, kind: ObjectKind) -> NoReturn:
        raise AssertionError("nothing asks the model for its attributes")

    async def test_deeply(self, settings: TargetSettings) -> NoReturn:
        raise AssertionError("nothing writes a trial person into the model")

    async def test_connection(self, settings: TargetSettings) -> Sequence[Probe]:
        return (Probe("Authentication", self.target.is_down is None, "The credentials were tried"),)
