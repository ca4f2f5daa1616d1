"""Compiled configurations: each is compiled once, a rehearsed one is never taken for a stored one, and few are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.engine.records import AppRole
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.storage.jobs import JobRow
from lockstep.sync.compiled import MOST_KEPT, CompiledConfigurations
from lockstep.vault import Vault, VaultKey

VAULT = Vault(VaultKey(b"k" * 32, b"i" * 8))


def row(config: Mapping[str, Any], *, job: str = "one", version: int = 1) -> JobRow:
    return JobRow(
        job, "app", "app", "App", "custom", "on", started=True, config_version=version, config=config, syncs_all=False,
        paused_at=None, paused_by=None, next_cycle_at=None, steady_at=None, last_probe_at=None, quarantine=None,
    )  # fmt: skip


def compiled(kept: CompiledConfigurations, given: JobRow, *roles: AppRole) -> JobConfiguration:
    return kept.compiled(given, roles, vault=VAULT, template_of=lambda _: None)


def test_a_configuration_is_compiled_once() -> None:
    kept = CompiledConfigurations()

    assert compiled(kept, row({"scope": "all"})) is compiled(kept, row({"scope": "all"}))


def test_another_document_with_the_same_version_is_compiled_again() -> None:
    kept = CompiledConfigurations()
    rehearsed = compiled(kept, row({"scope": "all"}, version=2))
    stored = compiled(kept, row({"scope": "assigned"}, version=2))

    assert (rehearsed.scope, stored.scope) == ("all", "assigned")


def test_changed_roles_are_compiled_again() -> None:
    kept = CompiledConfigurations()
    role = AppRole("1", "Admin", "Admin")

    assert compiled(kept, row({})).roles == ()
    assert compiled(kept, row({}), role).roles == (role,)


def test_the_configuration_that_was_not_used_for_longest_is_forgotten() -> None:
    kept = CompiledConfigurations()
    first, second = compiled(kept, row({}, job="0")), compiled(kept, row({}, job="1"))
    for number in range(2, MOST_KEPT):
        compiled(kept, row({}, job=str(number)))
    compiled(kept, row({}, job="0"))
    compiled(kept, row({}, job="another"))

    assert len(kept) == MOST_KEPT
    assert compiled(kept, row({}, job="0")) is first
    assert compiled(kept, row({}, job="1")) is not second
