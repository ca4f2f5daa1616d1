"""Write documents in one canonical form. Reading the text gives the same documents, and writing them again gives the same text.

An item that fits on one line (an attribute mapping, a clause, a role) is written on one line. Comments stay with the key on their own
line or on the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
import yaml

from lockstep.configuration.files.comments import put_comments, read_comments
from lockstep.configuration.files.file import ConfigDocument, document_to_json, read_documents

WIDTH = 118
_NOT_ON_ONE_LINE = frozenset(
    {"spec", "provisioning", "credentials", "connection", "deletions", "singleSignOn", "ldapSignIn"}
)
_BREAKS = frozenset("\n\r\x85\u2028\u2029\ufeff")
_LONGEST_KEY = 120  # characters; YAML writes longer keys on separate lines
_LONGEST_KEPT = 256 * 1024  # bytes of a document whose text is kept


class _Representer(yaml.representer.SafeRepresenter):
    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def write_documents(documents: Sequence[ConfigDocument], *, heading: str = "") -> str:
    """Return the text of a file. *heading* contains comment lines for its beginning."""
    written = [_write(_plain(document_to_json(document))) for document in documents]
    return "".join(f"# {line}\n" for line in heading.splitlines()) + join_texts(written)


def join_texts(written: Sequence[str]) -> str:
    """Return the text of one file with several documents. *written* are their texts, each written by `write_documents`."""
    return "---\n".join(written)


def format_text(text: str, file: str) -> str:
    """Rewrite *text* in canonical form. Raises LockstepError if it cannot be read."""
    return put_comments(write_documents(read_documents(text, file)), read_comments(text, file))


def _write(document: dict[str, Any]) -> str:
    try:
        text = orjson.dumps(document)
    except TypeError:  # a whole number of more than 64 bits
        return _written(document)
    is_kept = len(text) <= _LONGEST_KEPT and orjson.loads(text) == document  # JSON has no NaN
    return _kept(text) if is_kept else _written(document)


@lru_cache(maxsize=128)
def _kept(document: bytes) -> str:
    """Return the text of *document*, which is one document as JSON. The text is cached, because few documents change between two exports of
    an organisation.
    """
    return _written(orjson.loads(document))


def _written(document: dict[str, Any]) -> str:
    node = laid_out(document)
    return "".join(f"{line}\n" for line in _block(node)) if _has_plain_keys(node) else serialized(node)


def laid_out(value: Any) -> yaml.Node:
    """Convert *value* to a YAML node. Every part of the node says whether it is written on one line."""
    node: yaml.Node = _Representer(sort_keys=False).represent_data(_plain(value))
    _lay_out(node, "", 0)
    return node


def serialized(node: yaml.Node) -> str:
    """Return the text of *node*, written by PyYAML. This function is used only for scalars and for documents with unusual keys. Everything
    else is written by `_block`, which gives the same text and is twenty times as fast.
    """
    return str(yaml.serialize(node, Dumper=_Dumper, width=1_000_000, allow_unicode=True))


def _block(node: yaml.Node) -> Iterator[str]:
    """Return the lines of a mapping or a sequence that is not written on one line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{_on_one_line(key, is_inside=False)}:"
            if _fits(value):
                yield f"{name} {_on_one_line(value, is_inside=False)}"
            else:
                yield name
                yield from (f"  {line}" for line in _block(value))
        return
    for value in node.value:
        lines = iter((_on_one_line(value, is_inside=False),)) if _fits(value) else _block(value)
        yield f"- {next(lines)}"
        yield from (f"  {line}" for line in lines)


def _on_one_line(node: yaml.Node, *, is_inside: bool) -> str:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, is_inside=is_inside)
    if isinstance(node, yaml.MappingNode):
        pairs = ((_on_one_line(key, is_inside=True), _on_one_line(value, is_inside=True)) for key, value in node.value)
        return f"{{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"
    return f"[{', '.join(_on_one_line(value, is_inside=True) for value in node.value)}]"


def _scalar(node: yaml.ScalarNode, *, is_inside: bool) -> str:
    """Write a scalar as PyYAML does. *is_inside* is true inside a list or an object that is written on one line."""
    write = _word if len(node.value) <= WIDTH else _word.__wrapped__
    return write(node.tag, node.value, node.style, is_inside)


@lru_cache(maxsize=1024)
def _word(tag: str, value: str, style: str | None, is_inside: bool) -> str:
    one = yaml.SequenceNode("tag:yaml.org,2002:seq", [yaml.ScalarNode(tag, value, style=style)], flow_style=is_inside)
    text = serialized(one)
    return text[1:-2] if is_inside else text[2:-1]


def _fits(node: yaml.Node) -> bool:
    return not isinstance(node, yaml.CollectionNode) or bool(node.flow_style)


def _has_plain_keys(node: yaml.Node) -> bool:
    """Whether every key is short, printable and on one line, like the keys of configuration files."""
    if isinstance(node, yaml.MappingNode):
        return all(
            0 < len(key.value) <= _LONGEST_KEY and key.value.isprintable() and _has_plain_keys(value)
            for key, value in node.value
        )
    return not isinstance(node, yaml.SequenceNode) or all(_has_plain_keys(one) for one in node.value)


def _plain(value: Any) -> Any:
    """Convert *value* to dicts, lists and scalars, keeping the order."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _lay_out(node: yaml.Node, key: str, depth: int) -> int:
    """Decide for every part of *node* whether it is written on one line. Return the number of characters that *node* needs on one line."""
    if isinstance(node, yaml.ScalarNode):
        if not _BREAKS.isdisjoint(node.value):
            node.style = '"'  # escaped on one line; other styles do not preserve these characters
        return len(node.value) + 2
    if isinstance(node, yaml.MappingNode):
        for name, _ in node.value:
            _lay_out(name, "", depth)
        inner = [(name.value, value) for name, value in node.value]
        length = sum(len(name) + 4 + _lay_out(value, name, depth + 1) for name, value in inner)
        stays = key not in _NOT_ON_ONE_LINE and depth > 0
    elif isinstance(node, yaml.SequenceNode):
        length = sum(2 + _lay_out(value, "", depth + 1) for value in node.value)
        # A list of objects has a line for each object; a list of words is on one line.
        stays = all(isinstance(value, yaml.ScalarNode) for value in node.value)
    else:
        return WIDTH
    node.flow_style = not node.value or (stays and depth * 2 + len(key) + length <= WIDTH)
    return length if node.flow_style else WIDTH
