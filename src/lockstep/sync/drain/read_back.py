"""Read an account back whose answer does not show what was sent: an answer may show a part of an account only, a reading does not.

What cannot be read proves nothing, and never makes a write that was accepted into one that was not.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from lockstep.engine.decisions.kept import Fate, JudgedValue
from lockstep.engine.records import Action
from lockstep.ports import Answer, TargetError, TargetReader
from lockstep.sync.outcome import kept_values
from lockstep.sync.planning.planner import PlanResult


async def confirmed(reader: TargetReader, planned: PlanResult, answer: Answer, *, until: float) -> Answer:
    """*answer* as far as a reading confirms it, with the newest state of the account. *until*: in the loop's time."""
    doubts = [one for one in answer.judged if _is_doubtful(planned, one)]
    if not doubts or answer.account is None:
        return answer
    try:
        async with asyncio.timeout_at(until):
            account = await reader.get(planned.plan.kind, answer.account.id)
    except (TargetError, TimeoutError):
        account = None
    if account is None:
        return replace(answer, judged=tuple(one for one in answer.judged if one not in doubts), reads=answer.reads + 1)
    return kept_values.with_judgement(planned, replace(answer, account=account, reads=answer.reads + 1))


def _is_doubtful(planned: PlanResult, one: JudgedValue) -> bool:
    """Whether *one* would have consequences for others, or is a failure. What the application is known not to keep is no news."""
    plan = planned.plan
    if one.fate is Fate.REFUSED:
        return plan.action is Action.CREATE  # every other write is looked at again, after a pause
    return one.fate is Fate.MISSING and one.path not in planned.prepared.configuration.unkept.get(plan.kind, ())
