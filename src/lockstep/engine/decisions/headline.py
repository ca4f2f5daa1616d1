"""Summarize the state of an application's provisioning in one sentence. Pure: facts in, headline out.

The first row of the table that applies gives the headline. Every condition that prevents people from having the right access has its own
row, so "In step" appears only if no such condition exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from lockstep.errors import EXIT_CODES, Kind
from lockstep.wording import counted


class Standing(StrEnum):
    """The state that the headline describes, for use by programs."""

    SIGN_ON_ONLY = "signOnOnly"
    NOT_SWITCHED_ON = "notSwitchedOn"
    PAUSED = "paused"
    STOPPED = "quarantined"  # nothing is sent, leavers included
    NO_WORKER = "noWorker"
    NO_ANSWER = "noAnswer"
    SLOWED = "slowed"  # in a quarantine that lets leavers through
    HELD = "held"
    MAYBE_CREATED = "maybeCreated"
    RUNNING = "running"
    FAILING = "failing"
    REJECTED = "rejected"
    FIRST_CYCLE = "firstCycle"
    WAITING = "waiting"
    IN_STEP = "inStep"


@dataclass(frozen=True, slots=True)
class Facts:
    """The present state of one application. Numbers count objects, except *held* and *rejected*, which count writes.

    *waiting* counts due objects. *leavers_failing* counts the leavers among *failing*. *quarantine* and *trouble* are sentences from the
    last response, or "". *next_attempt* ("in 5 minutes") and *trouble_for* ("2 hours") are readable phrases. *signs_on* is true if the
    application has single sign-on but no credentials for provisioning. *preview* is the preview that the running cycle applies; that cycle
    also works while provisioning is off.
    """

    app: str
    is_on: bool = True
    is_started: bool = True
    paused_by: str = ""
    has_worker: bool = True
    quarantine: str = ""
    quarantine_holds_all: bool = False
    trouble: str = ""
    trouble_for: str = ""
    next_attempt: str = ""
    remedy: str = ""
    held: int = 0
    rejected: int = 0
    maybe_created: int = 0
    failing: int = 0
    leavers_failing: int = 0
    waiting: int = 0
    slowed: int = 0
    cycle: str = ""  # the kind of the running cycle
    preview: int | None = None
    done: int = 0
    total: int = 0
    had_cycle: bool = True
    signs_on: bool = False

    @property
    def is_at_rest(self) -> bool:
        """Whether provisioning is off and no preview is being applied."""
        return not self.is_on and self.preview is None


@dataclass(frozen=True, slots=True)
class Headline:
    """The headline of one application. *exit_code* is 0 if nobody needs to act. *sends* is true if Lockstep would send a new change at
    once.
    """

    standing: Standing
    sentence: str
    next_step: str
    exit_code: int
    sends: bool


@dataclass(frozen=True, slots=True)
class _Row:
    standing: Standing
    applies: Callable[[Facts], bool]
    sentence: Callable[[Facts], str]
    next_step: Callable[[Facts], str] = lambda facts: ""
    kind: Kind | None = None


def headline(facts: Facts) -> Headline:
    """Return the headline of the first row in the table that applies to *facts*."""
    row = next(row for row in _TABLE if row.applies(facts))
    code = EXIT_CODES[row.kind] if row.kind is not None else 0
    sends = facts.is_on and facts.has_worker and not facts.quarantine and not facts.trouble
    return Headline(row.standing, row.sentence(facts), row.next_step(facts), code, sends)


def worst_exit_code(headlines: Iterable[Headline]) -> int:
    """Return the most urgent exit code. From most to least urgent: nothing is sent, writes are held, objects fail, nobody needs to act."""
    by_need = (0, *(EXIT_CODES[kind] for kind in (Kind.PARTIAL, Kind.HELD, Kind.UNREACHABLE)))
    return max((one.exit_code for one in headlines), key=by_need.index, default=0)


def _plain(sentence: str) -> str:
    return sentence.rstrip(". ")


def _waits(facts: Facts) -> str:
    waiting = facts.waiting + facts.slowed
    if not waiting:
        return ""
    return f" {counted(waiting, 'object')} {'waits' if waiting == 1 else 'wait'}."


def _also(facts: Facts) -> str:
    """Return a sentence that says why nothing is sent at present. If changes are sent, return a sentence about the preview that is being
    applied, or "" if there is none.

    A pending decision does not count as a reason.
    """
    if not facts.has_worker:
        return f" No worker is running, so nothing is sent.{_waits(facts)}"
    trouble = facts.trouble or (f"In quarantine: {facts.quarantine}" if facts.quarantine else "")
    if trouble:
        return f" {_plain(trouble)}.{_waits(facts)}"
    return f" {_cycle(facts)}" if facts.preview is not None else ""


def _cycle(facts: Facts) -> str:
    what = f"{facts.cycle.capitalize()} cycle" if facts.preview is None else f"Applying preview {facts.preview}"
    return (
        f"{what}: {min(facts.done, facts.total):,} of {counted(facts.total, 'object')}." if facts.total else f"{what}."
    )


def _failing(facts: Facts) -> str:
    verb = "fails" if facts.failing == 1 else "fail"
    text = f"{counted(facts.failing, 'object')} {verb} and will be retried."
    if facts.leavers_failing:
        text += f" {facts.leavers_failing:,} of them should have lost access."
    return text


def _again(facts: Facts) -> str:
    return f" The next attempt is {facts.next_attempt}." if facts.next_attempt else ""


def _correct(facts: Facts) -> str:
    return facts.remedy or f"Correct the cause, then: lockstep start {facts.app}"


_TABLE: tuple[_Row, ...] = (
    _Row(
        Standing.SIGN_ON_ONLY,
        lambda facts: facts.is_at_rest and not facts.is_started and facts.signs_on,
        lambda facts: "Used for single sign-on only: accounts are not provisioned.",
    ),
    _Row(
        Standing.NOT_SWITCHED_ON,
        lambda facts: facts.is_at_rest and not facts.is_started,
        lambda facts: "Provisioning has not been switched on yet.",
        lambda facts: f"Switch it on: lockstep start {facts.app}",
        Kind.HELD,
    ),
    _Row(
        Standing.PAUSED,
        lambda facts: facts.is_at_rest,
        lambda facts: (
            f"{f'Paused by {facts.paused_by}' if facts.paused_by else 'Provisioning is off'}: nothing is sent until it is "
            f"switched on.{_waits(facts)}"
        ),
        lambda facts: f"Switch it on: lockstep start {facts.app}",
        Kind.HELD,
    ),
    _Row(
        Standing.STOPPED,
        lambda facts: bool(facts.quarantine) and facts.quarantine_holds_all,
        lambda facts: f"In quarantine: {_plain(facts.quarantine)}. Nothing is sent.{_waits(facts)}{_again(facts)}",
        _correct,
        Kind.HELD,
    ),
    _Row(
        Standing.HELD,
        lambda facts: facts.held > 0,
        lambda facts: f"{counted(facts.held, 'write')} {'waits' if facts.held == 1 else 'wait'} for approval.{_also(facts)}",
        lambda facts: f"Decide: lockstep deletes list {facts.app}",
        Kind.HELD,
    ),
    _Row(
        Standing.NO_WORKER,
        lambda facts: not facts.has_worker,
        lambda facts: f"No worker is running, so nothing is sent.{_waits(facts)}",
        lambda facts: f"Start one: lockstep serve. Or process it now: lockstep run {facts.app} --wait",
        Kind.UNREACHABLE,
    ),
    _Row(
        Standing.NO_ANSWER,
        lambda facts: bool(facts.trouble),
        lambda facts: (
            f"{_plain(facts.trouble)}."
            + (f" This has lasted for {facts.trouble_for}." if facts.trouble_for else "")
            + _waits(facts)
            + _again(facts)
        ),
        lambda facts: facts.remedy or f"Test the connection: lockstep creds test {facts.app}",
        Kind.UNREACHABLE,
    ),
    _Row(
        Standing.SLOWED,
        lambda facts: bool(facts.quarantine),
        lambda facts: (
            f"In quarantine: {_plain(facts.quarantine)}. Only people who lose access are processed."
            f"{_waits(facts)}{_again(facts)}"
        ),
        _correct,
        Kind.HELD,
    ),
    _Row(
        Standing.MAYBE_CREATED,
        lambda facts: facts.maybe_created > 0,
        lambda facts: (
            f"Whether {counted(facts.maybe_created, 'account')} {'was' if facts.maybe_created == 1 else 'were'} created "
            "is not known yet."
        ),
        lambda facts: f"See: lockstep logs --app {facts.app} --status failure",
        Kind.PARTIAL,
    ),
    _Row(
        Standing.RUNNING,
        lambda facts: bool(facts.cycle) and (facts.total > 0 or facts.preview is not None),
        _cycle,
    ),
    _Row(
        Standing.FAILING,
        lambda facts: facts.failing > 0,
        _failing,
        lambda facts: f"See why: lockstep logs --app {facts.app} --status failure",
        Kind.PARTIAL,
    ),
    _Row(
        Standing.REJECTED,
        lambda facts: facts.rejected > 0,
        lambda facts: (
            f"In step, except for {counted(facts.rejected, 'write')} that {'was' if facts.rejected == 1 else 'were'} rejected: "
            f"{'that account stays' if facts.rejected == 1 else 'those accounts stay'} active."
        ),
        lambda facts: f"Review them: lockstep deletes list {facts.app} --rejected",
        Kind.PARTIAL,
    ),
    _Row(
        Standing.FIRST_CYCLE,
        lambda facts: not facts.had_cycle,
        lambda facts: "The first cycle has not ended yet.",
    ),
    _Row(
        Standing.WAITING,
        lambda facts: facts.waiting > 0,
        lambda facts: f"{counted(facts.waiting, 'object')} {'is' if facts.waiting == 1 else 'are'} being processed.",
    ),
    _Row(Standing.IN_STEP, lambda facts: True, lambda facts: "In step."),
)  # fmt: skip
