"""Ids of audit log entries.

All accounts share one counter, whose numbers would reveal the activity of other accounts. The number is therefore encrypted with AES-SIV
(RFC 5297), differently for each account: an entry always has the same id, and no id leads to another account's entry. Ids are hexadecimal.
None begins with a hyphen, so no command takes an id for an option.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

SECRET_BYTES = 64
_BYTES = 8  # of a number
_FORMER_LENGTH = 32  # characters of an id in Base64, as earlier versions wrote it


def seal(secret: bytes, tenant_id: int, number: int) -> str:
    """Return the id of the account's entry with this number."""
    sealed = AESSIV(secret).encrypt(number.to_bytes(_BYTES, "big"), [str(tenant_id).encode()])
    return sealed.hex()


def unseal(secret: bytes, tenant_id: int, entry_id: str) -> int | None:
    """Return the number of the account's entry with this id, or None if the id does not belong to this account."""
    try:
        sealed = base64.urlsafe_b64decode(entry_id) if len(entry_id) == _FORMER_LENGTH else bytes.fromhex(entry_id)
        return int.from_bytes(AESSIV(secret).decrypt(sealed, [str(tenant_id).encode()]), "big")
    except (InvalidTag, binascii.Error, ValueError):
        return None
