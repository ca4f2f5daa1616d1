"""Applications, their roles, credentials, assignments, and the gallery, as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from lockstep.actions.applications import ApplicationRow, ApplicationView, RoleRow
from lockstep.actions.assignment_forecast import AssignmentForecast
from lockstep.actions.assignment_pages import AssignableObject
from lockstep.actions.assignments import AssignmentRow
from lockstep.actions.credentials import MASK, CredentialView
from lockstep.actions.rows.times import iso_time
from lockstep.configuration.template import Template
from lockstep.ports import Probe


class TemplateJson(TypedDict):
    name: str
    displayName: str
    description: str
    documentation: str
    tenantUrl: str


class ApplicationJson(TypedDict):
    name: str
    displayName: str
    template: str
    status: str
    scope: str
    id: str
    job: str


class RoleJson(TypedDict):
    id: str
    value: str
    displayName: str
    description: str
    isEnabled: bool


class PlacedRoleJson(RoleJson):
    position: int


class ApplicationDetailsJson(ApplicationJson):
    tenantUrl: str
    secretToken: str
    roles: list[RoleJson]
    assignments: int
    people: int
    documentation: str


class AssignmentJson(TypedDict):
    id: str
    principal: str
    principalId: str
    kind: str
    role: str
    roleValue: str
    roleId: str
    since: str


class FoundAccountJson(TypedDict):
    """An account that a person already has. *matchedBy* is the matching attribute that found the account; "" if Lockstep knew
    the account.
    """

    name: str
    account: str
    matchedBy: str


class AssignmentForecastJson(TypedDict):
    """A forecast: the assignment would add *added* people. *existing* contains the accounts that these people already have. *lookedUp*
    counts the people who were looked up in the application or whose account Lockstep already knew. *problem* says why the others were not
    looked up.
    """

    application: str
    summary: str
    added: int
    existing: list[FoundAccountJson]
    lookedUp: int
    problem: str


class CredentialsJson(TypedDict):
    application: str
    tenantUrl: str
    secretToken: str
    setBy: str
    authentication: str
    clientId: str
    tokenUrl: str
    scope: str


class CandidateJson(TypedDict):
    """A person or group that can be assigned. *reach* is the number of people who would get access."""

    kind: str
    id: str
    name: str
    detail: str
    reach: int


class ProbeJson(TypedDict):
    name: str
    passed: bool
    sentence: str
    remedy: str
    seconds: float
    result: str
    tried: bool
    verified: bool


def template_json(entry: Template) -> TemplateJson:
    return {
        "name": entry.id,
        "displayName": entry.display_name,
        "description": entry.description,
        "documentation": entry.documentation,
        "tenantUrl": entry.tenant_url.default,
    }


def application_json(app: ApplicationRow) -> ApplicationJson:
    return {
        "name": app.name,
        "displayName": app.display_name,
        "template": app.template,
        "status": app.status if app.started or app.status == "on" else "off, never started",
        "scope": "all" if app.syncs_all else "assigned",
        "id": app.id,
        "job": app.job,
    }


def role_json(role: RoleRow) -> RoleJson:
    return {
        "id": role.id,
        "value": role.value,
        "displayName": role.display_name,
        "description": role.description,
        "isEnabled": role.is_enabled,
    }


def placed_roles_json(roles: Sequence[RoleRow]) -> list[PlacedRoleJson]:
    """Return the roles with their positions. Position 1 has the highest precedence."""
    return [{**role_json(role), "position": place} for place, role in enumerate(roles, 1)]


def application_details_json(view: ApplicationView) -> ApplicationDetailsJson:
    credential = view.credential
    return {
        **application_json(view.application),
        "tenantUrl": credential.tenant_url if credential else "",
        "secretToken": f"{MASK}{credential.last_four or ''}" if credential and credential.has_secret else "",
        "roles": [role_json(role) for role in view.roles],
        "assignments": view.assignment_count,
        "people": view.person_count,
        "documentation": view.template.documentation if view.template else "",
    }


def assignment_json(row: AssignmentRow) -> AssignmentJson:
    return {
        "id": row.id,
        "principal": row.principal,
        "principalId": row.principal_id,
        "kind": row.kind,
        "role": row.role_name,
        "roleValue": row.role_value,
        "roleId": row.role_id,
        "since": iso_time(row.created_at),
    }


def credentials_json(app: str, view: CredentialView) -> CredentialsJson:
    return {
        "application": app,
        "tenantUrl": view.tenant_url,
        "secretToken": view.secret_token,
        "setBy": view.set_by,
        "authentication": view.authentication.method.value,
        "clientId": view.authentication.client_id,
        "tokenUrl": view.authentication.token_url,
        "scope": view.authentication.scope,
    }


def candidate_json(one: AssignableObject) -> CandidateJson:
    return {"kind": one.kind, "id": one.id, "name": one.name, "detail": one.detail, "reach": one.reach}


def probe_json(probe: Probe) -> ProbeJson:
    """Return a probe as JSON, without its HTTP exchange."""
    return {
        "name": probe.name,
        "passed": probe.passed,
        "sentence": probe.sentence,
        "remedy": probe.remedy,
        "seconds": round(probe.seconds, 4),
        "result": _result(probe),
        "tried": probe.tried,
        "verified": probe.is_verified,
    }


def _result(probe: Probe) -> str:
    if probe.passed:
        return "ok" if probe.is_verified else "?"
    return "FAIL" if probe.tried else "-"


def assignment_forecast_json(forecast: AssignmentForecast) -> AssignmentForecastJson:
    return {
        "application": forecast.application,
        "summary": forecast.sentence,
        "added": forecast.total,
        "existing": [{"name": one.name, "account": one.account, "matchedBy": one.attribute} for one in forecast.found],
        "lookedUp": forecast.looked_up,
        "problem": forecast.problem,
    }
