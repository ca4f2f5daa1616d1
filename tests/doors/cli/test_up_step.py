"""`lockstep up --step -o json`: one line for programs, once both products are ready for the tutorial."""

from __future__ import annotations

import subprocess
import urllib.parse
import urllib.request

import orjson
import pytest

from tests.support.up_process import BIN, running_up


@pytest.mark.full
def test_step_as_json_prints_one_line_with_everything_that_the_tutorial_needs() -> None:
    with running_up("--step", "-o", "json", "--people", "50", "--seed", "1", ready="{") as up:
        (line,) = up.lines
        told = orjson.loads(line)
        with urllib.request.urlopen(told["lockstep"]["signInUrl"], timeout=10) as page:
            sign_in = page.read().decode()
        with urllib.request.urlopen(told["lockstep"]["url"] + "/readyz", timeout=10) as page:
            ready = page.read()
        request = urllib.request.Request(told["documo"]["scimUrl"] + "/Users?count=0")
        request.add_header("Authorization", f"Bearer {told['documo']['apiKey']}")
        with urllib.request.urlopen(request, timeout=10) as page:
            users = orjson.loads(page.read())
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        documo = told["documo"]
        entered = urllib.parse.urlencode({"email": documo["email"], "password": documo["password"], "next": "/"})
        form = urllib.request.Request(documo["url"] + "/login", entered.encode(), {"Origin": documo["url"]})
        with browser.open(form, timeout=10) as page:
            home = page.read().decode()

    assert told["formatVersion"] == "1.0"
    assert told["data"] == str(up.data)
    assert "Set your password" in sign_in
    assert ready == b"ready\n"
    assert "totalResults" in users
    assert "<h1>Documents</h1>" in home and documo["email"] in home
    assert set(told) == {"formatVersion", "lockstep", "documo", "data"}


def test_json_without_step_is_refused_as_usage() -> None:
    done = subprocess.run([BIN / "lockstep", "up", "-o", "json"], capture_output=True, text=True, timeout=60)

    assert done.returncode == 64
    assert "--step" in done.stderr
