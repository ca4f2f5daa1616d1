"""Decide what should happen to an object's account: provision, disable, delete, leave, release, wait, or nothing.

The first row of the table that applies decides. A row may name a policy that chooses among its intents. Leaving the scope is not the same
as deletion: only people who are deleted in the source lose their account permanently. If a person leaves the scope, the account is disabled
and then no longer managed, as in Entra. If the person is deleted later, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from lockstep.engine.decisions.scope import FILTERED, UNASSIGNED, ScopeDecision
from lockstep.engine.expressions.dates import parse_date
from lockstep.engine.moment import Moment
from lockstep.engine.records import Lifecycle, Link, LinkState, ObjectKind, Reason, SourceObject
from lockstep.engine.rules.conditions import earliest
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.operators import text_of


class IntentKind(StrEnum):
    PROVISION = "provision"
    DISABLE = "disable"
    DELETE = "delete"
    LEAVE = "leave"  # change nothing and keep the link
    RELEASE = "release"  # change nothing; keep the link only to recognise the person later
    WAIT = "wait"  # not yet
    NOTHING = "nothing"  # there is no account and none is needed


class Person(StrEnum):
    """The stages in the life of a person or group that the table of this module distinguishes."""

    ACTIVE = "active"
    NOT_STARTED = "not started"
    DISABLED = "disabled"
    DELETED = "deleted"  # in the recycle bin
    OVERDUE = "overdue"  # in the recycle bin for longer than the policy waits
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Intent:
    """The decision about the account. *cause* says why the account gets its new state; the link stores this cause."""

    kind: IntentKind
    cause: str
    reasons: tuple[Reason, ...]
    review_at: datetime | None = None

    @property
    def reason(self) -> Reason:
        return self.reasons[0]


@dataclass(frozen=True, slots=True)
class IntentRow:
    """One row of the table. None in *links* stands for "no link". If *in_scope* is None, the row applies in scope and out of scope.

    *choices* maps the result of *policy* to the intent. A row without a policy uses the key "".
    """

    name: str
    people: frozenset[Person]
    in_scope: bool | None
    links: frozenset[LinkState | None]
    choices: Mapping[str, IntentKind]
    sentence: str
    cause: str = ""  # "" means the cause of the scope decision
    policy: Callable[[JobConfiguration], str] = field(default=lambda configuration: "")
    code: str = ""
    left_before: bool = False  # only if the account was disabled because its person left the scope

    def fits(self, person: Person, link: LinkState | None, *, in_scope: bool, left_before: bool = False) -> bool:
        return (
            person in self.people
            and link in self.links
            and self.in_scope in (None, in_scope)
            and (left_before or not self.left_before)
        )


_ALL = frozenset(Person)
_ACTIVE = frozenset({Person.ACTIVE})
_UNLINKED: frozenset[LinkState | None] = frozenset({None, LinkState.TOMBSTONE})
_LINKED: frozenset[LinkState | None] = frozenset({LinkState.LIVE, LinkState.DISABLED})
_LIVE: frozenset[LinkState | None] = frozenset({LinkState.LIVE})
_RELEASED: frozenset[LinkState | None] = frozenset({LinkState.RELEASED})
_LOST: frozenset[LinkState | None] = frozenset({LinkState.LOST})
_PROVISION = {"": IntentKind.PROVISION}
_NOTHING = {"": IntentKind.NOTHING}
_LEAVE = {"": IntentKind.LEAVE}
_OUT = {"disable": IntentKind.DISABLE, "delete": IntentKind.DELETE, "keep": IntentKind.RELEASE}
_DOWN = {"disable": IntentKind.DISABLE, "delete": IntentKind.DELETE, "keep": IntentKind.LEAVE}

TABLE: tuple[IntentRow, ...] = (
    IntentRow(
        "lost, still wanted", _ACTIVE, True, _LOST, _PROVISION,
        "The person should have an account, but the linked account no longer exists in the application.", cause="lost",
    ),
    IntentRow(
        "lost, no longer wanted", _ALL, None, _LOST, {"": IntentKind.RELEASE},
        "The account no longer exists in the application, and the person should not have one.", cause="lost",
    ),
    IntentRow(
        "new", _ACTIVE, True, _UNLINKED, _PROVISION,
        "The person is in scope and has no linked account.",
    ),
    IntentRow(
        "back", _ACTIVE, True, _LINKED | _RELEASED, _PROVISION,
        "The person is in scope and has a linked account.",
    ),
    IntentRow(
        "not started, without account", frozenset({Person.NOT_STARTED}), True, _UNLINKED, {"": IntentKind.WAIT},
        "The person has not started yet.", cause="notStarted", code="NotEffectivelyEntitled",
    ),
    IntentRow(
        "not started, with account", frozenset({Person.NOT_STARTED}), True, _LINKED | _RELEASED, _PROVISION,
        "The person is in scope and has a linked account, although the start date is in the future.",
    ),
    IntentRow(
        "never had an account", _ALL, None, _UNLINKED, _NOTHING,
        "The person has no linked account and should not have one.", code="NotEffectivelyEntitled",
    ),
    IntentRow(
        "purged, released earlier", frozenset({Person.PURGED}), None, _RELEASED,
        {"False": IntentKind.LEAVE, "True": IntentKind.DELETE},
        "The account was released before the person was purged.", cause="purged",
        policy=lambda configuration: str(configuration.deletions.delete_after_purge),
    ),
    IntentRow(
        "released", _ALL, None, _RELEASED, _LEAVE,
        "The account was released when the person left the scope, and the person should still not have one.",
    ),
    IntentRow(
        "deleted after it left the scope", frozenset({Person.DELETED}), False, frozenset({LinkState.DISABLED}),
        {"": IntentKind.DISABLE}, "The account was disabled when the person left the scope, and stays disabled.", left_before=True,
    ),
    IntentRow(
        "gone after it left the scope", frozenset({Person.OVERDUE, Person.PURGED}), None, frozenset({LinkState.DISABLED}),
        {"False": IntentKind.DISABLE, "True": IntentKind.DELETE},
        "The account was disabled when the person left the scope, and stays disabled.",
        policy=lambda configuration: str(configuration.deletions.delete_after_purge), left_before=True,
    ),
    IntentRow(
        "purged", frozenset({Person.PURGED}), None, _LINKED, _DOWN,
        "Purged people lose their account.", cause="purged",
        policy=lambda configuration: configuration.deletions.on_purged.value,
    ),
    IntentRow(
        "deleted long enough", frozenset({Person.OVERDUE}), None, _LINKED,
        {"disable": IntentKind.DELETE, "delete": IntentKind.DELETE, "keep": IntentKind.LEAVE},
        "Accounts of deleted people are deleted after the retention period.", cause="deleted",
        policy=lambda configuration: configuration.deletions.on_source_deleted.value,
    ),
    IntentRow(
        "deleted", frozenset({Person.DELETED}), None, _LINKED, _DOWN,
        "Deleted people lose access at once.", cause="deleted",
        policy=lambda configuration: configuration.deletions.on_source_deleted.value,
    ),
    IntentRow(
        "disabled", frozenset({Person.DISABLED}), None, _LINKED, _DOWN,
        "Disabled people lose access.", cause="disabled",
        policy=lambda configuration: configuration.deletions.on_source_disabled.value,
    ),
    IntentRow(
        "left the scope, disabled before", frozenset({Person.ACTIVE, Person.NOT_STARTED}), False,
        frozenset({LinkState.DISABLED}),
        {"disable": IntentKind.DISABLE, "delete": IntentKind.DELETE, "keep": IntentKind.LEAVE},
        "", policy=lambda configuration: configuration.deletions.on_out_of_scope.value,
    ),
    IntentRow(
        "left the scope", frozenset({Person.ACTIVE, Person.NOT_STARTED}), False, _LIVE, _OUT,
        "", policy=lambda configuration: configuration.deletions.on_out_of_scope.value,
    ),
)  # fmt: skip


def decide_intent(
    obj: SourceObject, scope: ScopeDecision, link: Link | None, configuration: JobConfiguration, moment: Moment
) -> Intent:
    """Return the intent of the first row of `TABLE` that applies. There is a row for every case."""
    person, review_at = person_state(obj, configuration, moment)
    left_before = link is not None and link.state is LinkState.DISABLED and link.cause in (UNASSIGNED, FILTERED)
    row = row_for(person, link.state if link else None, in_scope=scope.in_scope, left_before=left_before)
    kind = row.choices[row.policy(configuration)]
    keeps_cause = left_before and not scope.in_scope and kind in (IntentKind.DISABLE, IntentKind.LEAVE)
    return Intent(
        kind,
        link.cause if link is not None and keeps_cause else row.cause or scope.cause,
        _reasons(row, person, scope, obj),
        _review(kind, person, review_at, scope.review_at),
    )


def row_for(person: Person, link: LinkState | None, *, in_scope: bool, left_before: bool = False) -> IntentRow:
    """Return the first row that applies. *left_before* is true if the account was disabled because its person left the scope."""
    return next(row for row in TABLE if row.fits(person, link, in_scope=in_scope, left_before=left_before))


def person_state(obj: SourceObject, configuration: JobConfiguration, moment: Moment) -> tuple[Person, datetime | None]:
    """Return the present stage of the object's life, and the time at which the next stage begins if nothing else changes before."""
    if obj.lifecycle is Lifecycle.PURGED:
        return Person.PURGED, None
    if obj.lifecycle is Lifecycle.SOFT_DELETED:
        wait = configuration.deletions.delete_after
        if wait is None:
            return Person.DELETED, None
        # Without a deletion date the retention period begins now: deleting too late is safer than too early.
        due = (obj.deleted_at or moment.now) + wait
        return (Person.OVERDUE, None) if moment.now >= due else (Person.DELETED, due)
    if not obj.account_enabled:
        return Person.DISABLED, None
    starts_at = _starts_at(obj, configuration)
    if starts_at is not None and moment.now < starts_at:
        return Person.NOT_STARTED, starts_at
    return Person.ACTIVE, None


def _starts_at(obj: SourceObject, configuration: JobConfiguration) -> datetime | None:
    if configuration.start is None:
        return None
    value = obj.attributes.get(configuration.start.attribute)
    date = parse_date(text_of(value)) if value else None
    try:
        return date - configuration.start.lead if date else None
    except OverflowError:
        return None


def _reasons(row: IntentRow, person: Person, scope: ScopeDecision, obj: SourceObject) -> tuple[Reason, ...]:
    """Return the reasons, the decisive one first. A lost account is named before the person's state, and the person's state before the
    scope.
    """
    own = (Reason(row.code or "Intent", row.sentence, {"row": row.name}),) if row.sentence else ()
    state = (_STATES[person],) if person in _STATES else ()
    if row.cause == "lost":
        reasons = (*own, *state, *scope.reasons)
    elif state:
        reasons = (*state, *own, *scope.reasons)
    elif not scope.in_scope:
        reasons = (*scope.reasons, *own)
    else:
        reasons = (*own, *scope.reasons)
    if obj.kind is ObjectKind.GROUP:
        reasons = tuple(replace(reason, text=reason.text.replace("The person", "The group")) for reason in reasons)
    return reasons


def _review(kind: IntentKind, person: Person, life: datetime | None, scope: datetime | None) -> datetime | None:
    """Return when to re-evaluate the object. The date of a deletion matters only if the object has an account. The date of a start matters
    only if it has none.
    """
    waits = (kind is IntentKind.DISABLE and person is Person.DELETED) or kind is IntentKind.WAIT
    return earliest(life if waits else None, None if kind is IntentKind.DELETE else scope)


def _state(text: str, counterfactual: str) -> Reason:
    return Reason("NotEffectivelyEntitled", text, {"gate": "enabled"}, counterfactual)


_STATES: Mapping[Person, Reason] = {
    Person.DISABLED: _state(
        "The person is disabled in the directory.", "Would be provisioned if enabled in the directory."
    ),
    Person.DELETED: _state(
        "The person is deleted in the directory, but can still be restored.", "Would be provisioned if restored."
    ),
    Person.OVERDUE: _state(
        "The person is deleted in the directory, and the retention period of the account has ended.",
        "Would be provisioned if restored.",
    ),
    Person.PURGED: _state("The person was purged from the directory.", ""),
}
