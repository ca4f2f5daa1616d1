"""Moving, copying, removing and rewriting elements of a signed response never changes what is accepted from it.

The wrapping attacks of the corpus are known; this looks for those that are not.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from lockstep.saml.accepting import accept
from lockstep.saml.faults import SamlFault
from lockstep.saml.responses import Signing
from tests.saml.forging import evil_twin, response, text, tree
from tests.saml.parties import NOW, expected

WORDS = ("admin@contoso.com", "_evil", "https://evil.example", "")


def _element(root: Any, data: st.DataObject) -> Any:
    elements = list(root.iter(etree.Element))
    return elements[data.draw(st.integers(0, len(elements) - 1))]


def _place(root: Any, part: Any, data: st.DataObject) -> None:
    """Put *part* somewhere outside of itself."""
    parents = [one for one in root.iter(etree.Element) if one is not part and part not in one.iterancestors()]
    parent = parents[data.draw(st.integers(0, len(parents) - 1))]
    parent.insert(data.draw(st.integers(0, len(parent))), part)


def _change(root: Any, evil: Any, data: st.DataObject) -> None:
    element = _element(root, data)
    match data.draw(st.sampled_from(["move", "copy", "evil twin", "remove", "text", "attribute", "take the place"])):
        case "move" if element is not root:
            _place(root, element, data)
        case "copy":
            _place(root, deepcopy(element), data)
        case "evil twin":
            _place(root, deepcopy(evil), data)
        case "take the place" if element is not root:
            element.getparent().replace(element, deepcopy(evil))
            _place(root, element, data)
        case "remove" if element is not root:
            element.getparent().remove(element)
        case "text":
            element.text = data.draw(st.sampled_from(WORDS))
        case "attribute" if element.attrib:
            name = data.draw(st.sampled_from(sorted(element.attrib)))
            element.set(name, data.draw(st.sampled_from(WORDS)))


@settings(max_examples=60, deadline=None)  # the first example makes the keys
@given(st.data())
@pytest.mark.parametrize("signing", Signing)
def test_moved_elements_change_nothing_that_is_accepted(signing: Signing, data: st.DataObject) -> None:
    original = response(signing)
    accepted, root, evil = accept(original, expected(), now=NOW), tree(original), evil_twin(tree(original))
    for _ in range(data.draw(st.integers(1, 4))):
        _change(root, evil, data)

    try:
        got = accept(text(root), expected(), now=NOW)
    except SamlFault:
        return

    assert got == accepted
