"""If an application refuses an entire write, send the write again in parts, so that the acceptable parts are written.

An attribute that the application refuses must not block a person's other changes, least of all `active`. The refused attributes are
reported, and tried again when the object is retried. A refused request has changed nothing (RFC 7644, section 3.5.2: a PATCH is atomic), so
sending a part of it does not repeat a write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from lockstep.engine.moment import Moment
from lockstep.engine.records import Action, Change, LinkState
from lockstep.engine.rules.mappings import ObjectMapping
from lockstep.ports import Answer, RefusedValue, Verdict
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import SettledOperation
from lockstep.storage.log_record import LogRecord
from lockstep.sync.outcome import kept_values, outcomes
from lockstep.sync.outcome.links import link_after
from lockstep.sync.outcome.outcomes import Failure, Outcome
from lockstep.sync.planning.planner import PlanResult

REFUSED_STATUS = frozenset({400, 422})
MOST_MORE_REQUESTS = 12
Send = Callable[[Sequence[Change], Answer | None], Awaitable[Answer]]


@dataclass(slots=True)
class Parts:
    """One write that is sent in parts. *send* sends some of the changes; its second argument is the last successful response, which shows
    the newest state of the account.
    """

    send: Send
    mapping: ObjectMapping | None
    done: Answer | None = None
    refused: list[tuple[Change, Answer]] = field(default_factory=list)
    exchanges: list[Answer] = field(default_factory=list)
    stopped: Answer | None = None

    async def change(self, changes: Sequence[Change], answer: Answer) -> Answer:
        """Send *changes* in parts after they were refused as a whole with *answer*. Returns the combined response."""
        self.exchanges.append(answer)
        await self._divide(changes, answer)
        return self._result(answer)

    async def create(self, changes: Sequence[Change], answer: Answer) -> Answer:
        """Send a refused create again, without the non-essential attributes that the refusal names. Returns the combined response.

        If the refusal names no such attribute, nothing is sent, and *answer* is returned unchanged.
        """
        named = [one for one in named_in(changes, answer) if not _is_essential(one, self.mapping)]
        if not named:
            return answer
        self.exchanges.append(answer)
        self.refused = [(one, answer) for one in named]
        await self._try([one for one in changes if one not in named])
        return self._result(answer)

    async def _divide(self, changes: Sequence[Change], answer: Answer) -> None:
        if len(changes) == 1 or len(self.exchanges) > MOST_MORE_REQUESTS:
            self.refused += [(one, answer) for one in changes]
            return
        for part in _parts(changes, answer, self.mapping):
            if self.stopped is not None:
                return
            said = await self._try(part)
            if said is not None:
                await self._divide(part, said)

    async def _try(self, changes: Sequence[Change]) -> Answer | None:
        """Send a part. Returns the response if it is a refusal that a single attribute of the part may have caused; the part can then be
        divided. Returns None if the part was accepted, or if sending must stop.
        """
        answer = await self.send(changes, self.done)
        self.exchanges.append(answer)
        if answer.is_done:
            self.done = answer
        elif may_be_of_a_part(answer):
            return answer
        else:
            self.stopped = answer
        return None

    def _result(self, first: Answer) -> Answer:
        exchanges = tuple(one for answer in self.exchanges for one in answer.exchanges)
        if self.stopped is not None:
            return replace(self.stopped, exchanges=exchanges)
        if self.done is None:
            return replace(first, exchanges=exchanges)
        refused = tuple(RefusedValue(change.path, answer.detail, answer.code) for change, answer in self.refused)
        return replace(self.done, exchanges=exchanges, refused=refused)


def may_be_of_a_part(answer: Answer) -> bool:
    """Whether one of several attributes may have caused *answer*."""
    last = answer.exchanges[-1] if answer.exchanges else None
    return answer.verdict is Verdict.REFUSED and last is not None and last.status in REFUSED_STATUS


def named_in(changes: Sequence[Change], refusal: Answer) -> list[Change]:
    """Return the changes whose attribute is named in the refusal."""
    return [one for one in changes if _name(one.path) in refusal.named]


def outcome(
    claim: Claim,
    planned: PlanResult,
    operation: str,
    answer: Answer,
    failure: Failure,
    *,
    moment: Moment,
    log: LogRecord,
) -> Outcome:
    """Return the outcome if *answer* accepted only a part. The link records that part, and the rest becomes the *failure* of the object."""
    plan = planned.plan
    left_out = {one.path for one in answer.refused}
    taken = replace(
        planned,
        plan=replace(
            plan,
            changes=tuple(one for one in plan.changes if one.path not in left_out),
            mapped=replace(
                plan.mapped, values={path: value for path, value in plan.mapped.values.items() if path not in left_out}
            ),
            link_state=_state_of(planned, left_out),
        ),
    )
    missing = replace(planned, plan=replace(plan, changes=tuple(one for one in plan.changes if one.path in left_out)))
    link = link_after(taken, answer)
    target_id = answer.account.id if answer.account is not None else plan.target_id
    settled = SettledOperation(operation, "confirmed", target_id, outcomes.requests_of(answer))
    refused = outcomes.refused(
        claim,
        missing,
        failure,
        moment=moment,
        settled=(settled,),
        log=log,
        requests=outcomes.requests_of(answer),
    )
    return replace(
        refused,
        # Without a hash the object is compared again, so that refused values appear as differences until they are accepted.
        link=replace(link, desired_hash="") if link is not None else None,
        takes_over=bool(plan.takes_over_from),
        is_newly_linked=plan.action is Action.CREATE or plan.link_to is not None,
        evidence=kept_values.evidence_of(planned, answer.judged),
    )


def failure_of(answer: Answer) -> Failure:
    """Return the failure of an object for the case that the application accepted only a part of its changes. *answer* shows which changes
    were refused.
    """
    names = ", ".join(one.path for one in answer.refused)
    first = answer.refused[0]
    text = (
        f"{names} {'were' if len(answer.refused) > 1 else 'was'} rejected; everything else was written. {first.detail}"
    )
    step = "Correct the rejected value or its mapping, or remove the mapping."
    if first.is_unkept:
        step = "Make the change in the application by hand, and ask the vendor why it does not keep what it accepts."
    return Failure(first.code, text.rstrip(), step)


def _state_of(planned: PlanResult, left_out: Collection[str]) -> LinkState | None:
    """Return the new state of the link. If the change of `active` was refused, the state is unchanged."""
    plan, link = planned.plan, planned.prepared.link
    is_as_before = link is not None and any(one.switches and one.path in left_out for one in plan.changes)
    return link.state if is_as_before and link is not None else plan.link_state


def _parts(changes: Sequence[Change], answer: Answer, mapping: ObjectMapping | None) -> list[list[Change]]:
    """Split *changes* into two parts, in the order in which to send them: first the changes that the refusal does not name, then the named
    ones.

    If the refusal names none or all of the changes, the essential changes come first. If all or none are essential, the parts are halves.
    """
    urgent = [one for one in changes if one.switches or _is_essential(one, mapping)]
    named = named_in(changes, answer)
    if 0 < len(named) < len(changes):
        return [[one for one in changes if one not in named], named]
    if 0 < len(urgent) < len(changes):
        return [urgent, [one for one in changes if one not in urgent]]
    middle = len(changes) // 2
    return [list(changes[:middle]), list(changes[middle:])]


def _is_essential(change: Change, mapping: ObjectMapping | None) -> bool:
    """Whether the change must not be left out: either the account can be created or found only with the attribute, or *change* enables or
    disables the account.
    """
    attribute = mapping.by_target.get(change.path) if mapping is not None else None
    return change.switches or (attribute is not None and (attribute.match > 0 or attribute.attribute.required))


def _name(path: str) -> str:
    """Return the last name in a target path, such as `manager`. For an element of a multi-valued attribute, return the
    attribute: `emails`.
    """
    return path.partition("[")[0].rpartition(":")[2].rpartition(".")[2].casefold()
