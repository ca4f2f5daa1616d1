"""Ask before people lose accounts, gain privileges or are renamed. Every command asks with the same sentence and question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import ChangeWork, Consequences, foresee
from lockstep.actions.context import Context
from lockstep.actions.rows.plans import EffectJson, effects_json
from lockstep.cli.output import confirm, hint
from lockstep.cli.session import run

Result = TypeVar("Result")


def run_consented(work: ChangeWork[Result], *, yes: bool, named: int = 0) -> tuple[Result, list[EffectJson]]:
    """Show the effects of *work* on people, ask for confirmation if it is needed, and then run *work*. *named* is the number of people whom
    the command names explicitly. An effect on at most that many people needs no confirmation.

    Returns the result, and the consequences for the JSON form. Raises LockstepError if there is no terminal to ask on and *yes* is not
    given.
    """

    def ask(found: Sequence[Consequences]) -> None:
        if any(one.needs_consent(named) for one in found):
            _show_and_ask(found, "Continue?", yes=yes)
        else:
            _show(found)

    return _run(work, ask)


def run_asked(question: str, work: ChangeWork[Result], *, yes: bool) -> tuple[Result, list[EffectJson]]:
    """Show the effects of *work* on people, ask *question*, and do *work*. The result and the errors are those of `run_consented`."""
    return _run(work, lambda found: _show_and_ask(found, question, yes=yes))


def _run(work: ChangeWork[Result], ask: Callable[[Sequence[Consequences]], None]) -> tuple[Result, list[EffectJson]]:
    async def asked(context: Context) -> tuple[Result, list[Consequences]]:
        found = await foresee(context, work)
        ask(found)
        return await work(context), found

    answer, found = run(asked)
    return answer, effects_json(found)


def _show_and_ask(found: Sequence[Consequences], question: str, *, yes: bool) -> None:
    if yes:
        _show(found)
    else:
        confirm(" ".join([*consequence_lines(found), question]), yes=False)


def _show(found: Sequence[Consequences]) -> None:
    for line in consequence_lines(found):
        hint(line)


def run_rehearsed(work: ChangeWork[object]) -> list[Consequences]:
    """Return the effects of *work* on people. Writes nothing."""
    return run(lambda context: foresee(context, work))
