"""Sign-ins by the authorization code flow over HTTP: Lockstep against npm's oidc-provider, each as a separate process.

A sign-in is what an application causes while the person has a session: the authorization request with PKCE, the answer with a code, and
the tokens for it. Lockstep keeps codes and tokens in PostgreSQL, looks up assignments and claims, and writes a sign-in log; the peer keeps
everything in memory. Both sign with RS256; Lockstep's key has 3072 bits, the peer's 2048.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.support.oidc_provider import running_oidc_provider
from tests.support.up_process import BIN, Up, running_up

CALLBACK = "http://127.0.0.1:9/callback"
MAIL, PASSWORD = "liam@contoso.test", "correct horse battery staple"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CONCURRENT = 8


@dataclass(frozen=True)
class Registered:
    """A client, and the endpoints of the provider."""

    id: str
    secret: str
    authorize: str
    token: str

    @property
    def request(self) -> str:
        query = {
            "client_id": self.id, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid profile email",
            "state": "s", "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{self.authorize}?{urlencode(query)}"


def openid_figures(seconds: float) -> dict[str, Any]:
    """Sign-ins per second of both, one after the other and eight at a time."""
    return asyncio.run(_figures(seconds))


async def _figures(seconds: float) -> dict[str, Any]:
    with running_oidc_provider() as provider:
        provider.put_people({"liam": {"email": MAIL, "email_verified": True, "name": "Liam"}})
        client = Registered(*provider.register(CALLBACK), f"{provider.issuer}/auth", f"{provider.issuer}/token")
        async with _browser() as http:
            await provider.sign_in(http, client.request, "liam")
            peer = await _measured(http, client, seconds)
    with running_up("--people", "50", "--seed", "20261123") as up:
        async with _browser() as http:
            client = await _set_up(up, http)
            ours = await _measured(http, client, seconds)
    return {
        "lockstep": ours,
        "oidc-provider": peer,
        "ratios": {name: round(ours[name] / peer[name], 2) for name in ours},
    }


def _browser() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def _set_up(up: Up, http: aiohttp.ClientSession) -> Registered:
    """Register an application that everybody may use, and sign a person in."""
    _run(up, "apps", "add", "custom", "--name", "wiki")
    client = _run(up, "sso", "oidc", "wiki", "--redirect-uri", CALLBACK)["clientId"]
    _run(up, "sso", "set", "wiki", "--no-assignment-required")
    secret = _run(up, "sso", "secrets", "new", "wiki")["secret"]
    person = _run(up, "people", "list", "--limit", "1")["items"][0]["userPrincipalName"]
    link = _run(up, "people", "sign-in", "link", person)
    async with http.get(up.origin + urlsplit(str(link.get("url") or link["path"])).path) as page:
        token = re.search(r'name="csrf" value="([^"]*)"', await page.text())
    assert token is not None
    form = {"csrf": token[1], "password": PASSWORD}
    async with http.post(page.url, data=form, headers={"Origin": up.origin}) as done:
        assert done.status == 200, await done.text()
    return Registered(client, secret, f"{up.origin}/oauth2/authorize", f"{up.origin}/oauth2/token")


def _run(up: Up, *words: str) -> Any:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP_")}
    command = [str(BIN / "lockstep"), *words, "-o", "json"]
    environment["LOCKSTEP_DATA"] = str(up.data)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


async def _measured(http: aiohttp.ClientSession, client: Registered, seconds: float) -> Mapping[str, float]:
    for _ in range(5):
        await _sign_in(http, client)
    return {
        "one_after_the_other": await _per_second(http, client, seconds, 1),
        "eight_at_a_time": await _per_second(http, client, seconds, CONCURRENT),
    }


async def _per_second(http: aiohttp.ClientSession, client: Registered, seconds: float, at_a_time: int) -> float:
    end, count, begin = time.perf_counter() + seconds, 0, time.perf_counter()

    async def work() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await _sign_in(http, client)
            count += 1

    await asyncio.gather(*(work() for _ in range(at_a_time)))
    return round(count / (time.perf_counter() - begin), 1)


async def _sign_in(http: aiohttp.ClientSession, client: Registered) -> None:
    async with http.get(client.request, allow_redirects=False) as answer:
        location = answer.headers.get("Location", "")
    code = parse_qs(urlsplit(location).query).get("code", [""])[0]
    if not code:
        raise SystemExit(f"no code: {answer.status} {location}")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    basic = base64.b64encode(f"{client.id}:{client.secret}".encode()).decode()
    async with http.post(client.token, data=form, headers={"Authorization": f"Basic {basic}"}) as answer:
        if "id_token" not in await answer.json():
            raise SystemExit(f"no tokens: {await answer.text()}")
