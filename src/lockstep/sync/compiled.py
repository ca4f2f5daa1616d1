"""A cache of compiled configurations: a process compiles each configuration once, for pages and workers alike.

The key is the whole document, because a version number is not sufficient. A rehearsal uses a version number that is not stored, and a
different document may get that number later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from typing import TypeAlias

import orjson

from lockstep.configuration.rules import JobConfiguration, configuration_from_json
from lockstep.configuration.template import Template
from lockstep.engine.records import AppRole
from lockstep.engine.rules.sealing import with_fingerprint
from lockstep.storage.jobs import JobRow
from lockstep.vault import Vault

MOST_KEPT = 256
Key: TypeAlias = tuple[str, int, str, str, tuple[AppRole, ...], bytes]


@dataclass
class CompiledConfigurations:
    """The most recently used configurations, at most MOST_KEPT. All callers must pass the same vault and gallery."""

    _kept: dict[Key, JobConfiguration] = field(default_factory=dict)

    def compiled(
        self, row: JobRow, roles: tuple[AppRole, ...], *, vault: Vault, template_of: Callable[[str], Template | None]
    ) -> JobConfiguration:
        """Return the compiled configuration of *row*. Raises LockstepError if it is invalid."""
        document = blake2b(orjson.dumps(row.config), digest_size=16).digest()
        key = (row.id, row.config_version, row.app_name, row.template, roles, document)
        found = self._kept.pop(key, None)
        if found is None:
            found = _compile(row, roles, vault, template_of(row.template))
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]  # the least recently used one
        self._kept[key] = found
        return found

    def __len__(self) -> int:
        return len(self._kept)


def _compile(row: JobRow, roles: tuple[AppRole, ...], vault: Vault, template: Template | None) -> JobConfiguration:
    attributes = template.attributes if template is not None else None
    configuration = configuration_from_json(row.config, version=row.config_version, roles=roles, attributes=attributes)
    configuration = replace(configuration, app_name=row.app_name)
    return with_fingerprint(configuration, partial(_fingerprint, vault, row.id))


def _fingerprint(vault: Vault, job: str, text: str) -> str:
    return vault.fingerprint(text, purpose=f"value {job}").hex()
