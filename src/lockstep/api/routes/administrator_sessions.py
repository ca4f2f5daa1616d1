"""The sessions of administrators."""

from __future__ import annotations

from typing_extensions import TypedDict

from lockstep.actions import administrators
from lockstep.api.door import Asked, router_of

router = router_of("Administration")


class EndedSessionsJson(TypedDict):
    """*sessions* counts the sessions that were ended."""

    email: str
    sessions: int


@router.post("/administrators/{email}/sign-out")
async def sign_out_administrator(context: Asked, email: str) -> EndedSessionsJson:
    """End all sessions of an administrator. Tokens stay valid."""
    return {"email": email, "sessions": await administrators.sign_out_everywhere(context, email)}
