"""Which e-mail addresses mail is sent to: the plain form `local@domain`, without quotes, comments, groups or line breaks."""

from __future__ import annotations

import re

LONGEST_ADDRESS = 254  # RFC 5321, section 4.5.3.1.3, without the angle brackets
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def mail_address(text: str) -> str:
    """Return *text* as it is written in a message and sent to a server: the domain in ASCII. Returns "" if mail cannot be sent to it."""
    local, _, domain = text.strip().rpartition("@")
    try:
        plain = domain.encode("idna").decode("ascii") if not domain.isascii() else domain
    except UnicodeError:
        return ""
    address = f"{local}@{plain}"
    is_valid = (
        len(address) <= LONGEST_ADDRESS
        and len(local) <= 64
        and _LOCAL.fullmatch(local) is not None
        and all(_LABEL.fullmatch(label) for label in plain.split("."))
    )
    return address if is_valid else ""
