"""Find the account of an object that has no link: what to ask the application, and what its answers mean.

Attributes are asked one at a time, in order of precedence; the first question with an answer ends the search. More than one answer is
never decided by us, and an account that belongs to somebody else is never taken over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

from lockstep.engine.decisions.source_record import source_record
from lockstep.engine.expressions import DROP, SKIP_OBJECT, EvaluationContext, ExpressionError
from lockstep.engine.moment import Moment
from lockstep.engine.records import Account, ObjectKind, SourceObject, Value, Values
from lockstep.engine.rules.configuration import (
    AttributeMapping,
    Constant,
    Direct,
    Expression,
    JobConfiguration,
    ObjectMapping,
)
from lockstep.engine.rules.operators import is_empty, text_of
from lockstep.scim.target_values import MISSING, read_path

# RFC 7643 declares these exact in case; applications compare all others without regard to it.
EXACT = frozenset({"id", "externalid"})


@dataclass(frozen=True, slots=True)
class MatchQuery:
    """Ask for accounts whose *attribute* equals *value*."""

    attribute: str
    value: str
    precedence: int


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nobody in the application fits."""


@dataclass(frozen=True, slots=True)
class OneMatch:
    """*left_by*: somebody who has been deleted and left the account behind; "" where it belongs to nobody."""

    account: Account
    query: MatchQuery
    left_by: str = ""


@dataclass(frozen=True, slots=True)
class ManyMatches:
    """Several accounts answer to one question: a person has to choose."""

    accounts: tuple[Account, ...]
    query: MatchQuery


@dataclass(frozen=True, slots=True)
class TakenMatch:
    """The account belongs to somebody else already (*by* is how that one is shown), who may be about to lose it."""

    account: Account
    by: str
    query: MatchQuery
    is_leaving: bool = False
    is_under_way: bool = False  # another object is being given it at this moment, and is not on record yet


Match: TypeAlias = NoMatch | OneMatch | ManyMatches | TakenMatch
NO_MATCH = NoMatch()


def match_queries(
    obj: SourceObject,
    mapping: ObjectMapping,
    configuration: JobConfiguration,
    *,
    moment: Moment,
    record: Values | None = None,
) -> tuple[MatchQuery, ...]:
    """What to ask, in order of precedence. An attribute without a value is left out; none at all means: cannot be matched.

    Raises ExpressionError where the expression of a matching attribute fails.
    """
    if record is None:
        record = source_record(obj, configuration, is_soft_deleted=False)
    context = EvaluationContext(moment, (), configuration.default_domain)
    queries = []
    for attribute in mapping.matching:
        value = _source_value(attribute, record, context)
        if not is_empty(value) and value is not DROP and value is not SKIP_OBJECT:
            queries.append(MatchQuery(attribute.target, text_of(value), attribute.match))
    return tuple(queries)


def choose_match(
    answers: Iterable[tuple[MatchQuery, Sequence[Account]]],
    linked_to: Mapping[str, str] | None = None,
    left_by: Mapping[str, str] | None = None,
    leaving: Collection[str] = (),
    under_way: Collection[str] = (),
) -> Match:
    """What the answers mean; they come in order of precedence.

    *linked_to*: account id -> display of the object it is linked to; *left_by*: the same of objects that have been deleted and left it;
    *leaving*: accounts of objects that have been deleted and still hold them; *under_way*: accounts that another object is being given.
    """
    owners = linked_to or {}
    former = left_by or {}
    for query, accounts in answers:
        found = tuple({account.id: account for account in accounts}.values())
        if len(found) > 1:
            return ManyMatches(found, query)
        if found:
            owner = owners.get(found[0].id)
            if owner is not None:
                return TakenMatch(found[0], owner, query, found[0].id in leaving)
            if found[0].id in under_way:
                return TakenMatch(found[0], "another object", query, is_under_way=True)
            return OneMatch(found[0], query, former.get(found[0].id, ""))
    return NO_MATCH


def matching_value(resource: Mapping[str, Any], attribute: str) -> str | None:
    """The value of *attribute* by which an index of the application's accounts finds *resource*; None where it has none."""
    value = read_path(resource, attribute)
    if value is MISSING or isinstance(value, list | dict) or is_empty(value):
        return None
    return folded(attribute, text_of(value))


def match_key(job: str, kind: ObjectKind, query: MatchQuery) -> str:
    """What *query* asks for in one application, as the journal remembers it: of one length, and without anybody's value in it."""
    asked = f"{job}\0{kind.value}\0{query.attribute}\0{folded(query.attribute, query.value)}"
    return blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def folded(attribute: str, value: str) -> str:
    """*value* as an index holds it: most attributes compare without regard to case."""
    return value if attribute.lower() in EXACT else value.casefold()


def _source_value(mapping: AttributeMapping, record: Values, context: EvaluationContext) -> Value:
    match mapping.source:
        case Direct(attribute):
            return record.get(attribute)
        case Constant(value):
            return value
        case Expression(compiled):
            return compiled.evaluate(record, context)
        case _:
            return None


__all__ = [
    "NO_MATCH",
    "ExpressionError",
    "ManyMatches",
    "Match",
    "MatchQuery",
    "NoMatch",
    "OneMatch",
    "TakenMatch",
    "choose_match",
    "folded",
    "match_key",
    "match_queries",
    "matching_value",
]
