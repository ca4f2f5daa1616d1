"""The context that the functions of the portal's pages receive."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.sessions import PersonCaller
from lockstep.errors import Kind, LockstepError
from lockstep.kit.pages import ModulePages, PageView


@dataclass(frozen=True, slots=True)
class PortalContext:
    """The signed-in person, if any, and the context in which actions run for a caller who is not an administrator."""

    actions: Context
    caller: PersonCaller | None = None

    def person(self) -> PersonCaller:
        """Return the signed-in person. Available only on pages that are not public."""
        if self.caller is None:
            raise LockstepError(Kind.UNAUTHORIZED, "Your session has ended", next_step="Sign in again")
        return self.caller


@dataclass(frozen=True, slots=True)
class LeavingView(PageView):
    """A page that is shown while a sign-out continues at other applications.

    The browser stores *way*: the encrypted list of the applications that remain, or "" if none remain.
    """

    _: KW_ONLY
    way: str = ""


class PortalPages(ModulePages[PortalContext]):
    """The pages of one module."""
