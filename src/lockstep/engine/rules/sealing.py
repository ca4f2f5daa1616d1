"""Replace each secret value by a keyed hash, which reveals only whether the value has changed.

A value is secret if its mapping is redacted: by `redact`, by the function Redact or by the name of the target attribute. Matching values
are stored in clear text, because searches for accounts need them.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from lockstep.engine.records import Value, Values
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import AttributeMapping, ObjectMapping
from lockstep.engine.rules.operators import is_empty, text_of
from lockstep.engine.rules.secrecy import Fingerprint

MARK = "hmac-sha256:"


def with_fingerprint(configuration: JobConfiguration, fingerprint: Fingerprint) -> JobConfiguration:
    """Return *configuration* with *fingerprint* as the function that hashes secrets. The function returns a keyed hash of 32 bytes in
    hexadecimal.
    """
    if not any(mapping.secrets for mapping in configuration.objects):
        return configuration
    objects = tuple(
        replace(
            mapping,
            attributes=tuple(
                replace(one, fingerprint=fingerprint) if one.is_secret else one for one in mapping.attributes
            ),
        )
        for mapping in configuration.objects
    )
    return replace(configuration, objects=objects)


def is_sealed(value: Value) -> bool:
    """Whether *value* is the hash of a secret."""
    return isinstance(value, str) and value.startswith(MARK)


def sealed(value: Value, mapping: AttributeMapping) -> Value:
    """Hash a secret value. Equal values get the same hash. A value is returned unchanged if it is empty or already hashed, or if *mapping*
    has no function that hashes values.
    """
    if mapping.fingerprint is None or is_empty(value) or is_sealed(value):
        return value
    items = value if isinstance(value, tuple | list) else (value,)
    texts = sorted(_text(item) if mapping.attribute.case_exact else _text(item).casefold() for item in items)
    return MARK + mapping.fingerprint(orjson.dumps([mapping.target, *texts]).decode())


def without_secrets(values: Values, mapping: ObjectMapping | None) -> Values:
    """Return *values* with every secret replaced by its hash."""
    secret = [one for one in mapping.secrets if one.target in values] if mapping is not None else []
    if not secret:
        return values
    return {**values, **{one.target: sealed(values[one.target], one) for one in secret}}


def holds_secret(values: Values, mapping: ObjectMapping | None) -> bool:
    """Whether *values* contain a secret in clear text, as older versions stored it."""
    secrets = mapping.secrets if mapping is not None else ()
    return any(
        one.fingerprint is not None and not is_empty(values.get(one.target)) and not is_sealed(values[one.target])
        for one in secrets
    )


def _text(item: Value) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str | int | float):
        return text_of(item)
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS, default=str).decode()
