"""Write documents in one canonical form. Reading the text gives the same documents, and writing them gives the same text.

An item that fits on a line (an attribute mapping, a clause, a role) stays on one. Comments stay with the key that they precede or share
a line with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lockstep.configuration.files.comments import put_comments, read_comments
from lockstep.configuration.files.file import ConfigDocument, document_to_json, read_documents

WIDTH = 118
_NOT_ON_ONE_LINE = frozenset({"spec", "provisioning", "credentials", "connection", "deletions"})
_BREAKS = frozenset("\n\r\x85\u2028\u2029\ufeff")


class _Representer(yaml.representer.SafeRepresenter):
    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def write_documents(documents: Sequence[ConfigDocument], *, heading: str = "") -> str:
    """Return the text of a file. *heading* are comment lines for its beginning."""
    written = [_write(document_to_json(document)) for document in documents]
    return "".join(f"# {line}\n" for line in heading.splitlines()) + "---\n".join(written)


def format_text(text: str, file: str) -> str:
    """Rewrite *text* in canonical form. Raises LockstepError if it cannot be read."""
    return put_comments(write_documents(read_documents(text, file)), read_comments(text, file))


def _write(value: Mapping[str, Any]) -> str:
    node = _Representer(sort_keys=False).represent_data(_plain(value))
    _lay_out(node, "", 0)
    return str(yaml.serialize(node, Dumper=_Dumper, width=1_000_000, allow_unicode=True))


def _plain(value: Any) -> Any:
    """Convert *value* to dicts, lists and scalars, keeping the order."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _lay_out(node: yaml.Node, key: str, depth: int) -> int:
    """Decide for every part of *node* whether it is written on one line; return its length on one line."""
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
