"""A one-time link that is opened where somebody else is signed in: the page that asks before the link replaces that session.

The answer contains the id of the session, so an address that somebody sends around cannot contain it already.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from lockstep.kit.pages import address

INSTEAD_OF = "instead_of"
TEMPLATE = "opened_link.html"


def is_answered(given: object, session: str) -> bool:
    """Whether *given* is the answer that the session with this id may be replaced."""
    return bool(session) and hmac.compare_digest(str(given or "").encode(), session.encode())


def question(path: str, *, owner: str, signed_in: str, session: str, home: str) -> Mapping[str, Any]:
    """Return the model of the page that asks. *owner* is the person for whom the link at *path* was made."""
    return {
        "owner": owner,
        "signed_in": signed_in,
        "go_on": address(path, **{INSTEAD_OF: session}),
        "stay": home,
    }
