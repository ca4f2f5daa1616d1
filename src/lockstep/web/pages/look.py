"""Change the display settings of one browser."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions.context import Context
from lockstep.kit import looks
from lockstep.web.frame import PRODUCT
from lockstep.web.page import Pages

pages = Pages()


@pages.post("/look")
async def change_look(_: Context, request: Request) -> Response:
    return await looks.change_look(request, PRODUCT)
