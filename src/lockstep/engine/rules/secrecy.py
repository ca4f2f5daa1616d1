"""Names of attributes whose values are secret, and the type of the function that hashes such values (`sealing`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from lockstep.scim.limits import CACHED_TEXT

Fingerprint = Callable[[str], str]
_SECRET_NAMES = frozenset(
    ("password", "currentpassword", "newpassword", "secret", "clientsecret", "token", "accesstoken", "refreshtoken",
     "apikey", "authorization", "cookie", "setcookie", "privatekey")
)  # fmt: skip


def names_a_secret(name: Any) -> bool:
    """Whether the last attribute of a path is secret by its name, as in `password` and `urn:...:User:apiKey`."""
    if not isinstance(name, str):
        return False
    return _names_a_secret(name) if len(name) <= CACHED_TEXT else _names_a_secret.__wrapped__(name)


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    last = re.split(r"[.:]", name)[-1]
    return re.sub(r"[^a-z]", "", last.lower()) in _SECRET_NAMES
