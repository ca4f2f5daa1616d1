"""Compare the sent values with those that the response, or a later read, shows. The results go to the link, the job and the log. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from lockstep.engine.decisions.diff import same_value
from lockstep.engine.decisions.kept import after_read, after_write, rule_of
from lockstep.engine.decisions.mapping import held_values
from lockstep.engine.decisions.value_fates import Fate, JudgedValue, judge
from lockstep.engine.plans import Plan
from lockstep.engine.records import Account, Action, Change, Link
from lockstep.engine.rules.mappings import AttributeMapping
from lockstep.ports import Answer, RefusedValue, Verdict
from lockstep.storage.unkept import KeptAttribute, MissingAttribute
from lockstep.sync.planning.planner import PlanResult

NOT_KEPT = "NotKept"
Evidence: TypeAlias = KeptAttribute | MissingAttribute


def with_judgement(planned: PlanResult, answer: Answer) -> Answer:
    """Return *answer* with a judgement of each accepted value. The judgement says whether the application returned the value as sent."""
    mapping = planned.prepared.mapping
    if mapping is None or answer.account is None or answer.verdict is not Verdict.DONE:
        return answer
    held = held_values(mapping, answer.account.resource)
    return replace(answer, held=held, judged=judge(_accepted(planned, answer), held, answer.account.resource, mapping))


def with_refusals(answer: Answer) -> Answer:
    """Return *answer* with more refused values: the essential values that the application accepted but did not keep."""
    unkept = [one for one in answer.judged if one.fate is Fate.REFUSED]
    refused = tuple(RefusedValue(one.path, _words(one), NOT_KEPT, is_unkept=True) for one in unkept)
    return replace(answer, refused=answer.refused + refused) if refused else answer


def is_refused_silently(answer: Answer) -> bool:
    return any(one.fate is Fate.REFUSED for one in answer.judged)


def judged_reading(planned: PlanResult) -> tuple[JudgedValue, ...]:
    """Use the account that was read for this plan to judge whether the application kept the values that earlier responses left out."""
    link = planned.prepared.link
    return _read(planned, _link_of(planned))[1] if link is not None and link.answers else ()


def answers_of(planned: PlanResult, old: Link | None, answer: Answer | None) -> Mapping[str, Any]:
    """Return the observations about the values that the application returned. The link stores the observations after the plan was carried
    out. *old* is the present link to the same account.
    """
    known = _read(planned, old)[0]
    mapping = planned.prepared.mapping
    if mapping is None or answer is None or not planned.plan.changes or answer.verdict is not Verdict.DONE:
        return known
    shown = {one.path for one in answer.judged}
    changes = _accepted(planned, answer)
    unseen = [one for one in changes if one.path not in shown and _was_sent_before(planned, old, one)]
    return after_write(known, answer.judged, unseen, changes, mapping)


def is_news(planned: PlanResult) -> bool:
    """Whether the account that was just read contradicts the observations that the link stores. These record the values that the
    application returned instead of the sent ones.
    """
    link = planned.prepared.link
    return link is not None and bool(link.answers) and _read(planned, link)[0] != link.answers


def evidence_of(planned: PlanResult, judged: Sequence[JudgedValue]) -> tuple[Evidence, ...]:
    """Return which attributes of *judged* the application kept and which it left out."""
    mapping, plan = planned.prepared.mapping, planned.plan
    if mapping is None or not judged:
        return ()
    return tuple(_evidence(plan, one, mapping.by_target[one.path]) for one in judged if one.fate is not Fate.REFUSED)


def _evidence(plan: Plan, one: JudgedValue, mapping: AttributeMapping) -> Evidence:
    if one.fate is not Fate.MISSING:
        return _kept(plan.kind, one.path)
    return MissingAttribute(plan.kind, one.path, rule_of(mapping), plan.source_id, plan.display)


_kept = lru_cache(maxsize=1024)(KeptAttribute)  # cached, because every write yields the same few values


def in_order(evidence: Sequence[Evidence]) -> tuple[list[KeptAttribute], list[MissingAttribute]]:
    """Summarize *evidence*, given from oldest to newest: the attributes that the application kept, and the attributes that were missing
    from its responses. The number of responses without an attribute is counted from the last time that the attribute was kept.
    """
    kept: dict[tuple[str, str], KeptAttribute] = {}
    missing: dict[tuple[str, str], MissingAttribute] = {}
    for one in evidence:
        key = (one.kind.value, one.path)
        if isinstance(one, KeptAttribute):
            kept[key] = one
            missing.pop(key, None)
        else:
            before = missing.get(key)
            missing[key] = replace(one, answers=one.answers + (before.answers if before is not None else 0))
    return list(kept.values()), list(missing.values())


def _words(one: JudgedValue) -> str:
    if one.is_redacted:
        return "The application reported success, but kept a different value."
    return f"The application reported success, but kept {_shown(one.answered)} instead of {_shown(one.sent)}."


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "empty"}[value]
    return repr(value)


def _accepted(planned: PlanResult, answer: Answer) -> Sequence[Change]:
    if not answer.refused:
        return planned.plan.changes
    refused = {one.path for one in answer.refused}
    return [one for one in planned.plan.changes if one.path not in refused]


def _was_sent_before(planned: PlanResult, old: Link | None, change: Change) -> bool:
    """Whether the same value was written before and a read showed that it was not kept."""
    mapping = planned.prepared.mapping
    if mapping is None or old is None or change.path not in old.base or not isinstance(planned.observed, Account):
        return False
    return same_value(old.base[change.path], change.new, mapping.by_target[change.path])


def _link_of(planned: PlanResult) -> Link | None:
    prepared = planned.prepared
    return prepared.link if prepared.is_linked else None


def _read(planned: PlanResult, link: Link | None) -> tuple[Mapping[str, Any], tuple[JudgedValue, ...]]:
    mapping = planned.prepared.mapping
    if link is None or not link.answers or planned.plan.action is Action.DELETE:
        return {}, ()
    if mapping is None or not isinstance(planned.observed, Account):
        return link.answers, ()
    return after_read(link.answers, planned.observed, mapping)
