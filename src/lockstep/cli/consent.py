"""Ask before people lose accounts, gain privileges or are renamed, with the same sentence and question in every command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from lockstep.actions.consequences import Consequences, Work, consented, foresee
from lockstep.actions.context import Context
from lockstep.actions.rows.plans import EffectJson, effects_json
from lockstep.cli.output import confirm, hint
from lockstep.cli.session import run
from lockstep.engine.decisions.effects import Effect
from lockstep.engine.records import ObjectKind
from lockstep.wording import counted

Answer = TypeVar("Answer")
_SHOWN = 10
_ORDER = tuple(Effect)


def run_consented(work: Work[Answer], *, yes: bool, named: int = 0) -> tuple[Answer, list[EffectJson]]:
    """Do *work*, after consent if its consequences for more people than the *named* ones need it.

    Returns the result, and the consequences for the JSON form. Raises UsageError if nobody can be asked and *yes* is not given.
    """

    def agree(found: Sequence[Consequences]) -> None:
        confirm(f"{' '.join(consequence_lines(found))} Continue?", yes=yes)

    answer, found = run(lambda context: consented(context, work, agree, named=named))
    for line in consequence_lines(found):
        hint(line)
    return answer, effects_json(found)


def run_asked(question: str, work: Work[Answer], *, yes: bool) -> tuple[Answer, list[EffectJson]]:
    """Show what *work* does to people, ask *question*, and do it."""

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
    """The effects of *work* on people; writes nothing."""
    return run(lambda context: foresee(context, work))


def consequence_lines(found: Sequence[Consequences]) -> list[str]:
    """One sentence per effect: `documo: 239 people would lose their accounts (anna@..., bo@... and 237 more).`"""
    lines = []
    for one in found:
        for effect in _ORDER:
            names = one.names.get(effect, ())
            if names:
                who = counted(len(names), "person" if one.kind is ObjectKind.USER else "group")
                lines.append(f"{one.app}: {who} {_phrase(one, effect)} ({some(names)}).")
        lines += [f"{one.app}: {finding.message}." for finding in one.findings]
    return lines


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _phrase(one: Consequences, effect: Effect) -> str:
    words = one.words.get(effect, "")
    is_one = one.count(effect) == 1
    match effect:
        case Effect.LOSES_ACCESS:
            return "would lose the account" if is_one else "would lose their accounts"
        case Effect.RELEASED:
            return "would keep an account that is no longer managed"
        case Effect.GAINS_PRIVILEGE:
            return f"would get {words or 'a privileged role'}"
        case Effect.RENAMED:
            return f"would get a different {words or 'matching value'}"
        case Effect.LOSES_VALUE:
            return "would lose a value"
        case Effect.FAILS:
            return f"could not be provisioned: {words.rstrip('.')}" if words else "could not be provisioned"
        case Effect.GETS_ACCOUNT:
            return "would get an account"
