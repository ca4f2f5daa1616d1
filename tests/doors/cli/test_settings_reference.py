"""The generated pages are up to date, and every variable that the code reads is on one of them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from lockstep.actions.credentials import checked_url
from lockstep.errors import LockstepError

ROOT = Path(__file__).resolve().parents[3]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "settings_reference", ROOT / "scripts" / "generate_settings_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("page", sorted(GENERATOR.PAGES))
def test_page_is_up_to_date(page: str) -> None:
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")

    assert text == GENERATOR.PAGES[page](), "write it again: python scripts/generate_settings_reference.py"


def test_every_variable_that_the_code_reads_is_documented() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r"\b(?:LOCKSTEP|DOCUMO)_[A-Z_]*[A-Z]\b", sources)) - {"LOCKSTEP_TEST"}
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")

    assert [name for name in sorted(read) if f"`{name.removesuffix('_FILE')}`" not in page] == []


def test_tenant_url_with_a_secret_in_its_query_is_refused() -> None:
    with pytest.raises(LockstepError, match="contains a secret"):
        checked_url("https://api.documo.com/scim/v2?token=canary")

    assert checked_url("https://api.documo.com/scim/v2?aadOptscim062020").endswith("?aadOptscim062020")
