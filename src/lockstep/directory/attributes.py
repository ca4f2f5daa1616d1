"""The attributes of people and groups: Entra's names, their types, and the conversion of text to values.

Stored names are case-sensitive. In input, Entra's attributes may be named in any letter case, or by other names that Graph uses. The names
of extension attributes are case-sensitive in input too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lockstep.directory.dates import ANY_FORM, DateForm, orders_of, read_date
from lockstep.wording import counted


class DirectoryType(StrEnum):
    STRING = "String"
    BOOLEAN = "Boolean"
    INTEGER = "Integer"
    DATE_TIME = "DateTime"
    STRINGS = "String[]"


class Cause(StrEnum):
    """The cause of a refused value. Refusals with the same cause can be reported and fixed together."""

    BYTES = "bytes"  # bytes of a file that are not text in its encoding
    CONTROL = "control"
    LENGTH = "length"
    WORD = "word"  # a word that means neither true nor false
    NUMBER = "number"
    DATE = "date"
    FORM = "form"
    EMPTY = "empty"
    CELLS = "cells"  # a row with too many or too few cells, or one that is not CSV
    TAKEN = "taken"
    UNKNOWN = "unknown"


class UnreadableValue(ValueError):
    """Raised if a value is not valid for its attribute. The message gives the reason as a phrase that can follow the attribute's name."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class DirectoryAttribute:
    """One attribute of the directory. *max_length* is the maximum number of characters in one value."""

    name: str
    type: DirectoryType = DirectoryType.STRING
    max_length: int = 1024


def _table(*rows: str) -> dict[str, DirectoryAttribute]:
    """Parse rows of the form `name type length`. The default type is String, and the default length is 1024."""
    words = {"bool": DirectoryType.BOOLEAN, "int": DirectoryType.INTEGER, "date": DirectoryType.DATE_TIME,
             "list": DirectoryType.STRINGS}  # fmt: skip
    found = {}
    for row in rows:
        name, *rest = row.split()
        kind = next((words[word] for word in rest if word in words), DirectoryType.STRING)
        length = next((int(word) for word in rest if word.isdigit()), 1024)
        found[name] = DirectoryAttribute(name, kind, length)
    return found


PERSON_ATTRIBUTES: Mapping[str, DirectoryAttribute] = _table(
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

GROUP_ATTRIBUTES: Mapping[str, DirectoryAttribute] = _table(
    "displayName 256", "description", "mail", "mailNickname 64", "mailEnabled bool", "securityEnabled bool", "groupTypes list",
    "membershipRule", "visibility 32", "classification", "preferredLanguage 64", "proxyAddresses list", "createdDateTime date",
    "onPremisesSyncEnabled bool", "onPremisesSamAccountName", "isAssignableToRole bool", "theme 64",
)  # fmt: skip

# Other names of the same attributes in Graph and other exports, without blanks and punctuation.
ALIASES: Mapping[str, str] = {
    "mobilephone": "mobile",
    "businessphone": "telephoneNumber",
    "phone": "telephoneNumber",
    "faxnumber": "facsimileTelephoneNumber",
    "officelocation": "physicalDeliveryOfficeName",
    "office": "physicalDeliveryOfficeName",
    "title": "jobTitle",
    "email": "mail",
    "emailaddress": "mail",
    "mailaddress": "mail",
    "firstname": "givenName",
    "lastname": "surname",
    "familyname": "surname",
    "upn": "userPrincipalName",
    "username": "userPrincipalName",
    "fax": "facsimileTelephoneNumber",
    "phonenumber": "telephoneNumber",
    "whencreated": "createdDateTime",
    "lastdirsynctime": "onPremisesLastSyncDateTime",
    "lastpasswordchangetimestamp": "lastPasswordChangeDateTime",
    "enabled": "accountEnabled",
    "signinallowed": "accountEnabled",
    "signinstatus": "accountEnabled",
}

# Names for the opposite of accountEnabled, without blanks and punctuation: "yes" there means that the account is disabled.
INVERSE_OF_ENABLED = frozenset(
    {"blockcredential", "blocksignin", "blocksigninyesno", "signinblocked", "isblocked", "isdisabled", "accountdisabled"}
)  # fmt: skip

_EXTENSION = re.compile(r"extension_[0-9a-fA-F]{32}_[A-Za-z][A-Za-z0-9_]{0,119}")
_FOLDED = {name.lower(): attribute for name, attribute in PERSON_ATTRIBUTES.items()}
_FOLDED_GROUPS = {name.lower(): attribute for name, attribute in GROUP_ATTRIBUTES.items()}
# Words for yes and no in several languages, and the words that Excel writes for TRUE and FALSE. Words that mean yes in one language and no
# in another are left out.
_TRUE = "true yes 1 y wahr ja vrai oui verdadero sí si vero sì verdadeiro sim waar sant tosi kyllä sand prawda tak pravda ano igaz igen"
_FALSE = "false no 0 n falsch nein faux non falso não nao onwaar nee falskt nej epätosi ei falsk nei fałsz nie nepravda ne hamis nem"
WORDS: Mapping[str, bool] = dict.fromkeys(_TRUE.split(), True) | dict.fromkeys(_FALSE.split(), False)
# Words for the state of an account, which cannot be mistaken for their opposite.
ACCOUNT_WORDS: Mapping[str, bool] = {"enabled": True, "active": True, "allowed": True, "disabled": False, "inactive": False,
                                     "blocked": False, "not allowed": False}  # fmt: skip
# Identifiers are compared character by character, so invisible characters are removed from them.
_IDENTIFIERS = frozenset(
    {"userPrincipalName", "originalUserPrincipalName", "mail", "mailNickname", "employeeId", "immutableId"}
)
_SEPARATOR = re.compile(
    r";|\+(?=(?:smtp|sip|x500):)", re.IGNORECASE
)  # the second separates Microsoft 365's proxy addresses
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MOST_VALUES = 200


def person_attribute(name: str) -> DirectoryAttribute | None:
    """Return the person attribute *name*, or None if it does not exist. Any letter case and Graph's other names are accepted. The name of
    an extension attribute must match exactly.
    """
    if _EXTENSION.fullmatch(name):
        return DirectoryAttribute(name)
    folded = name.strip().lower()
    return _FOLDED.get(folded) or PERSON_ATTRIBUTES.get(ALIASES.get(squeezed(name), ""))


def group_attribute(name: str) -> DirectoryAttribute | None:
    if _EXTENSION.fullmatch(name):
        return DirectoryAttribute(name)
    return _FOLDED_GROUPS.get(name.strip().lower())


def squeezed(name: str) -> str:
    """Return *name* in the form in which headers are compared: only its letters and digits, in lower case."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def plain(text: str) -> str:
    """Return *text* in the form in which identifiers are compared: composed (NFC), trimmed, and without invisible characters (Unicode
    category Cf).
    """
    if text.isascii():
        return text.strip()
    seen = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFC", seen).strip()


def parse_value(attribute: DirectoryAttribute, text: str, dates: DateForm = ANY_FORM) -> Any:
    """Convert *text* to a value of *attribute*, or to None if it is empty. Text values are composed (NFC). Raises UnreadableValue."""
    text = text.strip()
    if not text:
        return None
    if not text.isascii():
        # Surrogates stand for bytes of a file that were not text in its encoding.
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise UnreadableValue(Cause.BYTES, "is not valid text in this encoding")
        text = plain(text) if attribute.name in _IDENTIFIERS else unicodedata.normalize("NFC", text)
    if _CONTROL.search(text):
        raise UnreadableValue(Cause.CONTROL, "contains a control character")
    match attribute.type:
        case DirectoryType.STRING:
            return _short(attribute, text)
        case DirectoryType.BOOLEAN:
            return parse_boolean(attribute, text)
        case DirectoryType.INTEGER:
            if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
                raise UnreadableValue(Cause.NUMBER, f'must be a whole number, not "{shown(text)}"')
            return int(text)
        case DirectoryType.DATE_TIME:
            return _date(text, dates)
        case DirectoryType.STRINGS:
            values = [_short(attribute, part.strip()) for part in _SEPARATOR.split(text.strip("[]")) if part.strip()]
            if len(values) > _MOST_VALUES:
                raise UnreadableValue(Cause.LENGTH, f"has {counted(len(values), 'value')}; the limit is {_MOST_VALUES}")
            return values or None


def parse_boolean(attribute: DirectoryAttribute, text: str) -> bool:
    """Parse a yes or no in several languages. For accounts, words such as Active and Disabled are accepted too. Raises UnreadableValue."""
    word = text.strip().casefold()
    found = WORDS.get(word)
    if found is None and attribute.name == "accountEnabled":
        found = ACCOUNT_WORDS.get(word)
    if found is None:
        raise UnreadableValue(Cause.WORD, f'must be True or False, not "{shown(text)}"')
    return found


def check_user_principal_name(name: str) -> None:
    """Raise UnreadableValue unless *name* has the form name@domain."""
    local, _, domain = name.rpartition("@")
    if not local or not domain or name.split() != [name]:
        raise UnreadableValue(Cause.FORM, f'must have the form name@domain, not "{shown(name)}"')


def shown(text: str, *, limit: int = 60) -> str:
    """Return *text* in a form that is safe to quote in an error: shortened, without control characters."""
    safe = "".join(letter if letter.isprintable() else "?" for letter in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def _short(attribute: DirectoryAttribute, text: str) -> str:
    if len(text) > attribute.max_length:
        raise UnreadableValue(Cause.LENGTH, f"has {len(text)} characters; the limit is {attribute.max_length}")
    return text


def _date(text: str, form: DateForm) -> str:
    found = read_date(text, form)
    if found is None and form.order is None and len(orders_of(text)) > 1:
        raise UnreadableValue(
            Cause.DATE, f'is ambiguous: the day or the month may come first in "{shown(text)}"; write 2026-03-31'
        )
    if found is None:
        raise UnreadableValue(
            Cause.DATE, f'must be a date such as 2026-03-31 or 2026-03-31T08:00:00Z, not "{shown(text)}"'
        )
    return found
