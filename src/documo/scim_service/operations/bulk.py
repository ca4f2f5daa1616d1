"""POST /Bulk: many operations in one request (RFC 7644, section 3.7).

Each operation is independent and separately durable. An operation that refers to another one by bulkId runs after that one, whatever the
order in the request. In a reference cycle, members are added after all resources exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson
import psycopg

from documo.identifiers import new_id
from documo.scim_service.request.exchange import Request, ScimAnswer
from documo.scim_service.request.failures import scim_error
from documo.scim_service.tenant.service import Service
from lockstep.errors import LockstepError, release_frames
from lockstep.scim.errors import ScimError, invalid_value
from lockstep.scim.limits import MAX_BULK_BYTES
from lockstep.scim.messages import BulkOperation, bulk_response, read_bulk
from lockstep.scim.operations import patch_body

Route = Callable[[Service, Request, Sequence[str]], Awaitable[ScimAnswer]]
PREFIX = "bulkId:"
TOGETHER = 64


async def run_bulk(service: Service, request: Request, route: Route) -> ScimAnswer:
    """Run the operations in the body. Returns 200 with the result of each operation that was run, in the order of the request."""
    wanted = read_bulk(request.json(max_bytes=MAX_BULK_BYTES))
    return await _Bulk(service, request, route, wanted.operations, wanted.fail_on_errors).run()


@dataclass(slots=True)
class _Bulk:
    service: Service
    request: Request
    route: Route
    operations: Sequence[BulkOperation]
    fail_on_errors: int | None
    ids: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    later: list[tuple[str, str, list[Any]]] = field(default_factory=list)  # bulkId, path, members
    errors: int = 0

    async def run(self) -> ScimAnswer:
        posts = [operation.bulk_id for operation in self.operations if operation.method == "POST"]
        if len(set(posts)) != len(posts):
            raise invalid_value("Two operations have the same bulkId: give each its own bulkId.", "bulkId")
        self.ids = {bulk_id: new_id() for bulk_id in posts}
        outcomes: dict[int, dict[str, Any]] = {}
        for group in self._groups(self._order()):
            if self.fail_on_errors is not None and self.errors >= self.fail_on_errors:
                break
            results = await asyncio.gather(*(self._outcome(self.operations[at]) for at in group))
            outcomes |= dict(zip(group, results, strict=True))
        by_bulk_id = {outcome.get("bulkId"): outcome for outcome in outcomes.values() if outcome["method"] == "POST"}
        for bulk_id, path, members in self.later:
            await self._complete(by_bulk_id[bulk_id], path, members)
        return ScimAnswer(200, orjson.dumps(bulk_response([outcomes[at] for at in sorted(outcomes)])))

    async def _complete(self, outcome: dict[str, Any], path: str, members: list[Any]) -> None:
        """Add the members that did not exist when their group was created. If that fails, delete the group and report its create operation
        as failed.

        It is not a failure if another operation of the same bulk request has deleted the group.
        """
        body = patch_body([{"op": "add", "path": "members", "value": self._resolved(members)}])
        try:
            answer = await self._send("PATCH", path, body, "")
        except (LockstepError, psycopg.Error) as error:
            known = scim_error(error, method="PATCH")
            release_frames(error)
            if known.status == 404:  # another operation of the request deleted the group, which is no error
                return
            with suppress(LockstepError, psycopg.Error):
                await self._send("DELETE", path, None, "")
            for name in ("location", "version"):
                outcome.pop(name, None)
            outcome.update(status=str(known.status), response=known.error_body())
            return
        outcome.pop("response", None)  # shows the group without these members
        if answer.etag:
            outcome["version"] = answer.etag

    def _order(self) -> list[int]:
        """Sort the operations so that each one comes after the operations that it refers to. A reference cycle is broken at the operation
        that comes first in the request.
        """
        by_bulk_id = {op.bulk_id: at for at, op in enumerate(self.operations) if op.method == "POST"}
        needs = [[by_bulk_id[name] for name in _references(op) if name in by_bulk_id] for op in self.operations]
        order: list[int] = []
        seen: set[int] = set()
        for begin in range(len(self.operations)):
            stack = [(begin, iter(needs[begin]))] if begin not in seen else []
            seen.add(begin)
            while stack:
                at, waiting = stack[-1]
                following = next((need for need in waiting if need not in seen), None)
                if following is None:
                    order.append(at)
                    stack.pop()
                else:
                    seen.add(following)
                    stack.append((following, iter(needs[following])))
        return order

    def _groups(self, order: Sequence[int]) -> list[list[int]]:
        """Split *order* into batches of operations that run at the same time. Adjacent creates without references share a batch of at most
        TOGETHER; every other operation has its own. With failOnErrors, operations never run at the same time.
        """
        groups: list[list[int]] = []
        for at in order:
            operation = self.operations[at]
            free = operation.method == "POST" and self.fail_on_errors is None and not _references(operation)
            if free and groups and len(groups[-1]) < TOGETHER and self._is_free(groups[-1][-1]):
                groups[-1].append(at)
            else:
                groups.append([at])
        return groups

    def _is_free(self, at: int) -> bool:
        return self.operations[at].method == "POST" and not _references(self.operations[at])

    async def _outcome(self, operation: BulkOperation) -> dict[str, Any]:
        outcome: dict[str, Any] = {"method": operation.method}
        if operation.bulk_id:
            outcome["bulkId"] = operation.bulk_id
        try:
            answer, location = await self._run(operation)
        except (LockstepError, psycopg.Error) as error:
            self.errors += 1
            self.failed.add(operation.bulk_id)
            known = scim_error(error, method=operation.method)
            release_frames(error)
            where = {} if operation.method == "POST" else {"location": self.request.base_url + operation.path}
            return {**outcome, **where, "status": str(known.status), "response": known.error_body()}
        if answer.etag:
            outcome["version"] = answer.etag
        if operation.method == "POST" and answer.body:
            outcome["response"] = orjson.Fragment(
                answer.body
            )  # optional, and saves the client a read (RFC 7644, 3.7.3)
        return {**outcome, "location": location, "status": str(answer.status)}

    async def _run(self, operation: BulkOperation) -> tuple[ScimAnswer, str]:
        missing = [name for name in _references(operation) if name not in self.ids or name in self.failed]
        if missing:
            raise ScimError(
                409, "invalidValue", f"{PREFIX}{missing[0][:100]} refers to no resource created by this request."
            )
        path = self._resolved(operation.path)
        data = operation.data
        if operation.method != "POST":
            answer = await self._send(operation.method, path, self._resolved(data), operation.version)
            return answer, self.request.base_url + path
        data, waiting = self._without_unmade_members(data)
        answer = await self._send("POST", path, self._resolved(data), "", resource_id=self.ids[operation.bulk_id])
        resource_id = answer.location.rpartition("/")[2]
        self.ids[operation.bulk_id] = resource_id
        self.made.add(operation.bulk_id)
        if waiting:
            self.later.append((operation.bulk_id, f"{path}/{resource_id}", waiting))
        return answer, answer.location

    async def _send(self, method: str, path: str, data: Any, version: str, *, resource_id: str = "") -> ScimAnswer:
        headers = {b"content-type": b"application/scim+json"}
        if version:
            headers[b"if-match"] = version.encode()
        segments = [unquote(part) for part in path.partition("?")[0].strip("/").split("/")]
        if segments[-1] == ".search":
            raise invalid_value("A bulk request can change resources, but not search them.", "path")
        inner = Request(
            method, path, b"", headers, orjson.dumps(data), self.request.base_url, self.request.caller,
            self.request.tolerances, resource_id,
        )  # fmt: skip
        return await self.route(self.service, inner, segments)

    def _without_unmade_members(self, data: Any) -> tuple[Any, list[Any]]:
        """Return the body of a group without the members that have not been created yet, and a list of those members."""
        if not isinstance(data, dict) or not isinstance(data.get("members"), list):
            return data, []
        waiting = [member for member in data["members"] if any(name not in self.made for name in _names_in(member))]
        kept = [member for member in data["members"] if member not in waiting]
        return {**data, "members": kept}, waiting

    def _resolved(self, value: Any) -> Any:
        """Return *value* with every bulkId reference replaced by the id of the resource."""
        if isinstance(value, str):
            if not value.startswith(PREFIX) and f"/{PREFIX}" not in value:
                return value
            before, _, name = value.partition(PREFIX)
            name, slash, after = name.partition("/") if before else (name, "", "")
            return f"{before}{self.ids[name]}{slash}{after}" if name in self.ids else value
        if isinstance(value, dict):
            return {key: self._resolved(item) for key, item in value.items()}
        return [self._resolved(item) for item in value] if isinstance(value, list) else value


def _references(operation: BulkOperation) -> list[str]:
    """Return the bulkIds that an operation refers to, except its own."""
    return [name for name in (*_names_in(operation.path), *_names_in(operation.data)) if name != operation.bulk_id]


def _names_in(value: Any) -> list[str]:
    if isinstance(value, str):
        if value.startswith(PREFIX):
            return [value[len(PREFIX) :]]
        return [value.partition(f"/{PREFIX}")[2].partition("/")[0]] if f"/{PREFIX}" in value else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for item in items for name in _names_in(item)]
