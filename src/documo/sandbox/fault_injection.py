"""Inject faults into a sandbox by rules, so that a client's error handling can be tested.

Only the rules and the seed decide which requests get a fault: the same requests in the same order get the same faults.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from documo.settings import SCIM_PATH
from lockstep.errors import invalid
from lockstep.serving.bodies import AsgiScope, AsgiSend, Receive

ACTIONS = ("status", "delay", "drop_before", "drop_after", "truncate", "html", "content_type", "stale", "duplicate")
FOR_CLIENTS = (SCIM_PATH, "/oauth/", "/events/", "/.well-known/")  # never the pages, where faults are switched
_KEYS = frozenset(
    ("method", "path", "nth", "every", "probability", "times", "do", "status", "headers", "seconds", "value")
)


@dataclass(slots=True)
class Rule:
    """The conditions and the effect of a rule. *nth* counts the matching requests to which no earlier rule applied, starting with 1."""

    do: str
    method: str = ""
    path: re.Pattern[str] = field(default_factory=lambda: re.compile(""))
    nth: int = 0
    every: int = 0
    probability: float = 1.0
    times: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    value: str = ""
    seen: int = 0
    done: int = 0
    is_on: bool = True

    def applies(self, method: str, path: str, chance: random.Random) -> bool:
        """Whether the rule applies to this request. Counts the request if method and path match."""
        if not self.is_on or (self.method and method != self.method) or not self.path.search(path):
            return False
        self.seen += 1
        if (self.nth and self.seen != self.nth) or (self.every and self.seen % self.every):
            return False
        if (self.times and self.done >= self.times) or chance.random() >= self.probability:
            return False
        self.done += 1
        return True


def read_faults(file: Path) -> list[Rule]:
    """Return the rules of a YAML file, which has a list under `faults`. Raises LockstepError, which names the invalid rule."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise invalid(
            f"Cannot read the faults file {file}",
            why=str(error).splitlines()[0],
            next_step="Check the path, and that the file is UTF-8 text",
        ) from None
    items = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(items, list):
        raise invalid(
            f"The faults file {file} contains no list of rules",
            next_step="Write it as: faults: [{path: /Users, do: status}]",
        )
    return [rule_of(item, number) for number, item in enumerate(items, 1)]


def rule_of(item: Any, number: int) -> Rule:
    """Return the rule that *item* describes. Raises LockstepError, which names the rule's *number* and its invalid part."""
    if not isinstance(item, dict) or item.get("do") not in ACTIONS:
        raise invalid(f'Fault {number} needs the key "do" with one of: {", ".join(ACTIONS)}')
    unknown = set(item) - _KEYS
    if unknown:
        raise invalid(
            f"Fault {number} has the unknown key {sorted(map(str, unknown))[0]!r}",
            next_step=f"Keys: {', '.join(sorted(_KEYS))}",
        )
    try:
        rule = Rule(
            do=str(item["do"]), method=str(item.get("method", "")).upper(), path=re.compile(str(item.get("path", ""))),
            nth=int(item.get("nth", 0)), every=int(item.get("every", 0)), probability=float(item.get("probability", 1.0)),
            times=int(item.get("times", 0)), status=int(item.get("status", 503)),
            headers={str(key): str(value) for key, value in (item.get("headers") or {}).items()},
            seconds=float(item.get("seconds", 1.0)), value=str(item.get("value", "")),
        )  # fmt: skip
    except (TypeError, ValueError, AttributeError, re.error) as error:
        raise invalid(f"Fault {number} has an invalid value", why=str(error)) from None
    for key, (least, most) in _RANGES.items():
        if key in item and not least <= getattr(rule, key) <= most:
            raise invalid(f"Fault {number}: {key} must be from {least} to {most}")
    return rule


_RANGES = {
    "status": (200, 599),
    "probability": (0, 1),
    "nth": (1, 10**9),
    "every": (1, 10**9),
    "times": (1, 10**9),
    "seconds": (0, 3600),
}


class FaultInjector:
    """An ASGI application that wraps another one. For a client's request, it carries out the first rule that applies."""

    def __init__(self, app: Any, rules: Sequence[Rule], *, seed: int) -> None:
        self._app = app
        self._rules = rules
        self._chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose
        self._last: dict[str, list[Any]] = {}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        rule = None
        if scope["type"] == "http" and scope["path"].startswith(FOR_CLIENTS):
            rule = next((r for r in self._rules if r.applies(scope["method"], scope["path"], self._chance)), None)
        if rule is None:
            await self._remembering(scope, receive, send)
        else:
            await getattr(self, f"_{rule.do}")(rule, scope, receive, send)

    async def _remembering(self, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        answer: list[Any] = []

        async def keep(message: Any) -> None:
            answer.append(message)
            await send(message)

        await self._app(scope, receive, keep)
        if scope["type"] == "http" and scope["method"] == "GET" and any(rule.do == "stale" for rule in self._rules):
            self._last[self._key(scope)] = answer

    async def _status(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        body = (
            b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d","detail":"Injected fault."}'
            % rule.status
        )
        await _send(send, rule.status, {"content-type": "application/scim+json", **rule.headers}, body)

    async def _html(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        body = b"<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>"
        await _send(send, rule.status, {"content-type": "text/html", **rule.headers}, body)

    async def _delay(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        await asyncio.sleep(rule.seconds)
        await self._app(scope, receive, send)

    async def _drop_before(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        _hang_up(scope, send)

    async def _drop_after(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        await self._app(scope, receive, _nowhere)
        _hang_up(scope, send)

    async def _truncate(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        start, body = await self._collect(scope, receive)
        await send(start)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        _hang_up(scope, send)

    async def _content_type(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        start, body = await self._collect(scope, receive)
        kept = [pair for pair in start["headers"] if pair[0] != b"content-type"]
        await send({**start, "headers": [*kept, (b"content-type", (rule.value or "text/plain").encode())]})
        await send({"type": "http.response.body", "body": body})

    async def _stale(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        """Repeat the previous response to a GET of this address. If there is none, answer as usual."""
        for message in self._last.get(self._key(scope), ()):
            await send(message)
        if self._key(scope) not in self._last:
            await self._remembering(scope, receive, send)

    async def _duplicate(self, rule: Rule, scope: AsgiScope, receive: Receive, send: AsgiSend) -> None:
        """Run the request twice, as a retrying proxy does, and send the second response."""
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        await self._app(scope, _again(messages), _nowhere)
        await self._app(scope, _again(messages), send)

    async def _collect(self, scope: AsgiScope, receive: Receive) -> tuple[Any, bytes]:
        messages: list[Any] = []

        async def keep(message: Any) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])

    @staticmethod
    def _key(scope: AsgiScope) -> str:
        return f"{scope['path']}?{scope['query_string'].decode('latin-1')}"


async def _send(send: AsgiSend, status: int, headers: dict[str, str], body: bytes) -> None:
    pairs = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _hang_up(scope: AsgiScope, send: AsgiSend) -> None:
    """Close the connection without sending another byte."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()


async def _nowhere(message: Any) -> None:
    return None


def _again(messages: list[Any]) -> Receive:
    waiting = list(messages)

    async def receive() -> Any:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    return receive
