"""Interpret an application's response: a verdict, Entra's error code, a plain sentence and the next step. Pure.

A response that is not SCIM proves nothing: it never counts as success, as "not found" or as empty, and its body is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from lockstep.engine.records import Account
from lockstep.http.client import Response
from lockstep.http.trouble import Trouble, WireError
from lockstep.ports import Answer, Exchange, Verdict
from lockstep.targets.answer_table import (
    BROKEN,
    BY_SCIM_TYPE,
    BY_STATUS,
    GONE_ALREADY,
    MISSING_VALUE,
    NO_RESOURCE,
    NOT_SCIM,
    OTHER_ACCOUNT,
    REDIRECTED,
    TROUBLES,
    TRY_LATER,
    VANISHED,
    WEB_PAGE,
    AnswerRow,
)
from lockstep.targets.pacing import read_retry_after
from lockstep.targets.redaction import Redactor
from lockstep.targets.scim_requests import RequestPurpose, ScimRequest

LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Sayer:
    """The values that the sentences need: the application's display name, its name in commands, and the redactor."""

    display_name: str
    app: str
    redactor: Redactor


@dataclass(frozen=True, slots=True)
class ScimReading:
    """The interpretation of one response. *content* is the JSON object of a successful read."""

    answer: Answer
    content: Mapping[str, Any] | None = None


def read_answer(
    request: ScimRequest,
    response: Response,
    url: str,
    sayer: Sayer,
    *,
    now: datetime,
    exchanges: tuple[Exchange, ...] = (),
) -> ScimReading:
    """Interpret one complete HTTP response. *exchanges* are the records of that response and the requests before it."""
    content = _object_in(response.body)
    row = _judge(request, response, content)
    if row is None:
        account = (
            _account(request, response, content) if content is not None and request.call.names_a_resource else None
        )
        return ScimReading(Answer(Verdict.DONE, account, exchanges=exchanges), content)
    redactor = sayer.redactor.hiding(request.hidden)
    words = scim_detail(content, redactor)
    sentence, step = (
        text.format(
            name=sayer.display_name,
            app=sayer.app,
            status=response.status,
            at=f"{request.method} {_shown(url)}",
            detail=f": {words}" if words else "",
            what=_what_it_is(response),
            id=request.target_id,
        )
        for text in (row.sentence, row.next_step)
    )
    wait = None
    if row.verdict is Verdict.THROTTLED and (at := read_retry_after(response.headers.get("retry-after", ""), now)):
        wait = at - now
    return ScimReading(
        Answer(
            row.verdict,
            None,
            row.code,
            redactor.text(sentence),
            step,
            wait,
            exchanges,
            is_not_scim=row.is_not_scim,
            named=words_of(words) if row.verdict is Verdict.REFUSED else frozenset(),
            is_too_much=_is_too_much(row, words),
        )
    )


def read_trouble(call: RequestPurpose, error: WireError, sayer: Sayer) -> Answer:
    """Interpret a missing or incomplete response."""
    verdict, code = TROUBLES[error.trouble]
    sentence = f"{sayer.display_name} cannot be reached: {error.sentence}"
    if error.trouble is Trouble.BLOCKED:
        sentence = f"Lockstep refuses to connect to {sayer.display_name}: {error.sentence}"
    elif call.is_read and error.trouble.was_sent:
        sentence = f"{sayer.display_name} gave no usable response: {error.sentence}"
    elif error.trouble.was_sent:
        sentence = f"{sayer.display_name} may or may not have carried out the request: {error.sentence}"
    sentence, step = sayer.redactor.text(sentence), error.next_step or TRY_LATER
    return Answer(verdict, None, code, sentence, step, is_not_scim=error.trouble is Trouble.TOO_LARGE)


def words_of(detail: str) -> frozenset[str]:
    """The words in the detail of a refusal. SCIM has no field for the attribute that was refused, so many applications name it
    in the detail.
    """
    return frozenset(word.casefold() for word in re.findall(r"\w+", detail))


def _is_too_much(row: AnswerRow, words: str) -> bool:
    """Whether the application refuses the request because it changes too much at once.

    *words* is the detail of the response. It is searched because some applications send neither 413 nor a scimType.
    """
    return row.is_too_much or (row.verdict is Verdict.REFUSED and "too many" in words.lower())


def scim_detail(content: Mapping[str, Any] | None, redactor: Redactor) -> str:
    """The detail of a SCIM error, redacted; "" if *content* is not a SCIM error (RFC 7644, 3.12)."""
    if content is None:
        return ""
    detail = content.get("detail")
    if not isinstance(detail, str) or not (_is_scim_error(content) or "scimType" in content):
        return ""
    printable = "".join(letter if letter.isprintable() else " " for letter in detail[: 4 * LONGEST_DETAIL])
    return redactor.text(" ".join(printable.split()))[:LONGEST_DETAIL].rstrip(". ")


def not_scim(request: ScimRequest, url: str, sayer: Sayer, fault: str) -> Answer:
    """Return the answer for a response that has a success status but breaks the protocol. *fault* names the violation."""
    sentence = f"{sayer.display_name} answered {request.method} {_shown(url)} {fault}"
    step = f"Report it to the vendor of {sayer.display_name}: Lockstep cannot rely on such a response"
    return Answer(Verdict.AMBIGUOUS, None, NOT_SCIM, sayer.redactor.text(sentence), step, is_not_scim=True)


def _judge(request: ScimRequest, response: Response, content: Mapping[str, Any] | None) -> AnswerRow | None:
    """Return the row of the tables that matches the response, or None if the response is a plain success."""
    status = response.status
    if 200 <= status < 300:
        return _judge_success(request, response, content)
    if 300 <= status < 400:
        return REDIRECTED
    if status in (404, 410) and request.target_id:
        # A proxy or web server knows paths but not accounts. Only an error from a SCIM service proves something about an account.
        if not _is_scim_error(content):
            return WEB_PAGE
        return GONE_ALREADY if request.call is RequestPurpose.DELETE else VANISHED
    if status == 400 and content is not None:
        return _judge_refusal(content)
    known = BY_STATUS.get(status)
    if known is not None:
        return known
    return BROKEN if status >= 500 or status < 200 else BY_STATUS[400]


def _is_scim_error(content: Mapping[str, Any] | None) -> bool:
    """Whether *content* has the schema of a SCIM error (RFC 7644, 3.12)."""
    schemas = content.get("schemas") if content is not None else None
    return isinstance(schemas, list) and any(isinstance(urn, str) and urn.lower().endswith(":error") for urn in schemas)


def _judge_success(request: ScimRequest, response: Response, content: Mapping[str, Any] | None) -> AnswerRow | None:
    if content is None and response.body.strip():
        return WEB_PAGE
    if request.call is RequestPurpose.DELETE:
        return None
    if content is None:
        is_enough = request.call in (RequestPurpose.UPDATE, RequestPurpose.MEMBERS) and response.status in (200, 204)
        return None if is_enough else NO_RESOURCE
    if not request.call.names_a_resource:
        return None
    found = id_in(content)
    if not found or response.status == 202:
        return NO_RESOURCE
    return OTHER_ACCOUNT if request.target_id and found != request.target_id else None


def _judge_refusal(content: Mapping[str, Any]) -> AnswerRow:
    scim_type = content.get("scimType")
    known = BY_SCIM_TYPE.get(scim_type.lower()) if isinstance(scim_type, str) else None
    detail = content.get("detail")
    if isinstance(detail, str) and (known is None or known is BY_SCIM_TYPE["invalidvalue"]):
        words = detail.lower()
        if "required" in words or "missing" in words or "mandatory" in words:
            return MISSING_VALUE
    return known or BY_STATUS[400]


def _account(request: ScimRequest, response: Response, content: Mapping[str, Any]) -> Account | None:
    if request.call is RequestPurpose.DELETE:
        return None
    return account_in(request, content, etag=response.headers.get("etag", ""))


def account_in(request: ScimRequest, resource: Mapping[str, Any], *, etag: str = "") -> Account:
    """The account in *resource*. Its version is *etag*, from the header; if *etag* is "", it is `meta.version`."""
    meta = resource.get("meta")
    version = meta.get("version") if isinstance(meta, Mapping) else None
    return Account(request.kind, id_in(resource), resource, etag or (version if isinstance(version, str) else ""))


def id_in(resource: Mapping[str, Any]) -> str:
    """The id of a resource, or "". RFC 7643 (3.1) requires a string; a whole number is accepted as well."""
    found = resource.get("id")
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) else ""


def _object_in(body: bytes) -> Mapping[str, Any] | None:
    if not body:
        return None
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _looks_like_html(response: Response) -> bool:
    return "html" in response.headers.get("content-type", "").lower() or response.body.lstrip()[:1] == b"<"


def _what_it_is(response: Response) -> str:
    if _looks_like_html(response):
        return "a web page"
    return "text" if response.body.strip() else "nothing at all"


def _shown(url: str) -> str:
    """Return *url* without its query, because a filter in the query may contain a person's name."""
    return url.partition("?")[0]
