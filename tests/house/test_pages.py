"""A reader who starts at docs/README.md finds every page, and every link on the way leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LANDING = DOCS / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)


def links_of(page: Path) -> list[tuple[Path, str]]:
    """The files in this repository that *page* links to, each with its anchor or ""."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = [found for found in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in found]
    return [
        ((page.parent / path).resolve() if path else page, anchor)
        for path, _, anchor in (target.partition("#") for target in targets)
    ]


def anchors_of(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def reachable_from(page: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [page]
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        if here.suffix == ".md" and here.is_file():
            waiting += [target for target, _ in links_of(here)]
    return seen


def test_every_page_is_reachable_from_the_landing_page() -> None:
    files = {path for path in DOCS.rglob("*") if path.is_file()}

    assert sorted(str(path.relative_to(ROOT)) for path in files - reachable_from(LANDING)) == []


def test_the_landing_page_names_every_page_but_the_decisions_itself() -> None:
    named = {target for target, _ in links_of(LANDING)}
    pages = {path for path in DOCS.rglob("*.md") if path.parent.name != "decisions" and path != LANDING}

    assert sorted(str(path.relative_to(ROOT)) for path in pages - named) == []


def test_the_readme_leads_to_the_landing_page() -> None:
    assert LANDING in {target for target, _ in links_of(ROOT / "README.md")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [
        f"{target.name}#{anchor}"
        for target, anchor in links_of(page)
        if not target.exists() or (anchor and anchor not in anchors_of(target))
    ]

    assert broken == []


def test_the_index_of_decisions_has_one_line_for_each_with_its_title() -> None:
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8").splitlines()
    titles = [page.read_text(encoding="utf-8").partition("\n")[0] for page in DECISIONS]
    lines = [
        f"- [{page.name[:4]}]({page.name}): {title.partition(': ')[2]}"
        for page, title in zip(DECISIONS, titles, strict=True)
    ]

    assert [title[:7] for title in titles] == [f"# {page.name[:4]}:"[:7] for page in DECISIONS]
    assert [line for line in index if line.startswith("- [")] == lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    named = re.findall(r"`([\w/-]+/[\w-]+\.(?:py|sql|yaml|jsonl))`", prose)
    places = (ROOT, ROOT / "src", ROOT / "src" / "lockstep", ROOT / "src" / "documo")

    assert [name for name in named if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CONTRIBUTING.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_no_page_uses_words_that_make_a_reader_read_twice(page: Path) -> None:
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))

    assert (
        re.findall(
            r"\b(?:[Ww]hoever|[Ww]hom|anew|nobody is (?:like|that)|that there (?:are|is) not|in a circle)\b", prose
        )
        == []
    )
