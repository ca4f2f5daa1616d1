"""The installation: its versions and its health, the search, and the roles and permissions of administrators."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Path, Query, Request
from typing_extensions import TypedDict

from lockstep.actions import about, applications, health, logs, outgoing_mail, search, who_may
from lockstep.actions.permissions import MEANINGS, ROLE_NAMES, Permission, permissions_of
from lockstep.actions.person_sign_in.ldap_health import examine_ldap
from lockstep.actions.rows.installation import AboutJson, HealthJson, about_json, health_json
from lockstep.actions.rows.search import SearchAnswerJson, SearchJson, search_json
from lockstep.api.door import Asked, router_of
from lockstep.api.paging import Asking, Page, page_of_rows
from lockstep.api.shapes import rooted

router = router_of("Installation")


class AdministratorRoleJson(TypedDict):
    """*name* is the value that administrators have; *displayName* is its name on the pages."""

    name: str
    displayName: str
    permissions: list[str]


class PermissionJson(TypedDict):
    """*askable* names up to three administrators who have the permission; those with the fewest permissions come first."""

    name: str
    meaning: str
    askable: list[str]


@router.get("/about")
async def show_about(context: Asked) -> AboutJson:
    """Show the versions of Lockstep, Python and PostgreSQL, and the packages with their licences."""
    return about_json(await about.show_about(context))


@router.get("/health")
async def show_health(context: Asked) -> HealthJson:
    """Check the database, the worker, the stored secrets, every application, the sources, the certificates and the LDAP directory, as
    `lockstep doctor` does. Mail is checked if you may see it.

    The LDAP directory is queried; nothing else outside Lockstep is contacted. Only `lockstep doctor` itself also checks the server's
    machine: its disk, data folder and key.
    """
    found = [*await health.sealed(context), *await health.examine(context)]
    if context.actor.may(Permission.DIRECTORY_READ):
        found += await examine_ldap(context)
    if context.actor.may(Permission.MAIL_READ):
        found += await outgoing_mail.examine_mail(context)
    return health_json(found)


@router.get("/search")
async def search_all(
    context: Asked,
    request: Request,
    text: Annotated[
        str,
        Query(max_length=200, description="A name, an id or a question", examples=["why is Anna not in Documo?"]),
    ],
) -> SearchJson:
    """Find people, groups, applications and log records that you may see. To a question such as "why is Anna not in Documo?", `answer` has
    the address of the explanation. All words must match, in any order; case and accents are ignored.
    """
    found = await search.find(context, text)
    answer: SearchAnswerJson | None = None
    if found.answer is not None:
        person, app = found.answer
        place = f"/applications/{quote(app.name, safe='')}/explanations/{quote(person.user_principal_name, safe='')}"
        answer = {
            "user": person.user_principal_name,
            "application": app.name,
            "explanation": rooted(request, place),
        }
    return search_json(found, await logs.as_graph(context, found.log) if found.log else [], answer)


@router.get("/roles", tags=["Administration"])
async def list_administrator_roles(context: Asked, query: Asking) -> Page[AdministratorRoleJson]:
    """List the roles of administrators with their permissions."""
    rows: list[AdministratorRoleJson] = [
        {"name": role.value, "displayName": name, "permissions": sorted(permissions_of([role]))}
        for role, name in ROLE_NAMES.items()
    ]
    return page_of_rows(query, rows, key="name")


@router.get("/permissions/{permission}", tags=["Administration"])
async def show_permission(
    context: Asked,
    permission: Annotated[Permission, Path(description="The permission that is named in a refusal")],
    application: Annotated[str, Query(max_length=400, description="Name or id of an application")] = "",
) -> PermissionJson:
    """Show what a permission allows, and who has it everywhere or for the given application. You can ask these administrators for help."""
    of = (await applications.show_application(context, application)).application.id if application else ""
    return {
        "name": permission.value,
        "meaning": MEANINGS[permission],
        "askable": await who_may.who_may(context, permission.value, of),
    }
