"""The migrations of each product form one chain, and no two have the same number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import documo.migrations.versions
import lockstep.storage.migrations.versions


@pytest.mark.parametrize("package", [lockstep.storage.migrations.versions, documo.migrations.versions])
def test_every_migration_has_a_number_of_its_own(package: object) -> None:
    """Two branches that took the same number meet here: the later one takes the next."""
    folder = Path(next(iter(package.__path__)))  # type: ignore[attr-defined]
    numbers = Counter(file.name.partition("_")[0] for file in folder.glob("[0-9]*.py"))

    assert numbers
    assert [number for number, count in numbers.items() if count > 1] == []
