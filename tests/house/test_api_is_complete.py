"""Everything that the pages and the command line do has a route of the API, or is listed here with its reason.

The pages and the commands call actions, and nothing below them. So a route for each action is a route for each of them.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import lockstep.actions
from lockstep.actions.access import ACTIONS
from lockstep.api.app import api_app
from lockstep.cli.remote.reach import NEED_NOTHING

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lockstep"
HERE = "lockstep.actions."
BROWSER = "It belongs to a person at a browser: the own password, second factor, passkeys and sessions, invitations, signing in"
PEOPLE = "It belongs to a person who signs in to an application, or to the application: SAML and OpenID Connect have their own addresses"
MACHINE = (
    "It works with the server's machine: its disk, its key, a backup, files that are not below the folder of sources"
)
WORKER = "The worker or the server calls it, and no person"
INSIDE = "It is a step of other actions, which have routes"
# Actions without a route, each with the reason; or with the names of the routes that do the same.
NO_ROUTE: dict[str, str] = {
    **dict.fromkeys(
        (
            "federated_sign_in.begin", "federated_sign_in.finish", "identity_providers.provider_name",
            "identity_providers.sign_out_address", "own_password.change_password", "passkeys.add_passkey", "passkeys.begin_passkey",
            "passkeys.list_passkeys", "passkeys.remove_passkey", "second_factor.begin_second_factor",
            "second_factor.confirm_second_factor", "second_factor.has_second_factor", "second_factor.remove_second_factor",
            "sessions.end_session", "sessions.list_sessions", "sign_in.accept_invitation", "sign_in.read_invitation", "sign_in.sign_in",
            "sign_in.sign_out", "sign_in.step_up",
        ),
        BROWSER,
    ),
    **dict.fromkeys(
        (
            "openid_sign_in.answering.authorize", "openid_sign_in.answering.resume", "openid_sign_in.leaving.logout_asked",
            "openid_sign_in.opening.open_application", "openid_sign_in.origins.is_of_public_client", "openid_sign_in.redeeming.redeem",
            "openid_sign_in.telling.revoke", "openid_sign_in.telling.user_info", "person_sign_in.my_apps.my_apps",
            "person_sign_in.own_sessions.end_other_sessions", "person_sign_in.own_sessions.end_own_session",
            "person_sign_in.own_sessions.list_own_sessions", "person_sign_in.passwords.accept_link",
            "person_sign_in.passwords.owner_of_link", "person_sign_in.passwords.sign_person_in",
            "person_sign_in.person_passkeys.add_own_passkey", "person_sign_in.person_passkeys.begin_own_passkey",
            "person_sign_in.person_passkeys.list_own_passkeys", "person_sign_in.person_passkeys.remove_own_passkey",
            "person_sign_in.person_passkeys.rename_own_passkey", "person_sign_in.person_totp.begin_factor",
            "person_sign_in.person_totp.confirm_factor", "person_sign_in.sessions.caller_of_person",
            "person_sign_in.setting.ways_to_sign_in", "person_sign_in.upstream.come_back", "person_sign_in.upstream.leave_for_provider",
            "saml_sign_in.answering.answer_request", "saml_sign_in.answering.launch", "saml_sign_in.asking.receive_form",
            "saml_sign_in.asking.receive_query", "saml_sign_in.describing.metadata_of", "saml_sign_in.leaving.next_stop",
            "saml_sign_in.leaving.receive_logout", "saml_sign_in.leaving.sign_out_here", "single_sign_on.metadata.federation_metadata",
            "single_sign_on.openid_keys.published_keys",
        ),
        PEOPLE,
    ),
    **dict.fromkeys(
        (
            "administrators.first_link", "health.forget_unreadable", "key_replacement.encrypt_again", "restore.enter_restore_mode",
            "source_files.files_outside", "sources.import_file",
        ),
        MACHINE,
    ),
    **dict.fromkeys(
        (
            "digests.write_due_digests", "job_previews.make_due_preview", "openid_sign_in.back_channel.tell_due",
            "outgoing_mail.send_due_mail", "retention.remove_old", "single_sign_on.reminders.remind_of_certificates",
        ),
        WORKER,
    ),
    **dict.fromkeys(
        (
            "configuration_groups.apply_group", "configuration_sign_in.apply_ldap", "configuration_tenant.save_labels",
            "configuration_tenant.save_tenant", "credentials.set_credentials", "explaining.only_application", "logs.graph_names",
            "previews.expression_record", "settings.change_configuration",
        ),
        INSIDE,
    ),
}  # fmt: skip
# Actions whose result a page or command needs in another form; the routes that offer the same.
SAME_AS: dict[str, tuple[str, ...]] = {
    "assignment_pages.candidates_of": ("list_candidates", "show_person", "show_group"),
    "assignment_pages.page_of_assignments": ("list_assignments",),
    "assignment_pages.remove_assignments": ("unassign",),
    "assignment_pages.some_assignments": ("list_assignments",),
    "configuration_edit.apply_text": ("apply",),
    "configuration_edit.plan_text": ("plan",),
    "configuration_edit.read_text": ("export",),
    "expression_trials.try_expression": ("evaluate",),
    "following.follow": ("events", "show_cycle"),
    "following.follow_cycle": ("events", "show_cycle"),
    "group_pages.change_mixed_members": ("change_members",),
    "health.failing_sources": ("show_health", "list_sources"),
    "health.left_undone": ("show_health", "show_status"),
    "applied_previews.pages_of_left": ("list_left_objects",),
    "job_previews.follow_preview": ("show_preview",),
    "job_previews.is_without_worker": ("show_health", "show_status"),
    "job_previews.pages_of_objects": ("list_preview_objects",),
    "links.page_of_links": ("list_links",),
    "logs.directory_change_before": ("show_timeline_of_person", "show_timeline_of_group"),
    "logs.follow_log": ("events", "list_logs"),
    "logs.pages_of_log": ("list_logs",),
    "mapping_pages.count_concerned": ("preview_mapping",),
    "mapping_pages.sample_names": ("list_links", "list_people"),
    "mapping_pages.show_sample": ("evaluate_mappings",),
    "overview.overview": ("list_overview", "list_logs", "show_health"),
    "people.count_states": ("list_people",),
    "people.filter_choices": ("list_people", "list_sources"),
    "provisioning_pages.show_setup": ("show_overview",),
    "setup_announcements.announce_settings": ("change_settings", "show_overview"),
    "sign_in_logs.pages_of_sign_ins": ("list_sign_ins",),
    "single_sign_on.certificates.download_certificate": ("show_sign_on",),
    "single_sign_on.certificates.expiring_certificates": ("show_health",),
    "single_sign_on.settings.set_claim": ("change_sign_on",),
    "switching_on.stop_own_preview": ("stop_preview",),
    "switching_on.switch_on": ("change_settings", "begin_preview", "start"),
    "timeline.pages_of_timeline": ("show_timeline_of_person", "show_timeline_of_group"),
    "unkept.unkept_attributes": ("lint_mappings",),
    "uploads.take_upload": ("upload_file", "import_upload"),
}
# Commands that call no action; the routes that offer the same, or the reason why there is none.
COMMANDS: dict[str, tuple[str, ...] | str] = {
    "admins roles": ("list_administrator_roles",),
    "apps templates": ("list_templates",),
    "expr functions": ("list_functions",),
    "people attributes": ("list_directory_attributes",),
    "login": ("sign_in",),
    "logout": ("revoke_this_token",),
    "whoami": ("who_am_i",),
    "version": ("show_about",),
    "import": "It converts a file of this machine and reads nothing from Lockstep; PUT /applications/{app}/schema imports one",
    **dict.fromkeys(
        ("expr test", "fmt", "scim check"), "It works with files of this machine, or with another SCIM server"
    ),
    **dict.fromkeys(("completion", "context list", "context use", "help"), "It concerns the command line itself"),
}


def actions_named_in(tree: ast.AST) -> Iterator[str]:
    """Yield each `module.function` of the actions that the code names, whatever it calls them."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(HERE):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            yield names[node.id].removeprefix(HERE)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            yield f"{names[node.value.id]}.{node.attr}".removeprefix(HERE)


def actions_with_a_route() -> set[str]:
    files = (SOURCE / "api").rglob("*.py")
    return {name for file in files for name in actions_named_in(ast.parse(file.read_text(encoding="utf-8")))}


@pytest.fixture(scope="module")
def routes() -> set[str]:
    return {getattr(one, "name", "") for one in api_app(lambda _: None).routes}  # type: ignore[arg-type, return-value]


def test_every_action_has_a_route_or_is_listed_with_its_reason() -> None:
    for module in pkgutil.walk_packages(lockstep.actions.__path__, HERE):
        importlib.import_module(module.name)
    without = ACTIONS.keys() - actions_with_a_route()

    assert without == NO_ROUTE.keys() | SAME_AS.keys()
    assert not NO_ROUTE.keys() & SAME_AS.keys()


def test_routes_that_replace_an_action_exist(routes: set[str]) -> None:
    named = {one for some in SAME_AS.values() for one in some}
    named |= {one for some in COMMANDS.values() if not isinstance(some, str) for one in some}

    assert named - routes == set()


def test_every_command_without_an_action_has_a_route_or_its_reason() -> None:
    assert COMMANDS.keys() == NEED_NOTHING


def test_an_action_is_found_under_any_name_that_the_code_gives_it() -> None:
    code = "from lockstep.actions import people as ours\nfrom lockstep.actions.search import find\nours.purge(find())"

    assert {"people.purge", "search.find"} <= set(actions_named_in(ast.parse(code)))
