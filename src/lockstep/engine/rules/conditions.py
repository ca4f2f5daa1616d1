"""The compiled conditions of scoping filters: clauses, groups of clauses, membership, expressions.

Clauses inside a filter are AND-ed, filters are OR-ed, and groups may be nested. A multi-valued attribute passes a clause if one of its
values passes. For a negative operator, all values must pass. *quantifier* overrides both rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from lockstep.engine.expressions import CompiledExpression, EvaluationContext, ExpressionError
from lockstep.engine.expressions.dates import parse_date
from lockstep.engine.moment import Moment
from lockstep.engine.records import Value, Values
from lockstep.engine.rules.operators import OPERATORS, OperandTest, Operator, is_empty, moment_of, text_of

MEMBER_OF = "memberOf"


@dataclass(frozen=True, slots=True)
class ClauseVerdict:
    """The result of one clause. If the clause failed, *why* says what is wrong and *remedy* what would make it pass."""

    passed: bool
    label: str = ""
    why: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """`attribute OPERATOR value`. Create it with `clause`, which checks and compiles it."""

    attribute: str
    operator: Operator
    value: str
    quantifier: str
    test: OperandTest = field(compare=False, repr=False)

    @property
    def label(self) -> str:
        return f"{self.attribute} {self.operator.name}" + ("" if self.operator.is_unary else f" '{self.value}'")

    def holds(self, record: Values, moment: Moment) -> bool:
        value = record.get(self.attribute)
        if is_empty(value):
            return self.operator.accepts_null
        if not isinstance(value, (tuple, list)):
            return self.test(value, moment.now)
        items = [item for item in value if not is_empty(item)]
        if not items:
            return self.operator.accepts_null
        wants_all = self.quantifier == "all" or (not self.quantifier and self.operator.negative)
        return (all if wants_all else any)(self.test(item, moment.now) for item in items)

    def judge(self, record: Values, moment: Moment) -> list[ClauseVerdict]:
        if self.holds(record, moment):
            return [ClauseVerdict(True, self.label)]
        quoted = f'"{self.value}"'
        actual = shown(record.get(self.attribute))
        return [
            ClauseVerdict(
                False,
                self.label,
                f"{self.attribute} is {actual}, {self.operator.must.format(quoted)}",
                f"{self.attribute} {self.operator.remedy.format(quoted)}",
            )
        ]

    def flips_at(self, record: Values, moment: Moment) -> datetime | None:
        """Return when the result changes although the object stays the same, or None if time cannot change the result."""
        is_relative = self.operator.name in ("BEFORE", "AFTER") and parse_date(self.value) is None
        value = record.get(self.attribute)
        date = parse_date(text_of(value)) if is_relative and not is_empty(value) else None
        if date is None:
            return None
        # The limit moves with the clock, so it reaches the date when the time between them has passed.
        distance = date - moment_of(self.value)(moment.now)
        is_ahead = timedelta(0) < distance < timedelta(days=36_500)
        return moment.now + distance if is_ahead else None


@dataclass(frozen=True, slots=True)
class MemberOf:
    """Membership in a group, by its directory id or display name."""

    group: str

    def holds(self, record: Values, moment: Moment) -> bool:
        return self.group in (record.get(MEMBER_OF) or ())

    def judge(self, record: Values, moment: Moment) -> list[ClauseVerdict]:
        label = f"memberOf '{self.group}'"
        if self.holds(record, moment):
            return [ClauseVerdict(True, label)]
        return [
            ClauseVerdict(
                False, label, f'not a member of "{self.group}"', f'the person were a member of "{self.group}"'
            )
        ]

    def flips_at(self, record: Values, moment: Moment) -> datetime | None:
        return None


@dataclass(frozen=True, slots=True)
class ExpressionClause:
    """A condition that passes if its expression evaluates to True. If the evaluation fails, the condition does not pass."""

    compiled: CompiledExpression

    def holds(self, record: Values, moment: Moment) -> bool:
        try:
            value = self.compiled.evaluate(record, EvaluationContext(moment, label="scope"))
        except ExpressionError:
            return False
        return isinstance(value, (str, bool, int)) and text_of(value).lower() in ("true", "1")

    def judge(self, record: Values, moment: Moment) -> list[ClauseVerdict]:
        if self.holds(record, moment):
            return [ClauseVerdict(True, self.compiled.text)]
        remedy = f"{self.compiled.text} were True"
        return [ClauseVerdict(False, self.compiled.text, f"{self.compiled.text} is not True", remedy)]

    def flips_at(self, record: Values, moment: Moment) -> datetime | None:
        return next_day(moment) if "Now" in self.compiled.functions else None


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]

    def holds(self, record: Values, moment: Moment) -> bool:
        return all(condition.holds(record, moment) for condition in self.conditions)

    def judge(self, record: Values, moment: Moment) -> list[ClauseVerdict]:
        return [verdict for condition in self.conditions for verdict in condition.judge(record, moment)]

    def flips_at(self, record: Values, moment: Moment) -> datetime | None:
        return earliest(*(condition.flips_at(record, moment) for condition in self.conditions))


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]

    def holds(self, record: Values, moment: Moment) -> bool:
        return any(condition.holds(record, moment) for condition in self.conditions)

    def judge(self, record: Values, moment: Moment) -> list[ClauseVerdict]:
        verdicts = [condition.judge(record, moment) for condition in self.conditions]
        passed = next((group for group in verdicts if all(verdict.passed for verdict in group)), None)
        if passed is not None:
            return passed
        failed = [verdict for group in verdicts for verdict in group if not verdict.passed]
        return [
            ClauseVerdict(
                False,
                " or ".join(verdict.label for verdict in failed),
                " and ".join(verdict.why for verdict in failed),
                failed[0].remedy if failed else "",
            )
        ]

    def flips_at(self, record: Values, moment: Moment) -> datetime | None:
        return earliest(*(condition.flips_at(record, moment) for condition in self.conditions))


@dataclass(frozen=True, slots=True)
class NotThis:
    condition: Condition

    def holds(self, record: Values, moment: Moment) -> bool:
        return not self.condition.holds(record, moment)

    def judge(self, record: Values, moment: Moment) -> list[ClauseVerdict]:
        labels = " and ".join(verdict.label for verdict in self.condition.judge(record, moment))
        if self.holds(record, moment):
            return [ClauseVerdict(True, f"not ({labels})")]
        return [ClauseVerdict(False, f"not ({labels})", f"{labels} is true but must be false", f"{labels} were false")]

    def flips_at(self, record: Values, moment: Moment) -> datetime | None:
        return self.condition.flips_at(record, moment)


Condition: TypeAlias = Clause | MemberOf | ExpressionClause | AllOf | AnyOf | NotThis


@dataclass(frozen=True, slots=True)
class ScopingFilter:
    """A scoping filter: its title, and the conditions, all of which must hold."""

    title: str
    condition: AllOf
    extra: Mapping[str, Value] = field(default_factory=dict)


def clause(attribute: str, operator: str, value: str = "", *, quantifier: str = "") -> Clause:
    """Check and compile a clause. Raises KeyError for an unknown operator, BadOperand for a value that does not fit it."""
    row = OPERATORS[operator]
    return Clause(attribute, row, value, quantifier, row.compile(value))


def attributes_of(condition: Condition) -> frozenset[str]:
    """The source attributes that can change the result of *condition*."""
    match condition:
        case Clause(attribute):
            return frozenset({attribute})
        case MemberOf():
            return frozenset({MEMBER_OF})
        case ExpressionClause(compiled):
            return compiled.attributes
        case NotThis(inner):
            return attributes_of(inner)
        case AllOf(inner) | AnyOf(inner):
            return frozenset().union(*(attributes_of(part) for part in inner))


def earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def next_day(moment: Moment) -> datetime:
    """The next midnight UTC, when conditions that depend on today's date are re-evaluated."""
    return moment.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def shown(value: Value) -> str:
    """Format *value* for a sentence."""
    if is_empty(value):
        return "empty"
    if isinstance(value, (tuple, list)):
        return ", ".join(shown(item) for item in value[:5]) + (", ..." if len(value) > 5 else "")
    text = " ".join(text_of(value).split())
    return f'"{text[:57]}..."' if len(text) > 60 else f'"{text}"'
