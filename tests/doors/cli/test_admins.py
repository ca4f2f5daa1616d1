"""`lockstep admins` and `lockstep token`: the operator of the machine manages who may use the admin centre."""

from __future__ import annotations

import orjson

from lockstep.actions.permissions import TABLE, Role
from tests.support.command_line import Lockstep
from tests.support.oidc_provider import running_oidc_provider
from tests.support.serving_process import free_port, process


def test_operator_invites_changes_and_disables_administrators(connected: Lockstep) -> None:
    first = connected("admins", "invite")
    assert (first.code, first.out.startswith("http://127.0.0.1:8080/invitations/")) == (0, True)
    assert connected("admins", "invite", "anna@contoso.com", "--role", "globalAdministrator").code == 0
    assert connected("admins", "invite").code == 7
    owner = ("ben@contoso.com", "--role", "applicationOwner", "--app")
    assert connected("admins", "invite", *owner, "nothing").code == 5
    link = connected("admins", "invite", *owner, "documo", "-o", "json").json

    ben = connected("admins", "list", "-o", "json").json["items"][1]
    assert link["path"].startswith("/invitations/")
    assert (ben["roles"], ben["status"]) == ("Application owner (documo)", "invited")
    assert connected("admins", "set", "ben@contoso.com", "--role", "helpDesk").out == "ben@contoso.com: Help desk.\n"
    assert connected("admins", "disable", "ben@contoso.com").code == 0
    assert connected("admins", "disable", "anna@contoso.com").code == 7
    assert connected("admins", "remove", "ben@contoso.com", "--yes").code == 0
    audited = connected("audit", "-o", "json").out
    assert "Invite administrator" in audited
    assert "(command line)" in audited
    assert link["path"].rpartition("/")[2] not in audited


def test_link_of_a_person_is_printed_whole_with_the_stored_address(connected: Lockstep) -> None:
    unknown = connected("people", "sign-in", "link", "anna@contoso.test")
    assert (unknown.code, unknown.out.startswith("http://127.0.0.1:8080/myapps/link/")) == (0, True)
    assert connected("sso", "address", "https://id.contoso.com").code == 0
    assert connected("people", "sign-in", "link", "anna@contoso.test").out.startswith(
        "https://id.contoso.com/myapps/link/"
    )


def test_server_prints_a_link_while_there_is_no_administrator(connected: Lockstep) -> None:
    def said_at_start() -> str:
        with process("lockstep", "serve", "--port", str(free_port()), ready="Lockstep is listening") as said:
            return said

    assert "/invitations/" in said_at_start()
    assert connected("admins", "invite", "anna@contoso.com", "--role", "globalAdministrator").code == 0
    assert "/invitations/" not in said_at_start()


def test_roles_are_printed_as_the_table_says(connected: Lockstep) -> None:
    rows = connected("admins", "roles", "-o", "json").json["items"]

    assert {(row["permission"], role) for row in rows for role in Role if row[role]} == {
        (permission, role) for permission, roles in TABLE.items() for role in roles
    }


def test_a_token_is_printed_once(connected: Lockstep) -> None:
    made = connected("token", "create", "hr", "--service", "--scope", "sources.import", "-o", "json").json
    assert connected("token", "create", "hr", "--scope", "sources.import").code == 64

    listed = connected("token", "list", "-o", "json")
    assert made["token"].startswith("lockstep_svc_")
    assert (orjson.loads(listed.out)["items"][0]["id"], made["token"] in listed.out) == (made["id"], False)
    assert connected("token", "revoke", made["id"]).code == 0
    assert connected("token", "list", "-o", "json").json["items"] == []


def test_operator_sets_up_single_sign_on_step_by_step_and_the_secret_is_never_shown(connected: Lockstep) -> None:
    sso = ("admins", "sso")
    assert connected(*sso, "show").code == 5
    assert connected(*sso, "set", "--name", "Contoso ID").code == 64
    with running_oidc_provider() as provider:
        first = (
            "--name",
            "Contoso ID",
            "--issuer",
            provider.issuer,
            "--client-id",
            "lockstep",
            "--client-secret-stdin",
        )
        blocked = connected(*sso, "set", *first, stdin="top secret\n")
        assert connected("outbound", "add", provider.issuer).code == 0
        made = connected(
            *sso, "set", *first, "--map", "ops=operator", "--map", "team=applicationOwner:documo", stdin="top secret\n"
        )
        wrong = connected(*sso, "set", "--map", "ops=king")
        changed = connected(*sso, "set", "--claim", "roles", "-o", "json").json
        assert connected(*sso, "test").code == 0

    assert (blocked.code, "lockstep outbound add" in blocked.err) == (69, True)
    assert "redirect URI" in made.out and "team: Application owner of documo" in made.out
    assert (wrong.code, "ops=king" in wrong.err) == (64, True)
    assert (changed["rolesClaim"], changed["hasSecret"], len(changed["roles"])) == ("roles", True, 2)
    assert connected(*sso, "remove", "--yes").code == 0
    assert "top secret" not in made.out + made.err + connected("audit", "-o", "json").out


def test_quiet_prints_the_token_that_is_shown_only_once(contoso: Lockstep) -> None:
    said = contoso("token", "create", "ci", "--service", "--scope", "logs.read", "-q")

    assert said.out.startswith("lockstep_svc_")
    assert said.out.count("\n") == 1
