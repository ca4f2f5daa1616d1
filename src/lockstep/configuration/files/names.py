"""How the things that an administrator names may be called. Documents and commands are held to the same rule."""

from __future__ import annotations

import re

APPLICATION_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
APPLICATION_RULE = "Small letters, digits and hyphens, beginning with a letter or digit, at most 63"
SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LOCAL_SOURCE = "lockstep"  # what is made by hand belongs to it
SOURCE_RULE = f"Letters, digits, dots, hyphens and underscores, at most 63; the name {LOCAL_SOURCE} is reserved"


def is_application_name(name: str) -> bool:
    return APPLICATION_NAME.fullmatch(name) is not None


def is_source_name(name: str) -> bool:
    return SOURCE_NAME.fullmatch(name) is not None and name != LOCAL_SOURCE
