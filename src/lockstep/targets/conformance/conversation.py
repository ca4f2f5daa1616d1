"""Send the requests of a check, and remember every exchange and everything that must be deleted afterwards.

If the server does not respond, or responds with something other than SCIM, the check ends with a sentence that says so.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import orjson

from lockstep.configuration.authentication import Authentication
from lockstep.http.client import HttpClient, Response
from lockstep.http.trouble import WireError
from lockstep.scim.tokens import quote as json_quote
from lockstep.targets.authorization import Authorizer, NoToken
from lockstep.targets.conformance.findings import Broken, Doubtful
from lockstep.targets.pacing import read_retry_after
from lockstep.targets.redaction import Redactor
from lockstep.targets.scim_answers import id_in
from lockstep.targets.scim_requests import TenantUrlParts

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
JSON = "application/scim+json"
MOST_ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. *body* is its JSON object, or empty if there is none. *is_json* distinguishes an empty object from a body that is not
    JSON.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    is_json: bool

    def must_be(self, *statuses: int) -> Reply:
        """Return this response. Raises Broken unless the status is one of *statuses*."""
        if self.status not in statuses:
            wanted = " or ".join(str(status) for status in statuses)
            raise Broken(f"{self.method} {self.path} answered {self.status} instead of {wanted}{self._words()}")
        return self

    def resource(self) -> dict[str, Any]:
        """Return the resource in the body. Raises Broken if the body is not a resource."""
        if not self.is_json or not isinstance(self.body.get("id"), str):
            raise Broken(f"{self.method} {self.path} answered {self.status} without a resource that has an id")
        return self.body

    def listed(self, *, names_itself: bool = False) -> list[dict[str, Any]]:
        """Return the resources in the body. Raises Broken if the body is not a ListResponse.

        If *names_itself* is false, the body may lack the schema of a ListResponse: check P0 reports that, and the other checks must still
        find other problems.
        """
        self.must_be(200)
        total, resources = self.body.get("totalResults"), self.body.get("Resources", [])
        if type(total) is not int or not isinstance(resources, list):
            raise Broken(f"{self.method} {self.path} did not answer with a ListResponse (totalResults, Resources)")
        if names_itself and LIST not in self.body.get("schemas", ()):
            raise Broken(f'{self.method} {self.path} answered without "{LIST}" in schemas')
        return [one for one in resources if isinstance(one, dict)]

    def _words(self) -> str:
        detail = self.body.get("detail")
        return f' ("{" ".join(detail.split())[:120]}")' if isinstance(detail, str) and detail else ""


@dataclass(frozen=True, slots=True)
class RepeatableExchange:
    """A request and its response, in a form that a person can repeat.

    *token* is the text to send after `Bearer`; it is never the real token. *received* is redacted.
    """

    method: str
    url: str
    token: str
    sent: bytes
    status: int | None
    received: str
    seconds: float


class Conversation:
    """The requests of one check.

    *made* lists the paths of the resources that were created and still exist, in the order of their creation. All checks share the list. If
    the response to a create contained no id, the path is a search for the resource.
    """

    def __init__(
        self,
        client: HttpClient,
        tenant: TenantUrlParts,
        secret: Any,
        made: list[str],
        *,
        seconds: float,
        authorizer: Authorizer | None = None,
    ) -> None:
        self.exchanges: list[RepeatableExchange] = []
        self.made = made
        self.tenant = tenant
        self._client = client
        self._authorizer = authorizer or Authorizer(client, secret, Authentication())
        self._redactor = Redactor(secret, token=lambda: self._authorizer.token)
        self._seconds = seconds

    async def send(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, token: str | None = None
    ) -> Reply:
        """Send one request and return the response.

        *token* is sent instead of the real token. If it is None, the real token is sent; if it is "", no token is sent.
        """
        url = self.tenant.at(path)
        content = orjson.dumps(body) if raw is None and body is not None else raw
        headers = {"Accept": f"{JSON}, application/json"}
        if content is not None:
            headers["Content-Type"] = f"{JSON}; charset=utf-8"
        if token != "":
            headers["Authorization"] = f"Bearer {token}" if token else await self._authorized(method, url)
        shown = "$SCIM_TOKEN" if token is None else token
        sent = RepeatableExchange(method, url, shown, content or b"", None, "", 0.0)
        got = await self._answered(sent, headers, content)
        parsed, is_json = _object(got.body)
        bare = path.partition("?")[0]
        if method == "POST" and 200 <= got.status < 300:
            self._remember_made(bare, body, parsed)
        elif method == "DELETE" and 200 <= got.status < 300 and bare in self.made:
            self.made.remove(bare)
        return Reply(method, bare, got.status, got.headers, parsed, is_json)

    async def _authorized(self, method: str, url: str) -> str:
        try:
            return await self._authorizer.header(asyncio.get_running_loop().time() + self._seconds)
        except NoToken as refused:
            raise Broken(f"{method} {url} was not sent: {refused.answer.detail}") from None

    def _remember_made(self, collection: str, sent: Any, answered: Mapping[str, Any]) -> None:
        """Remember a created resource that must be deleted: by its id or, if the response has no id, by a search for its name."""
        if found := id_in(answered):
            self.made.append(f"{collection}/{quote(found, safe='')}")
            return
        attribute = "displayName" if collection == "/Groups" else "userName"
        if isinstance(sent, Mapping) and isinstance(sent.get(attribute), str):
            wanted = quote(f"{attribute} eq {json_quote(sent[attribute])}", safe="")
            self.made.append(f"{collection}?filter={wanted}")

    async def _answered(self, sent: RepeatableExchange, headers: Mapping[str, str], content: bytes | None) -> Response:
        """Send a request and return the response. A request that the server's rate limit refuses is sent again."""
        for attempt in range(MOST_ATTEMPTS):
            deadline = asyncio.get_running_loop().time() + self._seconds
            try:
                got = await self._client.send(sent.method, sent.url, headers=headers, body=content, deadline=deadline)
            except WireError as failed:
                self._remember(sent, None, failed.seconds, b"")
                raise Broken(f"{sent.method} {sent.url} got no response: {failed.sentence}") from None
            self._remember(sent, got.status, got.seconds, got.body)
            if got.status != 429:
                break
            now = datetime.now(UTC)
            again_at = read_retry_after(got.headers.get("retry-after", ""), now)
            wait = (again_at - now).total_seconds() if again_at else 2.0**attempt
            await asyncio.sleep(min(wait, LONGEST_WAIT_SECONDS))
        return got

    async def get(self, path: str, *, plus: bool = True, **query: str) -> Reply:
        """Send a GET with a query. *plus* encodes a space as `+`, as Entra does, instead of `%20`."""
        encode = quote_plus if plus else quote
        text = "&".join(f"{name}={encode(value, safe='')}" for name, value in query.items())
        return await self.send("GET", f"{path}?{text}" if text else path)

    async def patch(self, path: str, *operations: Mapping[str, Any]) -> Reply:
        """Change a resource. The server may answer 200 with the resource or 204."""
        reply = await self.send("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)})
        reply.must_be(200, 204)
        if reply.status == 200 and not reply.is_json:
            raise Broken(f"PATCH {path} answered 200 without the resource")
        return reply

    async def read(self, path: str) -> dict[str, Any]:
        """Return the resource as the server has it now."""
        return (await self.send("GET", path)).must_be(200).resource()

    async def new_user(self, **more: Any) -> tuple[str, dict[str, Any]]:
        """Create a person with a unique name; return its path and the response.

        Status 200 is accepted as well. Check E0 reports it; the other checks must still find other problems.
        """
        body = {"schemas": [USER], "userName": self.new_name(), "active": True, **more}
        created = (await self.send("POST", "/Users", body)).must_be(200, 201).resource()
        return f"/Users/{quote(created['id'], safe='')}", created

    async def new_group(self, **more: Any) -> tuple[str, dict[str, Any]]:
        """Create a group with a unique name; return its path and the response. Status 200 is accepted too: check G3 reports it."""
        body = {"schemas": [GROUP], "displayName": self.new_name(), **more}
        created = (await self.send("POST", "/Groups", body)).must_be(200, 201).resource()
        return f"/Groups/{quote(created['id'], safe='')}", created

    def new_name(self) -> str:
        """Return an unused user name, mail address or group name. People can recognise it if it is left behind."""
        return f"lockstep-check-{secrets.token_hex(6)}@example.com"

    def _remember(self, sent: RepeatableExchange, status: int | None, seconds: float, received: bytes) -> None:
        shown = self._redactor.body(received)
        self.exchanges.append(
            replace(sent, url=self._redactor.text(sent.url), status=status, seconds=seconds, received=shown)
        )


def must_be(actual: Any, wanted: Any, what: str) -> None:
    """Raise Broken unless *actual* equals *wanted*. *what* names the value in the message."""
    if actual != wanted:
        raise Broken(f"{what} is {_short(actual)} instead of {_short(wanted)}")


def should(holds: bool, sentence: str) -> None:
    """Raise Doubtful with *sentence* unless *holds* is true."""
    if not holds:
        raise Doubtful(sentence)


def error_form(reply: Reply, scim_type: str = "") -> None:
    """Raise Doubtful unless the body is a SCIM error (RFC 7644, 3.12) with the status of the response and, if given, with *scim_type*."""
    should(
        reply.is_json and ERROR in reply.body.get("schemas", ()),
        f"{reply.method} {reply.path} answered {reply.status} without a SCIM error in the body",
    )
    status = reply.body.get("status")
    should(
        status == str(reply.status), f'the error says status {_short(status)} instead of the string "{reply.status}"'
    )
    if scim_type:
        given = reply.body.get("scimType")
        should(given == scim_type, f"the error says scimType {_short(given)} instead of {_short(scim_type)}")


def _object(body: bytes) -> tuple[dict[str, Any], bool]:
    try:
        parsed = orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        parsed = None
    return (parsed, True) if isinstance(parsed, dict) else ({}, False)


def _short(value: Any) -> str:
    if value is None:
        return "missing"
    return orjson.dumps(value, default=str).decode()[:160]
