"""Expressions, and configuration as code: versions, export, plan, apply."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from lockstep.actions import configuration_history, expressions
from lockstep.actions.configuration import ConfigurationPlan, plan_configuration
from lockstep.actions.configuration_apply import MOST_REMOVALS, apply_configuration
from lockstep.actions.configuration_edit import text_of_version
from lockstep.actions.configuration_export import export_application, export_entra_schema, export_everything
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.rows.configuration import (
    ChangeJson,
    ConfigurationPlanJson,
    VersionJson,
    change_json,
    configuration_plan_json,
    version_json,
)
from lockstep.actions.rows.expressions import explained_json, function_json
from lockstep.api.changes import Consenting, Effects, changed
from lockstep.api.conditions import Unchanged
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import selected
from lockstep.api.paging import Asking, Page, page, page_of_rows
from lockstep.api.routes.configuration import settings_of
from lockstep.api.shapes import AppName, Body, Text
from lockstep.configuration.files.file import ConfigDocument, read_documents
from lockstep.engine.expressions.catalogue import CATALOGUE
from lockstep.errors import invalid, not_found

router = router_of("Configuration as code")
YAML = "application/yaml"
YAML_TEXT: dict[str, Any] = {"content": {YAML: {"schema": {"type": "string"}}}}


class ExpressionBody(Body):
    """An expression, and the person or the given attributes to evaluate it for. Given attributes override those of the person."""

    expression: Annotated[str, Field(max_length=20_000)] = Field(examples=['Join(" ", [givenName], [surname])'])
    user: Text = ""
    application: Text = ""
    attributes: dict[str, Any] = Field(default_factory=dict, examples=[{"givenName": "Anna", "surname": "Lindqvist"}])
    now: datetime | None = None
    taken: Annotated[list[Text], Field(max_length=100)] = Field(default_factory=list)


class Files(Body):
    """Configuration documents in YAML, as `lockstep export` writes them. References to secrets are not followed on a server."""

    yaml: Annotated[str, Field(max_length=1_500_000)] = Field(examples=["apiVersion: lockstep/v1\nkind: Application\n"])
    prune: bool = False


class FilesToApply(Files):
    """Documents to apply. *expected* are the changes in the plan that you have seen. If the changes are different now, the request is
    refused. *comment* is stored with each version of a configuration that is created.
    """

    expected: list[dict[str, Any]] | None = None
    comment: Text = Field("", examples=["Titles for the new branch, change 4711"])
    most_removals: Annotated[int, Field(ge=0, le=100_000)] = MOST_REMOVALS


class VersionComment(Body):
    comment: Text = Field(examples=["Titles for the new branch, change 4711"])


@router.get("/expressions/functions", tags=["Expressions"])
async def list_functions(context: Asked, query: Asking) -> Page[dict[str, Any]]:
    """List the functions of the mapping language, with parameters and examples."""
    return page_of_rows(query, [function_json(one) for one in CATALOGUE.values()], key="name")


@router.post("/expressions/evaluate", tags=["Expressions"])
async def evaluate(context: Asked, body: ExpressionBody) -> dict[str, Any]:
    """Evaluate an expression, with the value of each of its parts. If a part fails, its `error` says why. An expression that does not
    compile is refused; `detail` says what is wrong and at which character.
    """
    at = (body.now.astimezone(UTC) if body.now.tzinfo else body.now.replace(tzinfo=UTC)) if body.now else None
    told, notes = await expressions.evaluate(
        context,
        body.expression,
        user=body.user,
        app=body.application,
        attributes=body.attributes,
        now=at,
        taken=body.taken,
    )
    return explained_json(told) | {"notes": list(notes)}


@router.get("/applications/{app}/versions")
async def list_versions(context: Asked, query: Asking, app: AppName) -> Page[VersionJson]:
    """List the versions of the configuration, newest first."""
    query.refuse_sort("-version")
    selected(query.filter, ())
    found = await configuration_history.list_versions(context, app, below=query.after(int), limit=query.limit + 1)
    return page(query, [version_json(one) for one in found], lambda last: last["version"])


@router.get("/applications/{app}/versions/{old}/changes/{new}")
async def compare_versions(context: Asked, app: AppName, old: int, new: int) -> list[ChangeJson]:
    """List the changes from one version to another. Version 0 is the empty configuration."""
    if not (0 <= old < 2**31 and 0 <= new < 2**31):
        raise not_found(f"There is no version {max(old, new)}")
    return [change_json(one) for one in await configuration_history.compare_versions(context, app, old, new)]


@router.get("/applications/{app}/versions/{version}", response_class=Response, responses={200: YAML_TEXT})
async def show_version(context: Asked, app: AppName, version: int) -> Response:
    """Return an earlier version of the configuration as YAML, as `/configuration` exports the current one."""
    return Response((await text_of_version(context, app, version)).text, media_type=YAML)


@router.put("/applications/{app}/versions/{version}/comment", status_code=204)
async def comment_on_version(context: Asked, app: AppName, version: int, body: VersionComment) -> None:
    """Replace the comment on a version. An empty text removes it."""
    await configuration_history.comment_on_version(context, app, version, body.comment)


@router.post("/applications/{app}/versions/{version}/restore")
async def restore_version(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, version: int
) -> Effects[ConfigurationPlanJson]:
    """Restore an earlier version of the configuration, as a new version. Provisioning stays on or off, as it is. If-Match takes the ETag of
    the application's settings, which changes with every version.
    """
    edited = await text_of_version(context, app, version)
    documents = await documents_in(edited.text)

    async def work(inner: Context) -> ConfigurationPlanJson:
        async with inner.together() as one:
            found = await plan_configuration(one, documents, prune=True)
            await apply_configuration(
                one, documents, prune=True, expected=found.changes, most_removals=len(found.changes)
            )
            return configuration_plan_json(found, [])

    return await changed(context, consent, unchanged.matched(lambda inner: settings_of(inner, app), work))


@router.get("/configuration", response_class=Response, responses={200: YAML_TEXT})
async def export(context: Asked, application: Annotated[str, Query(max_length=400)] = "") -> Response:
    """Export the configuration of one application, or of the whole organisation, as YAML."""
    text = await export_application(context, application) if application else await export_everything(context)
    return Response(text, media_type=YAML)


@router.get("/applications/{app}/schema")
async def entra_schema(context: Asked, app: AppName) -> dict[str, Any]:
    """Export the configuration as an Entra synchronization schema."""
    return await export_entra_schema(context, app)


@router.post("/configuration/plan")
async def plan(context: Asked, body: Files) -> ConfigurationPlanJson:
    """Show the changes that applying these documents would make, and their effects on people."""
    documents = await documents_in(body.yaml)
    found = await plan_configuration(context, documents, prune=body.prune)

    async def work(inner: Context) -> ConfigurationPlan:
        return await apply_configuration(inner, documents, prune=body.prune, most_removals=len(found.changes))

    return configuration_plan_json(found, await foresee(context, work) if found.effective else [])


@router.post("/configuration/apply")
async def apply(context: Asked, consent: Consenting, body: FilesToApply) -> Effects[ConfigurationPlanJson]:
    """Apply the documents. If one change cannot be made, none is."""
    documents = await documents_in(body.yaml)

    async def work(inner: Context) -> ConfigurationPlanJson:
        async with inner.together() as one:
            found = await plan_configuration(one, documents, prune=body.prune)
            told = configuration_plan_json(found, [])
            if body.expected is not None and body.expected != told["changes"]:
                raise invalid("The configuration has changed since the plan was created", next_step="Plan again")
            await apply_configuration(
                one,
                documents,
                prune=body.prune,
                expected=found.changes,
                most_removals=body.most_removals,
                comment=body.comment,
            )
            return told

    return await changed(context, consent, work)


async def documents_in(text: str) -> Sequence[ConfigDocument]:
    """Return the documents in *text*. Raises LockstepError if *text* has a mistake or contains no document."""
    # Reading a large text takes seconds, in which other requests must be served.
    documents = await asyncio.to_thread(read_documents, text, "body")
    if not documents:
        raise invalid("The body contains no configuration document")
    return documents
