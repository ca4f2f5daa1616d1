"""Make five changes to people as an administrator would: rename, assign, unassign, disable and restore. After each change, wait until
Documo shows it.

Each change is timed from its commit to the first read that shows it. The expectations are updated with each change, so that all people can
be compared again afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from lockstep.actions import assignments, people
from lockstep.actions.context import Context
from lockstep.cli.up import stage
from lockstep.cli.up.expectations import Contoso, Expectation
from lockstep.cli.up.verification import ScimAccountReader, expected_values, observed
from lockstep.errors import Kind, LockstepError
from lockstep.sources import demo

NEW_SURNAME = "O'Neill-Ångström"
GIVE_UP_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.02


class Changes:
    """The five changes, each to a different person."""

    def __init__(
        self, context: Context, reader: ScimAccountReader, contoso: Contoso, expected: dict[str, Expectation]
    ) -> None:
        self._context = context
        self._reader = reader
        self._contoso = contoso
        self._expected = expected
        self._used = {demo.KIM}
        self._rows: list[dict[str, Any]] = []

    async def make_all(self) -> list[dict[str, Any]]:
        """Make the changes one after the other, and return one row for each change. Raises LockstepError if Contoso has too few people."""
        renamed, disabled, restored = (self._somebody(assigned=True) for _ in range(3))
        newcomer = self._somebody(assigned=False)
        await self._rename(renamed)
        await self._assign(newcomer)
        await self._unassign(demo.KIM)
        await self._disable(disabled)
        await self._restore(restored)
        return self._rows

    async def _rename(self, name: str) -> None:
        expectation = replace(self._expected[name], family_name=NEW_SURNAME)
        await self._change(
            "rename", name, expectation, lambda: people.set_person(self._context, name, {"surname": NEW_SURNAME})
        )

    async def _assign(self, name: str) -> None:
        row = self._contoso.people[name]
        expectation = Expectation(row["userPrincipalName"], row["givenName"], row["surname"], stage.ROLE_ORDER[-1])
        work = lambda: assignments.assign(self._context, stage.APP, users=[name], role=expectation.role)  # noqa: E731
        await self._change("assign", name, expectation, work)

    async def _unassign(self, name: str) -> None:
        expectation = replace(self._expected[name], active=False)
        await self._change(
            "unassign", name, expectation, lambda: assignments.unassign(self._context, stage.APP, users=[name])
        )

    async def _disable(self, name: str) -> None:
        expectation = replace(self._expected[name], active=False)
        await self._change(
            "disable", name, expectation, lambda: people.set_enabled(self._context, [name], is_enabled=False)
        )

    async def _restore(self, name: str) -> None:
        active = self._expected[name]
        await people.delete(self._context, [name])
        gone = replace(active, active=False)
        if await self._wait_for(name, gone) != expected_values(gone):
            raise LockstepError(Kind.INTERNAL, f"{name} was deleted in Lockstep, but did not become inactive in Documo")
        await self._change("restore", name, active, lambda: people.restore(self._context, [name]))

    async def _change(
        self, kind: str, name: str, expectation: Expectation, work: Callable[[], Awaitable[object]]
    ) -> None:
        await work()
        began = time.monotonic()
        self._expected[name] = expectation
        found = await self._wait_for(name, expectation)
        self._rows.append(
            {
                "kind": kind,
                "person": name,
                "expected": expected_values(expectation),
                "observed": found,
                "seconds": round(time.monotonic() - began, 3),
            }
        )

    async def _wait_for(self, name: str, expectation: Expectation) -> Mapping[str, Any]:
        """Return the person's account in Documo once it matches *expectation*. If it never does, return the last state."""
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        while True:
            account = await self._reader.one(expectation.user_name)
            found = observed(account) if account is not None else {}
            if found == expected_values(expectation) or time.monotonic() > give_up_at:
                return found
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def _somebody(self, *, assigned: bool) -> str:
        """Return an enabled person that no other change uses. *assigned* says whether the person must have an assignment, or must have
        none.
        """
        for name, row in self._contoso.people.items():
            if name in self._used or row["accountEnabled"] != "True" or (name in self._expected) is not assigned:
                continue
            self._used.add(name)
            return name
        raise LockstepError(
            Kind.INVALID,
            "The demo organisation is too small to change five people",
            next_step="Use more people: --people 100",
        )
