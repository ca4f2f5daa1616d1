"""Sign-ins by SAML per second, against pysaml2 in the same run, and memory over 10,000 of them; and sign-ins by OpenID Connect over HTTP
against npm's oidc-provider. Prints JSON.

    bench/sign_in.py                        about two minutes
    bench/sign_in.py --seconds 2 --sign-ins 1000

A sign-in is: issue a response with a signed assertion (identity provider), and accept it with all checks (service provider). Both sides of
both libraries use the same keys (RSA 3072) and attributes. Compare figures of one run only with each other.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from lockstep.saml.accepting import ResponseRequirements, accept
from lockstep.saml.certificates import new_signing_key
from lockstep.saml.names import Binding, NameIdFormat
from lockstep.saml.responses import Assertion, signed_response
from openid_flow import openid_figures
from pysaml2_peer import ASSERT, EMAIL, IDP, SP, Keys, identity_provider, issued, service_provider

NAME = "lee.wong@contoso.com"
REQUEST = "_request"


def now() -> datetime:
    return datetime.now(UTC)


class Ours:
    """Both sides with lockstep.saml."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.expected = ResponseRequirements(IDP, SP, ASSERT, [keys.idp.certificate], in_response_to=REQUEST)

    def issue(self) -> bytes:
        attributes = {EMAIL: [NAME], "urn:oid:2.5.4.42": ["Lee"], "urn:oid:2.5.4.4": ["Wong"]}
        assertion = Assertion(
            IDP, SP, ASSERT, NAME, now(), NameIdFormat.EMAIL_ADDRESS, attributes, in_response_to=REQUEST
        )
        return signed_response(assertion, self.keys.idp)

    def accept(self, response: bytes) -> None:
        if accept(response, self.expected, now=now()).name_id != NAME:
            raise SystemExit("the wrong person was accepted")


class Pysaml2:
    """Both sides with pysaml2 and xmlsec1."""

    def __init__(self, keys: Keys, folder: Path) -> None:
        self.server: Any = identity_provider(folder / "idp", keys)
        self.client: Any = service_provider(folder / "sp", keys)

    def issue(self) -> bytes:
        attributes = {"mail": [NAME], "givenName": ["Lee"], "sn": ["Wong"]}
        return issued(self.server, NAME, attributes, in_response_to=REQUEST, sign_assertion=True, sign_response=False)

    def accept(self, response: bytes) -> None:
        read = self.client.parse_authn_request_response(
            base64.b64encode(response).decode(), Binding.POST.value, outstanding={REQUEST: "/"}
        )
        if read.get_subject().text != NAME:
            raise SystemExit("the wrong person was accepted")


def per_second(call: Callable[[], object], seconds: float) -> float:
    """How often *call* finishes per second of wall-clock time, after a warm-up."""
    for _ in range(3):
        call()
    count, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds:
        call()
        count += 1
    return round(count / spent, 1)


def measured(library: Ours | Pysaml2, seconds: float) -> dict[str, float]:
    response = library.issue()
    return {
        "issue_per_second": per_second(library.issue, seconds),
        "accept_per_second": per_second(lambda: library.accept(response), seconds),
        "sign_in_per_second": per_second(lambda: library.accept(library.issue()), seconds),
    }


def memory(ours: Ours, sign_ins: int) -> dict[str, Any]:
    """Resident memory in MB at ten points of *sign_ins* sign-ins; after the first tenth it must not grow."""
    process, points = psutil.Process(), []
    for _ in range(10):
        for _ in range(sign_ins // 10):
            ours.accept(ours.issue())
        gc.collect()
        points.append(round(process.memory_info().rss / 2**20, 1))
    return {
        "sign_ins": sign_ins,
        "resident_mb": points,
        "growth_after_the_first_tenth_mb": round(points[-1] - points[0], 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="for each figure")
    parser.add_argument("--sign-ins", type=int, default=10_000, help="for the memory")
    options = parser.parse_args()
    keys = Keys(new_signing_key("idp", now=now()), new_signing_key("sp", now=now()))
    ours = Ours(keys)
    run: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load_average": os.getloadavg()[0]},
        "lockstep": measured(ours, options.seconds),
    }
    if Path("/usr/bin/xmlsec1").exists():
        with tempfile.TemporaryDirectory() as folder:
            run["pysaml2"] = measured(Pysaml2(keys, Path(folder)), options.seconds)
        run["ratios"] = {name: round(run["lockstep"][name] / value, 1) for name, value in run["pysaml2"].items()}
    else:
        run["pysaml2"] = {"skipped": "xmlsec1 is not installed: apt-get install xmlsec1"}
    run["memory"] = memory(ours, options.sign_ins)
    run["openid_connect"] = openid_figures(options.seconds)
    json.dump(run, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
