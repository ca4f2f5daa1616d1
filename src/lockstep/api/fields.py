"""`?fields=`: return only the wanted JSON members of each item of a list."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

import orjson
from fastapi import Request, Response
from starlette.responses import JSONResponse

from lockstep.api.problems import refused
from lockstep.wording import did_you_mean


def wanted_fields(request: Request, given: str) -> frozenset[str]:
    """Return the field names in *given*. Raises ApiError for a name that the items of the requested list do not have."""
    wanted = [one.strip() for one in given.split(",") if one.strip()]
    known = _members(getattr(request.scope.get("route"), "response_model", None))
    for name in wanted:
        if known and name not in known:
            detail = f'Unknown member "{name}" in fields'
            raise refused(
                "invalid-request",
                detail,
                next_step=did_you_mean(name, list(known), otherwise=f"Known: {', '.join(known)}"),
                places=[{"pointer": "/query/fields", "detail": detail}],
            )
    return frozenset(wanted)


def with_fields(response: Response, wanted: Collection[str]) -> Response:
    """Return *response* with each of its items reduced to the members in *wanted*. If *wanted* is empty, *response* is unchanged."""
    if not wanted or response.status_code != 200:
        return response
    page = orjson.loads(bytes(response.body))
    page["items"] = [{name: value for name, value in item.items() if name in wanted} for item in page["items"]]
    return JSONResponse(page)


def _members(page: Any) -> list[str]:
    """Return the names of the JSON members of an item. *page* is the type of the response. Returns an empty list if this type does not name
    the members.
    """
    items = get_args(page)
    return list(getattr(items[0], "__annotations__", {})) if items else []
