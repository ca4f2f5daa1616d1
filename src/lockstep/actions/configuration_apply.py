"""Apply the changes of configuration files in one transaction. Each change is made by the same action that a person would use.

Either all changes are made or none. No object is evaluated before the commit, so an intermediate state never takes effect.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockstep.actions import provisioning
from lockstep.actions.access import needs
from lockstep.actions.applications import add_application, remove_application
from lockstep.actions.assignments import assign, unassign
from lockstep.actions.configuration import ConfigurationPlan, DocumentPlan, plan_configuration
from lockstep.actions.configuration_application import LABELS, Resolve, no_secrets
from lockstep.actions.configuration_groups import apply_group
from lockstep.actions.configuration_history import checked_comment
from lockstep.actions.configuration_sign_in import apply_ldap, ask_ldap
from lockstep.actions.configuration_state import source_config
from lockstep.actions.configuration_tenant import save_labels, save_tenant
from lockstep.actions.context import Context
from lockstep.actions.credentials import Authentication, AuthenticationMethod, check_token, set_credentials
from lockstep.actions.permissions import Permission
from lockstep.actions.roles import import_manifest, list_roles
from lockstep.actions.settings import change_configuration
from lockstep.actions.single_sign_on.settings import change_sign_on
from lockstep.actions.sources import remove_source, save_source
from lockstep.configuration.document.strict_json import Json
from lockstep.configuration.files.change import ConfigChange, Sign
from lockstep.configuration.files.file import ConfigDocument, DocumentKind
from lockstep.configuration.files.sections import OF_AUTHENTICATION, assignment_key, role_key
from lockstep.directory.roles import to_manifest
from lockstep.errors import Kind, LockstepError, conflict, invalid
from lockstep.storage.applications import RoleRow
from lockstep.vault import Secret
from lockstep.wording import counted

MOST_REMOVALS = 10
ACTIVITY = "Apply configuration file"
_CREDENTIALS = "credentials."
_DEFAULT_ACCESS = "default access"


@needs(Permission.CONFIGURATION_WRITE, filters=True)
async def apply_configuration(
    context: Context,
    documents: Sequence[ConfigDocument],
    *,
    prune: bool = False,
    resolve: Resolve = no_secrets,
    expected: Sequence[ConfigChange] | None = None,
    most_removals: int = MOST_REMOVALS,
    restores: int | None = None,
    comment: str = "",
) -> ConfigurationPlan:
    """Make the changes that *documents* describe, and return them. With *prune*, also remove everything that the documents do not contain.

    *expected* contains the changes that an administrator has seen and accepted. If the documents are an earlier version of the
    configuration, *restores* is the number of that version; the history and the audit log then mention it. *comment* is stored with each
    version that is created.

    Raises LockstepError and changes nothing in three cases: the changes are no longer the expected ones (conflict), a secret is missing, or
    more than *most_removals* items would be removed. That limit exists because a truncated file looks like one that removes everything.
    """
    await ask_ldap(context, documents, resolve)
    context = replace(context, comment=checked_comment(comment))
    async with context.together() as all_or_nothing:
        plan = await plan_configuration(all_or_nothing, documents, prune=prune, resolve=resolve)
        if expected is not None and plan.changes != tuple(expected):
            raise conflict(
                "The configuration has changed since this plan was created",
                next_step="Review the changes again: lockstep plan FILES",
                code="StalePlan",
            )
        _check_removals(plan, most_removals)
        activity = ACTIVITY if restores is None else f"Restore configuration version {restores}"
        await _apply(all_or_nothing, plan, resolve, activity)
    return plan


async def _apply(context: Context, plan: ConfigurationPlan, resolve: Resolve, activity: str) -> None:
    tokens = {one.document.name: _token(one, resolve) for one in plan.documents}
    for one in plan.documents:
        try:
            if one.is_gone:
                await _remove(context, one)
            elif one.document.kind is DocumentKind.TENANT:
                await save_tenant(context, one)
                await apply_ldap(context, one, resolve)
            elif one.document.kind is DocumentKind.SOURCE:
                await _apply_source(context, one)
            elif one.document.kind is DocumentKind.GROUP:
                await apply_group(context, one)
            elif one.document.kind is DocumentKind.APPLICATION:
                await _apply_application(context, one, tokens[one.document.name], activity)
            if any(change.place == LABELS for change in one.changes) or (one.is_new and one.document.labels):
                await save_labels(context, one)
        except LockstepError as error:
            raise _placed(one, error) from None


def _check_removals(plan: ConfigurationPlan, most: int) -> None:
    count = sum(change.sign is Sign.REMOVE for change in plan.effective)
    if count > most:
        raise LockstepError(
            Kind.HELD,
            f"This would remove {counted(count, 'item')}; the limit is {most:,} unless you raise it",
            next_step=f"To remove all of them: lockstep apply FILES --prune --most-removals {count}",
            code="TooManyRemovals",
        )


async def _remove(context: Context, plan: DocumentPlan) -> None:
    if any(change.is_kept for change in plan.changes):
        return
    if plan.document.kind is DocumentKind.APPLICATION:
        await remove_application(context, plan.document.name)
    else:
        await remove_source(context, plan.document.name)


async def _apply_source(context: Context, plan: DocumentPlan) -> None:
    if not plan.changes:
        return
    spec = {**plan.current, **plan.document.spec}
    await save_source(
        context,
        plan.document.name,
        kind=spec["type"],
        config=source_config(spec),
        display_name=spec.get("displayName", ""),
        replaces=not plan.is_new,
    )


async def _apply_application(context: Context, plan: DocumentPlan, token: Secret | None, activity: str) -> None:
    app, spec = plan.document.name, plan.spec
    if plan.is_new:
        declared = plan.document.spec
        await add_application(context, declared["template"], name=app, display_name=declared.get("displayName", ""))
    status = spec.get("provisioning", {}).get("status")
    if status == "off":
        await provisioning.pause(context, app)
    if token is not None or "credentials" in spec:
        await _set_credentials(context, app, plan, token)
    roles, held = spec.get("roles"), plan.current["roles"]
    if roles is not None:
        left = {role_key(role) for role in roles}
        await _set_roles(context, app, [*roles, *(role for role in held if role_key(role) not in left)])
    wanted, known = _by_key(spec.get("assignments")), _by_key(plan.current["assignments"])
    if "assignments" in spec:
        await _assign(context, app, [one for key, one in wanted.items() if key not in known])
    if "singleSignOn" in spec:
        await change_sign_on(context, app, spec["singleSignOn"], replaces=True)
    await _configure(context, app, spec.get("provisioning", {}), activity)
    if "assignments" in spec:
        await _unassign(context, app, [one for key, one in known.items() if key not in wanted])
    if roles is not None:
        await _set_roles(context, app, roles)
    if status == "on":
        await provisioning.start(context, app)


async def _set_credentials(context: Context, app: str, plan: DocumentPlan, token: Secret | None) -> None:
    changed = plan.spec.get("credentials", {})
    names = {"authentication", *OF_AUTHENTICATION}
    authentication = None
    if names & {change.place.removeprefix(_CREDENTIALS) for change in plan.changes}:
        whole = {**plan.current["credentials"], **plan.document.spec.get("credentials", {})}
        authentication = Authentication(
            AuthenticationMethod(whole["authentication"]), *(whole.get(name, "") for name in OF_AUTHENTICATION)
        )
    tenant_url = changed.get("tenantUrl")
    if token is None and authentication is None and tenant_url is None:
        return
    await set_credentials(context, app, tenant_url=tenant_url, secret_token=token, authentication=authentication)


def _token(plan: DocumentPlan, resolve: Resolve) -> Secret | None:
    """Return the token to store, or None if the plan keeps the stored token. Raises LockstepError if the plan needs a token and the given
    one is missing or invalid.
    """
    if not any(change.place.startswith(_CREDENTIALS + "secretTokenRef") for change in plan.changes):
        return None
    reference = plan.document.spec["credentials"]["secretTokenRef"]
    token = resolve(reference)
    place = "spec.credentials.secretTokenRef"
    if not token:
        error = invalid(
            f"{reference} is not set or empty", next_step="Set it, or enter the token: lockstep creds set APP"
        )
        raise plan.document.wrong(place, error)
    try:
        check_token(token)
    except LockstepError as error:
        raise plan.document.wrong(place, error) from None
    return token


async def _set_roles(context: Context, app: str, roles: Sequence[Json]) -> None:
    known = {role.value.lower() or role.display_name.lower(): role for role in await list_roles(context, app)}
    rows = [
        RoleRow(
            id=known[role_key(role)].id if role_key(role) in known else str(uuid.uuid4()),
            value=role["value"],
            display_name=role["displayName"],
            description=role.get("description", ""),
            is_enabled=role.get("enabled", True),
            allowed_member_types=tuple(role.get("memberTypes", ("User",))),
        )
        for role in roles
    ]
    if rows != list(known.values()):
        await import_manifest(context, app, to_manifest(rows))


async def _assign(context: Context, app: str, new: Sequence[Json]) -> None:
    for role, users, groups in _by_role(new):
        await assign(context, app, users=users, groups=groups, role=role, also_disabled=True)


async def _unassign(context: Context, app: str, gone: Sequence[Json]) -> None:
    for role, users, groups in _by_role(gone):
        await unassign(context, app, users=users, groups=groups, role=role)


def _by_role(some: Sequence[Json]) -> list[tuple[str, list[str], list[str]]]:
    roles = dict.fromkeys(one.get("role", _DEFAULT_ACCESS) for one in some)
    return [
        (
            role,
            [one["user"] for one in some if "user" in one and one.get("role", _DEFAULT_ACCESS) == role],
            [one["group"] for one in some if "group" in one and one.get("role", _DEFAULT_ACCESS) == role],
        )
        for role in roles
    ]


async def _configure(context: Context, app: str, changed: Mapping[str, Any], activity: str) -> None:
    keys = {key: value for key, value in changed.items() if key != "status"}

    def merge(config: Json) -> None:
        for key, value in keys.items():
            if value is None:
                config.pop(key, None)
            else:
                config[key] = value

    if keys:
        await change_configuration(context, app, merge, activity=activity)


def _by_key(some: Sequence[Json] | None) -> dict[tuple[str, str, str], Json]:
    return {assignment_key(one): one for one in some or []}


def _placed(plan: DocumentPlan, error: LockstepError) -> LockstepError:
    why = "; ".join(
        part for part in (error.why, f"{plan.document.title} cannot be applied; nothing was changed") if part
    )
    next_step = error.next_step or "Correct it and apply again"
    return LockstepError(error.kind, error.detail, why=why, next_step=next_step, code=error.code)
