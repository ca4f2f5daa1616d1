"""Read an account again if the response to a write does not show what was sent. A response may show only part of an account.

A failed read proves nothing and never turns an accepted write into a refused one.
"""

from __future__ import annotations

from dataclasses import replace

from lockstep.engine.decisions.value_fates import Fate, JudgedValue
from lockstep.engine.records import Action
from lockstep.ports import Answer, TargetError, TargetReader
from lockstep.sync.outcome import kept_values
from lockstep.sync.planning.planner import PlanResult


async def confirmed(reader: TargetReader, planned: PlanResult, answer: Answer) -> Answer:
    """If the response in *answer* leaves doubts, read the account again and return *answer* with the account as read. Otherwise return
    *answer* unchanged. If the read fails or does not find the account, the doubtful values are not judged.
    """
    doubts = [one for one in answer.judged if _is_doubtful(planned, one)]
    if not doubts or answer.account is None:
        return answer
    try:
        account = await reader.get(planned.plan.kind, answer.account.id)
    except TargetError:
        account = None
    if account is None:
        return replace(answer, judged=tuple(one for one in answer.judged if one not in doubts), reads=answer.reads + 1)
    return kept_values.with_judgement(planned, replace(answer, account=account, reads=answer.reads + 1))


def _is_doubtful(planned: PlanResult, one: JudgedValue) -> bool:
    """Whether the account must be read again to judge the value *one*. This is so if the application refused the value in a create. It is
    also so if the response left the value out, unless the application is known not to keep the attribute. Values refused in other writes
    are read later, after a pause.
    """
    plan = planned.plan
    if one.fate is Fate.REFUSED:
        return plan.action is Action.CREATE  # a different kind of write is checked again after a pause
    return one.fate is Fate.MISSING and one.path not in planned.prepared.configuration.unkept.get(plan.kind, ())
