"""Run the checks against one server and clean up after them, even if something breaks halfway.

A failed check never stops the others. Only a server that cannot be reached ends the run before it begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from lockstep.errors import Kind, LockstepError
from lockstep.http.client import HttpClient
from lockstep.scim.tokens import quote as json_quote
from lockstep.targets.conformance import groups, okta, service, users  # noqa: F401  # importing them registers their checks
from lockstep.targets.conformance.catalogue import Check, EmulatedClient, checks_of
from lockstep.targets.conformance.conversation import Conversation, RepeatableExchange
from lockstep.targets.conformance.findings import Broken, ConformanceFinding, Doubtful, UnsupportedByServer
from lockstep.targets.scim_answers import id_in
from lockstep.targets.scim_requests import read_tenant_url


class CheckVerdict(StrEnum):
    """The outcome of a check. Only FAIL makes the run fail."""

    OK = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. *sentence* says why the check did not pass. *exchange* is the exchange that showed the problem."""

    check: Check
    verdict: CheckVerdict
    seconds: float
    sentence: str = ""
    exchange: RepeatableExchange | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The results of a run. *left_behind* lists paths that could not be deleted."""

    url: str
    results: tuple[CheckResult, ...]
    requests: int
    seconds: float
    left_behind: tuple[str, ...] = ()

    def count(self, verdict: CheckVerdict) -> int:
        return sum(result.verdict is verdict for result in self.results)

    @property
    def passed(self) -> bool:
        return self.count(CheckVerdict.FAIL) == 0


@dataclass(slots=True)
class _Run:
    client: HttpClient
    url: str
    secret: Any
    seconds: float
    made: list[str] = field(default_factory=list)
    requests: int = 0

    def conversation(self) -> Conversation:
        return Conversation(self.client, read_tenant_url(self.url), self.secret, self.made, seconds=self.seconds)


async def run_checks(
    client: HttpClient,
    url: str,
    secret: Any,
    *,
    clients: Collection[EmulatedClient] = tuple(EmulatedClient),
    deadline_seconds: float = 15.0,
    tell: Callable[[CheckResult], None] = lambda _: None,
) -> CheckReport:
    """Check the SCIM server at *url* with the requests of *clients*. *tell* receives each result as soon as it is known.

    Raises LockstepError if the server cannot be reached or refuses the token.
    """
    started = time.monotonic()
    run = _Run(client, url, secret, deadline_seconds)
    await _knock(run)
    results: list[CheckResult] = []
    left: Sequence[str] = ()
    try:
        has_groups = await _has_groups(run)
        for each in checks_of(clients):
            if each.needs_groups and not has_groups:
                result = CheckResult(each, CheckVerdict.SKIP, 0.0, "the server has no groups")
            else:
                result = await _try(run, each)
            results.append(result)
            tell(result)
    finally:
        left = await _clean_up(run)
    return CheckReport(url, tuple(results), run.requests, time.monotonic() - started, tuple(left))


async def _try(run: _Run, each: Check) -> CheckResult:
    conversation = run.conversation()
    started = time.monotonic()
    verdict, sentence = CheckVerdict.OK, ""
    try:
        await each.body(conversation)
    except ConformanceFinding as found:
        sentence = str(found)
        verdict = {Broken: CheckVerdict.FAIL, Doubtful: CheckVerdict.WARN, UnsupportedByServer: CheckVerdict.SKIP}[
            type(found)
        ]
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        # The checks read responses as a client would. A response that does not have the structure of RFC 7643 raises here.
        verdict, sentence = CheckVerdict.FAIL, "the response has a shape that no client expects"
    run.requests += len(conversation.exchanges)
    exchange = conversation.exchanges[-1] if conversation.exchanges and verdict is not CheckVerdict.OK else None
    return CheckResult(each, verdict, time.monotonic() - started, sentence, exchange)


async def _knock(run: _Run) -> None:
    conversation = run.conversation()
    try:
        reply = await conversation.get("/Users", startIndex="1", count="1")
    except ConformanceFinding as failed:
        raise LockstepError(
            Kind.UNREACHABLE, f"The checks cannot begin: {failed}", next_step="Check the URL and the network"
        ) from None
    run.requests += len(conversation.exchanges)
    if reply.status in (401, 403):
        raise LockstepError(
            Kind.UNAUTHORIZED,
            f"The server refused the token (HTTP {reply.status}) at GET {run.url}/Users",
            next_step="Use a token that may read and write all accounts of a test tenant",
        )
    if reply.status == 404 or not reply.is_json:
        raise LockstepError(
            Kind.UNREACHABLE,
            f"There is no SCIM service at {run.url}: GET /Users answered {reply.status}",
            next_step="Check the URL; it usually ends with /scim/v2",
        )


async def _has_groups(run: _Run) -> bool:
    conversation = run.conversation()
    try:
        reply = await conversation.get("/Groups", startIndex="1", count="1")
    except ConformanceFinding:
        return False
    run.requests += len(conversation.exchanges)
    return reply.status == 200


async def _clean_up(run: _Run) -> list[str]:
    """Delete what the checks created, groups before people. Return the paths of the resources that still exist or may exist."""
    left: list[str] = []
    for path in sorted(dict.fromkeys(run.made), key=lambda made: not made.startswith("/Groups")):
        conversation = run.conversation()
        try:
            for one in await _found(conversation, path):
                if not await _is_deleted(conversation, one):
                    left.append(one)
        except ConformanceFinding:
            left.append(unquote(path))
        run.requests += len(conversation.exchanges)
    return left


async def _found(conversation: Conversation, path: str) -> list[str]:
    """Return the paths of the resources that *path* stands for. If *path* is a search, the result contains the paths of the found resources
    whose name is exactly the name in the search. Otherwise, the result is *path* itself.

    Raises Broken if the search finds no such resource.
    """
    collection, is_search, _ = path.partition("?")
    if not is_search:
        return [path]
    resources = (await conversation.send("GET", path)).must_be(200).body.get("Resources")
    shown = [one for one in resources if isinstance(one, dict)] if isinstance(resources, list) else []
    # A server that ignores filters returns everybody, so select only resources with our name.
    ids = [
        id_in(one) for one in shown if json_quote(str(one.get("userName") or one.get("displayName"))) in unquote(path)
    ]
    if not ids or not all(ids):
        raise Broken("a created resource is not found by its name")
    return [f"{collection}/{quote(one, safe='')}" for one in ids]


async def _is_deleted(conversation: Conversation, path: str) -> bool:
    if (await conversation.send("DELETE", path)).status in (200, 202, 204, 404, 410):
        return True
    # Some servers refuse to delete a resource that does not exist.
    return (await conversation.send("GET", path)).status in (404, 410)
