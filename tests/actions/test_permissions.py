"""Every action with every role is allowed or refused as the table of permissions says, and owners reach only their own applications."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import lockstep.actions
from lockstep.actions import applications, assignments, explaining, logs, people, sources, status
from lockstep.actions.access import ACTIONS
from lockstep.actions.callers import actor_of
from lockstep.actions.context import Actor, Context
from lockstep.actions.permissions import IN_ONE_APPLICATION, MEANINGS, TABLE, Permission, Role, permissions_of
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import transaction
from lockstep.storage import administrators, provisioning_log
from lockstep.storage.administrators import RoleGrant
from lockstep.storage.log_record import LogRecord
from tests.support.hub import Hub, person, upn, write_csv

# Functions with a context that no door calls, or that only call actions.
SHARED = {
    "access.needs_also": "checks",
    "access.require_application": "checks",
    "configuration.no_secrets": "takes no context",
    "configuration_application.plan_application": "of the actions that plan and apply configuration",
    "configuration_sign_in.ask_ldap": "of the actions that plan and apply configuration",
    "configuration_sign_in.plan_ldap": "of the actions that plan and apply configuration",
    "connection.settings_of_target": "of the actions that open an application",
    "consequences.consented": "calls an action",
    "consequences.foresee": "calls an action",
    "foreseen_deletions.foresee_deletion": "of the actions that foresee what they do to people",
    "mail_server.server_of": "of the actions that send mail",
    "webhook.client_of": "of the actions that call the webhook",
    "webhook.webhook_of": "of the actions that call the webhook",
    "jobs.new_services": "of the actions that open an application",
    "jobs.read_job": "of the actions on a job",
    "jobs.services_of": "of the actions that open an application",
    "federated_administrators.admit_identity": "of signing in",
    "federated_sign_in.begun_with": "of signing in",
    "federated_sign_in.claims_of_answer": "of signing in",
    "lockout.admit": "of signing in",
    "lockout.failed": "of signing in",
    "lockout.forgiven": "of signing in",
    "identity_providers.http_of": "of signing in",
    "identity_providers.read_client": "of signing in",
    "openid_sign_in.answering.no_access_page": "of signing in",
    "openid_sign_in.authenticating.authenticated": "of the token endpoint",
    "openid_sign_in.client.application_of": "of the portal",
    "openid_sign_in.client.issuer_of": "of the portal",
    "openid_sign_in.client.note": "of signing in",
    "openid_sign_in.client.note_fault": "of signing in",
    "openid_sign_in.redeeming.claims_of_grant": "of the token endpoint",
    "openid_sign_in.redeeming.groups_of": "of the token endpoint",
    "passkey_proofs.ask_passkey": "of signing in",
    "passkey_proofs.hosts_of_passkeys": "of signing in",
    "passkey_proofs.is_passkey": "of signing in",
    "passkey_proofs.sealed_challenge": "of the own passkeys",
    "passkey_proofs.use_challenge": "of the own passkeys",
    "passkey_registration.checked_answer": "of the own passkeys",
    "passkey_registration.question_for_new": "of the own passkeys",
    "passkey_registration.store_new": "of the own passkeys",
    "person_sign_in.attempts.confirm_password": "of the own passkeys",
    "person_sign_in.attempts.proved_caller": "of the own second factors",
    "person_sign_in.guarding.refuse_for_administrators": "of the actions on how people sign in",
    "person_sign_in.ldap_passwords.name_in_ldap": "of signing in",
    "person_sign_in.ldap_passwords.verify_in_ldap": "of signing in",
    "person_sign_in.ldap_setup.check_change": "of the actions on the LDAP directory",
    "person_sign_in.ldap_setup.find_entry": "of signing in",
    "person_sign_in.ldap_setup.ldap_row": "of the actions on the LDAP directory",
    "person_sign_in.ldap_setup.opened_password": "of signing in",
    "person_sign_in.ldap_setup.save_ldap": "of the actions on the LDAP directory",
    "person_sign_in.ldap_setup.server_of": "of signing in",
    "person_sign_in.outcomes.note_application_sign_in": "of signing in",
    "person_sign_in.outcomes.note_sign_in": "of signing in",
    "person_sign_in.outcomes.write_sign_in": "of signing in",
    "person_sign_in.person_totp.is_code_of_person": "of signing in",
    "person_sign_in.sessions.begin_session": "of signing in",
    "person_sign_in.sessions.person_or_refusal": "of the actions on the own session",
    "remote.running.run_named": "calls an action",
    "remote.running.stream_named": "calls an action",
    "saml_sign_in.asking.opened": "of signing in",
    "saml_sign_in.noting.note_saml": "of signing in",
    "saml_sign_in.noting.refuse": "of signing in",
    "saml_sign_in.noting.saml_application": "of signing in",
    "second_factor.recent_caller": "of the actions on the own account",
    "sessions.caller_or_refusal": "of the actions on the own account",
    "single_sign_on.issuing.claims_for": "of the portal, which has proved who the person is",
    "single_sign_on.issuing.facts_of": "of the portal",
    "single_sign_on.issuing.read_claims": "of the actions on single sign-on",
    "single_sign_on.issuing.signing_key_of": "of the portal",
    "single_sign_on.issuing.claims_by": "of the portal",
    "single_sign_on.keys.active_key": "of the portal",
    "single_sign_on.keys.ensure_key": "of the actions on single sign-on",
    "single_sign_on.keys.make_key": "of the actions on single sign-on",
    "single_sign_on.keys.opened_key": "of the portal",
    "single_sign_on.openid_keys.ensure_openid_keys": "of the actions on single sign-on",
    "single_sign_on.openid_keys.signing_key": "of the portal",
    "single_sign_on.settings.read_settings": "of the actions on single sign-on",
    "single_sign_on.settings.settings_in": "of the actions on single sign-on",
    "single_sign_on.settings.read_view": "of the actions on single sign-on",
    "source_files.named_files": "of the actions on sources",
    "source_files.open_files": "of the actions on sources",
    "source_files.placed_files": "of the actions on sources",
    "totp.is_code": "of signing in",
    "totp.is_newest_code": "of signing in",
}
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(lockstep.actions.__path__, "lockstep.actions.")
]
CHECKED = {name: rule for name, rule in ACTIONS.items() if rule.permission is not None}
MINE, OTHERS, NOWHERE = "documo", "elsewhere", "nowhere"


def public_functions() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for module in MODULES:
        for name, function in vars(module).items():
            if name.startswith("_") or not inspect.isfunction(function) or function.__module__ != module.__name__:
                continue
            if next(iter(inspect.signature(function).parameters), "") == "context":
                found[f"{module.__name__.removeprefix('lockstep.actions.')}.{name}"] = function
    return found


FUNCTIONS = public_functions()


def test_every_public_action_says_which_permission_it_needs() -> None:
    assert set(FUNCTIONS) - set(SHARED) == set(ACTIONS)


def test_every_permission_has_its_row_and_is_needed_somewhere() -> None:
    assert set(TABLE) == set(Permission)
    assert {rule.permission for rule in CHECKED.values()} == set(Permission)


def test_every_parameter_that_names_an_application_is_checked() -> None:
    """An owner could otherwise reach other applications through it."""
    unchecked = [
        name
        for name, rule in CHECKED.items()
        if "app" in inspect.signature(FUNCTIONS[name]).parameters
        and rule.permission in IN_ONE_APPLICATION
        and not rule.app
    ]
    assert unchecked == []
    assert [name for name, rule in CHECKED.items() if rule.app and rule.permission not in IN_ONE_APPLICATION] == []


@pytest.fixture
async def two_applications(hub: Hub) -> AsyncIterator[Hub]:
    """A hub with an application of the owner, and another one."""
    await applications.add_application(hub.context, "documo", name=MINE)
    await applications.add_application(hub.context, "documo", name=OTHERS)
    yield hub


async def actor(hub: Hub, role: Role) -> Actor:
    async with transaction(hub.pool) as connection:
        new = await administrators.insert_administrator(
            connection, f"{uuid4()}@contoso.test", display_name="", actor=""
        )
        row = await administrators.read_administrator(connection, new)
        mine = await applications.show_application(hub.context, MINE)
    assert row is not None
    app = mine.application.id if role is Role.APPLICATION_OWNER else None
    return actor_of(row, [RoleGrant(role, app, MINE if app else None)])


async def outcome(context: Context, name: str, app: str) -> LockstepError | None:
    """The refusal by which the action ends; None if it began. What it does is undone."""
    action, rule = FUNCTIONS[name], ACTIONS[name]
    parameters = list(inspect.signature(action).parameters.values())[1:]
    given = {one.name: None for one in parameters if one.default is inspect.Parameter.empty}
    if rule.app:
        given |= {rule.app: app}  # type: ignore[dict-item]
    try:
        with suppress(TypeError, AttributeError, ValueError, KeyError, psycopg.Error):
            async with transaction(context.pool) as connection:
                inner = replace(context, within=connection)
                if inspect.isasyncgenfunction(inspect.unwrap(action)):
                    await anext(action(inner, **given), None)
                else:
                    await action(inner, **given)
                raise ValueError("undone")
    except LockstepError as refused:
        return refused if refused.kind in (Kind.FORBIDDEN, Kind.NOT_FOUND) else None
    return None


# These begin something that lasts; that they are checked like all others is seen in the owner's test of their names.
ENDLESS = {"logs.follow_log"}


@pytest.mark.parametrize("role", Role)
async def test_every_action_is_allowed_or_refused_as_the_table_says(two_applications: Hub, role: Role) -> None:
    context = replace(two_applications.context, actor=await actor(two_applications, role))
    may = permissions_of([role])
    wrong = []
    for name, rule in CHECKED.items():
        if name in ENDLESS:
            continue
        refused = await outcome(context, name, MINE)
        is_refused = refused is not None and refused.kind is Kind.FORBIDDEN
        needs_all = role is Role.APPLICATION_OWNER and rule.permission in IN_ONE_APPLICATION
        is_expected = rule.permission in may and (bool(rule.app) or rule.filters or not needs_all)
        if is_refused is is_expected:
            wrong.append((name, str(rule.permission), str(refused)))
    assert wrong == []


async def test_somebody_elses_application_is_as_unknown_as_one_that_does_not_exist(two_applications: Hub) -> None:
    context = replace(two_applications.context, actor=await actor(two_applications, Role.APPLICATION_OWNER))

    for name in (name for name, rule in CHECKED.items() if rule.app):
        there, not_there = await outcome(context, name, OTHERS), await outcome(context, name, NOWHERE)
        assert there is not None and not_there is not None, name
        assert there.kind is Kind.NOT_FOUND, name
        assert OTHERS not in there.next_step
        assert str(there).replace(OTHERS, NOWHERE) == str(not_there)


async def test_owners_see_nothing_of_other_applications_in_lists(two_applications: Hub, tmp_path: Any) -> None:
    hub = two_applications
    config = {"files": [{"path": str(write_csv(tmp_path / "people.csv", [person("anna")]))}]}
    await sources.import_file(hub.context, "staff", config, is_kept=True)
    rows = {app.name: app for app in await applications.list_applications(hub.context)}
    for app in rows.values():
        await assignments.assign(hub.context, app.name, users=[upn("anna")])
        record = LogRecord(
            str(uuid4()), str(uuid4()), None, "create", "success", "User", None, upn("anna"), "", "system"
        )
        async with transaction(hub.pool) as connection:
            await provisioning_log.append(connection, app.job, app.id, [record])
    everything = await logs.list_log(hub.context)
    owner = replace(hub.context, actor=await actor(hub, Role.APPLICATION_OWNER))

    assert {row.app for row in everything} == {rows[MINE].id, rows[OTHERS].id}
    assert [app.name for app in await applications.list_applications(owner)] == [MINE]
    assert [one.app for one in await status.list_status(owner)] == [MINE]
    assert await explaining.only_application(owner) == MINE
    assert [row.app for row in await logs.list_log(owner)] == [rows[MINE].id]
    [hidden] = [row for row in everything if row.app == rows[OTHERS].id]
    with pytest.raises(LockstepError, match="The log has no change"):
        await logs.show_log(owner, str(hidden.seq))
    with pytest.raises(LockstepError, match="The log has no change"):
        await logs.show_log(owner, hidden.change_id)
    anna = await people.show_person(owner, upn("anna"))
    assert [one.app for one in anna.applications] == [MINE]
    assert [one.app_name for one in anna.assignments] == [MINE]


def test_every_permission_says_what_it_allows() -> None:
    assert set(MEANINGS) == set(Permission)
