"""Plan what the file of one application would change: its settings, rules, assignments and token. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lockstep.actions.configuration_plan import ConfigurationPlan as ConfigurationPlan
from lockstep.actions.configuration_plan import DocumentPlan as DocumentPlan
from lockstep.actions.configuration_state import (
    application_spec,
    name_of_group,
    read_parts,
    template_spec,
)
from lockstep.actions.context import Context
from lockstep.actions.credentials import MASK, checked_url, origin
from lockstep.actions.jobs import job_row
from lockstep.actions.lookup import find_group, find_person
from lockstep.actions.mappings import new_unknown_names
from lockstep.actions.permissions import Permission
from lockstep.actions.settings import NOT_DECIDING
from lockstep.actions.single_sign_on.settings import checked_settings
from lockstep.configuration.document.strict_json import unknown_word
from lockstep.configuration.files.change import ConfigChange, Sign
from lockstep.configuration.files.difference import difference
from lockstep.configuration.files.file import ConfigDocument
from lockstep.configuration.files.sections import assignment_key
from lockstep.configuration.lint import lint
from lockstep.configuration.rules import configuration_from_json
from lockstep.configuration.single_sign_on import SignOnSettings
from lockstep.errors import LockstepError, conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, assignments, credentials, groups, links, people, tenant
from lockstep.storage.applications import ApplicationRow
from lockstep.storage.people import PersonFilter
from lockstep.sync.connections import TOKEN
from lockstep.vault import Secret
from lockstep.wording import counted

LABELS = "metadata.labels"
Resolve = Callable[[str], Secret | None]


def no_secrets(_: str) -> Secret | None:
    """Return None for every reference to a secret. Used on a server, where a file from a caller must not be able to read the server's
    files.
    """
    return None


def label_changes(document: ConfigDocument, stored: Mapping[str, str]) -> list[ConfigChange]:
    """Return the changes of labels. A file without labels changes no labels."""
    if not document.labels or document.labels == stored:
        return []
    return [ConfigChange(Sign.CHANGE, document.title, LABELS, dict(stored) or None, dict(document.labels))]


async def plan_application(
    context: Context,
    connection: Connection,
    document: ConfigDocument,
    coming: frozenset[str],
    *,
    prune: bool,
    resolve: Resolve,
) -> DocumentPlan:
    """Return the plan for one application. *coming* contains the lower-case names of the groups that the same files describe."""
    app = await applications.find_application(connection, document.name)
    try:
        template = context.gallery.template(document.spec["template"])
    except LockstepError as error:
        raise document.wrong("spec.template", error) from None
    if app is None:
        current = template_spec(template)
        # No one chose the values that a new application gets from its template, so the file replaces them.
        prune = True
    else:
        parts = await read_parts(connection, [app.id])
        current = application_spec(app, await job_row(connection, app.name), parts[app.id])
        if app.template != template.id:
            detail = (
                f"{app.name} was created from the template {app.template}, which cannot be changed to {template.id}"
            )
            raise document.wrong(
                "spec.template", conflict(detail, next_step="Use a different name for the new application")
            )
    document = await _with_stored_names(connection, document, current, coming)
    _refuse_unusable(document, current)
    notes = [*(_display_name_notes(document, current) if app else []), *_lint_notes(document)]
    compared = ConfigDocument(
        document.kind, document.name, {k: v for k, v in document.spec.items() if k != "displayName"}
    )
    found = difference(compared, current, prune=prune)
    changes = list(found.changes)
    if app is None:
        changes.insert(0, ConfigChange(Sign.ADD, document.title, "", new={"template": template.id}))
    changes += label_changes(document, await tenant.read_labels(connection, "Application", document.name))
    secret, more = await _secret_change(context, connection, document, app, resolve)
    return DocumentPlan(
        document,
        app is None,
        (*changes, *secret),
        found.spec,
        current,
        (*notes, *more),
        await _looked_at_again(connection, app, found.spec) if app else 0,
    )


def _display_name_notes(document: ConfigDocument, current: Mapping[str, Any]) -> list[str]:
    name = document.spec.get("displayName")
    if name in (None, current["displayName"]):
        return []
    return [f'The display name stays "{current["displayName"]}": it can only be set when an application is added.']


def _refuse_unusable(document: ConfigDocument, current: Mapping[str, Any]) -> None:
    """Raise LockstepError for single sign-on settings that cannot work, and for an unknown source attribute that the stored configuration
    does not use yet. The error names the place in the file.
    """
    if "singleSignOn" in document.spec:
        try:
            checked_settings(document.spec["singleSignOn"], SignOnSettings())
        except LockstepError as refused:
            raise document.wrong("spec.singleSignOn", refused) from None
    stored = configuration_from_json(current.get("provisioning", {}), version=0)
    wanted = configuration_from_json(document.spec.get("provisioning", {}), version=0)
    for found in new_unknown_names(stored, wanted):
        error = invalid(found.message, next_step="See: lockstep people attributes")
        raise document.wrong(f"spec.provisioning.{found.place}", error)


def _lint_notes(document: ConfigDocument) -> list[str]:
    """Return notes on settings that cannot work or are probably a mistake."""
    configuration = configuration_from_json(document.spec.get("provisioning", {}), version=0)
    return [f"{one.severity}: {one.place}: {one.message}" for one in lint(configuration) if one.severity != "kept"]


async def _with_stored_names(
    connection: Connection, document: ConfigDocument, current: Mapping[str, Any], coming: frozenset[str]
) -> ConfigDocument:
    """Return *document* with the tenant URL, people, groups and roles spelled as they are stored. Raises LockstepError if one of them is
    unknown.
    """
    spec = dict(document.spec)
    url = spec.get("credentials", {}).get("tenantUrl")
    if url:
        try:
            spec["credentials"] = {**spec["credentials"], "tenantUrl": checked_url(url)}
        except LockstepError as error:
            raise document.wrong("spec.credentials.tenantUrl", error) from None
    if "assignments" in spec:
        roles = [*spec.get("roles", []), *current["roles"]]
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        for index, one in enumerate(spec["assignments"]):
            stored = await _stored_assignment(connection, document, f"spec.assignments[{index}]", one, roles, coming)
            found[assignment_key(stored)] = stored
        spec["assignments"] = list(found.values())
    return ConfigDocument(document.kind, document.name, spec, document.labels, document.origin)


async def _stored_assignment(
    connection: Connection,
    document: ConfigDocument,
    place: str,
    one: Mapping[str, Any],
    roles: list[dict[str, Any]],
    coming: frozenset[str],
) -> dict[str, Any]:
    stored: dict[str, Any]
    try:
        if "group" in one and one["group"].lower() in coming and not await groups.find_groups(connection, one["group"]):
            stored = {"group": one["group"]}
        elif "group" in one:
            group = await find_group(connection, one["group"])
            stored = {"group": await name_of_group(connection, group.id, group.display_name)}
        else:
            stored = {"user": (await find_person(connection, one["user"])).user_principal_name}
    except LockstepError as error:
        error.why = error.why or "Assignments refer to people and groups in the directory: import their source first"
        raise document.wrong(f"{place}.{'group' if 'group' in one else 'user'}", error) from None
    if "role" in one:
        wanted = one["role"].lower()
        known = {(role["value"] or role["displayName"]).lower(): role for role in reversed(roles)}
        named = [role for role in known.values() if role["displayName"].lower() == wanted]
        found = [known[wanted]] if wanted in known else named
        if len(found) != 1:
            names = [role["value"] or role["displayName"] for role in (named or known.values())]
            what = f'{counted(len(named), "role")} are called "{one["role"]}": {", ".join(names)}' if named else ""
            raise document.wrong(f"{place}.role", invalid(what or unknown_word(one["role"], names, "role")))
        stored["role"] = found[0]["value"] or found[0]["displayName"]
    return stored


async def _secret_change(
    context: Context, connection: Connection, document: ConfigDocument, app: ApplicationRow | None, resolve: Resolve
) -> tuple[list[ConfigChange], list[str]]:
    """Compare the stored token with the token that the file refers to. Returns the changes and the notes. Neither contains a token."""
    given = document.spec.get("credentials", {})
    reference = given.get("secretTokenRef")
    if reference is None:
        return [], []
    row = await credentials.read_credential(connection, app.id) if app else None
    sealed = await credentials.sealed_secret(connection, app.id) if app else None
    if row is not None and origin(row.tenant_url) != origin(given.get("tenantUrl", row.tenant_url)):
        sealed = None  # a token belongs to one origin
    place, token = "credentials.secretTokenRef", resolve(reference)
    if app is None or sealed is None:
        notes = (
            []
            if token
            else [f"{reference} is not set in this environment, and no token is stored: apply would be refused."]
        )
        return [ConfigChange(Sign.ADD, document.title, place, new=reference)], notes
    if token is None:
        return [], [f"{reference} is not set in this environment: the stored token is kept."]
    context.actor.require(Permission.CREDENTIALS_WRITE, app.id)
    if context.vault.open(sealed, purpose=TOKEN, name=app.id) == token:
        return [], []
    return [ConfigChange(Sign.CHANGE, document.title, place, old=MASK, new=reference)], []


async def _looked_at_again(connection: Connection, app: ApplicationRow, spec: Mapping[str, Any]) -> int:
    """Estimate how many objects are re-evaluated after a change of the configuration: the number of people in scope or the number of links,
    whichever is higher. Returns 0 if provisioning was never started, or if the change does not affect decisions.
    """
    if not app.started or not set(spec.get("provisioning", {})) - NOT_DECIDING:
        return 0
    if app.syncs_all or spec["provisioning"].get("scope") == "all":
        in_scope = await people.count_people(connection, PersonFilter())
    else:
        _, in_scope = await assignments.count_assigned(connection, app.id)
    return max(in_scope, sum((await links.count_links(connection, [app.job]))[app.job].values()))
