"""Read and write protocol messages: queries, lists, bulk requests (RFC 7644, sections 3.4, 3.7; RFC 9865).

Errors and PATCH bodies are in `errors` and `operations`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from lockstep.scim.errors import invalid_syntax, invalid_value, too_large
from lockstep.scim.projection import attribute_names

LIST_URN: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SEARCH_URN: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
BULK_REQUEST_URN: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RESPONSE_URN: Final = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"

_WHOLE_NUMBER = re.compile(r"-?[0-9]+")
_MOST_DIGITS = 100
_ENDLESS = 2**31 - 1  # no list is this long: larger numbers mean "all"


Method = Literal["POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """The parameters of a list or search request. If *count* is None, the server's page size applies. If *cursor* is "", the client asks
    for the first page of a list that is paged by cursor.
    """

    filter: str | None = None
    attributes: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    sort_by: str | None = None
    descending: bool = False
    start_index: int = 1
    count: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """One operation of a bulk request. Its method, path and ids were checked; its data was not."""

    method: Method
    path: str
    bulk_id: str = ""
    version: str = ""
    data: Any = None


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A bulk request. If *fail_on_errors* is None, the server continues after any number of errors."""

    operations: tuple[BulkOperation, ...]
    fail_on_errors: int | None = None


def search_from_query(parameters: Mapping[str, str]) -> SearchRequest:
    """Read the parameters of a search from the query string of a GET."""
    return _search(parameters)


def search_from_body(body: Any) -> SearchRequest:
    """Read the parameters of a search from the body of a POST to `/.search`."""
    if not isinstance(body, dict):
        raise invalid_syntax("A search request must be a JSON object.")
    schemas = body.get("schemas")
    if not isinstance(schemas, list) or SEARCH_URN not in schemas:
        raise invalid_value(f'schemas of a search must be ["{SEARCH_URN}"].', "schemas")
    return _search(body)


def list_response(
    resources: Sequence[Any],
    total: int,
    *,
    start_index: int | None = None,
    next_cursor: str | None = None,
    previous_cursor: str | None = None,
) -> dict[str, Any]:
    """Build a ListResponse. It is paged by index if *start_index* is given, and by cursor otherwise."""
    body: dict[str, Any] = {"schemas": [LIST_URN], "totalResults": total, "itemsPerPage": len(resources)}
    if start_index is not None:
        body["startIndex"] = start_index
    if previous_cursor is not None:
        body["previousCursor"] = previous_cursor
    if next_cursor is not None:
        body["nextCursor"] = next_cursor
    body["Resources"] = list(resources)
    return body


def read_bulk(body: Any, *, max_operations: int = 1000) -> BulkRequest:
    """Read a bulk request. Raises ScimError: with status 413 if there are more than *max_operations* operations, otherwise with 400.

    The error for an invalid operation contains the number of the operation.
    """
    if not isinstance(body, dict):
        raise invalid_syntax("A bulk request must be a JSON object.")
    schemas, items = body.get("schemas"), body.get("Operations")
    if not isinstance(schemas, list) or BULK_REQUEST_URN not in schemas:
        raise invalid_value(f'schemas of a bulk request must be ["{BULK_REQUEST_URN}"].', "schemas")
    if not isinstance(items, list) or not items:
        raise invalid_syntax("Operations must be a list with at least one operation.")
    if len(items) > max_operations:
        raise too_large(f"{len(items)} operations exceed the limit of {max_operations} per bulk request.")
    limit = body.get("failOnErrors")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise invalid_value("failOnErrors must be a whole number of at least 1.", "failOnErrors")
    return BulkRequest(tuple(_bulk_operation(item, at) for at, item in enumerate(items, 1)), limit)


def bulk_response(operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Build a BulkResponse from the results of its operations."""
    return {"schemas": [BULK_RESPONSE_URN], "Operations": list(operations)}


def _search(parameters: Mapping[str, Any]) -> SearchRequest:
    folded = {name.lower(): value for name, value in parameters.items() if value is not None}
    order = folded.get("sortorder", "ascending")
    if not isinstance(order, str) or order.lower() not in ("ascending", "descending"):
        raise invalid_value("sortOrder must be ascending or descending.", "sortOrder")
    count = _whole_number(folded, "count")
    return SearchRequest(
        filter=_text(folded, "filter") or None,
        attributes=attribute_names(folded.get("attributes")),
        excluded=attribute_names(folded.get("excludedattributes")),
        sort_by=_text(folded, "sortBy") or None,
        descending=order.lower() == "descending",
        # A start index below 1 means 1, and a negative count means 0 (RFC 7644, section 3.4.2.4).
        start_index=max(1, _whole_number(folded, "startIndex") or 1),
        count=None if count is None else max(0, count),
        cursor=_text(folded, "cursor"),
    )


def _text(parameters: Mapping[str, Any], name: str) -> str | None:
    value = parameters.get(name.lower())
    if value is not None and not isinstance(value, str):
        raise invalid_value(f"{name} must be a string.", name)
    return value


def _whole_number(parameters: Mapping[str, Any], name: str) -> int | None:
    value = parameters.get(name.lower())
    if value is None or value == "":
        return None
    # Some clients send these numbers as strings, even in a body.
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value) if len(value) <= _MOST_DIGITS else -_ENDLESS if value.startswith("-") else _ENDLESS
    if type(value) is int:
        return max(-_ENDLESS, min(value, _ENDLESS))
    raise invalid_value(f"{name} must be a whole number.", name)


def _bulk_operation(item: Any, at: int) -> BulkOperation:
    if not isinstance(item, dict):
        raise invalid_syntax(f"Operation {at} must be an object with method and path.")
    method, path = item.get("method"), item.get("path")
    method = method.upper() if isinstance(method, str) else method
    if method not in ("POST", "PUT", "PATCH", "DELETE"):
        raise invalid_value(f"Operation {at}: method must be POST, PUT, PATCH or DELETE.", "method")
    if not isinstance(path, str) or not path.startswith("/"):
        raise invalid_value(f"Operation {at}: path must look like /Users or /Users/id.", "path")
    bulk_id, version = item.get("bulkId") or "", item.get("version") or ""
    if not isinstance(bulk_id, str) or not isinstance(version, str):
        raise invalid_value(f"Operation {at}: bulkId and version must be strings.", "bulkId")
    if method == "POST" and not bulk_id:
        raise invalid_value(f"Operation {at}: a POST needs a bulkId.", "bulkId")
    if method != "DELETE" and item.get("data") is None:
        raise invalid_value(f"Operation {at}: {method} needs data.", "data")
    return BulkOperation(cast(Method, method), path, bulk_id, version, item.get("data"))
