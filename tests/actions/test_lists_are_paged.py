"""Every action that returns a list has a limit, or returns something that stays small."""

from __future__ import annotations

import collections.abc
import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any, get_args, get_origin, get_type_hints

import lockstep.actions
from lockstep.actions.access import CHECKED

MADE_BY_HAND = "people make each by hand"
GIVEN = "one for each that the caller named"
ONE_THING = "parts of one thing"
# Lists without a limit, each with the reason why it does not grow with the directory, the log or the accounts of an application.
WHOLE = {
    **dict.fromkeys(
        ("access_tokens.list_tokens", "administrators.list_administrators", "applications.list_applications",
         "mail_server.send_test_mail", "outgoing_mail.examine_mail", "webhook.send_test_webhook",
         "outbound.list_places", "overview.list_overview", "roles.list_roles", "sources.list_sources", "status.list_status",
         "single_sign_on.certificates.expiring_certificates", "single_sign_on.reminders.remind_of_certificates",
         "person_sign_in.sessions.list_person_sessions",
         "single_sign_on.client_secrets.list_client_secrets", "single_sign_on.client_secrets.remove_client_secret",
         "single_sign_on.openid_keys.list_openid_keys", "single_sign_on.openid_keys.roll_openid_keys"),
        MADE_BY_HAND,
    ),
    **dict.fromkeys(
        ("assignments.assign", "assignments.unassign", "people.delete", "people.purge", "people.restore", "people.set_enabled",
         "assignment_pages.candidates_of", "assignment_pages.some_assignments", "mapping_pages.try_mapping",
         "activity.daily_activity",
         "previews.preview", "provisioning.push", "roles.import_manifest", "logs.as_graph"),
        GIVEN,
    ),
    **dict.fromkeys(
        ("configuration_history.compare_versions", "connection.test_connection", "connection.test_deeply",
         "connection.try_credentials", "logs.show_log", "mappings.lint_filters", "mappings.lint_mappings",

         "mapping_changes.import_entra_schema", "mapping_pages.kinds_of", "mappings.read_mappings",
         "mappings_attributes.discover_attributes", "mappings_attributes.list_attributes",
         "retention.set_retention", "retention.show_retention", "sources.import_file", "sources.import_source",
         "sources.rehearse_import", "uploads.take_upload", "who_may.who_may"),
        ONE_THING,
    ),
    **dict.fromkeys(
        ("failures.list_failing", "health.examine",
          "health.failing_sources", "health.forget_unreadable", "health.left_undone", "health.sealed",
         "person_sign_in.ldap_health.examine_ldap", "restore.enter_restore_mode", "source_files.files_outside"),
        "at most one for each application or source",
    ),
    "held.held_ids": "only the ids of what is decided together",
    "held.count_held": "one for each guard, reason and effect",
    **dict.fromkeys(("assignment_pages.find_candidates", "mapping_pages.sample_names"), "the first few"),
    "links.settle_orphans": "what an interrupted process left behind",
}  # fmt: skip
_LISTS = (list, collections.abc.Sequence, set, frozenset)


def _returns_a_list(hint: Any) -> bool:
    return get_origin(hint) in _LISTS or (get_origin(hint) is tuple and Ellipsis in get_args(hint))


def _has_limit(hints: dict[str, Any]) -> bool:
    return "limit" in hints or any(
        isinstance(one, type)
        and dataclasses.is_dataclass(one)
        and "limit" in {field.name for field in dataclasses.fields(one)}
        for one in hints.values()
    )


def test_every_list_action_has_a_limit_or_stays_small() -> None:
    for module in pkgutil.walk_packages(lockstep.actions.__path__, "lockstep.actions."):
        importlib.import_module(module.name)
    hints = {name: get_type_hints(inspect.unwrap(action)) for name, action in CHECKED.items()}
    whole = {name for name, one in hints.items() if _returns_a_list(one.get("return")) and not _has_limit(one)}

    assert whole == set(WHOLE)
