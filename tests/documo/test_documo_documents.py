"""Documents: who may read, upload and delete them, and that a browser saves them and never displays them."""

from __future__ import annotations

import os
import re

import pytest

from documo import documents, member_records, members
from documo.documents import MOST_BYTES, PIECE, checked_name
from lockstep.errors import LockstepError
from tests.support.documo_client import Client
from tests.support.documo_pages import Visitor, signed_in

# What each role may do, as docs/documo.md says.
MAY = {
    "Viewer": {"read"},
    "Member": {"read", "upload", "delete own"},
    "Editor": {"read", "upload", "delete own", "delete all"},
    "Admin": {"read", "upload", "delete own", "delete all"},
}


async def links_of(visitor: Visitor) -> list[str]:
    return re.findall(r'href="(/documents/[\w-]+)"', (await visitor.get("/"))[1])


async def test_document_is_downloaded_as_it_was_uploaded_and_never_shown(api: Client) -> None:
    content = b"<script>alert(1)</script>" + os.urandom(2 * PIECE)
    async with signed_in(api, "Member", "anna@x.org") as anna:
        await anna.upload("/documents", "document", content, name="Bericht ü'.html")
        (link,) = await links_of(anna)
        async with anna.http.get(anna.origin + link) as answer:
            assert await answer.read() == content
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Bericht%20%C3%BC%27.html"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("role", MAY)
async def test_role_decides_what_somebody_may_do(api: Client, role: str) -> None:
    async with signed_in(api) as ada, signed_in(api, role, "anna@x.org") as anna:
        await ada.upload("/documents", "document", b"of Ada", name="ada.txt")
        (of_ada,) = await links_of(ada)
        did = {"read"} if (await anna.get(of_ada))[1] == "of Ada" else set()
        if (await anna.upload("/documents", "document", b"of Anna", name="anna.txt"))[0] == 200:
            did.add("upload")
            own = next(link for link in await links_of(anna) if link != of_ada)
            did |= {"delete own"} if (await anna.post(f"{own}/delete"))[0] == 200 else set()
        did |= {"delete all"} if (await anna.post(f"{of_ada}/delete"))[0] == 200 else set()

    assert did == MAY[role]


async def test_pages_show_only_what_the_role_may_do(api: Client) -> None:
    async with signed_in(api) as ada, signed_in(api, "Viewer", "anna@x.org") as anna:
        await ada.upload("/documents", "document", b"x", name="ada.txt")
        _, seen_by_admin = await ada.get("/")
        _, seen_by_viewer = await anna.get("/")

    assert 'type="file"' in seen_by_admin and "Delete ada.txt" in seen_by_admin
    assert 'type="file"' not in seen_by_viewer and "Delete ada.txt" not in seen_by_viewer


async def test_document_of_a_deleted_member_stays(api: Client) -> None:
    async with signed_in(api) as ada, signed_in(api, "Member", "anna@x.org") as anna:
        await anna.upload("/documents", "document", b"kept", name="anna.txt")
        await member_records.delete_member(api.store, api.account, "anna@x.org")
        _, page = await ada.get("/")
        (link,) = await links_of(ada)

        assert "anna@x.org" in page and (await ada.get(link))[1] == "kept"


async def test_another_accounts_documents_are_not_there(pair: tuple[Client, Client]) -> None:
    alpha, beta = pair
    async with signed_in(alpha) as ada, signed_in(beta, email="bob@x.org") as bob:
        await ada.upload("/documents", "document", b"x", name="secret-plan.txt")
        (link,) = await links_of(ada)

        assert "secret-plan" not in (await bob.get("/"))[1]
        assert (await bob.get(link))[0] == 404
        assert (await bob.post(f"{link}/delete"))[0] == 404
        assert await links_of(ada) == [link]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [(b"", "empty.txt", "empty.txt is empty"), (b"x" * (MOST_BYTES + 1), "big.bin", "larger than 10 MB")],
)
async def test_document_that_is_empty_or_too_large_is_refused(
    api: Client, content: bytes, name: str, says: str
) -> None:
    async with signed_in(api) as ada:
        status, page = await ada.upload("/documents", "document", content, name=name)
        assert (status, says in page) == (400, True)
        assert await links_of(ada) == []


async def test_upload_far_beyond_the_limit_is_refused_while_it_arrives(api: Client) -> None:
    async with signed_in(api) as ada:
        status, _ = await ada.upload("/documents", "document", b"x" * (2 * MOST_BYTES), name="huge.bin")

        assert status == 400
        assert await links_of(ada) == []


async def test_documents_beyond_the_accounts_limit_are_refused(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES_OF_ACCOUNT", 10)
    async with signed_in(api) as ada:
        await ada.upload("/documents", "document", b"12345678", name="one.txt")
        status, _ = await ada.upload("/documents", "document", b"123", name="two.txt")

        assert status == 409
        assert len(await links_of(ada)) == 1


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("report.pdf", "report.pdf"),
        (r"C:\Users\anna\report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nSet-Cookie: x\x00.txt", "aSet-Cookie: x.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("u\u0308.txt", "\u00fc.txt"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("." + "y" * 300, "y" * 200),
    ],
)
def test_name_is_one_of_a_file_that_can_be_seen(given: str, shown: str) -> None:
    assert checked_name(given) == shown


@pytest.mark.parametrize("given", ["", " . ", "../..", "\x00", "a/"])
def test_name_that_leaves_nothing_is_refused(given: str) -> None:
    with pytest.raises(LockstepError, match="has no name"):
        checked_name(given)


async def test_list_is_searched_and_paged_and_names_are_escaped(api: Client) -> None:
    user = await members.add_member(api.store, api.account.id, "anna@x.org", role="Member")

    class Anna:
        tenant_id, member_id, user_name, role = api.account.id, user, "anna@x.org", "Member"

    async def nothing(_: int) -> bytes:
        return b""

    for number in range(60):
        await documents.add_document(api.store, Anna(), f"<b>file {number:02}.txt", 1, nothing)
    async with signed_in(api) as ada:
        _, first = await ada.get("/")
        onward = re.search(r'rel="next" href="([^"]+)"', first)
        assert onward is not None
        _, second = await ada.get(onward[1].replace("&amp;", "&"))
        _, found = await ada.get("/?search=FILE+07")
        status, _ = await ada.get("/?before=nonsense")

    assert "&lt;b&gt;file 59.txt" in first and "<b>file" not in first and "file 09.txt" not in first
    assert "file 09.txt" in second and "file 10.txt" not in second
    assert "file 07.txt" in found and "file 08.txt" not in found
    assert status == 200
