"""Create many accounts with one request (RFC 7644, section 3.7), if the application offers bulk requests.

Every operation carries the id of its write as its bulkId, and every result is interpreted like the response to a single request. A result
that is missing or occurs twice proves nothing, so its write is ambiguous. Nothing is repeated here, with one exception: if the response
proves that the bulk request as a whole was not carried out, the creates are sent one by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import orjson

from lockstep.engine.records import ObjectKind
from lockstep.http.client import Response
from lockstep.ports import Answer, Exchange, Verdict
from lockstep.scim.messages import BULK_REQUEST_URN, BULK_RESPONSE_URN
from lockstep.targets.scim_requests import RequestPurpose, ScimRequest
from lockstep.targets.scim_sender import ScimSender

# There is no such endpoint, or the whole request is too large (RFC 7644, 3.7.4).
NOT_CARRIED_OUT = frozenset({404, 405, 413, 501})
_UNCERTAIN = frozenset({Verdict.REFUSED, Verdict.CONFLICT, Verdict.STALE, Verdict.GONE})
LONGEST_QUESTION_SECONDS = 5.0  # creates wait for the answer
ASK_AGAIN_SECONDS = 30.0
_HEAD = b'{"schemas":["%s"],"Operations":['


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """The limits of one bulk request to an application. *operations* is 1 if the application offers no bulk requests."""

    operations: int = 1
    size: int = 0  # in bytes


@dataclass(frozen=True, slots=True)
class _Create:
    """A create and the id of its operation. *part* is the JSON of this operation in a bulk request."""

    request: ScimRequest
    operation_id: str
    part: bytes

    @classmethod
    def of(cls, request: ScimRequest, operation_id: str) -> _Create:
        data = orjson.Fragment(request.body or b"{}")
        content = {"method": request.method, "path": request.path, "bulkId": operation_id, "data": data}
        return cls(request, operation_id, orjson.dumps(content))

    @property
    def sent(self) -> bytes:
        """A bulk request with only this create, for the log record."""
        return _document([self.part])


class BulkCreates:
    """Sends creates to one application, many in one request.

    The limits are read when they are first needed. They shrink if a bulk request fails as a whole.
    """

    def __init__(self, sender: ScimSender) -> None:
        self._sender = sender
        self._limits: BulkLimits | None = None
        self._is_asking = False
        self._ask_at = 0.0  # event loop time

    async def most(self, deadline: float) -> int:
        """Return how many creates one request may contain: 1 if the application offers no bulk requests, or if its limits are not known
        yet.

        Only one caller at a time asks the application; the others do not wait for the response. If the application does not respond, it is
        not asked again for `ASK_AGAIN_SECONDS`.
        """
        now = asyncio.get_running_loop().time()
        if self._limits is None and not self._is_asking and now >= self._ask_at:
            self._is_asking = True
            try:
                end = min(deadline, now + LONGEST_QUESTION_SECONDS)
                answer, reading = await self._sender.send(_configuration_request(), "", end)
            finally:
                self._is_asking = False
            if answer.may_pass:
                self._ask_at = asyncio.get_running_loop().time() + ASK_AGAIN_SECONDS
            else:
                self._limits = read_limits(reading.content or {}) if answer.is_done else BulkLimits()
        return self._limits.operations if self._limits is not None else 1

    async def create(self, creates: Sequence[tuple[ScimRequest, str]], deadline: float) -> Sequence[Answer]:
        """Send *creates*, each with the id of its operation, and return the answer to each, in order."""
        if len(creates) > 1:
            await self.most(deadline)
        parts = list(self._parts([_Create.of(*one) for one in creates]))
        if len(parts) > 1 and self._limits is not None:
            # The creates are larger than expected. From now on, as many are sent together as fit into one request.
            fitting = max(len(part) for part in parts)
            self._limits = replace(self._limits, operations=min(self._limits.operations, fitting))
        found = await asyncio.gather(*(self._send(part, deadline) for part in parts))
        return [answer for answers in found for answer in answers]

    def _parts(self, creates: Sequence[_Create]) -> Iterator[list[_Create]]:
        """Divide *creates* so that no request exceeds the limits of the application."""
        limits = self._limits or BulkLimits()
        part: list[_Create] = []
        size = 0
        for create in creates:
            added = len(create.part) + 1
            if part and (len(part) >= limits.operations or size + added > limits.size):
                yield part
                part, size = [], 0
            part.append(create)
            size += added + (0 if size else len(_HEAD) + len(BULK_REQUEST_URN))
        if part:
            yield part

    async def _send(self, part: Sequence[_Create], deadline: float) -> Sequence[Answer]:
        if len(part) == 1:
            return [await self._alone(part[0], deadline)]
        answer, reading = await self._sender.send(_bulk_request(part), _bulk_id(part), deadline)
        if answer.is_done:
            return self._results(part, answer.exchanges, reading.content or {})
        status = answer.exchanges[-1].status if answer.exchanges else None
        if status in NOT_CARRIED_OUT:
            self._limits = BulkLimits()
            return await asyncio.gather(*(self._alone(one, deadline) for one in part))
        if answer.verdict in _UNCERTAIN:
            # The refusal concerns the bulk request and not one of the people. It does not prove that nothing was carried out.
            self._limits = BulkLimits()
            answer = replace(answer, verdict=Verdict.AMBIGUOUS, is_not_scim=True)
        elif answer.verdict is Verdict.AMBIGUOUS and self._limits is not None:
            self._limits = replace(self._limits, operations=max(1, min(self._limits.operations, len(part) // 2)))
        return [
            replace(
                answer,
                exchanges=tuple(
                    self._sender.recorded_in_bulk(
                        create.request,
                        one.status,
                        one.seconds,
                        create.sent,
                        one.response_body,
                        one.request_id,
                        shares_request=at > 0,
                    )
                    for one in answer.exchanges
                ),
                shares_request=at > 0,
            )
            for at, create in enumerate(part)
        ]

    async def _alone(self, create: _Create, deadline: float) -> Answer:
        answer, _ = await self._sender.send(create.request, create.operation_id, deadline)
        return answer

    def _results(
        self, part: Sequence[_Create], exchanges: tuple[Exchange, ...], content: Mapping[str, Any]
    ) -> list[Answer]:
        """Interpret the result of each operation."""
        results = read_results(content)
        found = [results.get(create.operation_id) for create in part]
        if not any(one is not None and isinstance(one.get("response"), Mapping) for one in found):
            self._limits = BulkLimits()  # each account would have to be read, which costs more than is saved
        seconds = sum(one.seconds for one in exchanges)
        hidden = _hidden_in(part)  # a result may show the secret of another person
        answers: list[Answer] = []
        for at, (create, result) in enumerate(zip(part, found, strict=True)):
            request = replace(create.request, hidden=hidden)
            response = response_of(result, request.path, seconds)
            exchange = self._sender.recorded_in_bulk(
                request, response.status if response is not None else None, seconds, create.sent, _received(result),
                _bulk_id(part), shares_request=at > 0,
            )  # fmt: skip
            answers.append(self._sender.judged_in_bulk(request, response, exchange))
        return self._sender.paced(answers)


def read_limits(configuration: Mapping[str, Any]) -> BulkLimits:
    """Return the limits for bulk requests in a ServiceProviderConfig (RFC 7643, section 5)."""
    bulk = configuration.get("bulk")
    if not isinstance(bulk, Mapping) or bulk.get("supported") is not True:
        return BulkLimits()
    operations, size = bulk.get("maxOperations"), bulk.get("maxPayloadSize")
    if type(operations) is not int or type(size) is not int or operations < 1:
        return BulkLimits()
    return BulkLimits(operations, size)


def read_results(content: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return a mapping from each bulkId in a BulkResponse to its result. Results whose bulkId is missing or occurs twice are left out."""
    operations = content.get("Operations")
    found = [one for one in operations if isinstance(one, Mapping)] if isinstance(operations, list) else []
    times = Counter(one["bulkId"] for one in found if isinstance(one.get("bulkId"), str))
    return {one["bulkId"]: one for one in found if isinstance(one.get("bulkId"), str) and times[one["bulkId"]] == 1}


def response_of(result: Mapping[str, Any] | None, collection: str, seconds: float) -> Response | None:
    """Return *result* in the form of the response to a single POST to *collection*, or None if it is not usable.

    A successful result may lack the resource. The response then contains only the account's id, taken from the `location` of the result.
    """
    status = _status(result.get("status")) if result is not None else None
    if result is None or status is None:
        return None
    body, location, version = result.get("response"), result.get("location"), result.get("version")
    if body is None and 200 <= status < 300 and isinstance(location, str):
        body = {"id": id_in_location(location, collection)}
    headers = {"etag": version} if isinstance(version, str) else {}
    return Response(status, headers, orjson.dumps(body) if body is not None else b"", seconds)


def id_in_location(location: str, collection: str) -> str:
    """Return the id in *location* if it is the URL of a resource of *collection*, such as `/Users`; otherwise ""."""
    before, _, last = location.rstrip("/").rpartition("/")
    is_resource = f"/{before}".casefold().endswith(collection.casefold()) and not set(last) & {"?", "#"}
    return unquote(last) if is_resource else ""


def _status(found: Any) -> int | None:
    """Return the HTTP status of an operation. RFC 7644 requires a string; a number and SCIM 1.1's object are accepted as well."""
    if isinstance(found, Mapping):
        found = found.get("code")
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) == 3:
        return int(found)
    return found if type(found) is int and 100 <= found < 600 else None


def _configuration_request() -> ScimRequest:
    return ScimRequest(RequestPurpose.CONFIGURATION, ObjectKind.USER, "GET", "/ServiceProviderConfig")


def _bulk_request(part: Sequence[_Create]) -> ScimRequest:
    body = _document([create.part for create in part])
    return ScimRequest(RequestPurpose.BULK, part[0].request.kind, "POST", "/Bulk", body, hidden=_hidden_in(part))


def _hidden_in(part: Sequence[_Create]) -> tuple[str, ...]:
    return tuple({text for create in part for text in create.request.hidden})


def _bulk_id(part: Sequence[_Create]) -> str:
    """Return the id of a bulk request. It differs from the ids of its operations, which may be sent again one by one."""
    return f"bulk-{part[0].operation_id}"


def _document(operations: Sequence[bytes]) -> bytes:
    return _HEAD % BULK_REQUEST_URN.encode() + b",".join(operations) + b"]}"


def _received(result: Mapping[str, Any] | None) -> bytes:
    found = [orjson.dumps(result)] if result is not None else []
    return _HEAD % BULK_RESPONSE_URN.encode() + b",".join(found) + b"]}"
