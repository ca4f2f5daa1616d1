"""Every command that works with a server on another machine prints there what it prints on the server's machine.

What only reads is compared byte for byte on one database. What writes is run on two copies of a database, and compared except for ids,
times and addresses.
"""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockstep.cli import run
from lockstep.cli.remote.contexts import Contexts, ServerContext, write_contexts
from lockstep.cli.remote.reach import WORK_ANYWHERE
from lockstep.vault import Secret
from tests.support.command_line import Installation, Said, Stages, serving_documo
from tests.support.databases import Databases
from tests.support.served_api import serving_lockstep

# One file is written by each installation, so that both have the same.
FILE = "{folder}/documo.yaml"
READS = """
status
status documo
admins list
admins sso show
admins sso test
apps list
apps show documo
apps roles list documo
apps roles manifest documo
assign list documo
audit --limit 5
audit show 1
audit verify
config history documo
config diff documo 0 1
config restore documo 1 --dry-run
config comment documo 1 "As delivered"
creds show documo
activity
activity documo --span 24h -o json
timeline anna@contoso.test
timeline sales --only directory -o json
cycles documo
deletes list documo
diff {folder}/documo.yaml
explain anna@contoso.test --app documo
export documo
expr eval 'Join(" ", [givenName], [surname])' --user anna@contoso.test --explain
expr repl
groups list
groups show sales
links documo --orphans
logs
logs sign-ins
logs show 1
map list documo
map show documo userName
map lint documo
map eval documo --user anna@contoso.test
map attributes documo
mail show
mail list
outbound list
people list
secrets
sso address
sso certs download documo
sso certs list documo
sso claims list documo
sso keys list
sso secrets list documo
sso show documo
sso test documo --user anna@contoso.test
people show anna@contoso.test
people sign-in ldap show
people sign-in ldap test anna@contoso.test
plan {folder}/documo.yaml
preview documo --list
push documo anna@contoso.test --dry-run
quarantine show documo
scope show documo
scope test documo --user anna@contoso.test
settings documo
sources list
sources show people
sources status people
groups rule show sales
"""
MORE_READS = """
status -o json
apps list -o json
apps show documa
assign list documo -o csv
audit show 1 -o json
config history documo -o json
explain kim.berg@contoso.test --app documo -o json
export documo --format entra-json
export --all
groups list -o json
logs -o json
logs --limit 1
logs --limit 0 -o csv
logs --user anna@contoso.test -o wide
logs show 1 -o json
logs show 999999
map list documo -o json
people list -o yaml
people show anna@contoso.test -o json
people show nobody@contoso.test
people disable anna@contoso.test --dry-run
plan {folder}/documo.yaml -o json
preview documo --last
push documo anna@contoso.test --dry-run -o json
scope test documo
settings documo -o json
sources show people -o json
links documo
"""
WRITES = """
apps add documo --name second --display-name Second
apps roles add second auditor --display-name Auditor
apps roles disable second auditor --yes
apps roles enable second auditor --yes
apps roles move second auditor 1 --yes
apps roles remove second auditor --yes
apps delete second
apps delete second --yes
assign add documo --user kim.berg@contoso.test --role Member --look-up -o json
assign add documo --user kim.berg@contoso.test --role Member
assign set documo --user kim.berg@contoso.test --role Admin --yes
assign remove documo --user kim.berg@contoso.test
apply {folder}/documo.yaml --yes
creds set documo --token-stdin
creds test documo
groups create crew
groups add-member crew anna@contoso.test bo@contoso.test
groups remove-member crew bo@contoso.test
groups rule test crew --filter 'department EQUALS "Sales"'
groups rule set crew --filter 'department EQUALS "Sales"' --yes
groups rule clear crew
groups delete crew --yes
groups restore crew
map set documo displayName --expression '[mail]' --dry-run
map set documo displayName --expression '[mail]' --yes -o json
retention --sign-in-log 60d
organisation
organisation --name Contoso --environment Production --colour red
organisation --environment Test
people sign-in link anna@contoso.test
people sign-in sessions anna@contoso.test
people sign-in end anna@contoso.test
people sign-in factors anna@contoso.test
people sign-in remove-factor anna@contoso.test
people sign-in set --contact 'the help desk'
people sign-in ldap set --url ldap://127.0.0.1:9 --base-dn dc=contoso --bind-dn cn=x
people sign-in ldap remove
mail set --host 127.0.0.1 --port 9 --security none --from lockstep@contoso.test
mail test it@contoso.test
mail retry nothing
mail remove --yes
webhook show
webhook set --url-stdin
webhook set
webhook test
webhook remove --yes
outbound add https://app.internal:8443
outbound remove https://app.internal:8443
people set anna@contoso.test jobTitle=Lead
people disable bo@contoso.test
people disable bo@contoso.test anna@contoso.test
people enable bo@contoso.test anna@contoso.test
people delete kim.berg@contoso.test --yes
people restore kim.berg@contoso.test
people delete kim.berg@contoso.test --yes
people purge kim.berg@contoso.test --yes
push documo anna@contoso.test
retry documo
run documo
pause documo
start documo
restart documo
restart documo --reset full
quarantine clear documo
settings documo --deletion-threshold 1
settings documo --scope all --yes
scope set documo --filter 'None: department EQUALS "Nowhere"'
scope set documo --filter 'None: department EQUALS "Nowhere"' --yes
deletes approve documo --all --yes
deletes reject documo --all --yes
links documo --user anna@contoso.test --forget --yes
links documo --orphans --settle --yes
sources add hires --people {folder}/data/sources/hires.csv --every 1h
sources add hires --people {folder}/data/sources/none.csv --replace
sources add hires --people {folder}/data/sources/hires.csv --replace -o json
sources import hires
sources rekey hires --key no
sources rekey hires --key no --file {folder}/data/sources/hires.csv
sources rekey hires --key none
sso address https://id.contoso.test
sso set documo --mode saml --identifier urn:documo --reply-url https://app.documo.test/acs
sso claims set documo department --source department
sso claims remove documo department
sso certs new documo
sso certs activate documo none --yes
sso certs remove documo none --yes
sso import documo {folder}/none.xml
sso import documo https://127.0.0.1:1/metadata
sso oidc documo --redirect-uri https://app.documo.test/callback
sso secrets remove documo none --yes
sso keys roll
sources import people --dry-run
sources import people
sources import {folder}/more.csv --source more --dry-run
sources import {folder}/more.csv --source more --map "Name=displayName"
sources import {folder}/none.csv
sources import {folder}/bad.csv
sources confirm people --yes
sources reject people
sources rename people hr
sources remove hr --with-objects
sources remove hr --with-objects --yes
"""
WRITTEN: tuple[tuple[str, str], ...] = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?", "TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\d+ ms", "MILLISECONDS"),
    (r"/myapps/link/[\w-]+", "LINK"),
    (r"Port \d+", "PORT"),
    (r"\b[0-9A-F]{40}\b", "THUMBPRINT"),
    (r"\b[\w-]{43}\b", "KEY"),
    (r"\d+\.\d+( s\b|(?=[,\n]))", "SECONDS"),
)


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@dataclass
class TwoWays:
    """The same command on the machine of the server, and on another machine."""

    here: Callable[[Installation, str], Said]
    there: Callable[[str], Said]
    served: Installation
    twin: Installation


@pytest.fixture
def two_ways(
    stages: Stages, tmp_path: Path, database_factory: Databases, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[TwoWays]:  # fmt: skip
    served, twin = (stages.installation("started", tmp_path / name, database_factory) for name in ("served", "twin"))
    with serving_documo(served.documo, served.key) as first, serving_documo(twin.documo, twin.key) as second:
        served.connect_to(first)
        twin.connect_to(second)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("NO_COLOR", "1")

        def said(arguments: str, folder: Path, stdin: str) -> Said:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            capsys.readouterr()
            code = run([word.replace("{folder}", str(folder)) for word in shlex.split(arguments)])
            captured = capsys.readouterr()
            return Said(code, captured.out, captured.err)

        def here(one: Installation, arguments: str) -> Said:
            one.use(monkeypatch)
            return said(arguments, one.folder, f"{one.key}\n")

        def there(arguments: str) -> Said:
            for variable in ("DATABASE_URL", "LOCKSTEP_DATA"):
                monkeypatch.delenv(variable, raising=False)
            return said(arguments, served.folder, f"{served.key}\n")

        for one, documo in ((served, first), (twin, second)):
            assert here(one, f"outbound add {documo.origin}").code == 0
            assert here(one, "groups create sales").code == 0
            exported = here(one, "export documo").out
            (one.folder / "documo.yaml").write_text(exported.replace("scope: assigned", "scope: all"))
            (one.folder / "more.csv").write_text("no,userPrincipalName,Name\n1,zoe@contoso.test,Zoe\n2,,Nobody\n")
            (one.folder / "bad.csv").write_text("no,surname\n1,Zoe\n")
            (one.folder / "data" / "sources").mkdir(parents=True, exist_ok=True)
            (one.folder / "data" / "sources" / "hires.csv").write_text("no,userPrincipalName\n7,hal@contoso.test\n")
        with serving_lockstep(served.lockstep, served.folder / "data") as (url, token):
            at = datetime.now(UTC) + timedelta(days=1)
            write_contexts(Contexts().with_server(ServerContext("server", url, Secret(token), "tests", at)))
            yield TwoWays(here, there, served, twin)


@pytest.mark.parametrize("lines", [READS, pytest.param(MORE_READS, marks=pytest.mark.full)], ids=["each", "more"])
def test_what_reads_prints_the_same_on_another_machine_byte_for_byte(two_ways: TwoWays, lines: str) -> None:
    for setup in ("sso address https://id.contoso.test", "sso set documo --mode saml --identifier urn:documo"):
        assert two_ways.here(two_ways.served, setup).code == 0

    differing = [
        (line, there, here)
        for line in lines_of(lines)
        if (there := two_ways.there(line)) != (here := two_ways.here(two_ways.served, line))
    ]

    assert not differing, f"{differing[0]}, and {[line for line, _, _ in differing]}"


def test_what_writes_does_and_says_the_same_on_another_machine(two_ways: TwoWays) -> None:
    def plain(said: Said, folder: Path) -> Said:
        texts = [said.out.replace(str(folder), "FOLDER"), said.err.replace(str(folder), "FOLDER")]
        for pattern, word in WRITTEN:
            texts = [re.sub(pattern, word, text) for text in texts]
        return Said(said.code, *texts)

    differing = [
        (line, there, here)
        for line in lines_of(WRITES)
        if (there := plain(two_ways.there(line), two_ways.served.folder))
        != (here := plain(two_ways.here(two_ways.twin, line), two_ways.twin.folder))
    ]

    assert not differing, f"{differing[0]}, and {[line for line, _, _ in differing]}"


def test_every_command_that_works_anywhere_is_compared() -> None:
    compared = {
        name
        for line in lines_of(READS + WRITES)
        for length in (1, 2, 3, 4)
        if (name := " ".join(shlex.split(line.replace("{", "").replace("}", ""))[:length])) in WORK_ANYWHERE
    }

    assert compared == WORK_ANYWHERE
