"""Documents: list, upload, download, delete. Browsers always save a downloaded document and never display it as a page."""

from __future__ import annotations

from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import StreamingResponse

from documo import audit_log, documents
from documo.permissions import MemberPermission, allows
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import LockstepError, invalid
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, address, on_the_form

pages = DocumoPages()
PAGE_SIZE = 50
_FORM = 64 * 1024  # bytes of a form besides the document


@pages.get("/", needs=MemberPermission.DOCUMENTS_READ)
async def list_documents(context: PageContext, request: Request) -> PageAnswer:
    return await _list(context, request)


@pages.post("/documents", needs=MemberPermission.DOCUMENTS_UPLOAD, form_bytes=documents.MOST_BYTES + _FORM)
async def upload(context: PageContext, request: Request) -> PageAnswer:
    form = await request.form()
    given = form.get("document")
    try:
        if not isinstance(given, UploadFile) or not given.filename:
            raise invalid("No file was selected", next_step="Select a file, then upload it")
        await documents.add_document(context.store, context.member(), given.filename, given.size or 0, given.read)
    except LockstepError as refused:
        return await _list(context, request, on_the_form(refused))
    return Redirect("/", notice=f"Uploaded {documents.checked_name(given.filename)}")


@pages.get("/documents/{id}", needs=MemberPermission.DOCUMENTS_READ)
async def download(context: PageContext, request: Request) -> PageAnswer:
    found = await documents.find_document(context.store, context.member(), request.path_params["id"])
    await audit_log.note_download(context.store, context.member().tenant_id, found.id, found.name)
    return StreamingResponse(
        documents.content_of(context.store, context.member(), found),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
            "Content-Length": str(found.size),
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


@pages.post("/documents/{id}/delete", needs=MemberPermission.DOCUMENTS_DELETE_OWN)
async def delete(context: PageContext, request: Request) -> PageAnswer:
    gone = await documents.delete_document(context.store, context.member(), request.path_params["id"])
    return Redirect("/", notice=f"Deleted {gone.name}")


async def _list(context: PageContext, request: Request, refused: LockstepError | None = None) -> PageView:
    member = context.member()
    search, before = request.query_params.get("search", "").strip(), request.query_params.get("before", "")
    found = await documents.list_documents(context.store, member, search=search, before=before, most=PAGE_SIZE + 1)
    page, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    return PageView(
        "documents.html",
        heading="Documents",
        section="Documents",
        lead=f"Everyone in {member.account} can read them. Your role is {member.role}.",
        model={
            "documents": page,
            "deletable": {one.id for one in page if documents.may_delete(member, one)},
            "may_upload": allows(member.role, MemberPermission.DOCUMENTS_UPLOAD),
            "most_megabytes": documents.MOST_BYTES // 1_000_000,
            "search": search,
            "next": address("/", search=search, before=page[-1].id) if more else None,
            "first": address("/", search=search) if before else None,
            "refused": refused,
        },
        status=STATUSES[refused.kind] if refused else 200,
    )
