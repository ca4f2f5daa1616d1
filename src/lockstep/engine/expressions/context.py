"""What an evaluation may know beyond the source object: the moment, what is taken in the target, the tenant's domain."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from lockstep.engine.expressions.work import Work
from lockstep.engine.moment import Moment


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """*taken* says which values the target already uses (a set, or a function that answers for one value).

    *label* keeps two attributes of one object from getting the same random value: give the target attribute's name.
    *work* starts again with every evaluation.
    """

    moment: Moment
    taken: Callable[[str], bool] | Collection[str] = ()
    default_domain: str | None = None
    label: str = ""
    work: Work = field(default_factory=Work, compare=False, repr=False)

    def is_taken(self, value: str) -> bool:
        return self.taken(value) if callable(self.taken) else value in self.taken
