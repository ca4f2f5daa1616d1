"""Documents of an account: their owners and size limits.

Every member can read all documents. They are stored in the database, so that backups and row-level security cover them. They belong to
the account: documents of a deleted member are kept.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from documo.identifiers import new_id, read_id
from documo.permissions import MemberPermission, allows, require
from documo.store import documents as table
from documo.store.database import Store
from documo.store.documents import DocumentRow
from lockstep.errors import conflict, invalid, not_found

MOST_BYTES = 10_000_000  # for one document
MOST_BYTES_OF_ACCOUNT = 1_000_000_000
MOST_NAME = 200  # characters
PIECE = 256 * 1024  # bytes


class DocumentReader(Protocol):
    """The member who makes the request. *role* is the effective role."""

    @property
    def tenant_id(self) -> int: ...
    @property
    def member_id(self) -> str: ...
    @property
    def user_name(self) -> str: ...
    @property
    def role(self) -> str: ...


def may_delete(reader: DocumentReader, document: DocumentRow) -> bool:
    return allows(reader.role, _to_delete(reader, document))


def _to_delete(reader: DocumentReader, document: DocumentRow) -> MemberPermission:
    return (
        MemberPermission.DOCUMENTS_DELETE_OWN
        if document.owner_id == reader.member_id
        else MemberPermission.DOCUMENTS_DELETE_ALL
    )


async def list_documents(
    store: Store, reader: DocumentReader, *, search: str = "", before: str = "", most: int
) -> list[DocumentRow]:
    """Return the documents, newest first. With *before*, return only documents that are older than the document *before*."""
    async with store.tenant(reader.tenant_id) as connection:
        return await table.rows(connection, reader.tenant_id, search=search, before=read_id(before) or "", most=most)


async def add_document(
    store: Store, reader: DocumentReader, name: str, size: int, read: Callable[[int], Awaitable[bytes]]
) -> str:
    """Store a document of *size* bytes and return its id. Each call of *read* returns the next bytes of the document.

    Raises LockstepError if the role may not upload, if the file name is invalid, if the document is empty or too large, or if the account
    has no room for the document.
    """
    require(reader.role, MemberPermission.DOCUMENTS_UPLOAD)
    shown = checked_name(name)
    if not 0 < size <= MOST_BYTES:
        raise invalid(
            f"{shown} is empty" if not size else f"{shown} is larger than {MOST_BYTES // 1_000_000} MB",
            next_step="Choose another file",
        )
    made = new_id()
    async with store.tenant(reader.tenant_id) as connection:
        if await table.bytes_taken(connection, reader.tenant_id) + size > MOST_BYTES_OF_ACCOUNT:
            raise conflict(
                f"{shown} does not fit: the documents of an account can use at most {MOST_BYTES_OF_ACCOUNT // 1_000_000_000} GB",
                next_step="Delete some documents first",
            )
        document = DocumentRow(made, shown, size, reader.member_id, reader.user_name, datetime.now(UTC))
        await table.insert(connection, reader.tenant_id, document)
        seq = 0
        while piece := await read(PIECE):
            await table.insert_piece(connection, reader.tenant_id, made, seq, piece)
            seq += 1
    return made


async def find_document(store: Store, reader: DocumentReader, document_id: str) -> DocumentRow:
    """Return one document. Raises LockstepError if the account does not have it."""
    wanted = read_id(document_id)
    async with store.tenant(reader.tenant_id) as connection:
        found = await table.read(connection, reader.tenant_id, wanted) if wanted else None
    if found is None:
        raise not_found("This document does not exist", next_step="It may have been deleted: go back to Documents")
    return found


async def content_of(store: Store, reader: DocumentReader, document: DocumentRow) -> AsyncIterator[bytes]:
    """Yield the content in pieces. Each piece is read when it is needed."""
    seq = 0
    while True:
        async with store.tenant(reader.tenant_id) as connection:
            piece = await table.read_piece(connection, reader.tenant_id, document.id, seq)
        if piece is None:
            return
        yield piece
        seq += 1


async def delete_document(store: Store, reader: DocumentReader, document_id: str) -> DocumentRow:
    """Delete a document and return it. Raises LockstepError for an unknown document, and for a member who may not delete it."""
    document = await find_document(store, reader, document_id)
    require(
        reader.role,
        _to_delete(reader, document),
        to=f"delete {document.name}, which {document.owner_name} uploaded",
    )
    async with store.tenant(reader.tenant_id) as connection:
        await table.delete(connection, reader.tenant_id, document.id)
    return document


def checked_name(name: str) -> str:
    """Return *name* without folders and invisible characters, for display and download. Raises LockstepError if nothing is left."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    if not shown:
        raise invalid("The document has no name", next_step="Give the file a name")
    if len(shown) > MOST_NAME:
        stem, dot, ending = shown.rpartition(".")
        shown = stem[: MOST_NAME - len(ending) - 1] + dot + ending if stem and len(ending) < 20 else shown[:MOST_NAME]
    return shown
