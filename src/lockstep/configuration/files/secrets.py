"""Keep secrets out of files: a value that could be a secret is refused with the reason, and never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lockstep.configuration.document.strict_json import ConfigurationError, Part

REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)")
EXAMPLE = "env:DOCUMO_SCIM_TOKEN or file:/run/secrets/documo"
_SECRET = re.compile(
    r"(password|passphrase|passwd|pwd|bindpw|secret|token|(api|access|private|shared|secret)key|credential)s?$",
    re.IGNORECASE,
)


def refuse_secrets(value: Any, place: str) -> None:
    """Raise ConfigurationError if a key at any depth of *value* contains a secret, or a URL contains a password."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            at = f"{place}.{key}"
            if _SECRET.search(str(key).replace("_", "").replace("-", "")) and isinstance(inner, str | int | float):
                reference = f"{key}Ref"
                raise ConfigurationError(
                    at,
                    "a secret must not be written into a file, only a reference to it: files are copied, committed and shown",
                    next_step=f"Write {reference}: {EXAMPLE}",
                )
            if str(key).endswith("Ref"):
                _check_reference(inner, at)
            refuse_secrets(inner, at)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            refuse_secrets(inner, f"{place}[{index}]")
    elif isinstance(value, str) and _holds_password(value):
        message = "a URL with a password must not be written into a file"
        raise ConfigurationError(place, message, next_step=f"Refer to it: {EXAMPLE}")


def checked_reference(part: Part, key: str) -> str:
    """Return the reference to a secret that *part* has under *key*. Raises ConfigurationError if the value is not a reference. The error
    does not quote the value, because the value may be the secret itself.
    """
    value = part.raw(key)
    _check_reference(value, part.place_of(key))
    return str(value)


def _check_reference(value: Any, place: str) -> None:
    if not isinstance(value, str) or not REFERENCE.fullmatch(value):
        message = "must be a reference: env: and the name of a variable, or file: and a path"
        raise ConfigurationError(place, message, next_step=f"For example {EXAMPLE}")


def _holds_password(text: str) -> bool:
    if "://" not in text:
        return False
    try:
        return urlsplit(text).password is not None
    except ValueError:
        return False
