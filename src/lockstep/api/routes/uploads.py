"""Sources and uploads: register and rename a source, list the changes of its imports, and upload, try and import a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import Field

from lockstep.actions import source_keys, source_runs, sources, uploads
from lockstep.actions.background_tasks import TaskName
from lockstep.actions.context import Context
from lockstep.actions.rows.records import (
    KeyChangeJson,
    RunJson,
    SourceJson,
    UploadJson,
    key_change_json,
    run_json,
    source_json,
    upload_json,
)
from lockstep.actions.rows.upload_shapes import UploadShapeJson, upload_shape_json
from lockstep.api.background import OperationJson, accepted
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, DoorRoute, router_of
from lockstep.api.paging import Asking, Page, page
from lockstep.api.shapes import Body, Name, Text
from lockstep.errors import not_found


class UploadRoute(DoorRoute):
    """A route that receives a file. The body is never parsed as JSON, even if the request declares it as JSON, because parsing needs
    many times as much memory as the file.
    """

    most_bytes = uploads.LARGEST + 1024 * 1024
    takes_json = False


router = router_of("Sources")
files = router_of("Sources", route_class=UploadRoute)
CSV: dict[str, Any] = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}
Columns = dict[Name, Name | list[Name]]


class Reading(Body):
    """Options for reading files; see the reference of CSV files. *map* maps each column to one or more attributes. A column that is mapped
    to "id" becomes the key.
    """

    map: Columns = Field(default_factory=dict, max_length=2000, examples=[{"E-mail": "userPrincipalName"}])
    values: dict[Name, dict[Name, Text]] = Field(default_factory=dict, max_length=200)
    date_formats: dict[Text, Name] = Field(default_factory=dict, max_length=200)
    encoding: Annotated[str, Field(max_length=40)] = ""
    delimiter: Annotated[str, Field(max_length=1)] = ""
    partial: bool = False

    def config(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "map": self.map, "values": self.values, "dateFormats": self.date_formats, "encoding": self.encoding,
            "delimiter": self.delimiter, "partial": self.partial,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value}


class UploadReading(Reading):
    """Options for reading an uploaded file. *kind* says what the file contains; if it is omitted, Lockstep detects it. With *group*, the
    file lists the members of this group.
    """

    kind: Literal["", "people", "groups", "members"] = ""
    group: Text = ""

    def config(self) -> dict[str, Any]:
        named = {"kind": self.kind, "group": self.group}
        return Reading.config(self) | {name: value for name, value in named.items() if value}


class SourceFile(Body):
    """A file on the server that runs Lockstep. It must be below the folder for files of sources; a relative path starts there."""

    path: Name = Field(examples=["people.csv"])
    kind: Literal["people", "groups", "members"] = "people"


class NewSource(Reading):
    """A source of CSV files. *every* is an ISO 8601 duration, such as PT15M. Without *every*, the files are read only on request."""

    name: Name = Field(examples=["hr"])
    display_name: Text = ""
    files: list[SourceFile] = Field(min_length=1, max_length=20)
    every: Annotated[str, Field(max_length=40)] = ""
    replaces: bool = False


class NewName(Body):
    name: Name = Field(examples=["hr"])


class NewKeyColumn(Body):
    key: Name = Field(examples=["Personnel no"], description="The column that identifies people from now on")


@router.post("/sources", status_code=201)
async def register_source(context: Asked, body: NewSource) -> SourceJson:
    """Register a source whose files a worker reads. The files are read once immediately, so that unreadable files are refused."""
    config = body.config() | {"files": [{"path": one.path, "kind": one.kind} for one in body.files]}
    config |= {"every": body.every} if body.every else {}
    await sources.save_source(
        context, body.name, kind="csv", config=config, display_name=body.display_name, replaces=body.replaces
    )
    return source_json(await sources.show_source(context, body.name))


@router.post("/sources/{source}/rename")
async def rename_source(context: Asked, source: str, body: NewName) -> SourceJson:
    """Rename a source. If a registered source without people already has the new name, that source takes over the people and groups."""
    await source_keys.rename_source(context, source, body.name)
    return source_json(await sources.show_source(context, body.name))


@router.post("/sources/{source}/rekey")
async def rekey_source(context: Asked, source: str, body: NewKeyColumn) -> KeyChangeJson:
    """Identify the people of a source by another column of its registered file, which must still contain the old key. No one leaves and no
    one is created.
    """
    return key_change_json(await source_keys.rekey_source(context, source, body.key))


@router.get("/sources/{source}/runs")
async def list_runs(context: Asked, query: Asking, source: str) -> Page[RunJson]:
    """List the imports of a source with their changes, newest first. For each kind of change, the first names are listed."""
    query.refuse_sort("-id")
    found = await source_runs.list_runs(context, source, before=query.after(int) or 0, limit=query.limit + 1)
    return page(query, [run_json(one) for one in found], lambda last: last["id"])


@router.get("/sources/{source}/runs/{run}")
async def show_run(context: Asked, source: str, run: int) -> RunJson:
    if not 0 < run < 2**62:
        raise not_found(f"{source} has no import {run}")
    return run_json(await source_runs.show_run(context, source, run))


@files.post("/sources/{source}/uploads", status_code=201, openapi_extra=CSV)
async def upload_file(
    context: Asked,
    request: Request,
    source: str,
    fileName: Annotated[str, Query(max_length=400, description="The name of the file")] = "upload.csv",
) -> UploadJson:
    """Upload a CSV file for a source, which need not exist yet. Nothing is imported. The file is kept for a day."""
    return upload_json(await uploads.keep_upload(context, source, fileName, request.stream()))


@router.get("/uploads/{upload}")
async def show_upload(context: Asked, request: Request, upload: str) -> UploadJson:
    return tagged(request, await _upload(context, upload))


@router.get("/uploads/{upload}/shape")
async def show_upload_shape(context: Asked, upload: str) -> UploadShapeJson:
    """Show how the file would be read, and which attribute each of its columns would become."""
    return upload_shape_json(await uploads.show_upload(context, upload))


@router.put("/uploads/{upload}/reading")
async def change_upload(context: Asked, unchanged: Unchanged, upload: str, body: UploadReading) -> UploadJson:
    """Change how the file is read. The result of an earlier dry run is discarded."""

    async def work(inner: Context) -> UploadJson:
        return upload_json(await uploads.change_upload(inner, upload, body.config()))

    return await unchanged.matched(lambda inner: _upload(inner, upload), work)(context)


@router.post("/uploads/{upload}/rehearse", status_code=202)
async def rehearse_upload(context: Asked, request: Request, upload: str) -> OperationJson:
    """Determine which people an import would create, change, restore and remove, and the effects on their accounts. Nothing is imported.

    The header Location has the address of the operation. The result of the operation is the upload with its `rehearsal`.
    """

    async def work(inner: Context) -> Mapping[str, Any]:
        return {**upload_json(await uploads.rehearse_upload(inner, upload))}

    return await accepted(context, request, await _named(context, "dryRun", upload), work)


@router.post("/uploads/{upload}/import", status_code=202)
async def import_upload(
    context: Asked,
    request: Request,
    upload: str,
    mark: Annotated[
        str, Query(max_length=40, description="The `rehearsal.mark` of the dry run that was reviewed")
    ] = "",
) -> OperationJson:
    """Import the file. If it cannot be imported completely, nothing is imported. The first import registers the source. If many people
    would leave at once, their removal waits for a decision.

    The header Location has the address of the operation. The result of the operation is the upload, with `imported`. The operation fails if
    there was another dry run after the one with *mark*.
    """

    async def work(inner: Context) -> Mapping[str, Any]:
        return {**upload_json(await uploads.import_upload(inner, upload, mark=mark))}

    return await accepted(context, request, await _named(context, "import", upload), work)


@router.post("/uploads/{upload}/rekey")
async def rekey_with_upload(context: Asked, upload: str, body: NewKeyColumn) -> KeyChangeJson:
    """Identify the people of the source by another column of the uploaded file, which must also contain the old key. Nothing is
    imported.
    """
    return key_change_json(await uploads.rekey_with_upload(context, upload, body.key))


@router.delete("/uploads/{upload}")
async def discard_upload(context: Asked, unchanged: Unchanged, upload: str) -> UploadJson:
    """Delete the file without importing it."""

    async def work(inner: Context) -> UploadJson:
        return upload_json(await uploads.discard_upload(inner, upload))

    return await unchanged.matched(lambda inner: _upload(inner, upload), work)(context)


async def _named(context: Context, kind: str, upload: str) -> TaskName:
    """Return the name under which an operation on *upload* is started. *kind* is the kind of the operation. Raises LockstepError if the
    caller may not see the upload.
    """
    return TaskName(kind, (await uploads.find_upload(context, upload)).source, f"/uploads/{upload}")


async def _upload(context: Context, upload: str) -> UploadJson:
    return upload_json(await uploads.find_upload(context, upload))
