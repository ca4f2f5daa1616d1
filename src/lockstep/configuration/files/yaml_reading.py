"""Read YAML documents as JSON values, and record the position of every key.

Values follow YAML 1.2: `on`, `off`, `yes`, `no` and `007` are texts; only `true` and `false` are booleans. Size limits apply to a document
after its aliases are expanded, so aliases cannot make a small file large.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from lockstep.configuration.document.strict_json import ConfigurationError
from lockstep.errors import LockstepError, invalid

MAX_CHARACTERS = 4_000_000
MAX_VALUES = 200_000
MAX_DEPTH = 40
MAX_EXPANDED = 32_000_000  # characters of all values, and of the paths that name them in errors

LineAndColumn = tuple[int, int]  # line and column, both from 1

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,99}\.[0-9]{1,99}([eE][-+]?[0-9]{1,3})?")
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq", "merge")
_STEP = re.compile(r"(\.[^.\[\]]+|\[\d+\])$")


@dataclass(frozen=True)
class YamlDocument:
    """One document of a file. *positions* maps the path of every key and list item (`spec.roles[0].value`) to its position."""

    file: str
    value: Any
    positions: Mapping[str, LineAndColumn] = field(repr=False)

    def position(self, place: str) -> LineAndColumn:
        """Return the position of *place*, or of the deepest existing part of its path."""
        while place not in self.positions and place:
            shorter = _STEP.sub("", place)
            place = shorter if shorter != place else place.rpartition(".")[0]
        return self.positions.get(place, (1, 1))

    def located(self, error: ConfigurationError) -> LockstepError:
        """Return *error* with file, line and column added."""
        return wrong(self.file, self.position(error.place), error.detail, next_step=error.next_step)


def read_yaml(text: str, file: str) -> tuple[YamlDocument, ...]:
    """Read the documents of *text*, except empty ones. Raises LockstepError with *file*, line and column."""
    if len(text) > MAX_CHARACTERS:
        raise wrong(file, (1, 1), f"the file has {len(text):,} characters; the limit is {MAX_CHARACTERS:,}")
    try:
        _check_depth(text, file)
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    except yaml.MarkedYAMLError as error:
        raise _syntax(file, error) from None
    except yaml.YAMLError as error:
        raise wrong(file, (1, 1), f"this is not valid YAML: {' '.join(str(error).split())[:200]}") from None
    return tuple(document for node in nodes if (document := _Builder(file).document(node)) is not None)


def wrong(file: str, position: LineAndColumn, detail: str, *, why: str = "", next_step: str = "") -> LockstepError:
    """Build an error in a configuration file: `contoso.yaml:12:5: what is wrong`."""
    where = f"{file}:{position[0]}:{position[1]}"
    return invalid(f"{where}: {detail}", why=why, next_step=next_step, code="InvalidConfiguration")


def _check_depth(text: str, file: str) -> None:
    """Refuse deep nesting before composing. Composing is recursive, so a thousand brackets would exhaust the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise wrong(file, _start(event), f"values are nested more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _syntax(file: str, error: yaml.MarkedYAMLError) -> LockstepError:
    mark = error.problem_mark or error.context_mark
    position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = f"{error.context}: {error.problem}" if error.context else str(error.problem)
    hint = "Indent with spaces" if "'\\t'" in problem else ""
    return wrong(file, position, f"this is not valid YAML: {problem[:300]}", next_step=hint)


def _start(node: Any) -> LineAndColumn:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Builder:
    """Builds the JSON value of one document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.positions: dict[str, LineAndColumn] = {}
        self.values = 0
        self.characters = 0

    def document(self, node: yaml.Node) -> YamlDocument | None:
        self.positions[""] = _start(node)
        value = self.value(node, "", 0)
        return None if value is None else YamlDocument(self.file, value, self.positions)

    def value(self, node: yaml.Node, place: str, depth: int) -> Any:
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH:
            reason = "aliases (*name) expand too far, or refer to themselves"
            raise wrong(self.file, _start(node), f"the document contains more than {MAX_VALUES:,} values", why=reason)
        if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.rpartition(":")[2] not in _TAGS:
            raise wrong(self.file, _start(node), f'the tag "{node.tag[:60]}" is not allowed here')
        match node:
            case yaml.MappingNode():
                return {key: self.value(inner, at, depth + 1) for key, at, inner in self.pairs(node, place)}
            case yaml.SequenceNode():
                return [self.item(inner, f"{place}[{index}]", depth) for index, inner in enumerate(node.value)]
            case yaml.ScalarNode():
                self._count(node, len(node.value))
                return _scalar(node)
            case _:
                raise wrong(self.file, _start(node), "this cannot be parsed")

    def _count(self, node: yaml.Node, characters: int) -> None:
        self.characters += characters
        if self.characters > MAX_EXPANDED:
            reason = "long keys contain many values, or aliases (*name) repeat long values"
            raise wrong(
                self.file, _start(node), f"the document expands to more than {MAX_EXPANDED:,} characters", why=reason
            )

    def item(self, node: yaml.Node, place: str, depth: int) -> Any:
        self._count(node, len(place))
        self.positions[place] = _start(node)
        return self.value(node, place, depth + 1)

    def pairs(self, node: yaml.MappingNode, place: str) -> Iterator[tuple[str, str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key, inner in node.value:
            line, _ = position = _start(key)
            if not isinstance(key, yaml.ScalarNode) or not (key.value or key.style):
                raise wrong(self.file, position, "a key must be text")
            if key.tag.endswith(":merge") and key.style is None:
                raise wrong(
                    self.file,
                    position,
                    "the merge key << is not allowed here",
                    next_step="Write the keys out instead of merging them",
                )
            if key.value in seen:
                detail = f'the key "{key.value[:60]}" is defined twice, first on line {seen[key.value]}'
                raise wrong(self.file, position, detail, next_step="Remove one of them")
            seen[key.value] = line
            at = f"{place}.{key.value}" if place else key.value
            self._count(key, len(at))
            self.positions[at] = position
            yield key.value, at, inner


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style is not None or node.tag.endswith(":str"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
