"""Record an HTTP exchange for the log, without its secrets.

Bodies are kept as bytes and rendered only on demand, because most exchanges are never shown. A hostile application may return the token
that Lockstep sent, possibly encoded. Every string is therefore searched for the token before it is shown.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import orjson

from lockstep.engine.rules.secrecy import names_a_secret
from lockstep.ports import Exchange

HIDDEN = "[Redact]"
LONGEST_KEPT_BODY = 16_384
SHORTEST_SECRET = 4


class Redactor:
    """Removes the application's token, passwords and redacted values from text that is shown.

    *token* is the current access token. Both *token* and *secret* are revealed only while a text is searched for them. *paths* are the
    target paths whose attributes are always hidden.
    """

    __slots__ = ("_attributes", "_hidden", "_secret", "_token")

    def __init__(
        self,
        secret: Any,
        hidden: Collection[str] = (),
        *,
        paths: Collection[str] = (),
        token: Callable[[], Any] = lambda: None,
    ) -> None:
        self._secret = secret
        self._token = token
        self._hidden = frozenset(text for text in hidden if text)
        self._attributes = frozenset(_attribute_of(path) for path in paths)

    def hiding(self, values: Collection[str]) -> Redactor:
        """Return a redactor that also hides *values*."""
        if not values:
            return self
        more = Redactor(self._secret, (*self._hidden, *values), token=self._token)
        more._attributes = self._attributes
        return more

    def text(self, text: str) -> str:
        """Return *text* without hidden values, and without the token in any encoding."""
        for secret in filter(None, (self._secret, self._token())):
            for spelling in _spellings(secret.reveal()):
                if spelling.lower() in text.lower():
                    text = re.sub(re.escape(spelling), lambda _: HIDDEN, text, flags=re.IGNORECASE)
        for value in self._hidden:
            text = text.replace(value, HIDDEN).replace(quote(value, safe=""), HIDDEN)
        return text

    def body(self, body: bytes) -> str:
        """Return *body* as text. JSON is shown without secret values and cut to length; for any other body only the size is
        shown.
        """
        if not body:
            return ""
        if len(body) > 4 * LONGEST_KEPT_BODY:
            return f"({len(body):,} bytes, too many to keep)"
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            return f"({len(body):,} bytes that are not JSON)"
        try:
            shown = orjson.dumps(self._cleaned(parsed)).decode()
        except (TypeError, UnicodeEncodeError, RecursionError):
            return f"({len(body):,} bytes that cannot be shown)"
        return self.text(shown)[:LONGEST_KEPT_BODY]

    def _hides(self, name: Any) -> bool:
        if not isinstance(name, str):
            return False
        return names_a_secret(name) or (bool(self._attributes) and _attribute_of(name) in self._attributes)

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, dict):
            hides = self._hides(value.get("path"))
            return {
                name: HIDDEN if self._hides(name) or (hides and name == "value") else self._cleaned(inner)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self._cleaned(inner) for inner in value]
        if isinstance(value, str) and value in self._hidden:
            return HIDDEN
        return value


class RecordedExchange(Exchange):
    """An HTTP exchange whose bodies are rendered when they are read."""

    __slots__ = ("_received", "_redactor", "_sent", "_target")

    def __init__(
        self,
        method: str,
        url: str,
        status: int | None,
        seconds: float,
        request_body: str | bytes = b"",
        response_body: str | bytes = b"",
        request_id: str = "",
        redactor: Redactor | None = None,
        *,
        shares_request: bool = False,
    ) -> None:
        put = object.__setattr__
        put(self, "method", method)
        put(self, "_target", url)
        put(self, "status", status)
        put(self, "seconds", seconds)
        put(self, "_sent", request_body)
        put(self, "_received", response_body)
        put(self, "request_id", request_id)
        put(self, "_redactor", redactor)
        put(self, "shares_request", shares_request)

    @property
    def url(self) -> str:
        return self._redactor.text(self._target) if self._redactor else self._target

    @property
    def request_body(self) -> str:
        return self._rendered(self._sent)

    @property
    def response_body(self) -> str:
        return self._rendered(self._received)

    def _rendered(self, body: str | bytes) -> str:
        if isinstance(body, str):
            return body
        return self._redactor.body(body) if self._redactor else f"({len(body):,} bytes)"

    _target: str
    _sent: str | bytes
    _received: str | bytes
    _redactor: Redactor | None


def strings_in(value: Any) -> list[str]:
    """Every string in a value, at any depth."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in strings_in(inner)]
    if isinstance(value, (list, tuple)):
        return [text for inner in value for text in strings_in(inner)]
    return []


def _attribute_of(path: str) -> str:
    """The attribute that *path* begins with, in lower case: `emails` for `emails[type eq "work"].value`."""
    return path.partition("[")[0].rpartition(":")[2].partition(".")[0].casefold()


def _spellings(secret: str) -> list[str]:
    """The encodings in which a response may contain *secret*: plain, percent-encoded, base64 at any offset, hexadecimal and
    JSON.
    """
    if len(secret) < SHORTEST_SECRET:
        return [secret] if secret else []
    raw = secret.encode()
    spellings = {secret, quote(secret, safe=""), quote_plus(secret), raw.hex(), orjson.dumps(secret).decode()[1:-1]}
    spellings.add("".join(f"%{byte:02x}" for byte in raw))
    spellings.add("".join(f"\\u{ord(letter):04x}" for letter in secret))
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        # The characters at both ends depend on neighbouring bytes, so only those between them belong to the secret.
        middle = encoded[(0, 2, 3)[offset] : len(encoded) - (0 if (offset + len(raw)) % 3 == 0 else 4) or None]
        if len(middle) >= SHORTEST_SECRET:
            spellings |= {middle, middle.replace("+", "-").replace("/", "_")}
    return sorted(spellings, key=len, reverse=True)
