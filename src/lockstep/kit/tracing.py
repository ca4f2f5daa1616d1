"""Identify a request by its request id and by the caller's trace id. The response and all log lines of the request contain the
request id.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
# W3C Trace Context, section 3.2.2: version, trace-id, parent-id, flags. A higher version may add members.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?\Z")


def request_id_of(headers: Mapping[str, str]) -> str:
    """Return the caller's X-Request-Id if it is safe to log, otherwise a new id."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else uuid.uuid4().hex[:16]


def trace_id_of(headers: Mapping[str, str]) -> str:
    """Return the trace id in the header `traceparent`, or "" if there is no valid one."""
    found = _TRACEPARENT.match(headers.get("traceparent", ""))
    return found[2] if found is not None and (found[1] != "00" or not found[4]) else ""


def log_fields(request_id: str, trace_id: str) -> dict[str, str]:
    """Return the fields that every log line of a request has."""
    return {"request": request_id} | ({"trace": trace_id} if trace_id else {})
