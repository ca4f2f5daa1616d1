"""A listing is complete, or it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from lockstep.engine.records import ObjectKind
from lockstep.ports import TargetError
from tests.support.target_servers import serving, target_at

USER = ObjectKind.USER

Pages = Callable[[int, int], dict[str, Any]]


def accounts(first: int, count: int) -> list[dict[str, Any]]:
    return [{"id": f"u{number}", "userName": f"u{number}"} for number in range(first, first + count)]


async def read_all(pages: Pages) -> tuple[list[str], TargetError | None, int]:
    """The ids in a listing, the error it ended with, and the number of requests."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        start, count = int(request.query["startIndex"]), int(request.query["count"])
        return web.json_response(pages(start, count))

    ids: list[str] = []
    failed = None
    async with serving(handler) as server, target_at(server.origin, page_size=10) as target:
        try:
            async for page in target.pages(USER):
                ids += [account.id for account in page.accounts]
        except TargetError as error:
            failed = error
    return ids, failed, len(server.requests)


def honest(start: int, count: int) -> dict[str, Any]:
    return {"totalResults": 35, "Resources": accounts(start, min(count, 36 - start))}


def own_page_size(start: int, count: int) -> dict[str, Any]:
    return honest(start, min(count, 7))


def everything_at_once(start: int, count: int) -> dict[str, Any]:
    return {"totalResults": 35, "Resources": accounts(1, 35)}


@pytest.mark.parametrize("pages", [honest, own_page_size, everything_at_once])
async def test_honest_listing_is_read_whole(pages: Pages) -> None:
    ids, failed, _ = await read_all(pages)

    assert failed is None
    assert ids == [f"u{number}" for number in range(1, 36)]


def same_page_again(start: int, count: int) -> dict[str, Any]:
    return {"totalResults": 35, "Resources": accounts(1, 10)}


def less_than_promised(start: int, count: int) -> dict[str, Any]:
    return {"totalResults": 50, "Resources": accounts(start, min(count, max(0, 36 - start)))}


def more_than_promised(start: int, count: int) -> dict[str, Any]:
    return {"totalResults": 15, "Resources": accounts(start, 10)}


def shrinking(start: int, count: int) -> dict[str, Any]:
    return {"totalResults": 35 - start // 10, "Resources": accounts(start, 10)}


def twice_on_one_page(start: int, count: int) -> dict[str, Any]:
    return {"totalResults": 35, "Resources": accounts(start, 9) + accounts(start, 1)}


def without_total(start: int, count: int) -> dict[str, Any]:
    return {"Resources": accounts(start, 10)}


@pytest.mark.parametrize(
    "pages", [same_page_again, less_than_promised, more_than_promised, shrinking, twice_on_one_page, without_total]
)
async def test_listing_that_cannot_be_proved_whole_fails(pages: Pages) -> None:
    _, failed, requests = await read_all(pages)

    assert failed is not None
    assert failed.answer.code == "SystemForCrossDomainIdentityManagementServiceIncompatible"
    assert requests < 10


async def test_listing_that_fails_midway_fails_and_is_never_shorter() -> None:
    def breaks(start: int, count: int) -> dict[str, Any]:
        if start > 20:
            raise web.HTTPInternalServerError
        return honest(start, count)

    ids, failed, _ = await read_all(breaks)

    assert len(ids) == 20
    assert failed is not None
    assert failed.answer.code == "InternalServerError"
