"""Build the Authorization header of requests to an application: a bearer token, Basic, or a token from OAuth 2.0 client
credentials.

An access token is fetched when it is needed, and kept only in memory (RFC 6749, section 4.4). It is replaced before it expires. If the
application refuses a token that worked before, it is also replaced, once. The secret is revealed only while a header is built.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import orjson

from lockstep.configuration.authentication import Authentication, AuthenticationMethod
from lockstep.http.client import HttpClient, Response
from lockstep.http.trouble import WireError
from lockstep.ports import Answer, TargetSettings, Verdict
from lockstep.targets.redaction import Redactor
from lockstep.vault import Secret

# # A token counts as expired this long before its end, so that it does not expire while a request is on its way.
EARLIER_SECONDS = 60.0
_LONGEST_TOKEN = 16_384
_SECRET_REFUSED = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_grant", "invalid_scope", "access_denied"}
)


class NoToken(Exception):
    """Raised if no access token could be fetched. *answer* says why. The request that needed the token was certainly not sent."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.detail)
        self.answer = answer


class Authorizer:
    """Builds the Authorization header for one application.

    *name* is the application's display name, and *app* is its name in commands.
    """

    def __init__(
        self, client: HttpClient, secret: Any, authentication: Authentication, *, name: str = "", app: str = ""
    ) -> None:
        self._client = client
        self._secret = secret
        self._authentication = authentication
        self._name, self._app = name or "The application", app
        self._token: Secret | None = None
        self._ends_at = 0.0  # of the event loop's clock
        self._has_worked = False
        self._in_body = False  # whether the token endpoint takes the secret only in the body
        self._fetching = asyncio.Lock()

    @classmethod
    def of(cls, settings: TargetSettings, client: HttpClient) -> Authorizer:
        """Return the authorizer of the application with these settings."""
        return cls(client, settings.secret, settings.authentication, name=settings.display_name, app=settings.app)

    @property
    def token(self) -> Secret | None:
        """The current access token, for code that must hide it in logs; None if there is none."""
        return self._token

    async def header(self, deadline: float) -> str:
        """Return the value of the header, or "" if there is no secret. Raises NoToken if an access token cannot be fetched.

        *deadline* has the same meaning as in `HttpClient.send`.
        """
        if not self._secret:
            return ""
        match self._authentication.method:
            case AuthenticationMethod.BASIC:
                return _basic(self._authentication.client_id, self._secret.reveal())
            case AuthenticationMethod.CLIENT_CREDENTIALS:
                async with self._fetching:
                    if self._token is None or asyncio.get_running_loop().time() >= self._ends_at:
                        await self._fetch(deadline)
                    return f"Bearer {self._token.reveal() if self._token else ''}"
            case _:
                return f"Bearer {self._secret.reveal()}"

    async def sent(self, send: Callable[[str], Awaitable[Response]], deadline: float) -> Response:
        """Call *send* with the header and return the response.

        If the application refuses a token that worked before, *send* is called once more with a new token. Raises NoToken if an access
        token cannot be fetched. Exceptions from *send* are passed on.
        """
        header = await self.header(deadline)
        response = await send(header)
        if response.status != 401:
            self._has_worked = self._has_worked or self._is_present(header)
        elif self._renews(header):
            response = await send(await self.header(deadline))
        return response

    def _renews(self, header: str) -> bool:
        """Whether a request that was refused with *header* should be sent again with a new token.

        Only a token that worked before is replaced. If the application refuses a new token, fetching another one would not help.
        """
        if self._authentication.method is not AuthenticationMethod.CLIENT_CREDENTIALS:
            return False
        if not self._is_present(header):
            return True  # another request has dropped or replaced this token in the meantime
        if not self._has_worked:
            return False
        self._token = None
        return True

    def _is_present(self, header: str) -> bool:
        return self._token is not None and header == f"Bearer {self._token.reveal()}"

    async def _fetch(self, deadline: float) -> None:
        response = await self._ask(deadline)
        if response.status in (400, 401) and _error_of(response) == "invalid_client" and not self._in_body:
            # Servers must accept Basic (RFC 6749, section 2.3.1), but some accept the secret only in the body.
            second = await self._ask(deadline, in_body=True)
            self._in_body = second.status == 200
            response = second if second.status == 200 else response
        token, seconds = _token_in(response)
        if token is None:
            raise NoToken(self._refusal(response))
        lasts = max(seconds - EARLIER_SECONDS, seconds / 2) if seconds else float("inf")
        self._token, self._has_worked = token, False
        self._ends_at = asyncio.get_running_loop().time() + lasts

    async def _ask(self, deadline: float, *, in_body: bool = False) -> Response:
        given, secret = self._authentication, self._secret.reveal()
        form = {"grant_type": "client_credentials"} | ({"scope": given.scope} if given.scope else {})
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if in_body or self._in_body:
            form |= {"client_id": given.client_id, "client_secret": secret}
        else:
            headers["Authorization"] = _basic(quote_plus(given.client_id), quote_plus(secret))
        try:
            return await self._client.send(
                "POST", given.token_url, headers=headers, body=urlencode(form).encode(), deadline=deadline
            )
        except WireError as failed:
            detail = f"No access token for {self._name}: {failed.sentence}"
            raise NoToken(Answer(Verdict.UNREACHABLE, detail=detail, next_step=failed.next_step)) from None

    def _refusal(self, response: Response) -> Answer:
        """Return the answer that says why the token endpoint issued no token. The server's text is not shown, except for an error code of
        RFC 6749.
        """
        error = _error_of(response)
        at = f"(HTTP {response.status}{', ' + error if error else ''}) at POST {self._authentication.token_url}"
        is_passing = response.status == 429 or response.status >= 500
        if not is_passing and (error in _SECRET_REFUSED or response.status in (401, 403)):
            return Answer(
                Verdict.UNAUTHORIZED,
                code="Unauthorized",
                detail=Redactor(self._secret).text(f"The client credentials of {self._name} were refused {at}"),
                next_step=f"Check client ID, secret and scope there, then run: lockstep creds set {self._app} --token-stdin",
            )
        return Answer(
            Verdict.UNREACHABLE if is_passing else Verdict.UNAUTHORIZED,
            code="" if is_passing else "Unauthorized",
            detail=Redactor(self._secret).text(f"{self._name} issued no access token {at}"),
            next_step="Nothing to do: Lockstep tries again later" if is_passing else "Check the token URL",
        )


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _content(response: Response) -> Mapping[str, Any]:
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _error_of(response: Response) -> str:
    """The error code in the response (RFC 6749, section 5.2), or "" if there is none that is safe to show."""
    error = _content(response).get("error")
    is_code = isinstance(error, str) and len(error) <= 40 and error.replace("_", "").isalpha() and error.isascii()
    return str(error) if is_code else ""


def _token_in(response: Response) -> tuple[Secret | None, float]:
    """The access token in the response, and its lifetime in seconds, which is 0 if the response does not state it.

    The token is None if the response has no token that can be sent in a header.
    """
    content = _content(response)
    token, kind, seconds = content.get("access_token"), content.get("token_type", "bearer"), content.get("expires_in")
    is_token = isinstance(token, str) and 0 < len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable()
    if response.status != 200 or not is_token or " " in str(token) or str(kind).lower() != "bearer":
        return None, 0.0
    try:
        lasts = float(seconds) if isinstance(seconds, int | float | str) and not isinstance(seconds, bool) else 0.0
    except ValueError:
        lasts = 0.0
    return Secret(str(token)), lasts if 0 < lasts < 10**9 else 0.0
