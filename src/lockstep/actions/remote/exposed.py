"""The actions that may be called by name from another machine, and the parameters that such a call may not set.

A caller on another machine passes only values that a person could type. Values that only a process on the server can know, such as files on
its disk, are set by the server. Actions that create tokens or administrators are not exposed, because a caller with a token may do neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.actions import (
    activity,
    administrators,
    applications,
    applied_previews,
    assignment_forecast,
    assignments,
    audit,
    configuration,
    configuration_apply,
    configuration_edit,
    configuration_export,
    configuration_history,
    connection,
    credentials,
    explaining,
    expressions,
    following,
    group_rules,
    groups,
    health,
    held,
    identity_providers,
    job_previews,
    links,
    logs,
    mail_server,
    mappings,
    mappings_attributes,
    organisation,
    outbound,
    outgoing_mail,
    people,
    previews,
    provisioning,
    retention,
    roles,
    settings,
    sign_in_logs,
    source_decisions,
    source_keys,
    sources,
    status,
    stored_secrets,
    throughput,
    timeline,
    unkept,
    webhook,
)
from lockstep.actions.access import CHECKED
from lockstep.actions.person_sign_in import ldap_setup, passwords, person_passkeys, person_totp, sessions, setting
from lockstep.actions.single_sign_on import address, certificates, client_secrets, metadata, openid_keys, trying
from lockstep.actions.single_sign_on import settings as sign_on_settings
from lockstep.errors import conflict
from lockstep.ports import Probe


@dataclass(frozen=True, slots=True)
class RemoteAction:
    """An action that is offered to remote callers. *here* has the values of parameters that the server sets and that are not transferred.
    *kept* contains the names of parameters that a caller may not set.

    If *tells* is false, the caller gets no result. If *is_long* is true, the action continues after its request was answered. *most* is the
    highest number of rows that a caller may request at once. The number is limited because the response is built in memory.
    """

    here: Mapping[str, Any] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    tells: bool = True
    is_long: bool = False
    most: int = 100_001  # one more than the command line shows, to detect further rows


def _refuse_failing(probe: Probe) -> None:
    raise conflict(
        f"The stored credentials work, but the new ones do not: {probe.sentence}",
        next_step="Correct them, or add --yes to store them anyway",
    )


def _noun(module: Any) -> str:
    return str(module.__name__.removeprefix("lockstep.actions."))


_WHOLE = RemoteAction()
_MODULES: Mapping[Any, tuple[str, ...]] = {
    administrators: ("list_administrators",),
    applications: ("add_application", "list_applications", "remove_application", "show_application"),
    assignment_forecast: ("forecast_assignment",),
    assignments: ("assign", "list_assignments", "reassign", "role_warning", "unassign"),
    audit: ("list_entries", "show_entry", "verify"),
    address: ("set_address", "show_address"),
    certificates: (
        "activate_certificate", "add_certificate", "download_certificate", "expiring_certificates", "remove_certificate",
    ),
    client_secrets: ("list_client_secrets", "remove_client_secret"),
    metadata: ("fetch_metadata", "upload_metadata"),
    openid_keys: ("list_openid_keys", "roll_openid_keys"),
    sign_on_settings: ("change_sign_on", "set_claim", "show_sign_on"),
    trying: ("try_sign_on",),
    configuration: ("plan_configuration",),
    configuration_apply: ("apply_configuration",),
    configuration_export: ("export_application", "export_entra_schema", "export_everything"),
    configuration_edit: ("text_of_version",),
    configuration_history: ("comment_on_version", "compare_versions", "list_versions"),
    connection: ("test_connection", "test_deeply"),
    credentials: ("set_credentials", "show_credentials"),
    explaining: ("explain_person", "only_application"),
    expressions: ("evaluate",),
    group_rules: ("create_dynamic_group", "decide_for", "effect_of_rule", "set_rule", "show_rule"),
    groups: ("change_members", "create_group", "delete_group", "list_groups", "restore_group", "show_group"),
    health: ("failing_sources",),
    held: ("list_held",),
    identity_providers: ("show_identity_provider", "test_provider"),
    ldap_setup: ("find_in_ldap", "remove_ldap", "set_ldap", "show_ldap"),
    links: ("choose_link", "forget_link", "list_links", "list_orphans"),
    logs: ("directory_change_before", "follow_log", "graph_names", "list_log", "pages_of_log", "show_log"),
    mail_server: ("remove_mail_server", "send_test_mail", "set_mail_server", "show_mail_server"),
    outgoing_mail: ("list_outgoing_mail", "retry_mail"),
    webhook: ("remove_webhook", "send_test_webhook", "set_webhook", "show_webhook"),
    mappings: ("count_scope", "decide_for", "lint_mappings", "read_mappings"),
    mappings_attributes: (
        "add_attribute", "discover_attributes", "evaluate_mappings", "list_attributes", "remove_attribute",
    ),
    organisation: ("change_organisation", "show_organisation"),
    outbound: ("add_place", "list_places", "remove_place"),
    people: ("delete", "list_people", "purge", "restore", "set_enabled", "set_person", "show_person"),
    passwords: ("new_sign_in_link",),
    person_passkeys: ("show_person_factors",),
    person_totp: ("remove_person_factor",),
    applied_previews: ("apply_preview", "pages_of_left"),
    job_previews: ("begin_preview", "list_previews", "pages_of_objects", "stop_preview"),
    previews: ("expression_record", "preview"),
    provisioning: (
        "approve_deletes", "approve_rejected", "clear_quarantine", "pause", "push", "reject_deletes", "restart", "retry",
        "run", "start",
    ),
    retention: ("foresee_retention", "set_retention", "show_retention"),
    roles: (
        "add_role", "export_manifest", "import_manifest", "list_roles", "move_role", "remove_role", "set_role_enabled",
    ),
    sessions: ("end_person_sessions", "list_person_sessions"),
    setting: ("change_sign_in_setting", "show_sign_in_setting"),
    settings: ("change_settings", "show_scope", "show_settings"),
    sign_in_logs: ("pages_of_sign_ins",),
    source_decisions: ("confirm_hold", "reject_hold", "who_is_held"),
    source_keys: ("rename_source",),
    sources: ("list_sources", "remove_source", "show_source"),
    stored_secrets: ("list_secrets",),
    status: ("list_cycles", "list_status", "show_cycle", "show_status"),
    throughput: ("show_leaving", "show_throughput"),
    timeline: ("find_subject",),
    unkept: ("unkept_attributes",),
}  # fmt: skip
EXPOSED: Mapping[str, RemoteAction] = {
    f"{_noun(module)}.{name}": _WHOLE for module, names in _MODULES.items() for name in names
} | {
    # These return compiled configuration, which is code.
    "settings.set_mapping": RemoteAction(tells=False),
    "settings.set_scope": RemoteAction(tells=False),
    # These ask questions, which is impossible during a request.
    "connection.set_tested_credentials": RemoteAction(here={"agree": _refuse_failing}),
    # The journal, not the caller, decides which accounts are ours.
    "links.settle_orphans": RemoteAction(here={"found": None}),
    # Records may be long; `pages_of_log` reads all of them in pages.
    "logs.list_log": RemoteAction(most=1_000),
    "sign_in_logs.list_sign_ins": RemoteAction(most=1_000),
    # These parameters determine the length of the response.
    "activity.activity_of_each": RemoteAction(here={"days": activity.DAYS}),
    "activity.daily_activity": RemoteAction(here={"days": activity.DAYS}),
    "timeline.pages_of_timeline": RemoteAction(here={"size": timeline.EXPORTED}),
    # These do a worker's work, which a request must not do.
    f"{_noun(following)}.follow_cycle": RemoteAction(here={"helps": False}),
    f"{_noun(job_previews)}.follow_preview": RemoteAction(here={"helps": False}),
    # A configuration names files, which would be files on the server.
    "sources.import_source": RemoteAction(kept=frozenset({"config", "file_name"}), is_long=True),
    "sources.rehearse_import": RemoteAction(kept=frozenset({"config"}), is_long=True),
    "source_keys.rekey_source": RemoteAction(kept=frozenset({"config"})),
    # It names files of the server, below the folder for sources' files.
    "sources.save_source": RemoteAction(kept=frozenset({"is_kept"})),
    "uploads.take_upload": RemoteAction(is_long=True),
    "uploads.rekey_with_upload": _WHOLE,
}
assert EXPOSED.keys() <= CHECKED.keys(), sorted(EXPOSED.keys() - CHECKED.keys())  # noqa: S101  # a misspelt name
