"""Rules for every template, script and style: they keep to the security policy, every form carries its token, every name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lockstep.kit.assets import Assets
from lockstep.kit.icons import icon
from lockstep.kit.templating import new_environment, with_times
from lockstep.web.app import BUILT

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lockstep"
FOLDERS = (SOURCE / "kit" / "templates", SOURCE / "web" / "templates")
TEMPLATES = sorted(path for folder in FOLDERS for path in folder.rglob("*.html"))
# Forms that somebody without a session sends: only their origin is checked.
WITHOUT_TOKEN = {"access/sign_in.html", "access/invitation.html"}


def named(path: Path) -> str:
    return str(path.relative_to(next(folder for folder in FOLDERS if path.is_relative_to(folder))))


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_a_template_compiles_and_holds_nothing_that_the_security_policy_refuses(path: Path) -> None:
    text = path.read_text()

    new_environment("lockstep.web", {}).get_template(named(path))

    assert re.findall(r"<style|<script(?! type=\"module\" src=)|\sstyle=|\son[a-z]+=|javascript:|hx-on", text) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text) == []
    assert "| safe" not in text


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_what_answers_during_typing_follows_the_text_and_does_not_only_hear_events(path: Path) -> None:
    """An event that comes before htmx is ready is lost, and with it what was typed (`following.js`)."""
    text = path.read_text()

    assert re.findall(r"hx-trigger\"?[=:]\s*\"[^\"]*(?:input|keyup|changed|search)\b[^\"]*", text) == []
    assert len(re.findall(r"data-follows\b", text)) == len(re.findall(r"hx-trigger[^>]*?\bfollow\b", text))


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_form_that_posts_carries_the_sessions_token(path: Path) -> None:
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(), re.S):
        assert 'name="csrf"' in form or "csrf_field(" in form or named(path) in WITHOUT_TOKEN, form[:120]


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_no_address_of_a_search_contains_the_sessions_token(path: Path) -> None:
    text = path.read_text()

    for form in re.findall(r"<form[^>]*method=\"get\".*?</form>", text, re.S):
        assert "csrf_field(" not in form and not re.search(r"<input[^>]*name=\"csrf\"", form), form[:120]
    whole_forms = re.findall(r"hx-get=[^>]*hx-include=\"#(?:\{\{ \w+ \}\}|[\w-]+)\"", text)
    assert whole_forms == []


def test_every_icon_and_asset_that_a_template_names_is_there() -> None:
    texts = "\n".join(path.read_text() for path in [*TEMPLATES, *(SOURCE / "web").rglob("*.py")])

    for name in set(re.findall(r"\bicon\(\"([a-z-]+)\"", texts)) | set(re.findall(r"icon_name=\"([a-z-]+)\"", texts)):
        assert "<svg" in icon(name), name
    assets = Assets(BUILT)
    for name in (
        "lockstep.js",
        "lockstep.css",
        "favicon.svg",
        "favicon-attention.svg",
        "inter-latin-wght-normal.woff2",
    ):
        assert assets.url(name).startswith("/assets/")


def test_styles_name_colours_only_among_the_tokens() -> None:
    """Or one theme is forgotten. The two pictures inside url() cannot use a token."""
    for path in (*(SOURCE / "kit/frontend/css").glob("*.css"), *(SOURCE / "web/frontend").glob("css/*.css")):
        text = re.sub(r"url\(\"data:.*?\"\)|light-dark\([^;]*\)", "", path.read_text())
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;\s,)])|\brgba?\(|\bhsla?\(", text) == [], path.name


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_a_status_is_shown_in_one_form_alone(path: Path) -> None:
    """A badge says what something is. How it is going is said by `status_text`, with an icon beside the colour."""
    assert re.findall(r"\bbadge\([^()]*\"(?:ok|error|info|quarantine)\"", path.read_text()) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_a_list_stands_in_a_box_that_scrolls_and_says_what_each_column_is(path: Path) -> None:
    """On narrow windows the head's words stand in each row (`tables.js`), so no column may be without one."""
    text = path.read_text()
    for head in re.findall(r"<thead>(.*?)</thead>", text, re.S):
        assert re.findall(r"<th[^>]*></th>", head) == [], head
    for table in re.finditer(r"<table class=\"table[^>]*data-rows", text):
        assert "table-box" in text[max(0, table.start() - 160) : table.start()], table[0]


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_every_pager_has_the_same_words(path: Path) -> None:
    for call in re.findall(r"\{\{ pager\((.*)\) \}\}", path.read_text()):
        assert not re.search(r", \"(?:First|Next|Newe|Older|Prev)", call), call


def test_a_pager_stands_in_the_foot_of_its_card() -> None:
    """In both products. Elsewhere it would touch the last row."""
    wrong = []
    for path in SOURCE.parent.rglob("templates/**/*.html"):
        text = path.read_text()
        for pager in re.finditer(r"\{\{ pager\(", text):
            _, foot, since = text[: pager.start()].rpartition('<div class="card-foot')
            if not foot or "</div>" in since:
                wrong.append(str(path))

    assert wrong == []


def test_every_class_of_a_template_has_a_rule_or_a_script() -> None:
    """A class without either was meant to do something, such as to keep a label on one line."""
    source = SOURCE.parent
    styles = "\n".join(path.read_text() for path in source.rglob("frontend/css/**/*.css"))
    scripts = "\n".join(path.read_text() for path in source.rglob("frontend/js/**/*.js"))
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", styles + scripts))

    unknown = set[tuple[str, str]]()
    for path in source.rglob("templates/**/*.html"):
        for value in re.findall(r"class=\"([^\"]*)\"", re.sub(r"{#.*?#}|{%.*?%}", " ", path.read_text(), flags=re.S)):
            names = re.sub(r"\S*{{.*?(?:}}\S*|$)", " ", value).split()
            unknown |= {(name, path.name) for name in names if name not in known}
    assert unknown == set()


def test_everything_that_opens_has_a_class_that_shows_it() -> None:
    """In both products. The reset takes the browser's arrow away, so a summary without a class looks like text."""
    tag = re.compile(r"<details(?:[^>{]|{%.*?%}|{{.*?}})*>")
    found = [
        (path.name, opening)
        for path in SOURCE.parent.rglob("templates/**/*.html")
        for opening in tag.findall(path.read_text())
        if "class=" not in opening
    ]

    assert found == []


def test_every_link_whose_class_is_only_a_size_or_a_font_has_the_look_of_a_link() -> None:
    """In both products. A link without a class looks like one by itself."""
    plain = {"small", "mono", "muted", "nowrap"}
    found = [
        (path.name, classes)
        for path in SOURCE.parent.rglob("templates/**/*.html")
        for classes in re.findall(r'<a [^>]*class="([^"{]*)"', path.read_text())
        if set(classes.split()) <= plain
    ]

    assert found == []


def test_every_dialog_with_a_form_has_its_buttons_in_the_foot_and_a_way_back() -> None:
    """The form of a dialog has no box of its own (`display: contents`), so its padding comes from the body and the foot inside it."""
    found = []
    for path in SOURCE.parent.rglob("templates/**/*.html"):
        for body in re.findall(
            r"{% call (?:dialog|sheet)\([^%]*%}\s*<form .*?{% endcall %}", path.read_text(), re.DOTALL
        ):
            form = body[body.index("<form ") :].partition(">")[0]
            if "dialog-body" in form or 'class="dialog-foot"' not in body or "data-closes" not in body:
                found.append(f"{path.name}: {body[:60]}")

    assert found == []


def test_everything_that_opens_a_dialog_leads_to_it_also_without_script() -> None:
    found = []
    for path in SOURCE.parent.rglob("templates/**/*.html"):
        if path.name in (
            "controls.html",
            "rail.html",
        ):  # the macros, and the list of keys, which need script themselves
            continue
        text = path.read_text()
        found += [f"{path.name}: {tag}" for tag in re.findall(r"<button [^>]*data-opens[^>]*>", text)]
        found += [
            f"{path.name}: {call}" for call in re.findall(r"{{ button\([^}]*opens=[^}]*}}", text) if "href=" not in call
        ]

    assert found == []


def test_times_within_a_text_become_elements_that_the_script_converts() -> None:
    html = with_times("<b>Ann</b> waits since 2026-11-29 08:15 UTC (delete), first on 2026-11-28 07:00 UTC.")

    assert html == (
        '&lt;b&gt;Ann&lt;/b&gt; waits since <time datetime="2026-11-29T08:15:00.000Z" data-local>2026-11-29 08:15 UTC</time> (delete), '
        'first on <time datetime="2026-11-28T07:00:00.000Z" data-local>2026-11-28 07:00 UTC</time>.'
    )
