"""Find the account of an object without a link: build the queries for the application, and interpret its answers.

Attributes are queried one at a time, in order of precedence, and the first query with a result ends the search. Lockstep never chooses
among several accounts and never takes over an account that belongs to another object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

from lockstep.engine.decisions.source_record import source_record
from lockstep.engine.expressions import DROP, SKIP_OBJECT, EvaluationContext, ExpressionError
from lockstep.engine.moment import Moment
from lockstep.engine.records import Account, ObjectKind, SourceObject, Values
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import ObjectMapping, value_of
from lockstep.engine.rules.operators import is_empty, text_of
from lockstep.scim.target_values import MISSING, read_path

# RFC 7643 declares these case-exact; applications compare all others without regard to case.
EXACT = frozenset({"id", "externalid"})


@dataclass(frozen=True, slots=True)
class MatchQuery:
    """A query for accounts whose *attribute* equals *value*."""

    attribute: str
    value: str
    precedence: int


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No account in the application matches."""


@dataclass(frozen=True, slots=True)
class OneMatch:
    """One account matches. *left_by* is the name of the deleted object that owned the account before, or "" if the account had no owner.

    *is_strangers* is true if it is known that the former owner is not the person being matched.
    """

    account: Account
    query: MatchQuery
    left_by: str = ""
    is_strangers: bool = False


@dataclass(frozen=True, slots=True)
class ManyMatches:
    """Several accounts match one query. An administrator has to choose."""

    accounts: tuple[Account, ...]
    query: MatchQuery


@dataclass(frozen=True, slots=True)
class TakenMatch:
    """The matching account belongs to another object, whose display name is *by*. That other object may be about to lose the account."""

    account: Account
    by: str
    query: MatchQuery
    is_leaving: bool = False
    is_under_way: bool = False  # it is being linked to another object at this moment, which is not recorded yet


@dataclass(frozen=True, slots=True)
class OtherCaseMatch:
    """The application found an account whose value differs in letter case, although case matters for the attribute. The account may
    therefore be another person's.
    """

    account: Account
    query: MatchQuery


Match: TypeAlias = NoMatch | OneMatch | ManyMatches | TakenMatch | OtherCaseMatch
NO_MATCH = NoMatch()


def match_queries(
    obj: SourceObject,
    mapping: ObjectMapping,
    configuration: JobConfiguration,
    *,
    moment: Moment,
    record: Values | None = None,
) -> tuple[MatchQuery, ...]:
    """Return the queries in order of precedence. Attributes without a value are left out. If the result is empty, *obj* cannot be
    matched.

    Raises ExpressionError if the expression of a matching attribute fails.
    """
    if record is None:
        record = source_record(obj, configuration, is_soft_deleted=False)
    context = EvaluationContext(moment, (), configuration.default_domain)
    queries = []
    for attribute in mapping.matching:
        value = value_of(attribute.source, record, context)
        if not is_empty(value) and value is not DROP and value is not SKIP_OBJECT:
            queries.append(MatchQuery(attribute.target, text_of(value), attribute.match))
    return tuple(queries)


def choose_match(
    answers: Iterable[tuple[MatchQuery, Sequence[Account]]],
    linked_to: Mapping[str, str] | None = None,
    left_by: Mapping[str, str] | None = None,
    leaving: Collection[str] = (),
    under_way: Collection[str] = (),
    strangers: Collection[str] = (),
) -> Match:
    """Interpret the answers, given in order of precedence.

    *linked_to* and *left_by* are keyed by account id. *linked_to* gives the display name of the object that the account is linked to.
    *left_by* gives the display name of the former owner of an account that has no owner now.

    The other arguments are sets of account ids. *leaving*: accounts that are still linked to deleted objects. *under_way*: accounts that
    are being linked to another object. *strangers*: accounts whose former owner is another person (`are_different_people`).
    """
    owners = linked_to or {}
    former = left_by or {}
    for query, accounts in answers:
        different = {account.id: account for account in accounts}
        found = tuple(account for account in different.values() if not differs_in_case(account, query))
        if different and not found:
            return OtherCaseMatch(next(iter(different.values())), query)
        if len(found) > 1:
            return ManyMatches(found, query)
        if found:
            owner = owners.get(found[0].id)
            if owner is not None:
                return TakenMatch(found[0], owner, query, found[0].id in leaving)
            if found[0].id in under_way:
                return TakenMatch(found[0], "another object", query, is_under_way=True)
            return OneMatch(found[0], query, former.get(found[0].id, ""), found[0].id in strangers)
    return NO_MATCH


def are_different_people(employee_id: object, other: object) -> bool:
    """Whether the employee ids of two people prove that the people are different. A missing id, or a difference in leading zeros, proves
    nothing.
    """
    one, another = (str(value or "").strip().casefold().lstrip("0") for value in (employee_id, other))
    return bool(one and another) and one != another


def matching_value(resource: Mapping[str, Any], attribute: str) -> str | None:
    """Return the value of *attribute* in *resource*, folded, or None if there is no such value. An account index stores the account under
    this value.
    """
    value = read_path(resource, attribute)
    if value is MISSING or isinstance(value, list | dict) or is_empty(value):
        return None
    return folded(attribute, text_of(value))


def differs_in_case(account: Account, query: MatchQuery) -> bool:
    """Whether the value of *account*, which *query* found, differs in letter case from the value that was searched for. Some applications
    ignore case where it matters, such as in an external id.
    """
    if query.attribute.lower() not in EXACT:
        return False
    shown = matching_value(account.resource, query.attribute)
    return shown is not None and shown.strip() != query.value.strip()


def match_key(job: str, kind: ObjectKind, query: MatchQuery) -> str:
    """Return the key of *query* in the journal: a digest of fixed length that reveals no personal data. The same query has a different key
    in each application.
    """
    asked = f"{job}\0{kind.value}\0{query.attribute}\0{folded(query.attribute, query.value)}"
    return blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def folded(attribute: str, value: str) -> str:
    """Return *value* in the form in which an index compares it. For most attributes, letter case is ignored."""
    return value if attribute.lower() in EXACT else value.casefold()


__all__ = [
    "NO_MATCH",
    "ExpressionError",
    "ManyMatches",
    "Match",
    "MatchQuery",
    "NoMatch",
    "OneMatch",
    "OtherCaseMatch",
    "TakenMatch",
    "are_different_people",
    "choose_match",
    "differs_in_case",
    "folded",
    "match_key",
    "match_queries",
    "matching_value",
]
