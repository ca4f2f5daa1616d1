"""Ask before a one-time link ends the session of somebody else in the same browser.

The confirmation contains the id of that session, so nobody can send around a link that is already confirmed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from lockstep.kit.pages import address

INSTEAD_OF = "instead_of"
TEMPLATE = "opened_link.html"


def is_answered(given: object, session: str) -> bool:
    """Whether *given* confirms that the session with the id *session* may end."""
    return bool(session) and hmac.compare_digest(str(given or "").encode(), session.encode())


def question(path: str, *, owner: str, signed_in: str, session: str, home: str) -> Mapping[str, Any]:
    """Return the model of the page that asks for the confirmation. *owner* is the person for whom the link at *path* was made. *signed_in*
    is the person whose session would end.
    """
    return {
        "owner": owner,
        "signed_in": signed_in,
        "go_on": address(path, **{INSTEAD_OF: session}),
        "stay": home,
    }
