"""The connection test: probe each step between this machine and the application's SCIM service, and report one line per probe.

If a failure makes a later probe pointless, that probe is listed as "not tried". The results of two tests can therefore be compared line by
line. Nothing is written to the application.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

import orjson

from lockstep.engine.records import ObjectKind
from lockstep.http.client import HttpClient, Response
from lockstep.http.trouble import WireError
from lockstep.ports import Answer, Probe, TargetSettings, Verdict
from lockstep.targets.authorization import Authorizer, NoToken
from lockstep.targets.listing import Dishonest, read_found
from lockstep.targets.probing.reachability import suggested_url, try_dns, try_tcp, try_tls, try_url
from lockstep.targets.redaction import RecordedExchange, Redactor
from lockstep.targets.scim_answers import Sayer, not_scim, read_answer, read_trouble
from lockstep.targets.scim_requests import RequestPurpose, ScimRequest, find_request, read_tenant_url

NAMES = (
    "URL",
    "DNS",
    "TCP",
    "TLS",
    "Without token",
    "Authentication",
    "Filter",
    "Groups",
    "ServiceProviderConfig",
    "Schemas",
    "PATCH support",
    "Clock",
    "Latency",
)
MOST_CLOCK_SKEW_SECONDS = 300
SLOW_SECONDS = 2.0
WITHOUT_GROUPS = frozenset({404, 405, 410, 501})  # how an application without groups answers
_NO_GROUPS = (
    "People were found, so the tenant URL is right. If the application has no groups, switch off the mapping of groups: "
    "on the page Mappings, or with `enabled: false` in a configuration file (lockstep export {app})"
)


async def test_connection(settings: TargetSettings, client: HttpClient) -> Sequence[Probe]:
    """Probe the connection step by step. The connection works if every probe that was tried has passed."""
    return await ConnectionTest(settings, client).run()


class ConnectionTest:
    """One run of the connection test. It keeps the results so far, and the responses that later probes need."""

    def __init__(self, settings: TargetSettings, client: HttpClient) -> None:
        self._settings = settings
        self._client = client
        self._authorizer = Authorizer.of(settings, client)
        self._redactor = Redactor(settings.secret, token=lambda: self._authorizer.token)
        self._sayer = Sayer(settings.display_name, settings.app, self._redactor)
        self._probes: list[Probe] = []
        self._seconds: list[float] = []
        self._date = ""

    async def run(self) -> Sequence[Probe]:
        """Run all probes in order. A probe that an earlier failure has made pointless is reported as "not tried"."""
        if await self._reach() and await self._sign_in():
            if ObjectKind.GROUP in self._settings.kinds:
                await self._find_nobody("Groups", ObjectKind.GROUP, "displayName")
            await self._discover()
            self._compare_clocks()
            self._tell_latency()
        return tuple(self._with_untried())

    async def _reach(self) -> bool:
        url = try_url(self._client, self._settings.tenant_url)
        self._probes.append(url.probe)
        if url.found is None:
            return False
        dns = await try_dns(self._client, url.found)
        self._probes.append(dns.probe)
        if dns.found is None:
            return False
        tcp = await try_tcp(url.found, dns.found)
        self._probes.append(tcp.probe)
        if tcp.found is None:
            return False
        tls = await try_tls(self._client, url.found, tcp.found)
        self._probes.append(tls.probe)
        return tls.found is not None

    async def _sign_in(self) -> bool:
        attribute = self._settings.matching_attribute
        request = find_request(ObjectKind.USER, attribute, str(uuid4()))
        self._probes.append(await self._without_token(request))
        return await self._find_nobody("Filter", ObjectKind.USER, attribute, tells_authentication=True)

    async def _without_token(self, request: ScimRequest) -> Probe:
        response, failed, exchange = await self._exchange(request, with_token=False)
        seconds = exchange.seconds
        if response is None:
            return Probe("Without token", True, failed.detail if failed else "", "", seconds, exchange)
        if response.status in (401, 403):
            return Probe(
                "Without token",
                True,
                f"Requests without credentials are refused (HTTP {response.status})",
                "",
                seconds,
                exchange,
            )
        sentence = f"It answers HTTP {response.status} even without credentials"
        remedy = "Make sure that its accounts are not readable by everyone" if response.status == 200 else ""
        return Probe("Without token", True, sentence, remedy, seconds, exchange)

    async def _find_nobody(
        self, name: str, kind: ObjectKind, attribute: str, *, tells_authentication: bool = False
    ) -> bool:
        """Search for a name that does not exist. Returns whether the response is correct: status 200 with an empty list."""
        request = find_request(kind, attribute, str(uuid4()))
        response, failed, exchange = await self._exchange(request)
        answer = failed or self._judged_search(request, response, attribute)
        # Without an access token the search was not sent, so any failure here is a failure to authenticate.
        refused = answer.verdict is Verdict.UNAUTHORIZED or (response is None and exchange.method == "POST")
        add = self._probes.append
        if tells_authentication and refused:
            add(Probe("Authentication", False, answer.detail, answer.next_step, exchange.seconds, exchange))
            return False
        if tells_authentication and response is not None:
            add(Probe("Authentication", True, "The credentials were not refused", "", exchange.seconds, exchange))
        if answer.is_done:
            what = "group that" if kind is ObjectKind.GROUP else "person who"
            sentence = f"A search by {attribute} for a {what} does not exist returns 200 and an empty list"
            add(Probe(name, True, sentence, "", exchange.seconds, exchange))
            return True
        remedy = self._remedy(answer, response)
        if kind is ObjectKind.GROUP and response is not None and response.status in WITHOUT_GROUPS:
            remedy = _NO_GROUPS.format(app=self._settings.app)  # people were found, so the tenant URL is right
        add(Probe(name, False, answer.detail, remedy, exchange.seconds, exchange))
        return False

    def _judged_search(self, request: ScimRequest, response: Response | None, attribute: str) -> Answer:
        if response is None:
            raise AssertionError("a search without response was already explained")
        url = self._url(request.path)
        reading = read_answer(request, response, url, self._sayer, now=datetime.now(UTC))
        if not reading.answer.is_done:
            return reading.answer
        try:
            # No account has an empty name, so any account in the response is an error.
            read_found(request, reading.content or {}, attribute=attribute, value="")
        except Dishonest as broken:
            fault = broken.fault
            if "ignore filters" in fault:
                fault = "with accounts although no one has the requested name: it seems to ignore filters"
            return not_scim(request, url, self._sayer, fault)
        return reading.answer

    def _remedy(self, answer: Answer, response: Response | None) -> str:
        suggested = suggested_url(self._settings.tenant_url)
        not_there = response is not None and (response.status in (404, 405, 410) or "not SCIM" in answer.detail)
        if suggested and not_there:
            return f"The tenant URL does not end with /scim/v2: try {suggested}"
        return answer.next_step

    async def _discover(self) -> None:
        config = await self._discovery("ServiceProviderConfig", "/ServiceProviderConfig", lambda body: "patch" in body)
        await self._discovery("Schemas", "/Schemas", lambda body: isinstance(body.get("Resources"), list))
        patch = config.get("patch") if config else None
        supported = patch.get("supported") if isinstance(patch, Mapping) else None
        name = self._settings.display_name
        if supported is False:
            sentence = f"{name} says that it does not support PATCH; Lockstep replaces whole resources with PUT instead"
            self._probes.append(Probe("PATCH support", True, sentence))
        else:
            sentence = f"{name} supports PATCH" if supported else f"{name} does not say whether it supports PATCH"
            self._probes.append(Probe("PATCH support", True, sentence))

    async def _discovery(
        self, name: str, path: str, fits: Callable[[Mapping[str, Any]], bool]
    ) -> Mapping[str, Any] | None:
        """Read one discovery endpoint. Returns None if the endpoint is missing or its response is not usable. The test reports this but
        does not fail, because Lockstep works without these endpoints.
        """
        response, failed, exchange = await self._exchange(
            ScimRequest(RequestPurpose.PAGE, ObjectKind.USER, "GET", path)
        )
        body: Any = None
        if response is not None and response.status == 200:
            try:
                body = orjson.loads(response.body)
            except orjson.JSONDecodeError:
                body = None
        if isinstance(body, dict) and fits(body):
            self._probes.append(Probe(name, True, f"{path} is available", "", exchange.seconds, exchange))
            return body
        why = f"HTTP {response.status}" if response is not None else (failed.detail if failed else "no response")
        if response is not None and response.status == 200:
            why = "the response does not follow SCIM"
        sentence = f"{path} is not available ({why}); Lockstep works without it"
        self._probes.append(Probe(name, True, sentence, "", exchange.seconds, exchange))
        return None

    def _compare_clocks(self) -> None:
        try:
            at = parsedate_to_datetime(self._date)
            at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        except (ValueError, TypeError):
            self._probes.append(Probe("Clock", True, "The application does not send its time (no Date header)"))
            return
        skew = abs((datetime.now(UTC) - at).total_seconds())
        if skew <= MOST_CLOCK_SKEW_SECONDS:
            self._probes.append(Probe("Clock", True, "The clocks of both machines agree"))
            return
        sentence = f"The clocks of both machines differ by {skew / 60:.0f} minutes"
        self._probes.append(Probe("Clock", True, sentence, "Correct the wrong clock; token expiry depends on it"))

    def _tell_latency(self) -> None:
        median = statistics.median(self._seconds)
        sentence = f"Median response time: {median * 1000:.0f} ms"
        remedy = f"{self._settings.display_name} is slow: cycles will take a long time" if median > SLOW_SECONDS else ""
        self._probes.append(Probe("Latency", True, sentence, remedy, median))

    async def _exchange(
        self, request: ScimRequest, *, with_token: bool = True
    ) -> tuple[Response | None, Answer | None, RecordedExchange]:
        """Send one request of the test. Return the response, a failure and the recorded exchange. Without a response, the failure says why
        there is none. Otherwise, the failure is None.
        """
        url = self._url(request.path)
        headers = {"Accept": "application/scim+json, application/json"}
        deadline = asyncio.get_running_loop().time() + self._settings.deadline_seconds
        try:
            if with_token and (authorization := await self._authorizer.header(deadline)):
                headers["Authorization"] = authorization
            response = await self._client.send(request.method, url, headers=headers, deadline=deadline)
        except NoToken as refused:
            token_url = self._settings.authentication.token_url
            return None, refused.answer, RecordedExchange("POST", token_url, None, 0.0, redactor=self._redactor)
        except WireError as error:
            exchange = RecordedExchange(request.method, url, None, error.seconds, redactor=self._redactor)
            return None, read_trouble(request.call, error, self._sayer), exchange
        self._seconds.append(response.seconds)
        self._date = response.headers.get("date", self._date)
        exchange = RecordedExchange(
            request.method, url, response.status, response.seconds, b"", response.body, redactor=self._redactor
        )
        return response, None, exchange

    def _url(self, path: str) -> str:
        return read_tenant_url(self._settings.tenant_url).at(path)

    def _with_untried(self) -> list[Probe]:
        tried = {probe.name: probe for probe in self._probes}
        failed = next((probe.name for probe in self._probes if not probe.passed), "")
        wanted = [name for name in NAMES if name != "Groups" or ObjectKind.GROUP in self._settings.kinds]
        return [
            tried.get(name) or Probe(name, False, f"Skipped because {failed} failed", tried=False) for name in wanted
        ]
