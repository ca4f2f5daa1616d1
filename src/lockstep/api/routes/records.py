"""The provisioning log, the audit log, sources, and the retention of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions import audit, logs, retention, source_decisions, sources
from lockstep.actions.audit import AuditFilter
from lockstep.actions.background_tasks import TaskName
from lockstep.actions.context import Context
from lockstep.actions.logs import LogFilter
from lockstep.actions.permissions import Permission
from lockstep.actions.retention import RetentionRow
from lockstep.actions.rows.records import (
    AuditJson,
    SourceDetailsJson,
    SourceJson,
    audit_json,
    pass_json,
    source_details_json,
    source_json,
)
from lockstep.api.background import OperationJson, accepted
from lockstep.api.changes import Consenting, Effects, changed
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, number, selected, time, words
from lockstep.api.paging import Asking, Page, page, page_of_rows
from lockstep.api.shapes import Body, Text
from lockstep.errors import not_found

router = router_of()
RetentionDays = Annotated[int, Field(ge=0, le=3_650)]
_LOG = (
    Selects("application", "eq", "app"),
    Selects("user", "eq", "person"),
    Selects("status", "eq", "status", words("success", "failure", "warning", "skipped")),
    Selects("action", "eq", "action", words("create", "update", "disable", "delete", "stagedDelete", "other")),
    Selects("code", "eq", "error_code"),
    Selects("cycle", "eq", "cycle", number),
    Selects("time", "ge", "after", time),
    Selects("time", "lt", "before", time),
)
_AUDIT = (
    Selects("actor", "co", "actor"),
    Selects("activity", "co", "activity"),
    Selects("object", "co", "object"),
    Selects("time", "ge", "after", time),
    Selects("time", "lt", "before", time),
)


class VerifiedJson(TypedDict):
    """The result of the check. *brokenAt* is the first entry that was changed or that follows a missing entry; null if there is none."""

    intact: bool
    brokenAt: int | None
    why: str


class SourceDecidedJson(TypedDict):
    source: str
    left: int
    kept: int
    renamed: int
    toldApart: int


class Confirmation(Body):
    """Confirms the pending decision of a source. Set *shown* to the value of the field `shown` that you got when you read the source."""

    shown: Text


class RetentionJson(TypedDict):
    """The retention period of one kind of records. If *key* is "", the period cannot be changed. If *days* is 0, the records are kept
    forever.
    """

    key: str
    what: str
    kept: str
    days: int
    why: str


class ExpiringJson(TypedDict):
    """Maps kinds of records to the number of records that would be removed. Kinds that would lose none are absent."""

    records: dict[str, int]


class RetentionChange(Body):
    """Maps kinds of records to the number of days for which they are kept; 0 keeps them forever. Omitted kinds keep their values."""

    provisioning_log: RetentionDays | None = Field(None, examples=[90])
    sign_in_log: RetentionDays | None = None
    cycles: RetentionDays | None = None
    directory_changes: RetentionDays | None = None


@router.get("/logs", tags=["Logs"])
async def list_logs(context: Asked, query: Asking) -> Page[dict[str, Any]]:
    """List the provisioning log, newest first, in the form of Microsoft Graph (provisioningObjectSummary). The filter supports
    `application eq`, `user eq`, `status eq`, `action eq`, `code eq`, `cycle eq`, `time ge` and `time lt`.
    """
    query.refuse_sort("-time")
    chosen = selected(query.filter, _LOG)
    app = chosen.pop("app", "")
    found = await logs.list_log(
        context, LogFilter(below_seq=query.after(int), **chosen), app=app, limit=query.limit + 1
    )
    numbers = {row.id: row.seq for row in found}
    return page(query, await logs.as_graph(context, found), lambda last: numbers[last["id"]])


@router.get("/logs/{change}", tags=["Logs"])
async def show_log(context: Asked, change: str) -> list[dict[str, Any]]:
    """Show all records of one change: its steps, the modified values, the error. *change* may be the beginning of an id."""
    return await logs.as_graph(context, await logs.show_log(context, change))


@router.get("/audit", tags=["Audit"])
async def list_audit(context: Asked, query: Asking) -> Page[AuditJson]:
    """List who changed what, newest first. The filter supports `actor co`, `activity co`, `object co`, `time ge` and `time lt`."""
    query.refuse_sort("-time")
    wanted = AuditFilter(below_seq=query.after(int), **selected(query.filter, _AUDIT))
    found = await audit.list_entries(context, wanted, limit=query.limit + 1)
    return page(query, [audit_json(one) for one in found], lambda last: last["number"])


@router.get("/audit/verification", tags=["Audit"])
async def verify(context: Asked) -> VerifiedJson:
    """Check that no entry of the audit log was changed and none is missing."""
    broken = await audit.verify(context)
    return {
        "intact": broken is None,
        "brokenAt": broken.seq if broken else None,
        "why": broken.why if broken else "",
    }


@router.get("/audit/{entry}", tags=["Audit"])
async def show_audit(context: Asked, entry: int) -> AuditJson:
    if not 0 < entry < 2**62:
        raise not_found(f"The audit log has no entry {entry}")
    return audit_json(await audit.show_entry(context, entry))


@router.get("/sources", tags=["Sources"])
async def list_sources(context: Asked, query: Asking) -> Page[SourceJson]:
    return page_of_rows(query, [source_json(one) for one in await sources.list_sources(context)], key="name")


@router.get("/sources/{source}", tags=["Sources"])
async def show_source(context: Asked, request: Request, source: str) -> SourceDetailsJson:
    """Show one source: what was imported, and the people whose removal waits for a decision."""
    return tagged(request, await _source(context, source))


@router.post("/sources/{source}/import", tags=["Sources"], status_code=202)
async def import_source(
    context: Asked, request: Request, source: str,
    dryRun: Annotated[bool, Query(description="Only return what would change")] = False,
) -> OperationJson:  # fmt: skip
    """Read the source's files now. If many people would leave at once, their removal waits for a decision.

    The header Location has the address of the operation. The result of the operation is `{source, dryRun, passes}`.
    """
    context.actor.require(Permission.SOURCES_WRITE if dryRun else Permission.SOURCES_IMPORT)
    name = (await sources.show_source(context, source)).source.name
    take = sources.rehearse_import if dryRun else sources.import_source

    async def work(inner: Context) -> Mapping[str, Any]:
        return {"source": name, "dryRun": dryRun, "passes": [pass_json(one) for one in await take(inner, name)]}

    return await accepted(context, request, TaskName("dryRun" if dryRun else "import", name, f"/sources/{name}"), work)


@router.post("/sources/{source}/confirm", tags=["Sources"])
async def confirm_source(
    context: Asked, consent: Consenting, source: str, body: Confirmation
) -> Effects[SourceDecidedJson]:  # fmt: skip
    """Confirm the pending decision: people missing from the source leave; people with a new key keep their accounts.

    Send the value of `shown` that you read with the source. The request is refused if the pending decision has changed since then.
    """

    async def work(inner: Context) -> SourceDecidedJson:
        done = await source_decisions.confirm_hold(inner, source, shown=body.shown)
        return {
            "source": source,
            "left": done.left,
            "kept": done.kept,
            "renamed": done.renamed,
            "toldApart": done.told_apart,
        }

    return await changed(context, consent, work)


@router.post("/sources/{source}/reject", tags=["Sources"])
async def reject_source(context: Asked, source: str) -> SourceDecidedJson:
    """Reject the pending decision: no one leaves. The next import asks again."""
    done = await source_decisions.reject_hold(context, source)
    return {
        "source": source,
        "left": done.left,
        "kept": done.kept,
        "renamed": done.renamed,
        "toldApart": done.told_apart,
    }


@router.delete("/sources/{source}", tags=["Sources"])
async def remove_source(
    context: Asked, unchanged: Unchanged, consent: Consenting, source: str, withObjects: bool = False
) -> Effects[int]:
    """Remove a source. With *withObjects*, its people and groups are moved to the recycle bin. The result is the number of
    moved objects.
    """

    async def work(inner: Context) -> int:
        return await sources.remove_source(inner, source, with_objects=withObjects)

    return await changed(context, consent, unchanged.matched(lambda inner: _source(inner, source), work))


@router.get("/retention", tags=["Retention"])
async def show_retention(context: Asked, request: Request) -> list[RetentionJson]:
    """Show how long each kind of records is kept, and why. Kinds with a key can be changed."""
    return tagged(request, _retention_json(await retention.show_retention(context)))


@router.patch("/retention", tags=["Retention"])
async def set_retention(
    context: Asked, request: Request, unchanged: Unchanged, body: RetentionChange
) -> list[RetentionJson]:
    """Change how long records are kept. Older records are removed within an hour and cannot be restored."""
    given = body.model_dump(exclude_none=True, by_alias=True)

    async def work(inner: Context) -> list[RetentionJson]:
        return _retention_json(await retention.set_retention(inner, given))

    return tagged(request, await unchanged.matched(_read_retention, work)(context))


@router.post("/retention/rehearse", tags=["Retention"])
async def foresee_retention(context: Asked, body: RetentionChange) -> ExpiringJson:
    """Count the records that a change of the retention would remove. Nothing is changed."""
    given = body.model_dump(exclude_none=True, by_alias=True)
    return {"records": await retention.foresee_retention(context, given)}


async def _read_retention(context: Context) -> list[RetentionJson]:
    return _retention_json(await retention.show_retention(context))


def _retention_json(rows: Sequence[RetentionRow]) -> list[RetentionJson]:
    return [{"key": one.key, "what": one.what, "kept": one.kept, "days": one.days, "why": one.why} for one in rows]


async def _source(context: Context, source: str) -> SourceDetailsJson:
    view = await sources.show_source(context, source)
    held = await source_decisions.who_is_held(context, source) if view.holds else {}
    return source_details_json(view, held)
