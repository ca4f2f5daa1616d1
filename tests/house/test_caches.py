"""Caches: their maximum number of entries, and that clients cannot fill them with texts of their choice."""

from __future__ import annotations

import functools
import gc
import pkgutil
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest

import documo
import lockstep
from documo.request_log import MAX_AGENT, client_guess
from lockstep.engine.expressions import ExpressionError, compile_expression
from lockstep.engine.rules.secrecy import names_a_secret
from lockstep.scim import filter_match, filters, normalize, paths, projection, target_values
from lockstep.scim.errors import ScimError
from lockstep.scim.limits import CACHED_TEXT, MAX_NAME
from lockstep.scim.names import AttributePath, parse_name
from lockstep.scim.operations import Operation
from lockstep.scim.patch import apply_patch
from lockstep.scim.profiles import profile_named
from lockstep.scim.registry import MOST_SPELLINGS, default_registry

MOST_ENTRIES = 1024
ROOMS = ("lockstep.scim", "lockstep.engine", "documo")
USER = default_registry().resource("User")
LONG = "x" * (CACHED_TEXT + 1)


@pytest.fixture(scope="module")
def caches() -> dict[str, Any]:
    """Every cache of the rooms, by its name."""
    for package in (lockstep.scim, lockstep.engine, documo):  # type: ignore[attr-defined]
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migration" not in module.name and not module.name.endswith(".testing"):
                import_module(module.name)
    gc.unfreeze()  # what was loaded before the first test
    wrappers = [one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper)]
    return {f"{one.__module__}.{one.__qualname__}": one for one in wrappers if one.__module__.startswith(ROOMS)}


def test_every_cache_has_few_entries(caches: dict[str, Any]) -> None:
    assert len(caches) > 15
    large = {name: cache.cache_parameters()["maxsize"] for name, cache in caches.items()}
    assert {name: most for name, most in large.items() if most is None or most > MOST_ENTRIES} == {}


def number(at: int) -> str:
    return f"{LONG}{at}"


LONG_TEXTS: dict[str, Callable[[int], Any]] = {
    "name": lambda at: parse_name(number(at)),
    "filter": lambda at: filters.parse_filter(f'userName eq "{number(at)}"'),
    "path": lambda at: paths.parse_path(f'emails[type eq "{number(at)}"].value'),
    "normalized filter": lambda at: normalize.normalize_filter(
        f'title eq "{number(at)}"', profile_named("entra"), USER
    ),
    "compiled filter": lambda at: filter_match.compile_text(f'title eq "{number(at)}"', USER),
    "target path": lambda at: target_values.resolve_path(f'emails[type eq "{number(at)}"].value', USER),
    "projection": lambda at: projection.projection(USER, attributes=("title", number(at))),
    "selection": lambda at: apply_patch(
        {"emails": [{"value": "a"}]},
        [Operation("remove", paths.parse_path(f'emails[value eq "{number(at)}"]'))],
        USER,
    ),
    "name of a secret": lambda at: names_a_secret(number(at)),
    "expression": lambda at: compile_expression(f'"{number(at) * 10}"'),
}


@pytest.mark.parametrize("what", LONG_TEXTS)
def test_what_is_made_of_a_long_text_is_not_kept(what: str, caches: dict[str, Any]) -> None:
    before = {name: cache.cache_info().currsize for name, cache in caches.items()}
    for at in range(20):
        with suppress(ScimError, ExpressionError):
            LONG_TEXTS[what](at)
    grown = {name: cache.cache_info().currsize - before[name] for name, cache in caches.items()}
    assert {name: more for name, more in grown.items() if more > 5} == {}


def test_what_no_schema_declares_is_not_kept() -> None:
    definition = (
        default_registry()
        .with_schema({"id": "urn:x:1.0:A", "name": "A", "attributes": [{"name": "a"}]})
        .resource("User")
    )
    known = len(definition._found)
    for at in range(2 * MOST_SPELLINGS):
        assert definition.find(AttributePath(f"nobody{at}")) is None
    assert len(definition._found) == known
    for at in range(2 * MOST_SPELLINGS):
        spelling = "".join(
            letter.upper() if at >> bit & 1 else letter for bit, letter in enumerate("preferredlanguage")
        )
        assert definition.find(AttributePath(spelling)) is not None
    assert len(definition._found) <= MOST_SPELLINGS


def test_an_attribute_name_that_is_too_long_is_refused() -> None:
    parse_name("x" * MAX_NAME)
    with pytest.raises(ScimError, match="longer than"):
        parse_name("x" * (MAX_NAME + 1))


def test_user_agents_are_kept_short() -> None:
    assert MAX_AGENT <= CACHED_TEXT
    assert client_guess("curl/8" + "x" * MAX_AGENT) == "curl"
