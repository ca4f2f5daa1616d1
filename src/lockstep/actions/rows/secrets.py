"""The stored secrets as JSON, without their values."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from lockstep.actions.rows.times import iso
from lockstep.actions.stored_secrets import StoredSecret


class StoredSecretJson(TypedDict):
    """A secret without its value. *hint* is the part of the secret that may be shown. *hasFormerKey* is true if the secret is still
    encrypted with the former key.

    *expiresAt* is null if the secret does not expire. It is also null for a secret that another system issued, because Lockstep does not
    know when such a secret expires.
    """

    kind: str
    name: str
    application: str | None
    owner: str
    hint: str
    protection: Literal["encrypted", "hashed"]
    hasFormerKey: bool
    setAt: str | None
    setBy: str
    expiresAt: str | None


def stored_secret_json(one: StoredSecret) -> StoredSecretJson:
    return {
        "kind": one.kind,
        "name": one.name,
        "application": one.app or None,
        "owner": one.owner,
        "hint": one.hint,
        "protection": "hashed" if one.is_hashed else "encrypted",
        "hasFormerKey": one.has_former_key,
        "setAt": iso(one.set_at),
        "setBy": one.set_by,
        "expiresAt": iso(one.expires_at),
    }
