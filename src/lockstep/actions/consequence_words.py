"""Describe the effects of a change on people, in the same sentences for commands and pages."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.actions.consequences import Consequences
from lockstep.engine.decisions.effects import Effect
from lockstep.engine.records import ObjectKind
from lockstep.wording import counted

_SHOWN = 10
_ORDER = tuple(Effect)


def consequence_lines(found: Sequence[Consequences]) -> list[str]:
    """Return one sentence for each effect, such as `Documo: 239 people would lose their accounts (anna@..., bo@... and 237 more).`"""
    return [
        f"{sentence} ({some(names)})." if names else f"{sentence}." for sentence, names in sentences_with_names(found)
    ]


def sentences_with_names(found: Sequence[Consequences]) -> list[tuple[str, Sequence[str]]]:
    """Return, for each effect, a sentence without a full stop and the names of the affected objects. For each finding, return a sentence
    and no names.
    """
    told: list[tuple[str, Sequence[str]]] = []
    for one in found:
        for effect in _ORDER:
            names = one.names.get(effect, ())
            if names:
                who = counted(len(names), "person" if one.kind is ObjectKind.USER else "group")
                told.append((f"{_whose(one)}: {who} {_phrase(one, effect)}", names))
        told += [(f"{_whose(one)}: {finding.message}", ()) for finding in one.findings]
    return told


def some(names: Sequence[str]) -> str:
    """Join the first few of *names*, and say how many more there are: "anna@..., bo@... and 237 more"."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _whose(one: Consequences) -> str:
    """Return the display name of the application, and its short name if the two differ, because several applications may have one name."""
    same = one.app == "-".join(one.display_name.casefold().split())
    return one.display_name if same else f"{one.display_name} ({one.app})"


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
        case Effect.KEEPS_ROLE:
            return (
                "would keep the former role in the account"
                if is_one
                else "would keep their former roles in their accounts"
            )
        case Effect.FAILS:
            return f"could not be provisioned: {words.rstrip('.')}" if words else "could not be provisioned"
        case Effect.GETS_ACCOUNT:
            return "would get an account"
