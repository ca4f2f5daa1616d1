"""Decide everything that does not depend on the application, and determine what the application must be asked before a plan can be made.

The caller calls `prepare`, answers the questions of `wanted` until `wanted` returns `NOTHING`, and passes the answers to `make_plan`. This
module sends no requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from lockstep.engine.decisions.intent import Intent, IntentKind, decide_intent
from lockstep.engine.decisions.matching import Match, MatchQuery, match_queries
from lockstep.engine.decisions.scope import ScopeDecision, decide_scope
from lockstep.engine.decisions.source_record import IS_SOFT_DELETED, source_record
from lockstep.engine.expressions import ExpressionError
from lockstep.engine.moment import Moment
from lockstep.engine.records import Account, Link, LinkState, ObjectKind, Reason, SourceObject
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import ObjectMapping
from lockstep.engine.rules.policies import OnLost


class NotRead(Enum):
    """A marker that the account was not read. It does not mean that the account does not exist."""

    NOT_READ = "not read"


NOT_READ: Final = NotRead.NOT_READ
Observed: TypeAlias = Account | NotRead | None


class NextQuestion(Enum):
    """The next question that must be answered before a plan can be made."""

    LOOK = "look"  # read the linked account; pass it as *observed*, or None if the application answers 404
    MATCH = "match"  # send the queries in order; pass the result of `choose_match`
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class PreparedObject:
    """Everything decided about one object so far. *mapping* is None if the job does not provision this kind of object."""

    obj: SourceObject
    link: Link | None
    configuration: JobConfiguration
    moment: Moment
    mapping: ObjectMapping | None
    scope: ScopeDecision
    intent: Intent
    record: Mapping[str, Any]
    account_ids: Mapping[str, str] = field(default_factory=dict)
    queries: tuple[MatchQuery, ...] = ()
    query_problem: Reason | None = None
    must_look: bool = False

    @property
    def is_linked(self) -> bool:
        return self.link is not None and self.link.state is not LinkState.TOMBSTONE


def prepare(
    obj: SourceObject,
    link: Link | None,
    configuration: JobConfiguration,
    moment: Moment,
    account_ids: Mapping[str, str] | None = None,
    *,
    look: bool = False,
) -> PreparedObject:
    """Decide scope and intent of *obj*. *account_ids* maps the directory ids of referenced objects to their accounts.

    If *look* is true, the linked account must be read. If *look* is false, the last agreed values count as the current ones. An account
    that was lost, or whose values are unknown, is read in any case.
    """
    mapping = configuration.mapping_for(obj.kind)
    if mapping is None or not mapping.enabled:
        return _unmapped(obj, link, configuration, moment)
    record = source_record(obj, configuration, is_soft_deleted=False)
    scope = decide_scope(obj, mapping, configuration, moment=moment, record=record)
    intent = decide_intent(obj, scope, link, configuration, moment)
    if link is not None and link.is_forgotten and intent.kind is IntentKind.PROVISION:
        link = None
        intent = decide_intent(obj, scope, link, configuration, moment)
    wants_account = intent.kind is IntentKind.PROVISION
    queries, problem = _queries(obj, mapping, configuration, moment, record) if wants_account else ((), None)
    # Scope and matching use the record of an active person; the mappings use one that says whether access should end.
    record[IS_SOFT_DELETED] = "False" if wants_account else "True"
    return PreparedObject(
        obj,
        link,
        configuration,
        moment,
        mapping,
        scope,
        intent,
        record,
        account_ids or {},
        queries,
        problem,
        _must_look(link, intent, look=look),
    )


def wanted(prepared: PreparedObject, *, match: Match | None = None, observed: Observed = NOT_READ) -> NextQuestion:
    """Return what to ask next. The account is read first, because a linked object is matched again only if its account no longer exists."""
    if prepared.must_look and observed is NOT_READ:
        return NextQuestion.LOOK
    needs_match = prepared.intent.kind is IntentKind.PROVISION and (
        not prepared.is_linked or (observed is None and recreates(prepared))
    )
    has_questions = bool(prepared.queries) and prepared.query_problem is None
    return NextQuestion.MATCH if needs_match and has_questions and match is None else NextQuestion.NOTHING


def recreates(prepared: PreparedObject) -> bool:
    """Whether an account that no longer exists is created again. This is always true for a released account; for a linked account, the
    policy decides.
    """
    released = prepared.link is not None and prepared.link.state is LinkState.RELEASED
    return released or prepared.configuration.deletions.on_lost is OnLost.RECREATE


def _queries(
    obj: SourceObject,
    mapping: ObjectMapping,
    configuration: JobConfiguration,
    moment: Moment,
    record: Mapping[str, Any],
) -> tuple[tuple[MatchQuery, ...], Reason | None]:
    try:
        return match_queries(obj, mapping, configuration, moment=moment, record=record), None
    except ExpressionError as error:
        text = f"The matching attribute cannot be evaluated: {error.detail}"
        return (), Reason(
            "InvalidExpression", text, {}, "Correct the expression, or the attribute value that it fails on."
        )


def _must_look(link: Link | None, intent: Intent, *, look: bool) -> bool:
    if link is None:
        return False
    if link.state is LinkState.TOMBSTONE:
        return link.is_sought and intent.kind is IntentKind.NOTHING
    if link.state is LinkState.LOST:
        return True  # the account may exist again, and a leaver must not keep it
    if intent.kind not in (IntentKind.PROVISION, IntentKind.DISABLE):
        return False
    # Without a base, or after the account was released, the current values are unknown.
    return look or not link.base or link.state is LinkState.RELEASED


def _unmapped(obj: SourceObject, link: Link | None, configuration: JobConfiguration, moment: Moment) -> PreparedObject:
    what = "people" if obj.kind is ObjectKind.USER else "groups"
    reason = Reason(
        "ObjectMappingDisabled",
        f"{what.capitalize()} are not provisioned to this application: their mapping is missing or disabled.",
        {"gate": "mapping"},
        f"Would be considered if the mapping of {what} were enabled.",
    )
    scope = ScopeDecision(in_scope=False, cause="unmapped", reasons=(reason,))
    intent = Intent(IntentKind.LEAVE if link else IntentKind.NOTHING, "unmapped", (reason,))
    return PreparedObject(obj, link, configuration, moment, None, scope, intent, {})
