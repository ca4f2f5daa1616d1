"""Ask before people lose accounts, gain privileges or are renamed. Every command asks with the same sentence and question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import Consequences, Work, consented, foresee
from lockstep.actions.context import Context
from lockstep.actions.rows.plans import EffectJson, effects_json
from lockstep.cli.output import confirm, hint
from lockstep.cli.session import run

Answer = TypeVar("Answer")


def run_consented(work: Work[Answer], *, yes: bool, named: int = 0) -> tuple[Answer, list[EffectJson]]:
    """Do *work*. First ask for confirmation if it affects people other than *named*.

    Returns the result, and the consequences for the JSON form. Raises UsageError if there is no terminal to ask on and *yes* is not given.
    """

    def agree(found: Sequence[Consequences]) -> None:
        confirm(f"{' '.join(consequence_lines(found))} Continue?", yes=yes)

    answer, found = run(lambda context: consented(context, work, agree, named=named))
    for line in consequence_lines(found):
        hint(line)
    return answer, effects_json(found)


def run_asked(question: str, work: Work[Answer], *, yes: bool) -> tuple[Answer, list[EffectJson]]:
    """Show the effects of *work* on people, ask *question*, and do *work*."""

    async def asked(context: Context) -> tuple[Answer, list[Consequences]]:
        found = await foresee(context, work)
        confirm(" ".join([*consequence_lines(found), question]), yes=yes)
        return await work(context), found

    answer, found = run(asked)
    if yes:
        for line in consequence_lines(found):
            hint(line)
    return answer, effects_json(found)


def run_rehearsed(work: Work[object]) -> list[Consequences]:
    """Return the effects of *work* on people. Writes nothing."""
    return run(lambda context: foresee(context, work))
