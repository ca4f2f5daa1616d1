"""An action that needs a second permission asks for it before anything is saved."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import lockstep.actions
from lockstep.actions import applications, mappings_attributes, provisioning, settings, sources
from lockstep.actions.access import ACTIONS
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Actor, Context
from lockstep.actions.permissions import Permission
from lockstep.actions.provisioning import ResetScope
from lockstep.engine.records import ObjectKind
from lockstep.errors import Kind, LockstepError
from lockstep.targets.opener import ScimTargets
from tests.support.hub import Hub, person, write_csv

# Either of them in an action's module-local code: the permission is asked for first, or everything happens in one transaction.
ASKS_FIRST = ("needs_also(", ".require(Permission.", "require_application(")
ALL_OR_NOTHING = (".together()", "foresee(")


@pytest.fixture
async def whole(hub: Hub) -> AsyncIterator[Context]:
    """The context of somebody who may do everything, in an organisation with one application."""
    targets = ScimTargets(())
    await applications.add_application(hub.context, "documo")
    yield replace(hub.context, opener=targets)
    await targets.close()


def with_only(context: Context, *permissions: Permission) -> Context:
    return replace(context, actor=Actor("a token", frozenset({Permission.APPLICATIONS_READ, *permissions})))


async def test_switching_provisioning_on_with_other_settings_saves_none_without_its_permission(whole: Context) -> None:
    before = await settings.show_settings(whole, "documo")
    context = with_only(whole, Permission.CONFIGURATION_WRITE)

    for status in ("on", "off"):
        with pytest.raises(LockstepError) as refused:
            await settings.change_settings(context, "documo", scope="all", status=status)
        with pytest.raises(LockstepError) as foreseen:
            await foresee(context, lambda inner: settings.change_settings(inner, "documo", status="on"))
        assert {refused.value.kind, foreseen.value.kind} == {Kind.FORBIDDEN}
        assert "provisioning.control" in refused.value.why

    assert await settings.show_settings(whole, "documo") == before


async def test_settings_are_not_saved_if_provisioning_cannot_be_switched_on_with_them(whole: Context) -> None:
    before = await settings.show_settings(whole, "documo")

    with pytest.raises(LockstepError, match="credentials"):
        await settings.change_settings(whole, "documo", scope="all", status="on")

    assert await settings.show_settings(whole, "documo") == before


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        (ResetScope.FULL, Permission.LINKS_WRITE),
        (ResetScope.CONNECTOR_DATA_STORE, Permission.LINKS_WRITE),
        (ResetScope.FORCE_DELETES, Permission.APPROVALS_DECIDE),
    ],
)
async def test_a_restart_does_not_forget_links_or_approve_writes_without_their_permission(
    whole: Context, scope: ResetScope, missing: Permission
) -> None:
    with pytest.raises(LockstepError) as refused:
        await provisioning.restart(with_only(whole, Permission.PROVISIONING_CONTROL), "documo", {scope})

    assert (refused.value.kind, str(missing) in refused.value.why) == (Kind.FORBIDDEN, True)


async def test_a_source_is_not_registered_by_somebody_who_may_not_import_it(whole: Context, tmp_path: Path) -> None:
    config = {"files": [{"path": str(write_csv(tmp_path / "p.csv", [person("anna")]))}]}

    with pytest.raises(LockstepError) as refused:
        await sources.import_file(with_only(whole, Permission.SOURCES_WRITE), "new", config, is_kept=True)

    assert refused.value.kind is Kind.FORBIDDEN
    assert "new" not in {one.source.name for one in await sources.list_sources(whole)}


async def test_an_application_is_not_asked_for_attributes_that_may_not_be_saved(whole: Context) -> None:
    for held in (Permission.CONNECTION_TEST, Permission.CONFIGURATION_WRITE):
        with pytest.raises(LockstepError) as refused:
            await mappings_attributes.discover_attributes(with_only(whole, held), "documo", ObjectKind.USER)
        assert refused.value.kind is Kind.FORBIDDEN


def test_every_action_that_calls_one_with_another_permission_asks_first_or_does_all_or_nothing() -> None:
    modules = [
        importlib.import_module(one.name)
        for one in pkgutil.walk_packages(lockstep.actions.__path__, "lockstep.actions.")
    ]
    careless = [
        f"{outer} calls {inner}, which needs {ACTIONS[inner].permission}"
        for module in modules
        for outer, inner, text in _calls_between_actions(module)
        if not any(word in text for word in (*ALL_OR_NOTHING, *ASKS_FIRST))
    ]

    assert careless == []


def _calls_between_actions(module: ModuleType) -> Iterator[tuple[str, str, str]]:
    """The action, the writing one with another permission that it calls, and the text of the action and of the helpers between."""
    source = Path(str(module.__file__)).read_text()
    functions = {
        node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    place = module.__name__.removeprefix("lockstep.actions.")
    for name, node in functions.items():
        if (rule := ACTIONS.get(f"{place}.{name}")) is None:
            continue
        reached = _reached(node, functions, {name})
        text = "\n".join(ast.unparse(functions[one]) for one in reached)
        for called in {found for one in reached for found in _actions_named(functions[one], module)}:
            needed = ACTIONS[called].permission
            if needed not in (None, rule.permission) and not str(needed).endswith(".read"):
                yield f"{place}.{name}", called, text


def _reached(node: ast.AST, functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef], seen: set[str]) -> set[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and one.id in functions and one.id not in seen:
            seen.add(one.id)
            if not any(isinstance(mark, ast.Call) for mark in functions[one.id].decorator_list):
                _reached(functions[one.id], functions, seen)
    return seen


def _actions_named(node: ast.AST, module: ModuleType) -> Iterator[str]:
    for one in ast.walk(node):
        found = None
        if isinstance(one, ast.Name):
            found = getattr(module, one.id, None)
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name):
            found = getattr(getattr(module, one.value.id, None), one.attr, None)
        if found is not None and hasattr(found, "__wrapped__"):
            key = f"{found.__module__.removeprefix('lockstep.actions.')}.{found.__qualname__}"
            if key in ACTIONS:
                yield key
