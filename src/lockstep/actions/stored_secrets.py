"""The stored secrets: their owners, when they were set, and how they are protected. Their values cannot be read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.storage import stored_secrets
from lockstep.storage.stored_secrets import StoredSecretRow

KINDS: Mapping[str, str] = {
    "secretToken": "Secret Token",
    "clientSecret": "OAuth client secret",
    "password": "Password for the application",
    "samlSigningKey": "SAML signing key",
    "openidClientSecret": "OpenID Connect client secret",
    "openidSigningKey": "OpenID Connect signing key",
    "administratorsClientSecret": "Client secret for administrators' single sign-on",
    "ldapPassword": "LDAP password",
    "mailPassword": "Mail password",
    "webhookAddress": "Webhook address",
    "webhookSecret": "Webhook signing secret",
}

_ISSUED_HERE = frozenset({"samlSigningKey", "openidClientSecret", "openidSigningKey"})


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret without its value. *kind* is a key of `KINDS`. *is_hashed* is true if only the hash of the secret is stored, and false if
    the secret is stored encrypted. *has_former_key* is true if the secret is still encrypted with the former key. *hint* is the part of the
    secret that may be shown.

    *app* and *owner* are the name and the display name of the application. If the secret belongs to no application, *app* is "". *owner* is
    then the server or provider that the secret is for, or "".

    *expires_at* is None if the secret does not expire. It is also None if another system issued the secret and Lockstep does not know when
    it expires.
    """

    kind: str
    app: str
    owner: str
    hint: str
    set_at: datetime | None
    set_by: str
    expires_at: datetime | None
    is_hashed: bool
    has_former_key: bool

    @property
    def is_ours(self) -> bool:
        """Whether Lockstep issued the secret and decides when it expires."""
        return self.kind in _ISSUED_HERE

    @property
    def name(self) -> str:
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True)
class SecretsView:
    """The secrets, and the id of the key that encrypts them.

    *encrypted* counts all encrypted values, even those that are not in the list, such as second factors. *with_former_key* counts the
    values that are still encrypted with a former key.
    """

    key_id: str
    encrypted: int
    with_former_key: int
    secrets: Sequence[StoredSecret]


@needs(Permission.AUDIT_READ)
async def list_secrets(context: Context) -> SecretsView:
    async with context.reading() as connection:
        rows = await stored_secrets.list_stored_secrets(connection)
        encrypted, with_former_key = await stored_secrets.count_encrypted(connection, context.vault.key_id)
    found = [_secret(row, context.vault.key_id) for row in rows]
    return SecretsView(context.vault.key_id.hex(), encrypted, with_former_key, found)


def _secret(row: StoredSecretRow, key_id: bytes) -> StoredSecret:
    is_hashed = row.key_id is None
    return StoredSecret(
        row.kind, row.app, row.owner, row.hint, row.set_at, row.set_by, row.expires_at,
        is_hashed=is_hashed, has_former_key=not is_hashed and bytes(row.key_id or b"") != key_id,
    )  # fmt: skip
