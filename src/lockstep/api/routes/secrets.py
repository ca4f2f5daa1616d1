"""The stored secrets, without their values."""

from __future__ import annotations

from fastapi import Request
from typing_extensions import TypedDict

from lockstep.actions import stored_secrets
from lockstep.actions.rows.secrets import StoredSecretJson, stored_secret_json
from lockstep.api.conditions import tagged
from lockstep.api.door import Asked, router_of

router = router_of("Administration")


class StoredSecretsJson(TypedDict):
    """The secrets, and the id of the key that encrypts them.

    *encrypted* counts all encrypted values, even those that are not in the list, such as second factors. *withFormerKey* counts the values
    that are still encrypted with a former key.
    """

    keyId: str
    encrypted: int
    withFormerKey: int
    items: list[StoredSecretJson]


@router.get("/secrets")
async def list_secrets(context: Asked, request: Request) -> StoredSecretsJson:
    """List the stored secrets: whose they are, when they were set, and how they are protected. Values are never returned."""
    found = await stored_secrets.list_secrets(context)
    shown: StoredSecretsJson = {
        "keyId": found.key_id,
        "encrypted": found.encrypted,
        "withFormerKey": found.with_former_key,
        "items": [stored_secret_json(one) for one in found.secrets],
    }
    return tagged(request, shown)
