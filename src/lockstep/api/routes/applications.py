"""The gallery, applications, roles, credentials and assignments."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from pydantic import Field

from lockstep.actions import applications, assignment_forecast, assignment_pages, assignments, connection, credentials
from lockstep.actions.context import Context
from lockstep.actions.credentials import Authentication, AuthenticationMethod
from lockstep.actions.rows.applications import (
    ApplicationDetailsJson,
    ApplicationJson,
    AssignmentForecastJson,
    AssignmentJson,
    CandidateJson,
    CredentialsJson,
    ProbeJson,
    TemplateJson,
    application_details_json,
    application_json,
    assignment_forecast_json,
    assignment_json,
    candidate_json,
    credentials_json,
    probe_json,
    template_json,
)
from lockstep.api.changes import Consenting, Effects, changed
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, selected, words
from lockstep.api.paging import Asking, Page, foreign_cursor, page, page_of_rows
from lockstep.api.shapes import AppName, Body, Name, Names, Text, rooted
from lockstep.errors import conflict
from lockstep.ports import Probe
from lockstep.vault import Secret

router = router_of("Applications")
_ASSIGNMENTS = (Selects("principal", "co", "search"), Selects("kind", "eq", "kind", words("User", "Group")))


class NewApplication(Body):
    template: Name = Field(examples=["documo"])
    name: Text = Field("", examples=["documo-test"])
    display_name: Text = Field("", examples=["Documo (test)"])


class TriedCredentials(Body):
    """Credentials to test. If the tenant URL or the token is omitted, the stored one is used."""

    tenant_url: Text | None = Field(None, examples=["https://api.documo.com/scim/v2"])
    secret_token: Annotated[str, Field(max_length=20_000)] | None = Field(None, examples=["dk_live_..."])
    authentication: AuthenticationMethod | None = Field(
        None, description="If the method, the client or the token URL changes, secretToken is required, too"
    )
    client_id: Text = Field("", description="The client id for oauth2ClientCredentials, or the user name for basic")
    token_url: Text = Field("", description="Only for oauth2ClientCredentials")
    scope: Text = Field("", description="Only for oauth2ClientCredentials")

    @property
    def secret(self) -> Secret | None:
        return Secret(self.secret_token) if self.secret_token else None

    @property
    def method(self) -> Authentication | None:
        if self.authentication is None:
            return None
        return Authentication(self.authentication, self.client_id, self.token_url, self.scope)


class NewCredentials(TriedCredentials):
    """New credentials. Omitted fields keep their values. Working credentials are replaced with failing ones only if *replaceWorking* is
    true.
    """

    must_work: bool = False
    replace_working: bool = False


class NewAssignments(Body):
    """People and groups to assign. If *replacesRoles* is true, the new role replaces all other roles that are directly assigned to them."""

    users: Names = Field(default_factory=list, examples=[["kim.berg@contoso.test"]])
    groups: Names = Field(default_factory=list, examples=[["all-sales"]])
    role: Text | None = Field(None, examples=["Member"])
    replaces_roles: bool = False


@router.get("/templates")
async def list_templates(context: Asked, query: Asking) -> Page[TemplateJson]:
    """List the gallery: the applications that can be added."""
    rows = [template_json(context.gallery.template(name)) for name in context.gallery.names()]
    return page_of_rows(query, rows, key="name")


@router.get("/applications")
async def list_applications(context: Asked, query: Asking) -> Page[ApplicationJson]:
    rows = [application_json(app) for app in await applications.list_applications(context)]
    return page_of_rows(query, rows, key="name")


@router.post("/applications", status_code=201)
async def add_application(context: Asked, request: Request, body: NewApplication) -> ApplicationJson:
    """Add an application from the gallery. Provisioning is off."""
    app = await applications.add_application(context, body.template, name=body.name, display_name=body.display_name)
    request.state.headers["Location"] = rooted(request, f"/applications/{app.name}")
    return application_json(app)


@router.get("/applications/{app}")
async def show_application(context: Asked, request: Request, app: AppName) -> ApplicationDetailsJson:
    return tagged(request, await _details(context, app))


@router.delete("/applications/{app}")
async def remove_application(context: Asked, unchanged: Unchanged, app: AppName) -> ApplicationJson:
    """Remove an application with its configuration, links and assignments. The accounts in it are left unchanged."""

    async def work(inner: Context) -> ApplicationJson:
        return application_json(await applications.remove_application(inner, app))

    return await unchanged.matched(lambda inner: _details(inner, app), work)(context)


@router.get("/applications/{app}/credentials")
async def show_credentials(context: Asked, request: Request, app: AppName) -> CredentialsJson:
    """Show the tenant URL, and a mask in place of the token, which is never returned."""
    return tagged(request, credentials_json(app, await credentials.show_credentials(context, app)))


@router.put("/applications/{app}/credentials")
async def set_credentials(
    context: Asked, request: Request, unchanged: Unchanged, app: AppName, body: NewCredentials
) -> CredentialsJson:
    """Store the tenant URL, the token, the authentication method, or several of these. If a token is stored already, the new credentials
    are tested first.
    """

    def agree(failed: Probe) -> None:
        if not body.replace_working:
            raise conflict(
                f"The stored credentials work, but the new ones do not: {failed.sentence}",
                next_step="Correct them, or repeat the request with replaceWorking: true",
            )

    async def read(inner: Context) -> CredentialsJson:
        return credentials_json(app, await credentials.show_credentials(inner, app))

    await unchanged.require(context, read)
    view = await connection.set_tested_credentials(
        context, app, tenant_url=body.tenant_url, secret_token=body.secret, authentication=body.method, must_work=body.must_work,
        agree=agree,
    )  # fmt: skip
    return tagged(request, credentials_json(app, view))


@router.post("/applications/{app}/credentials/test")
async def test_credentials(
    context: Asked,
    app: AppName,
    deep: Annotated[bool, Query(description="Also create, change and delete test accounts")] = False,
) -> Page[ProbeJson]:
    """Test the connection, probe by probe."""
    probes = await (connection.test_deeply if deep else connection.test_connection)(context, app)
    return {"items": [probe_json(probe) for probe in probes], "nextCursor": None}


@router.post("/applications/{app}/credentials/try")
async def try_credentials(context: Asked, app: AppName, body: TriedCredentials) -> Page[ProbeJson]:
    """Test the connection with credentials that are not stored, probe by probe. The stored token is sent only to the server that it was
    stored for.
    """
    probes = await connection.try_credentials(
        context, app, tenant_url=body.tenant_url, secret_token=body.secret, authentication=body.method
    )
    return {"items": [probe_json(probe) for probe in probes], "nextCursor": None}


@router.get("/applications/{app}/candidates")
async def list_candidates(
    context: Asked, app: AppName, search: Annotated[str, Query(max_length=200)] = ""
) -> list[CandidateJson]:
    """List the first groups and people whose names contain *search*, as suggestions for an assignment."""
    return [candidate_json(one) for one in await assignment_pages.find_candidates(context, app, search)]


@router.get("/applications/{app}/assignments")
async def list_assignments(context: Asked, query: Asking, app: AppName) -> Page[AssignmentJson]:
    """List the assignments: groups first, then people, each by name. The filter supports `principal co` and `kind eq`."""
    query.refuse_sort("principal")
    place = query.after(list) or []
    if place and not (len(place) == 4 and all(isinstance(part, str) for part in place)):
        raise foreign_cursor()
    found = await assignments.list_assignments(
        context, app, after=place, limit=query.limit + 1, **selected(query.filter, _ASSIGNMENTS)
    )
    places = {row.id: list(row.place) for row in found}
    return page(query, [assignment_json(row) for row in found], lambda last: places[last["id"]])


@router.post("/applications/{app}/assignments")
async def assign(
    context: Asked, consent: Consenting, app: AppName, body: NewAssignments
) -> Effects[list[AssignmentJson]]:
    """Assign people and groups. If one of them cannot be assigned, none is. The result lists the new assignments."""

    async def work(inner: Context) -> list[AssignmentJson]:
        if body.replaces_roles:
            new, _ = await assignments.reassign(inner, app, users=body.users, groups=body.groups, role=body.role)
        else:
            new = await assignments.assign(inner, app, users=body.users, groups=body.groups, role=body.role)
        return [assignment_json(row) for row in new]

    return await changed(context, consent, work, named=len(body.users))


class LookedUpAssignments(Body):
    """The people and groups that would be assigned."""

    users: Names = Field(default_factory=list, examples=[["kim.berg@contoso.test"]])
    groups: Names = Field(default_factory=list, examples=[["all-sales"]])
    role: Text | None = Field(None, examples=["Member"])


class AssignmentLookUpJson(AssignmentForecastJson):
    """The forecast of an assignment. *roleWarning* says that the application may not know the role; "" if there is no such doubt."""

    roleWarning: str


@router.post("/applications/{app}/assignments/look-up")
async def look_up_assignments(context: Asked, app: AppName, body: LookedUpAssignments) -> AssignmentLookUpJson:
    """Show how many people this assignment would add, and which of them already have an account in the application. At most 100 people are
    looked up. Nothing is assigned or written.
    """
    found = await assignment_forecast.forecast_assignment(
        context, app, users=body.users, groups=body.groups, role=body.role
    )
    warning = await assignments.role_warning(context, app, body.role)
    return {**assignment_forecast_json(found), "roleWarning": warning}


@router.delete("/applications/{app}/assignments")
async def unassign(
    context: Asked,
    consent: Consenting,
    app: AppName,
    user: Annotated[list[Name], Query(max_length=200)] = [],  # noqa: B006  # FastAPI copies it
    group: Annotated[list[Name], Query(max_length=200)] = [],  # noqa: B006
    role: Annotated[str | None, Query(max_length=400)] = None,
) -> Effects[list[AssignmentJson]]:
    """Remove the assignments of these people and groups, or only those with one role. The result lists what was removed."""

    async def work(inner: Context) -> list[AssignmentJson]:
        return [
            assignment_json(row) for row in await assignments.unassign(inner, app, users=user, groups=group, role=role)
        ]

    return await changed(context, consent, work, named=len(user))


async def _details(context: Context, app: str) -> ApplicationDetailsJson:
    return application_details_json(await applications.show_application(context, app))
