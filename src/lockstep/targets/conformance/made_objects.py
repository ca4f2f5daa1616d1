"""The accounts and groups that the deep connection test creates, and their deletion."""

from __future__ import annotations

import secrets

from lockstep.engine.records import ObjectKind, Values
from lockstep.ports import Target, TargetError, TargetSettings


class Fault(Exception):
    """Raised if a step did not work as provisioning requires. Its text says what happened, and *remedy* says what to do."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence)
        self.remedy = remedy


class MadeObjects:
    """Remembers every object that may exist because the test tried to create it: its kind, its name, and its id if it is known."""

    def __init__(self, target: Target, settings: TargetSettings) -> None:
        self.target = target
        self.settings = settings
        self._made: list[tuple[ObjectKind, str, str]] = []

    async def create(self, kind: ObjectKind, name: str, values: Values) -> str:
        """Create one object and return its id. Raises Fault if the application does not confirm it."""
        at = len(self._made)
        self._made.append((kind, name, ""))
        answer = await self.target.create(kind, values, operation_id=operation_name())
        if not answer.is_done or answer.account is None:
            last = answer.exchanges[-1] if answer.exchanges else None
            if last is not None and last.status is not None and 400 <= last.status < 500:
                del self._made[at]
            raise Fault(answer.detail, answer.next_step)
        self._made[at] = (kind, name, answer.account.id)
        return answer.account.id

    def rename(self, target_id: str, name: str) -> None:
        """Note the new name of an object."""
        self._made = [(kind, name if one == target_id else old, one) for kind, old, one in self._made]

    async def delete_all(self) -> list[str]:
        """Delete what was created, newest first. Return the names of the resources that still exist or may exist."""
        left = []
        for kind, name, known in reversed(self._made):
            try:
                attribute = "displayName" if kind is ObjectKind.GROUP else self.settings.matching_attribute
                ids = [known] if known else [one.id for one in await self.target.find(kind, attribute, name)]
                for one in ids:
                    answer = await self.target.delete(kind, one, etag="", operation_id=operation_name())
                    if not answer.is_done and await self.target.get(kind, one) is not None:
                        left.append(f"{name} ({one})")
            except TargetError:
                left.append(name)
        return left


def operation_name() -> str:
    """Return a new operation id. People can recognise it in the log of the application."""
    return f"lockstep-check-{secrets.token_hex(6)}"


def new_name() -> str:
    """Return an unused name. People can recognise it if it is left behind."""
    return f"lockstep-check-{secrets.token_hex(6)}@example.com"
