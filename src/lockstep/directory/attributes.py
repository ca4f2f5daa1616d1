"""The attributes of people and groups: Entra's names, their types, and how text becomes a value.

Names are case-sensitive once stored; doors accept any case for the known ones and Graph's other names for the same thing.
Extension attributes are case-sensitive from the first letter on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class AttributeType(StrEnum):
    STRING = "String"
    BOOLEAN = "Boolean"
    INTEGER = "Integer"
    DATE_TIME = "DateTime"
    STRINGS = "String[]"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the directory. *max_length* counts characters of one value."""

    name: str
    type: AttributeType = AttributeType.STRING
    max_length: int = 1024
    is_read_only: bool = False  # set by Lockstep or by the source, never by an administrator


def _table(*rows: str) -> dict[str, Attribute]:
    """`name type length` per attribute; String and 1024 where nothing else is said."""
    words = {"bool": AttributeType.BOOLEAN, "int": AttributeType.INTEGER, "date": AttributeType.DATE_TIME,
             "list": AttributeType.STRINGS}  # fmt: skip
    found = {}
    for row in rows:
        name, *rest = row.split()
        kind = next((words[word] for word in rest if word in words), AttributeType.STRING)
        length = next((int(word) for word in rest if word.isdigit()), 1024)
        found[name] = Attribute(name, kind, length)
    return found


PERSON_ATTRIBUTES: Mapping[str, Attribute] = _table(
    # identity
    "userPrincipalName", "accountEnabled bool", "displayName 256", "givenName 64", "surname 64", "mail", "mailNickname 64",
    "otherMails list", "proxyAddresses list", "imAddresses list", "userType 64", "creationType 64", "originalUserPrincipalName",
    "alternativeSecurityId", "identityIssuer", "externalUserState 64", "externalUserStateChangeDateTime date",
    # work
    "jobTitle 128", "department 64", "companyName 64", "employeeId 16", "employeeType", "employeeHireDate date",
    "employeeLeaveDateTime date", "division 256", "costCenter 256", "physicalDeliveryOfficeName 128", "assistant",
    # places and phones
    "streetAddress", "city 128", "state 128", "postalCode 40", "country 128", "usageLocation 2", "preferredLanguage 64",
    "preferredDataLocation 64", "telephoneNumber 64", "mobile 64", "facsimileTelephoneNumber 64", "otherTelephone list",
    "authenticationPhoneNumber 64", "authenticationAlternativePhoneNumber 64", "authenticationEmail",
    "alternateEmailAddress", "sipProxyAddress", "homePhone 64", "pager 64",
    # age and consent
    "ageGroup 32", "consentProvidedForMinor 32", "legalAgeGroupClassification 64",
    # on-premises
    "immutableId", "netBiosName", "onPremisesDistinguishedName", "onPremisesDomainName", "onPremisesImmutableId",
    "onPremisesSamAccountName", "onPremisesSecurityIdentifier", "onPremisesUserPrincipalName", "onPremisesSyncEnabled bool",
    "onPremisesLastSyncDateTime date", "dirSyncEnabled bool", "samAccountName", "userDomain", "source", "sourceAnchor",
    *(f"extensionAttribute{number}" for number in range(1, 16)),
    # passwords, sign-in, dates
    "passwordPolicies", "lastPasswordChangeDateTime date", "signInSessionsValidFromDateTime date", "createdDateTime date",
    "securityIdentifier", "showInAddressList bool", "isResourceAccount bool", "isManagementRestricted bool",
    # profile
    "aboutMe", "birthday date", "hireDate date", "interests list", "mySite", "pastProjects list", "preferredName", "responsibilities list",
    "schools list", "skills list", "businessPhones list", "thumbnailPhoto",
)  # fmt: skip

GROUP_ATTRIBUTES: Mapping[str, Attribute] = _table(
    "displayName 256", "description", "mail", "mailNickname 64", "mailEnabled bool", "securityEnabled bool", "groupTypes list",
    "membershipRule", "visibility 32", "classification", "preferredLanguage 64", "proxyAddresses list", "createdDateTime date",
    "onPremisesSyncEnabled bool", "onPremisesSamAccountName", "isAssignableToRole bool", "theme 64",
)  # fmt: skip

# Graph's and other exports' names for the same attributes.
ALIASES: Mapping[str, str] = {
    "mobilephone": "mobile",
    "businessphone": "telephoneNumber",
    "phone": "telephoneNumber",
    "faxnumber": "facsimileTelephoneNumber",
    "officelocation": "physicalDeliveryOfficeName",
    "office": "physicalDeliveryOfficeName",
    "title": "jobTitle",
    "email": "mail",
    "firstname": "givenName",
    "lastname": "surname",
    "familyname": "surname",
    "upn": "userPrincipalName",
    "username": "userPrincipalName",
    "blockcredential": "",  # the opposite of accountEnabled: never taken by mistake
}

_EXTENSION = re.compile(r"extension_[0-9a-fA-F]{32}_[A-Za-z][A-Za-z0-9_]{0,119}")
_FOLDED = {name.lower(): attribute for name, attribute in PERSON_ATTRIBUTES.items()}
_FOLDED_GROUPS = {name.lower(): attribute for name, attribute in GROUP_ATTRIBUTES.items()}
_WORDS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
_DATES = ("%Y-%m-%d", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MOST_VALUES = 200


def person_attribute(name: str) -> Attribute | None:
    """The attribute that *name* means, in any case or by another name of Graph's; an extension attribute in its exact case."""
    if _EXTENSION.fullmatch(name):
        return Attribute(name)
    folded = name.strip().lower()
    return _FOLDED.get(folded) or PERSON_ATTRIBUTES.get(ALIASES.get(folded, ""))


def group_attribute(name: str) -> Attribute | None:
    if _EXTENSION.fullmatch(name):
        return Attribute(name)
    return _FOLDED_GROUPS.get(name.strip().lower())


def near_attributes(name: str) -> list[str]:
    """Known attributes of people whose names are like *name*."""
    found = difflib.get_close_matches(name.lower(), sorted(_FOLDED), n=3, cutoff=0.6)
    return [_FOLDED[one].name for one in found]


def parse_value(attribute: Attribute, text: str) -> Any:
    """The value that *text* spells; None for empty text. Raises ValueError with the reason in plain words."""
    text = text.strip()
    if not text:
        return None
    # surrogates: bytes of a file that were no text in its encoding
    if any("\ud800" <= letter <= "\udfff" for letter in text) if not text.isascii() else False:
        raise ValueError("holds bytes that are no text in this encoding")
    if _CONTROL.search(text):
        raise ValueError("holds a control character")
    match attribute.type:
        case AttributeType.STRING:
            return _short(attribute, text)
        case AttributeType.BOOLEAN:
            if text.lower() not in _WORDS:
                raise ValueError(f'must be True or False, not "{shown(text)}"')
            return _WORDS[text.lower()]
        case AttributeType.INTEGER:
            if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
                raise ValueError(f'must be a whole number, not "{shown(text)}"')
            return int(text)
        case AttributeType.DATE_TIME:
            return _date(text)
        case AttributeType.STRINGS:
            values = [_short(attribute, part.strip()) for part in text.strip("[]").split(";") if part.strip()]
            if len(values) > _MOST_VALUES:
                raise ValueError(f"holds {len(values)} values, at most {_MOST_VALUES} are possible")
            return values or None


def check_user_principal_name(name: str) -> None:
    """Raise ValueError unless *name* has the form name@domain."""
    local, _, domain = name.rpartition("@")
    if not local or not domain or any(letter.isspace() for letter in name):
        raise ValueError(f'must have the form name@domain, not "{shown(name)}"')


def shown(text: str, *, limit: int = 60) -> str:
    """*text* as an error may quote it: short, without anything that could play with a terminal."""
    safe = "".join(letter if letter.isprintable() else "?" for letter in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def _short(attribute: Attribute, text: str) -> str:
    if len(text) > attribute.max_length:
        raise ValueError(f"has {len(text)} characters, at most {attribute.max_length} are possible")
    return text


def _date(text: str) -> str:
    """An aware UTC time in ISO form; a time without a zone is taken for UTC."""
    moment: datetime | None = None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        for form in _DATES:
            try:
                moment = datetime.strptime(text, form)
                break
            except ValueError:
                continue
    if moment is None:
        raise ValueError(f'must be a date such as 2026-03-31 or 2026-03-31T08:00:00Z, not "{shown(text)}"')
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat(timespec="seconds").replace("+00:00", "Z")
