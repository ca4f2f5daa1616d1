"""The rules for e-mail addresses to which mail is sent, and for names of mail servers.

An address has the plain form `local@domain`, without quotes, comments, groups or line breaks.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

LONGEST_ADDRESS = 254  # RFC 5321, section 4.5.3.1.3, without the angle brackets
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_LONGEST_HOST = 253


def mail_address(text: str) -> str:
    """Return *text* in the form that messages and servers use, with the domain in ASCII. Returns "" if mail cannot be sent to *text*."""
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
        and "=?" not in local  # `email` would read it as an encoded word (RFC 2047)
        and all(_LABEL.fullmatch(label) for label in plain.split("."))
    )
    return address if is_valid else ""


def is_host(text: str) -> bool:
    """Whether *text* is an IP address or a well-formed host name in ASCII."""
    try:
        ip_address(text)
    except ValueError:
        return len(text) <= _LONGEST_HOST and all(_HOST_LABEL.fullmatch(label) for label in text.split("."))
    return True
