"""Changes that affect people. `?dryRun=true` only shows the effects. A change that needs consent is refused without `?confirm=true`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from typing_extensions import TypedDict

from lockstep.actions.consequences import Consequences, consented, foresee
from lockstep.actions.context import Context
from lockstep.actions.rows.plans import EffectJson, effects_json
from lockstep.api.problems import ApiError
from lockstep.errors import Kind

Result = TypeVar("Result")


class Effects(TypedDict, Generic[Result]):
    """The result of a change and its effects on people. If *dryRun* is true, nothing was changed and *result* is null."""

    dryRun: bool
    effects: list[EffectJson]
    result: Result | None


@dataclass(frozen=True, slots=True)
class Consent:
    confirm: bool
    dry_run: bool


def _given(
    confirm: Annotated[
        bool, Query(description="Proceed even if people lose accounts, gain privileges or are renamed")
    ] = False,
    dryRun: Annotated[bool, Query(description="Only return the effects; change nothing")] = False,
) -> Consent:
    return Consent(confirm, dryRun)


Consenting = Annotated[Consent, Depends(_given)]


async def changed(
    context: Context, consent: Consent, work: Callable[[Context], Awaitable[Result]], *, named: int = 0
) -> Effects[Result]:
    """Do *work*. Raises ApiError, with the effects on people, if the change needs consent and the request does not give it.

    With `?dryRun=true`, return only the effects. *named* is the number of people that the request itself names (see `needs_consent`).
    """
    if consent.dry_run:
        return {"dryRun": True, "effects": effects_json(await foresee(context, work)), "result": None}

    def agree(found: Sequence[Consequences]) -> None:
        if not consent.confirm:
            raise ApiError(
                Kind.CONFLICT,
                "People would lose accounts, gain privileges or be renamed; nothing was changed",
                next_step="To proceed, repeat the request with ?confirm=true",
                slug="consent-needed",
                effects=effects_json(found),
            )

    answer, found = await consented(context, work, agree, named=named)
    return {"dryRun": False, "effects": effects_json(found), "result": answer}
