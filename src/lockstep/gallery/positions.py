"""Find the line in a YAML text for a place such as `provisioning.mappings[0].attributes[2].expression`."""

from __future__ import annotations

import re

import yaml

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def line_of(text: str, place: str) -> int | None:
    """Return the line, counted from 1, of the deepest existing part of *place*. Returns None if the text is empty or not YAML."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    if node is None:
        return None
    line = node.start_mark.line
    for name, index in _STEP.findall(place):
        found = _item(node, int(index)) if index else _value(node, name)
        if found is None:
            break
        line, node = found
    return int(line) + 1


def _value(node: yaml.Node, name: str) -> tuple[int, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((key.start_mark.line, value) for key, value in node.value if key.value == name), None)


def _item(node: yaml.Node, index: int) -> tuple[int, yaml.Node] | None:
    if not isinstance(node, yaml.SequenceNode) or index >= len(node.value):
        return None
    return node.value[index].start_mark.line, node.value[index]
