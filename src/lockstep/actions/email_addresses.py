"""E-mail addresses that people enter."""

from __future__ import annotations

from lockstep.errors import invalid


def checked_email(text: str) -> str:
    """Return *text* as an e-mail address, or "" if it is empty. Raises LockstepError if it does not look like an address."""
    address = text.strip()
    local, at, domain = address.rpartition("@")
    if address and (not local or not at or "." not in domain or any(letter.isspace() for letter in address)):
        raise invalid(f'"{address}" is not a valid e-mail address', next_step="For example: it@contoso.com")
    return address
