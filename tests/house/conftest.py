"""The tests in this folder share the parsed trees, which are dropped after the last of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.source import nodes_of, tree_of


@pytest.fixture(scope="package", autouse=True)
def trees() -> Iterator[None]:
    """Forget them at the end: a million nodes would slow every garbage collection of the tests that follow."""
    yield
    nodes_of.cache_clear()
    tree_of.cache_clear()
