"""Send one SCIM request: wait for a turn, add the headers, record the exchange for the log, and interpret the response.

The secret is revealed only while a header is built. A request is sent again in one case only: the application refused an access token of
client credentials because the token had expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lockstep.errors import Kind, LockstepError
from lockstep.http.client import HttpClient, Response
from lockstep.http.trouble import Trouble, WireError
from lockstep.ports import Answer, Exchange, Observer, TargetError, TargetSettings, Turns, Verdict
from lockstep.targets.authorization import Authorizer, NoToken
from lockstep.targets.listing import Dishonest
from lockstep.targets.pacing import Pace, TooSoon
from lockstep.targets.redaction import RecordedExchange, Redactor
from lockstep.targets.scim_answers import Sayer, ScimReading, not_scim, read_answer, read_trouble
from lockstep.targets.scim_requests import RequestPurpose, ScimRequest, TenantUrlParts

SCIM = "application/scim+json"
LONGEST_WAIT_FOR_TURN = 2.0


class ScimSender:
    """Sends the requests of one application to *tenant*. The values of *redacted_paths* stay out of every record."""

    def __init__(
        self,
        settings: TargetSettings,
        client: HttpClient,
        tenant: TenantUrlParts,
        *,
        turns: Turns | None,
        observer: Observer,
        redacted_paths: frozenset[str],
    ) -> None:
        self._settings = settings
        self._client = client
        self._tenant = tenant
        self._turns = turns
        self._observer = observer
        self._pace = Pace(settings.requests_per_second, settings.concurrency)
        self._authorizer = Authorizer.of(settings, client)
        self._redactor = Redactor(settings.secret, paths=redacted_paths, token=lambda: self._authorizer.token)
        self._sayer = Sayer(settings.display_name, settings.app, self._redactor)

    async def send(self, request: ScimRequest, operation_id: str, deadline: float) -> tuple[Answer, ScimReading]:
        """Wait for a turn and send one request. Errors of the application or the network become an answer and are never raised.

        Raises LockstepError, and sends nothing, if the request could write and the target was opened only for reading.
        """
        if self._settings.reads_only and not request.is_read:
            raise _write_while_reading(request)
        url = self._tenant.at(request.path)
        longest_wait = min(LONGEST_WAIT_FOR_TURN, self._settings.deadline_seconds / 4)
        try:
            async with self._pace.turn(longest_wait=longest_wait):
                # Check once more just before sending: the application may have asked another worker to wait in the meantime.
                if self._turns is not None and (wait := await self._turns.spend()) > 0:
                    raise TooSoon(wait)
                response = await self._authorizer.sent(
                    lambda header: self._client.send(
                        request.method,
                        url,
                        headers=self._headers(request, operation_id, header),
                        body=request.body,
                        deadline=deadline,
                    ),
                    deadline,
                )
        except TooSoon as early:
            return _nothing(self._too_soon(early))
        except NoToken as refused:
            return _nothing(refused.answer)
        except WireError as error:
            if error.trouble is not Trouble.BLOCKED:
                self._observer(self._settings.app, None, error.seconds)
            answer = read_trouble(request.call, error, self._sayer)
            if error.trouble.was_sent:
                exchange = self._record(request, url, None, error.seconds, b"", operation_id)
                answer = replace(answer, exchanges=(exchange,))
            return _nothing(answer)
        self._observer(self._settings.app, response.status, response.seconds)
        exchange = self._record(request, url, response.status, response.seconds, response.body, operation_id)
        return self._judged(request, response, url, exchange)

    def judged_in_bulk(self, request: ScimRequest, response: Response | None, exchange: Exchange) -> Answer:
        """Interpret the result of one operation of a bulk request as if *request* had been sent alone. If *response* is None, the
        application did not report a usable result.
        """
        url = self._tenant.at("/Bulk")
        if response is None:
            answer = not_scim(request, url, self._sayer, "without the result of this operation")
            return replace(answer, exchanges=(exchange,))
        now = datetime.now(UTC)
        return read_answer(request, response, url, self._sayer, now=now, exchanges=(exchange,)).answer

    def paced(self, answers: Sequence[Answer]) -> list[Answer]:
        """Adapt the pace to the *answers* of one bulk request. If several answers refuse because of the load, they count as one refusal."""
        throttled = [one for one in answers if one.verdict is Verdict.THROTTLED]
        if not throttled:
            self._pace.keep_going()
            return list(answers)
        wait = timedelta(seconds=self._pace.slow_down(None))
        return [replace(one, wait=wait) if one.verdict is Verdict.THROTTLED else one for one in answers]

    def recorded_in_bulk(
        self,
        request: ScimRequest,
        status: int | None,
        seconds: float,
        sent: bytes,
        received: str | bytes,
        bulk_id: str,
        *,
        shares_request: bool,
    ) -> Exchange:
        """Build the record of one operation of a bulk request. *sent* is a bulk request that contains only this operation."""
        redactor = self._redactor.hiding(request.hidden)
        url = self._tenant.at("/Bulk")
        return RecordedExchange(
            "POST", url, status, seconds, sent, received, bulk_id, redactor, shares_request=shares_request
        )

    def _judged(
        self, request: ScimRequest, response: Response, url: str, exchange: Exchange
    ) -> tuple[Answer, ScimReading]:
        now = datetime.now(UTC)
        reading = read_answer(request, response, url, self._sayer, now=now, exchanges=(exchange,))
        answer = reading.answer
        if answer.verdict is Verdict.THROTTLED:
            named = answer.wait.total_seconds() if answer.wait is not None else None
            answer = replace(answer, wait=timedelta(seconds=self._pace.slow_down(named)))
        elif (
            answer.is_done and request.call is not RequestPurpose.BULK
        ):  # for bulk requests, the results decide: `paced`
            self._pace.keep_going()
        return answer, reading

    def _record(
        self, request: ScimRequest, url: str, status: int | None, seconds: float, body: bytes, operation_id: str
    ) -> Exchange:
        redactor = self._redactor.hiding(request.hidden)
        return RecordedExchange(request.method, url, status, seconds, request.body or b"", body, operation_id, redactor)

    def _headers(self, request: ScimRequest, operation_id: str, authorization: str) -> dict[str, str]:
        headers = {"Accept": f"{SCIM}, application/json"}
        if authorization:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Type"] = SCIM
        if request.call is RequestPurpose.MEMBERS:
            headers["Prefer"] = "return=minimal"  # RFC 7240: the response need not list all members of the group
        if request.etag:
            headers["If-Match"] = request.etag
        if operation_id:
            headers["X-Request-Id"] = operation_id
            headers["Idempotency-Key"] = operation_id
        return headers

    def _too_soon(self, early: TooSoon) -> Answer:
        name = self._settings.display_name
        return Answer(
            Verdict.THROTTLED,
            code="TooManyRequests",
            detail=f"The request limit of {name} is reached for the moment; nothing was sent",
            next_step="Nothing to do: Lockstep sends it later",
            wait=timedelta(seconds=early.wait_seconds),
        )

    def broken(self, request: ScimRequest, broken: Dishonest, exchanges: tuple[Exchange, ...]) -> TargetError:
        """Return the error for a response that has the form of SCIM but cannot be correct."""
        answer = not_scim(request, self._tenant.at(request.path), self._sayer, broken.fault)
        return TargetError(replace(answer, exchanges=exchanges))


def _write_while_reading(request: ScimRequest) -> LockstepError:
    return LockstepError(
        Kind.INTERNAL,
        f"Lockstep was about to send {request.method} while it was only reading. Nothing was sent",
        next_step="Report this as a bug",
    )


def _nothing(answer: Answer) -> tuple[Answer, ScimReading]:
    return answer, ScimReading(answer)
