"""Compare each HTTP exchange of an attempt with the exchange that sent the same request in an earlier attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from lockstep.actions.logs import LogRow
from lockstep.kit.differences import JsonDifference, json_differences

ExchangeJson = Mapping[str, Any]  # as `storage.log_record` stores it


@dataclass(frozen=True, slots=True)
class ComparedExchange:
    """An HTTP exchange, compared with the same request in an earlier attempt. A request is the same if its method and the action of its log
    record are equal.

    *earlier_at* is the time of the earlier attempt. It is None if no earlier attempt sent this request, or if the log lacks the URL of
    either request.
    """

    exchange: ExchangeJson
    earlier_at: datetime | None = None
    differences: Sequence[JsonDifference] = ()


def compared_exchanges(row: LogRow, earlier: Sequence[LogRow]) -> list[ComparedExchange]:
    """Return the exchanges of *row*. Each exchange is compared with an earlier exchange that has the same method. This is the last such
    exchange in those rows of *earlier* that have the same action as *row*. The rows of *earlier* must be oldest first. Exchanges whose
    address is not in the log are not compared.
    """
    return [_compared(row, one, earlier) for one in row.record["exchanges"]]


def _compared(row: LogRow, exchange: ExchangeJson, earlier: Sequence[LogRow]) -> ComparedExchange:
    for before in reversed(earlier):
        for other in reversed(before.record["exchanges"]):
            if (
                before.action == row.action
                and other["method"] == exchange["method"]
                and other["url"]
                and exchange["url"]
            ):
                return ComparedExchange(exchange, before.at, json_differences(_document(other), _document(exchange)))
    return ComparedExchange(exchange)


def _document(exchange: ExchangeJson) -> dict[str, Any]:
    return {
        "url": exchange["url"],
        "status": "No answer" if exchange["status"] is None else str(exchange["status"]),
        "request": _body(exchange["requestBody"]),
        "response": _body(exchange["responseBody"]),
    }


def _body(text: str) -> Any:
    """Return a body as JSON, or as text if it is not JSON, for example because the log has cut off a long body."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
