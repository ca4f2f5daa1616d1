"""The `documo` command, as scripts and Lockstep use it."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from asyncio import to_thread
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.cells import cell_len

from documo.cli.main import run
from tests.support.reused_databases import ReusedDatabase

DOCUMO = Path(sys.executable).parent / "documo"


@pytest.fixture(autouse=True)
def named_database(reused_documo_database: ReusedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands use the tests' PostgreSQL server, so that none of them has to start one."""
    monkeypatch.setenv("DOCUMO_DATABASE_URL", reused_documo_database.database.conninfo)


@pytest.fixture
def documo_command(data_folder: Path) -> Any:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [str(DOCUMO), *arguments, *(["--data", str(data_folder)] if arguments[0] != "version" else [])],
            capture_output=True,
            text=True,
        )
        assert ended.returncode == code, ended.stderr
        return ended

    return run


@pytest.fixture
def command(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process, which is faster than starting another."""

    def run_here(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = run([*arguments, "--data", str(data_folder)])
        said = capsys.readouterr()
        assert ended == code, said.err
        return subprocess.CompletedProcess(arguments, ended, said.out, said.err)

    return run_here


@pytest.fixture
def serving(data_folder: Path) -> Iterator[Any]:
    processes = []

    def serve(*arguments: str) -> dict[str, Any]:
        process = subprocess.Popen(
            [str(DOCUMO), "serve", "--port", "0", "--data", str(data_folder), "-o", "json", *arguments],
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        return dict(orjson.loads(process.stdout.readline()))

    yield serve
    for process in processes:
        process.terminate()
        assert process.wait(timeout=15) == 0


async def test_from_an_empty_folder_to_the_first_request(documo_command: Any, serving: Any) -> None:
    account = orjson.loads(
        documo_command("accounts", "create", "Contoso", "--admin", "admin@x.org", "-o", "json").stdout
    )
    made = documo_command("keys", "create", "--account", "contoso", "--role", "Admin", "-o", "json")
    key = orjson.loads(made.stdout)
    ready = serving("--rate", "0")

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key['key']}"}) as session:
        async with session.get(ready["scimUrl"] + "/Me") as response:
            me = await response.json(content_type=None)
        documo_command("members", "add", "second@x.org", "--role", "viewer")
        listed = orjson.loads(documo_command("members", "list", "-o", "json").stdout)["members"]
        link = orjson.loads(documo_command("members", "link", "second@x.org", "-o", "json").stdout)["url"]
        async with session.get(link) as response:
            page = await response.text()
        documo_command("keys", "revoke", key["id"])
        async with session.get(ready["scimUrl"] + "/Me") as response:
            after = response.status

    assert account["name"] == "Contoso" and account["formatVersion"] == "1.0"
    assert me["userName"] == "admin@x.org"
    assert [(m["user_name"], m["role"]) for m in listed] == [("admin@x.org", "Admin"), ("second@x.org", "Viewer")]
    assert "Set your password" in page
    assert after == 401
    assert key["key"] not in documo_command("keys", "list", "-o", "json").stdout
    assert key["key"] not in made.stderr


def test_mistakes_are_explained_on_stderr_with_their_exit_code(command: Any) -> None:
    usage = command("accounts", "create", code=64)
    missing = command("accounts", "show", "Nobody", code=5)
    command("accounts", "create", "Contoso", "--admin", "a@x.org")
    taken = command("accounts", "create", "CONTOSO", "--admin", "a@x.org", code=7)
    number = command("accounts", "create", "42", "--admin", "a@x.org", code=64)
    unknown = command("keys", "create", "--scope", "everything", code=64)

    for ended in (usage, missing, taken, number, unknown):
        assert ended.stdout == "" and ended.stderr.startswith("error: ") and "Traceback" not in ended.stderr
    assert "  next  " in missing.stderr


@pytest.mark.parametrize(("domain", "name"), [("contoso.test", "Contoso"), ("163.com", "163.com")])
def test_account_is_named_after_the_domain_of_its_admin(command: Any, domain: str, name: str) -> None:
    made = orjson.loads(command("accounts", "create", "--admin", f"ada@{domain}", "-o", "json").stdout)

    assert made["name"] == name


def test_former_name_of_a_scope_is_accepted_but_not_offered(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")

    made = orjson.loads(command("keys", "create", "--scope", "users", "--scope", "scim:read", "-o", "json").stdout)
    offered = command("keys", "create", "--scope", "everything", code=64).stderr

    assert made["scopes"] == ["scim:read", "scim:users"]
    assert "'scim:read', 'scim:users', 'scim:groups', 'admin'" in offered


def test_version_is_printed_for_people_and_for_machines(documo_command: Any) -> None:
    assert (
        documo_command("version").stdout.strip()
        == orjson.loads(documo_command("version", "-o", "json").stdout)["version"]
    )


def test_an_issuer_is_trusted_by_command_and_listed_like_a_key(command: Any, tmp_path: Path) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    keys = tmp_path / "keys.json"
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
    keys.write_text(orjson.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}).decode(), encoding="utf-8")
    wanted = ("keys", "trust", "--issuer", "https://sts.example/", "--audience", "documo", "--subject", "app", "--jwks")

    said = command(*wanted, str(keys)).stdout
    listed = orjson.loads(command("keys", "list", "-o", "json").stdout)["keys"]
    keys.write_text("not json", encoding="utf-8")

    assert said == "Tokens from https://sts.example/ for documo are accepted (1 key).\n"
    assert [key["key"] for key in listed if key["kind"] == "issuer"] == ["signed tokens"]
    for subjects in ((), ("--subject", "app", "--any-subject")):
        assert "--any-subject" in command(*wanted[:6], *subjects, "--jwks", str(keys), code=64).stderr
    assert "no readable public keys" in command(*wanted, str(keys), code=64).stderr


def test_streams_are_added_listed_and_removed_by_command(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    polled = command("events", "add", "--poll", "--audience", "app").stdout.strip()
    secret = command("events", "add", "--webhook", "https://app.example/hook").stdout.strip()
    inside = command("events", "add", "--push", "http://127.0.0.1:9/", code=64).stderr
    command("events", "add", "--poll", "--push", "https://app.example/", code=64)

    streams = orjson.loads(command("events", "list", "-o", "json").stdout)["streams"]
    command("events", "remove", polled)

    assert {one["delivery"]: one["waiting"] for one in streams} == {"poll": 0, "webhook": 0}
    assert secret.startswith("whsec_") and secret not in str(streams)
    assert "does not use https" in inside
    assert len(orjson.loads(command("events", "list", "-o", "json").stdout)["streams"]) == 1
    command("events", "remove", polled, code=5)


def test_advice_after_a_mistake_names_the_whole_command_and_the_right_setting(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")

    assert "next  documo accounts create --help" in command("accounts", "create", code=64).stderr
    assert "next  documo members set-role --help" in command("members", "set-role", code=64).stderr
    for url in ("http://192.0.2.1/", "https://10.0.0.1/", "https://localhost/hook", "https://a.localhost/hook"):
        refused = command("events", "add", "--push", url, code=64).stderr
        assert "DOCUMO_OUTBOUND_ALLOW" in refused and "LOCKSTEP" not in refused, url


def test_commands_in_a_folder_without_data_say_so_and_make_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DOCUMO_DATABASE_URL")
    monkeypatch.delenv("DATABASE_URL", raising=False)

    for arguments in (["requests"], ["accounts", "list"], ["keys", "create"], ["members", "list"]):
        assert run([*arguments, "--data", str(tmp_path / "nowhere")]) == 5
        assert f"There is no Documo data in {tmp_path / 'nowhere'}" in capsys.readouterr().err

    assert list(tmp_path.iterdir()) == []


def test_the_last_admin_keeps_role_and_access_without_force_and_can_be_brought_back(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    command("keys", "create", "--name", "first")

    for arguments in (("disable", "ada@contoso.test"), ("set-role", "ada@contoso.test", "Viewer")):
        refused = command("members", *arguments, code=7).stderr
        assert "only active Admin" in refused and "--force" in refused
    disabled = command("members", "disable", "ada@contoso.test", "--force").stderr
    stuck = command("keys", "create", code=5).stderr
    command("members", "enable", "ADA@contoso.test")
    command("members", "set-role", "ada@contoso.test", "Viewer", "--force")
    command("members", "set-role", "ada@contoso.test", "admin")
    command("members", "add", "bo@contoso.test", "--role", "Admin")
    command("members", "disable", "ada@contoso.test")

    shown = orjson.loads(command("members", "show", "ada@contoso.test", "-o", "json").stdout)
    assert disabled == "ada@contoso.test is inactive; 1 API key revoked.\n"
    assert "No active member has the role Admin" in stuck and "members enable" in stuck
    assert (shown["role"], shown["active"], shown["source"], shown["keys"]) == ("Admin", False, "local", 0)
    command("keys", "create", "--member", "bo@contoso.test")


def test_seats_count_when_a_member_is_enabled(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test", "--seats", "2")
    command("members", "add", "bo@contoso.test")
    command("members", "disable", "bo@contoso.test")
    command("members", "enable", "bo@contoso.test")
    command("members", "disable", "bo@contoso.test")
    command("accounts", "set", "Contoso", "--seats", "1")

    assert "No seat is free: the account has 1 seat" in command("members", "enable", "bo@contoso.test", code=7).stderr


def test_operator_says_whether_the_plan_includes_the_api(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")

    states = [orjson.loads(command("accounts", "show", "Contoso", "-o", "json").stdout)["api_enabled"]]
    for option in ("--no-api", "--api"):
        states.append(orjson.loads(command("accounts", "set", "Contoso", option, "-o", "json").stdout)["api_enabled"])

    assert states == [True, False, True]


def test_domain_that_is_added_says_what_to_publish_and_how_to_check_it(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")

    said = command("domains", "set", "contoso.test", "--email").stderr
    (described,) = orjson.loads(command("domains", "list", "-o", "json").stdout)["domains"]
    vouched = command("domains", "set", "api.contoso.test", "--vouched")

    assert f"publish the TXT record _documo.contoso.test with the value {described['txt_value']}" in said
    assert "documo domains verify contoso.test" in said
    assert "Next:" not in vouched.stderr


def test_roles_are_listed_added_and_removed_by_command(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    command("roles", "add", "Auditor", "--display", "Revision")
    command("members", "add", "bo@contoso.test", "--role", "revision")

    listed = orjson.loads(command("roles", "list", "-o", "json").stdout)["roles"]
    in_use = command("roles", "remove", "Auditor", code=7).stderr
    command("members", "set-role", "bo@contoso.test", "Member")
    command("roles", "remove", "auditor")

    counts = {role["value"]: (role["members"], role["is_default"]) for role in listed}
    assert counts == {
        "Admin": (1, False), "Editor": (0, False), "Member": (0, True), "Viewer": (0, False), "Auditor": (1, False)
    }  # fmt: skip
    assert "1 member still has the role Auditor" in in_use
    for role, code in (("Admin", 7), ("Member", 7), ("Auditor", 64)):
        command("roles", "remove", role, code=code)
    command("roles", "add", "ADMIN", code=7)


def test_members_are_listed_in_pages_and_each_page_says_how_to_continue(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "a@contoso.test")
    for name in "bcde":
        command("members", "add", f"{name}@contoso.test")
    command("members", "delete", "c@contoso.test", "--yes")

    seen, pages, onward = [], 0, ["--limit", "2"]
    while onward:
        page = command("members", "list", *onward, "-o", "json")
        rows = orjson.loads(page.stdout)["members"]
        seen += [row["user_name"][0] for row in rows]
        pages += 1
        more = page.stderr.strip().removeprefix("There are more members. Continue with: ")
        assert more in ("", f"--after {rows[-1]['id']}")
        onward = ["--limit", "2", *more.split()] if more else []

    assert ("".join(seen), pages) == ("abde", 2)
    deleted = command("members", "list", "--deleted", "--limit", "1", "-o", "json")
    assert [row["user_name"] for row in orjson.loads(deleted.stdout)["members"]] == ["c@contoso.test"]
    assert deleted.stderr == ""
    assert "'x' is not an id" in command("members", "list", "--after", "x", code=64).stderr


def test_an_account_is_deleted_whole_and_only_when_that_is_meant(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    command("accounts", "create", "Fabrikam", "--admin", "bo@fabrikam.test")
    command("keys", "create", "--account", "Contoso")
    command("events", "add", "--poll", "--account", "Contoso")
    command("domains", "set", "scim.contoso.test", "--vouched", "--account", "Contoso")

    asked = command("accounts", "delete", "Contoso", code=64).stderr
    command("accounts", "delete", "contoso", "--yes")

    assert "with 1 member?" in asked and "--yes" in asked
    assert [one["name"] for one in orjson.loads(command("accounts", "list", "-o", "json").stdout)["accounts"]] == [
        "Fabrikam"
    ]
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    command("domains", "set", "scim.contoso.test", "--account", "Contoso")
    assert len(orjson.loads(command("members", "list", "--account", "Contoso", "-o", "json").stdout)["members"]) == 1


def test_revoking_a_key_says_which_one_ended(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    key = orjson.loads(command("keys", "create", "--name", "entra", "-o", "json").stdout)

    said = command("keys", "revoke", key["id"])

    assert said.stderr.startswith("Revoked entra (dk_live_") and key["key"] not in said.stderr and said.stdout == ""


async def test_the_request_log_is_chosen_from_and_printed_as_one_document(command: Any, serving: Any) -> None:
    await to_thread(command, "accounts", "create", "Contoso", "--admin", "ada@contoso.test")
    key = (await to_thread(command, "keys", "create")).stdout.strip()
    ready = await to_thread(serving)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
        for path in ("/Users", "/Users/nobody", "/Nothing"):
            await (await session.get(ready["scimUrl"] + path)).read()
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(found) < 3:
            found = orjson.loads((await to_thread(command, "requests", "-o", "json")).stdout)["requests"]

    chosen = await to_thread(command, "requests", "--status", "4XX", "--since", "1h", "-o", "json")
    missing = orjson.loads(chosen.stdout)
    as_yaml = yaml.safe_load((await to_thread(command, "requests", "--status", "200", "-o", "yaml")).stdout)
    later = orjson.loads((await to_thread(command, "requests", "--since", "2999-01-01", "-o", "json")).stdout)
    entry = await to_thread(command, "requests", "show", missing["requests"][0]["id"], "-o", "json")
    shown = orjson.loads(entry.stdout)

    assert [entry["status"] for entry in found] == [200, 404, 404]
    assert [entry["status"] for entry in missing["requests"]] == [404, 404]
    assert [entry["path"] for entry in as_yaml["requests"]] == ["/scim/v2/Users"] and later["requests"] == []
    assert shown["path"] == "/scim/v2/Users/nobody" and "There is no User" in shown["response_body"]
    for wrong in (("--status", "600"), ("--since", "yesterday"), ("--tail", "-o", "json")):
        await to_thread(command, "requests", *wrong, code=64)


def test_tables_align_names_of_any_script(command: Any) -> None:
    command("accounts", "create", "\u5c71\u7530\u5546\u4e8b", "--admin", "a@x.test")
    command("accounts", "create", "Contoso", "--admin", "b@x.test")

    header, first, second = command("accounts", "list").stdout.splitlines()

    at = header.index("Plan")
    assert cell_len(first[: first.index("standard")]) == cell_len(second[: second.index("standard")]) == at


def test_members_are_edited_deleted_restored_and_signed_out(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "ada@x.org")
    command("members", "add", "anna@x.org", "--phone", "1")
    command("members", "edit", "anna@x.org", "--given-name", "Anna", "--email", "anna.berg@x.org")
    shown = orjson.loads(command("members", "show", "anna.berg@x.org", "-o", "json").stdout)
    assert (shown["name"], shown["user_name"]) == ("Anna", "anna.berg@x.org")

    assert "Ended 0 sessions" in command("members", "sessions", "anna.berg@x.org", "--end-all").stderr
    assert orjson.loads(command("members", "sessions", "anna.berg@x.org", "-o", "json").stdout)["sessions"] == []
    assert "had no second factor" in command("members", "reset-second-factor", "anna.berg@x.org").stderr

    assert "pass --yes" in command("members", "delete", "anna.berg@x.org", code=64).stderr
    assert "documo members undelete" in command("members", "delete", "anna.berg@x.org", "--yes").stderr
    command("members", "undelete", "anna.berg@x.org")
    command("members", "delete", "ada@x.org", "--yes", code=7)
    command("members", "delete", "ada@x.org", "--yes", "--force")


def test_audit_log_is_listed_filtered_and_shown_by_command(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "admin@x.org")
    command("members", "add", "second@x.org", "--role", "viewer")
    command("accounts", "set", "Contoso", "--seats", "7")

    listed = orjson.loads(command("audit", "list", "--kind", "Account", "--activity", "change", "-o", "json").stdout)
    (entry,) = listed["entries"]
    shown = orjson.loads(command("audit", "show", entry["id"], "-o", "json").stdout)
    named = orjson.loads(command("audit", "list", "--object", "second@", "--since", "1h", "-o", "json").stdout)
    newest = orjson.loads(command("audit", "list", "--limit", "1", "-o", "json").stdout)
    none = orjson.loads(command("audit", "list", "--until", "1d", "-o", "json").stdout)

    assert {**entry, "formatVersion": "1.0"} == shown
    assert (entry["actor"], entry["before"], entry["after"]) == ("documo accounts set", {}, {"seats": 7})
    assert [(one["kind"], one["activity"]) for one in named["entries"]] == [("User", "create")]
    assert newest["entries"] == [entry] and none["entries"] == []
    assert "does not have this entry" in command("audit", "show", "999999", code=5).stderr


def test_event_stream_is_in_the_audit_log_without_its_secret(command: Any) -> None:
    command("accounts", "create", "Contoso", "--admin", "admin@x.org")
    secret = command("events", "add", "--webhook", "https://app.example/hook").stdout.strip()
    (stream,) = orjson.loads(command("events", "list", "-o", "json").stdout)["streams"]
    command("events", "remove", stream["id"])

    said = command("audit", "list", "--kind", "Event stream", "-o", "json").stdout

    assert [one["activity"] for one in orjson.loads(said)["entries"]] == ["delete", "create"]
    assert secret not in said


def test_own_key_of_single_sign_on_is_rolled_by_command(command: Any) -> None:
    def listed() -> list[list[str]]:
        return [line.split()[:2] for line in command("sso", "keys", "list").stdout.splitlines()[1:]]

    command("accounts", "create", "Contoso", "--admin", "a@x.org")
    [[old, state]] = listed()
    assert state == "active"

    made = command("sso", "keys", "new")
    assert "documo sso keys activate" in made.stderr
    assert "already prepared" in command("sso", "keys", "new", code=7).stderr
    assert "pass --yes" in command("sso", "keys", "activate", listed()[1][0], code=64).stderr
    new = listed()[1][0]
    # A wrong thumbprint is refused before the question, which names the certificate.
    assert "no certificate" in command("sso", "keys", "activate", "ABCD1234", code=5).stderr
    assert "already active" in command("sso", "keys", "activate", old, code=7).stderr
    assert new in command("sso", "keys", "activate", new[:8], code=64).stderr
    assert "no certificate" in command("sso", "keys", "remove", "ABCD1234", code=5).stderr
    command("sso", "keys", "activate", new[:8], "--yes")
    assert listed() == [[new, "active"], [old, "retiring"]]

    assert "already active" in command("sso", "keys", "activate", new, "--yes", code=7).stderr
    command("sso", "keys", "remove", old, "--yes")
    assert listed() == [[new, "active"]]
    assert "no certificate" in command("sso", "keys", "remove", old, "--yes", code=5).stderr
