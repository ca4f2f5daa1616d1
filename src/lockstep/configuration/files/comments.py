"""Keep comments when a file is rewritten. A comment belongs to the key or list item on its own line or on the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from lockstep.configuration.files.yaml_reading import YamlDocument, read_yaml

Anchor = tuple[int, str]  # the index of the document, and the place in the document


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment. *text* begins with #. *anchor* is the key or list item to which the comment belongs, or None for a comment at the end of
    the file. *beside* is true if the comment is on the line of *anchor*, and false if it is before that line.
    """

    text: str
    anchor: Anchor | None
    beside: bool


def read_comments(text: str, file: str) -> tuple[Comment, ...]:
    """Return the comments of *text* in order."""
    found = _comment_lines(text)
    if not found:
        return ()
    first_on_line = _first_on_line(read_yaml(text, file))
    lines = sorted(first_on_line)
    comments = []
    for line, (comment, beside) in sorted(found.items()):
        if beside:
            at = next((number for number in reversed(lines) if number <= line), None)
        else:
            at = next((number for number in lines if number > line), None)
        comments.append(Comment(comment, first_on_line[at] if at is not None else None, beside))
    return tuple(comments)


def put_comments(text: str, comments: Sequence[Comment]) -> str:
    """Insert each of *comments* at the line on which its key now is in *text*. If several keys are on one line, the comments beside them
    are joined.
    """
    if not comments:
        return text
    documents = read_yaml(text, "written")
    before: dict[int, list[str]] = {}
    beside: dict[int, list[str]] = {}
    for comment in comments:
        line = _line_of(documents, comment.anchor)
        (beside if comment.beside else before).setdefault(line, []).append(comment.text)
    lines: list[str] = []
    for number, line_text in enumerate(text.splitlines(), start=1):
        indent = line_text[: len(line_text) - len(line_text.lstrip(" "))]
        lines += [indent + comment for comment in before.get(number, [])]
        lines.append("  ".join([line_text, *beside.get(number, [])]))
    return "\n".join(lines + before.get(0, []) + beside.get(0, [])) + "\n"


def _comment_lines(text: str) -> Mapping[int, tuple[str, bool]]:
    """Return, for each line with a comment, the comment and whether other text precedes it. A # inside a value is not a comment."""
    taken = bytearray(len(text))
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken) and token.style != "":
            start, end = token.start_mark.index, token.end_mark.index
            taken[start:end] = b"\1" * (end - start)
    found: dict[int, tuple[str, bool]] = {}
    at = 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        for column, letter in enumerate(line):
            if letter == "#" and not taken[at + column] and (column == 0 or line[column - 1] in " \t"):
                found[number] = (line[column:].rstrip(), bool(line[:column].strip()))
                break
        at += len(line)
    return found


def _first_on_line(documents: Sequence[YamlDocument]) -> Mapping[int, Anchor]:
    """Return the first key or list item of every line. If several begin at the same position, return the outermost."""
    found: dict[int, tuple[int, Anchor]] = {}
    for index, document in enumerate(documents):
        for place, (line, column) in document.positions.items():
            if place and (line not in found or column < found[line][0]):
                found[line] = (column, (index, place))
    return {line: anchor for line, (_, anchor) in found.items()}


def _line_of(documents: Sequence[YamlDocument], anchor: Anchor | None) -> int:
    """Return the line of *anchor* in the written text. 0 stands for the end of the text."""
    if anchor is None or anchor[0] >= len(documents):
        return 0
    return documents[anchor[0]].position(anchor[1])[0]
