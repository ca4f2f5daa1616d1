"""Rules for every template of Documo: it keeps to the security policy, and every form carries its token."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import documo.web
from lockstep.kit.templating import new_environment

FOLDER = Path(documo.web.__file__).parent / "templates"
TEMPLATES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))
# Forms that somebody without a session sends: only their origin is checked.
WITHOUT_TOKEN = ("sign_in/", "sso/")


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_compiles_and_holds_nothing_that_the_security_policy_refuses(name: str) -> None:
    text = (FOLDER / name).read_text()

    new_environment("documo.web", {}).get_template(name)

    assert re.findall(r"<style|<script(?! type=\"module\" src=)|\sstyle=|\son[a-z]+=|javascript:|hx-on", text) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text) == []
    assert "| safe" not in text


@pytest.mark.parametrize("name", [name for name in TEMPLATES if not name.startswith(WITHOUT_TOKEN)])
def test_every_form_that_posts_carries_the_sessions_token(name: str) -> None:
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", (FOLDER / name).read_text(), re.S):
        assert 'name="csrf"' in form or "csrf_field(" in form, form[:120]
