"""The rules for names that administrators choose. Documents and commands use the same rules."""

from __future__ import annotations

import re

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
APPLICATION_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
APPLICATION_RULE = "Use at most 63 lower-case letters, digits and hyphens, starting with a letter or digit; it must not look like an id"
SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LOCAL_SOURCE = "lockstep"  # the source of objects that are created by hand
SOURCE_RULE = f"Use at most 63 letters, digits, dots, hyphens and underscores; the name {LOCAL_SOURCE} is reserved"

LONGEST_ORGANISATION = 100
ORGANISATION_RULE = f"Use at most {LONGEST_ORGANISATION} characters on one line"


def is_application_name(name: str) -> bool:
    return APPLICATION_NAME.fullmatch(name) is not None and _GUID.fullmatch(name) is None


def is_source_name(name: str) -> bool:
    return SOURCE_NAME.fullmatch(name) is not None and name != LOCAL_SOURCE


def is_organisation_name(name: str) -> bool:
    return bool(name.strip()) and name.isprintable() and len(name) <= LONGEST_ORGANISATION
