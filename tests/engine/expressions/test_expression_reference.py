"""The reference of the language is generated from the catalogue and up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lockstep.engine.expressions.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[3]


def test_reference_is_what_the_catalogue_says() -> None:
    script = ROOT / "scripts" / "generate_expression_reference.py"

    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_reference_has_every_function() -> None:
    text = (ROOT / "docs" / "reference" / "expressions.md").read_text(encoding="utf-8")

    assert [name for name in CATALOGUE if f"### {name}\n" not in text] == []
