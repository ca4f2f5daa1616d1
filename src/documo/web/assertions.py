"""/assert: the endpoint to which providers send responses. It is not a page: the form comes from another server, so it does not contain our
form token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from documo.access.sso.answering import START_HERE, take_response
from documo.store.database import Store
from lockstep.errors import LockstepError
from lockstep.kit.bodies import limited_receive
from lockstep.kit.cookies import address_of
from lockstep.kit.tracing import request_id_of

MAX_FORM = 512 * 1024  # bytes: enough for a response of 256 KB in Base64, escaped

log = structlog.get_logger("documo.web.assertions")


def assertion_endpoint(store: Store, api_url: str) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint. It redirects to the page that collects the session or, if the response is refused, to a page at *api_url* that
    says so.
    """

    async def take(request: Request) -> Response:
        number = request_id_of(request.headers)
        try:
            request._receive = limited_receive(request.receive, request.headers, MAX_FORM)
            form = await request.form(max_files=0, max_fields=20, max_part_size=MAX_FORM)
            fields = {name: str(value) for name, value in form.multi_items()}
            ticket = await take_response(store, fields, api_url=api_url, number=number, address=address_of(request))
        except LockstepError as refused:
            log.warning("sso_refused", request=number, code=refused.code, detail=refused.detail)
            start = "&start=here" if refused.code == START_HERE else ""
            return _to(f"{api_url}/sso/failed?number={quote(number)}{start}")
        return _to(ticket.address)

    return take


def _to(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
