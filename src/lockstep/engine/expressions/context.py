"""The data that an evaluation can read besides the source object: the moment, the values in use in the target, and the tenant's domain."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lockstep.engine.expressions.work import Work
from lockstep.engine.moment import Moment


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """The context of an evaluation. *taken* is the set of values that the target already uses, or a function that tests one value.

    *label* must be the name of the target attribute, so that two attributes of one object do not get the same random value. *work* is
    reset before every evaluation.
    """

    moment: Moment
    taken: Callable[[str], bool] | Collection[str] = ()
    default_domain: str | None = None
    label: str = ""
    work: Work = field(default_factory=Work, compare=False, repr=False)

    def is_taken(self, value: str) -> bool:
        return self.taken(value) if callable(self.taken) else value in self.taken


# The context for folding constants; pure functions never read its moment.
NO_MOMENT = Moment(datetime.min.replace(tzinfo=UTC))
NOWHERE = EvaluationContext(NO_MOMENT)
