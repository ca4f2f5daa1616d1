"""SimpleSAMLphp of Debian in PHP's own server: an identity provider and a service provider, and somebody with a browser.

with running(idp_key, service_provider=..., identity_provider=...) as php:
    form = await php.sign_in(http, url_with_an_authn_request)      # the fields that its page sends to the service provider
    request = await php.ask(http)                                  # the address at our identity provider that it leads to
"""

from __future__ import annotations

import html
import json
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from lockstep.saml.certificates import SigningKey

PROGRAM = Path("/usr/share/simplesamlphp/www")
PASSWORD = "a long password"
NAME = "lee.wong@contoso.com"
GIVE_UP_SECONDS = 30
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
_MOST_STEPS = 12
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_ACTION = re.compile(r'<form[^>]*action="([^"]*)"')


@dataclass(frozen=True)
class SimpleSamlPhp:
    origin: str

    @property
    def idp(self) -> str:
        """The entity ID of its identity provider."""
        return f"{self.origin}/idp"

    @property
    def sp(self) -> str:
        return f"{self.origin}/sp"

    @property
    def sign_on_url(self) -> str:
        return f"{self.origin}/saml2/idp/SSOService.php"

    @property
    def idp_logout_url(self) -> str:
        return f"{self.origin}/saml2/idp/SingleLogoutService.php"

    @property
    def reply_url(self) -> str:
        return f"{self.origin}/module.php/saml/sp/saml2-acs.php/default-sp"

    async def metadata(self, http: aiohttp.ClientSession, role: str) -> bytes:
        """The metadata that it publishes as "idp" or "sp"."""
        path = "saml2/idp/metadata.php" if role == "idp" else "module.php/saml/sp/metadata.php/default-sp"
        async with http.get(f"{self.origin}/{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()

    async def sign_in(self, http: aiohttp.ClientSession, url: str) -> tuple[str, dict[str, str]]:
        """Follow *url* and sign in as Lee Wong. Returns the address to which the last page sends its form, and the fields."""
        data: Mapping[str, str] | None = None
        for _ in range(_MOST_STEPS):
            async with http.request(
                "POST" if data else "GET", as_it_is(url), data=data, allow_redirects=False
            ) as answer:
                text, location = await answer.text(), answer.headers.get("Location", "")
            data = None
            if location:
                url = urljoin(url, location)
                continue
            fields = {name: html.unescape(value) for name, value in _FIELD.findall(text)}
            action = _ACTION.search(text)
            assert action is not None, text[-3000:]
            url = urljoin(url, html.unescape(action[1]) or url)
            if "SAMLResponse" in fields:
                return url, fields
            assert "AuthState" in fields, text[-3000:]
            data = {**fields, "username": "lee", "password": PASSWORD}
        raise AssertionError(f"no end of redirects at {url}")

    async def ask(self, http: aiohttp.ClientSession) -> str:
        """Begin a sign-in at its service provider. Returns the address of our identity provider to which it redirects."""
        url = f"{self.origin}/module.php/core/authenticate.php?as=default-sp"
        for _ in range(_MOST_STEPS):
            async with http.get(as_it_is(url), allow_redirects=False) as answer:
                location = answer.headers.get("Location", "")
                assert location, await answer.text()
            url = urljoin(url, location)
            if not url.startswith(self.origin):
                return url
        raise AssertionError(f"no end of redirects at {url}")

    async def bring(self, http: aiohttp.ClientSession, fields: Mapping[str, str]) -> tuple[int, str]:
        """Deliver a response to its service provider. Returns the status and the text of the resulting page."""
        async with http.post(self.reply_url, data=fields) as answer:
            return answer.status, await answer.text()


def as_it_is(url: str) -> URL:
    """Return *url* so that nothing encodes it again: the signature of a redirect covers its bytes."""
    return URL(url, encoded=True)


@contextmanager
def running(
    key: SigningKey,
    *,
    service_providers: Mapping[str, Mapping[str, Any]],
    identity_providers: Mapping[str, Mapping[str, Any]],
) -> Iterator[SimpleSamlPhp]:
    """Run SimpleSAMLphp, with *key* for both of its roles. *service_providers* and *identity_providers* are the other parties that it
    knows, in the format of its metadata files.
    """
    with tempfile.TemporaryDirectory(prefix="simplesamlphp-") as name:
        folder = Path(name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        php = SimpleSamlPhp(f"http://127.0.0.1:{port}")
        _configure(folder, php, key, service_providers, identity_providers)
        quiet = ["-d", "display_errors=0", "-d", "error_reporting=0", "-d", f"session.save_path={folder}"]
        command = ["php", *quiet, "-S", f"127.0.0.1:{port}", "-t", str(PROGRAM)]
        environment = {"SIMPLESAMLPHP_CONFIG_DIR": str(folder), "PATH": "/usr/bin:/bin", "PHP_CLI_SERVER_WORKERS": "2"}
        with (folder / "server.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            _wait_until_it_listens(process, port, folder / "server.log")
            yield php
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def _configure(
    folder: Path,
    php: SimpleSamlPhp,
    key: SigningKey,
    service_providers: Mapping[str, Mapping[str, Any]],
    identity_providers: Mapping[str, Mapping[str, Any]],
) -> None:
    (folder / "metadata").mkdir()
    (folder / "log").mkdir()
    (folder / "own.key").write_text(key.private_pem)
    (folder / "own.crt").write_text(key.certificate.pem)
    own = {"privatekey": "own.key", "certificate": "own.crt", "signature.algorithm": RSA_SHA256}
    hosted = {
        "host": "__DEFAULT__",
        "auth": "people",
        "NameIDFormat": EMAIL_FORMAT,
        "authproc": {"1": {"class": "saml:AttributeNameID", "attribute": "mail", "Format": EMAIL_FORMAT}},
        **own,
    }
    service = {"0": "saml:SP", "entityID": php.sp, "idp": next(iter(identity_providers), None), **own}
    # Unless it is told otherwise, it asks for transient names.
    policy = {"Format": EMAIL_FORMAT, "AllowCreate": True}
    signing = {"sign.authnrequest": True, "sign.logout": True, "redirect.sign": True, "NameIDPolicy": policy}
    people = {"0": "exampleauth:UserPass", f"lee:{PASSWORD}": {"mail": [NAME], "givenName": ["Lee"], "uid": ["lee"]}}
    _write(folder / "config.php", "config", _settings(folder, php))
    _write(folder / "authsources.php", "config", {"people": people, "default-sp": {**service, **signing}})
    _write(folder / "metadata/saml20-idp-hosted.php", "metadata", {php.idp: hosted})
    _write(folder / "metadata/saml20-sp-remote.php", "metadata", service_providers)
    _write(folder / "metadata/saml20-idp-remote.php", "metadata", identity_providers)


def _settings(folder: Path, php: SimpleSamlPhp) -> dict[str, Any]:
    return {
        "baseurlpath": f"{php.origin}/",
        "certdir": f"{folder}/",
        "loggingdir": f"{folder}/log/",
        "datadir": f"{folder}/",
        "tempdir": f"{folder}/",
        "metadatadir": f"{folder}/metadata/",
        "attributenamemapdir": "/etc/simplesamlphp/attributemap/",
        "timezone": "UTC",
        "secretsalt": "only for this test",
        "auth.adminpassword": PASSWORD,
        "enable.saml20-idp": True,
        "module.enable": {"exampleauth": True, "core": True, "saml": True},
        "logging.level": 7,
        "logging.handler": "file",
        "store.type": "phpsession",
        "session.phpsession.savepath": str(folder),
        "session.cookie.secure": False,
        "session.phpsession.cookiename": "PHPSESSID",
        "metadata.sources": [{"type": "flatfile"}],
        "showerrors": True,
        "errorreporting": False,
    }


def _write(path: Path, variable: str, values: Mapping[str, Any]) -> None:
    """Write a PHP file that reads its values from a JSON file beside it."""
    data = path.with_suffix(".json")
    data.write_text(json.dumps(values))
    path.write_text(f"<?php ${variable} = json_decode(file_get_contents('{data}'), true);\n")
