"""The form of a case in the corpus, and the changes that cases are built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from lxml import etree

from lockstep.saml.faults import FaultCode
from lockstep.saml.responses import Signing
from tests.saml.forging import (
    find,
    response,
)
from tests.saml.parties import NOW


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    code: FaultCode
    build: Callable[[], bytes]
    expected: Mapping[str, Any] = field(default_factory=dict)  # what differs from the usual expectations
    now: datetime = NOW

    def __str__(self) -> str:
        return self.name


CASES: list[Case] = []


def case(name: str, code: FaultCode, build: Callable[[], bytes], **more: Any) -> None:
    CASES.append(Case(name, code, cache(build), **more))


def sub(parent: Any, namespace: str, name: str, text_: str | None = None, **attributes: str) -> Any:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    child.text = text_
    return child


def attribute(path: str, name: str, value: str | None) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        element = find(root, path) if path != "." else root
        if value is None:
            del element.attrib[name]
        else:
            element.set(name, value)

    return change


def text_at(path: str, value: str) -> Callable[[Any], None]:
    return lambda root: setattr(find(root, path), "text", value)


def remove(path: str) -> Callable[[Any], None]:
    return lambda root: (found := find(root, path)).getparent().remove(found)


def replaced(old: bytes, new: bytes, data: Callable[[], bytes] = response) -> Callable[[], bytes]:
    def build() -> bytes:
        before = data()
        assert old in before, old
        return before.replace(old, new)

    return build


A = "saml:Assertion"
SUBJECT = f"{A}/saml:Subject"
CONFIRMATION = f"{SUBJECT}/saml:SubjectConfirmation"
DATA = f"{CONFIRMATION}/saml:SubjectConfirmationData"
NAME_ID = f"{SUBJECT}/saml:NameID"
CONDITIONS = f"{A}/saml:Conditions"
STATEMENT = f"{A}/saml:AuthnStatement"


def whole() -> bytes:
    """A response that is signed as a whole, its assertion only with it."""
    return response(Signing.RESPONSE)
