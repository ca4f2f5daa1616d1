"""The parts that the settings of SAML and of OpenID Connect share: exact addresses, and claims with their sources. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lockstep.configuration.document.mapping_json import SOURCES, source_from_json, source_to_json
from lockstep.configuration.document.strict_json import ConfigurationError, Part
from lockstep.engine.expressions.tree import attribute_names
from lockstep.engine.rules.mappings import Direct, Expression, MappingSource, NoSource

MOST_ADDRESSES, MOST_CLAIMS = 50, 100
LONGEST_ADDRESS, LONGEST_NAME = 2048, 256  # characters


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """One claim and the source of its values."""

    name: str
    source: MappingSource


def check_url(text: str) -> str:
    """Check an address to which a browser is sent. Returns what is wrong with *text*, or "" if it is valid.

    The address must use https, because nobody may read an assertion in transit; http is allowed only for this machine.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if len(text) > LONGEST_ADDRESS or not text.isprintable() or " " in text:
        return f"is longer than {LONGEST_ADDRESS} characters, or contains a space or a control character"
    if parts.scheme not in ("https", "http") or not host:
        return "must begin with https:// and a host name, as in https://app.contoso.com/path"
    if parts.username is not None or parts.fragment or "*" in text:
        return "must be exact: without a user name, a fragment (#) or a wildcard (*)"
    if parts.scheme == "http" and not _is_own_machine(host):
        return "must begin with https://, because anyone who reads what is sent there can sign in; http:// is allowed only for this machine"
    return ""


def check_origin(text: str) -> str:
    """Check the origin of a server, such as https://id.contoso.com. Returns what is wrong with *text*, or "" if it is valid."""
    wrong = check_url(text)
    if not wrong and (urlsplit(text).path or urlsplit(text).query):
        return "must be scheme and host only, without a path"
    return wrong


def _is_own_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def texts(part: Part, key: str, check: Any) -> tuple[str, ...]:
    found: list[str] = []
    for index, value in enumerate(part.list(key)):
        text = value.strip() if isinstance(value, str) else ""
        wrong = "must be text and not empty" if not text else check(text)
        if wrong:
            raise part.error(f"{key}[{index}]", wrong)
        found.append(text)
    if len(found) > MOST_ADDRESSES:
        raise part.error(key, f"must have at most {MOST_ADDRESSES} entries")
    return tuple(dict.fromkeys(found))


def optional_url(part: Part, key: str) -> str:
    text = part.text(key).strip()
    if text and (wrong := check_url(text)):
        raise part.error(key, wrong)
    return text


def short_text(part: Part, key: str, most: int) -> str:
    text = part.text(key).strip()
    if len(text) > most or not text.isprintable():
        raise part.error(key, f"is longer than {most:,} characters, or contains a control character")
    return text


def claims_from_json(part: Part) -> tuple[ClaimRule, ...]:
    found: list[ClaimRule] = []
    for index, one in enumerate(part.parts("claims")):
        name = short_text(one, "name", LONGEST_NAME)
        if not name:
            raise one.error("name", "is missing")
        if any(claim.name == name for claim in found):
            raise part.error(f"claims[{index}].name", f'the claim "{name}" is defined twice')
        source = source_from_json(one)
        one.done()
        if isinstance(source, NoSource):
            raise ConfigurationError(one.place, f"a claim needs one of {', '.join(SOURCES)}")
        found.append(ClaimRule(name, source))
    if len(found) > MOST_CLAIMS:
        raise part.error("claims", f"must have at most {MOST_CLAIMS} entries")
    return tuple(found)


def claims_to_json(claims: Sequence[ClaimRule]) -> list[dict[str, Any]]:
    return [{"name": claim.name, **source_to_json(claim.source)} for claim in claims]


def attributes_of(sources: Sequence[MappingSource]) -> frozenset[str]:
    """Return the attributes of a person that *sources* read."""
    found: set[str] = set()
    for source in sources:
        match source:
            case Direct(attribute):
                found.add(attribute)
            case Expression(compiled):
                found |= set(attribute_names(compiled.tree))
    return frozenset(found)
