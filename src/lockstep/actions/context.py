"""The caller of an action, and what actions work with.

An action's permission is checked before it begins (`lockstep.actions.access`). It writes its audit entry in the transaction of its
change, and wakes the drain only after the commit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lockstep.actions.permissions import EVERYTHING, NEEDS_STEP_UP, NotPermitted, StepUpRequired
from lockstep.configuration.template import Template
from lockstep.directory.edit import Edit, editing
from lockstep.directory.file_shape import FileShape
from lockstep.directory.intake import AfterCommit, nothing_to_defer
from lockstep.directory.intake import Progress as Progress
from lockstep.directory.lifecycle import PURGE_AFTER
from lockstep.directory.rows import SourcePass
from lockstep.errors import conflict
from lockstep.oidc.discovered import DiscoveredProviders
from lockstep.ports import TargetOpener
from lockstep.postgres.pool import Connection, Pool, transaction
from lockstep.storage import audit_log, instance
from lockstep.sync.compiled import CompiledConfigurations
from lockstep.vault import Vault

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

OpenSource = Callable[[str, Mapping[str, Any], Mapping[str, str]], Sequence[SourcePass]]
InspectFile = Callable[[Path, Mapping[str, Any], Mapping[str, str]], FileShape]


class Templates(Protocol):
    """The gallery as actions use it."""

    def names(self) -> Sequence[str]: ...

    def template(self, name: str) -> Template:
        """Return the template *name*. Raises LockstepError, with suggestions, if it is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller. *permissions* hold everywhere in Lockstep; an application owner also has *own_permissions* in *own_applications* (ids).
    *administrator* is the id of a signed-in administrator, "" for the command line and the system. *is_stepped_up*: they have recently
    entered the password.
    """

    name: str
    permissions: frozenset[str] = EVERYTHING
    own_permissions: frozenset[str] = frozenset()
    own_applications: frozenset[str] = frozenset()
    administrator: str = ""
    is_stepped_up: bool = True

    def may(self, permission: str, app: str = "") -> bool:
        """Whether the caller has the permission everywhere, or in the application with the id *app*."""
        return permission in self.permissions or (permission in self.own_permissions and app in self.own_applications)

    def everywhere(self, permission: str) -> bool:
        """Whether the caller has the permission in every application."""
        return permission in self.permissions

    def require(self, permission: str, app: str = "") -> None:
        """Raise LockstepError unless the caller has the permission, and StepUpRequired if they only have to enter the password again."""
        if not self.may(permission, app):
            raise NotPermitted(self.name, permission, app)
        if permission in NEEDS_STEP_UP and not self.is_stepped_up:
            raise StepUpRequired(self.name)


NOT_SIGNED_IN = Actor("Somebody who is not signed in", frozenset())


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Rehearsal:
    """A change that is made only to see its effects, and rolled back. *whole_jobs*: the jobs whose configuration it changes."""

    whole_jobs: set[str] = field(default_factory=set)


class Elsewhere(Protocol):
    """Another installation. An action that is called with its context runs there, as the caller that it knows."""

    async def call(self, context: Context, action: str, given: Mapping[str, Any]) -> Any:
        """Run *action* in the other installation with the arguments *given*, and return its result. Raises what the action raises."""
        ...

    def stream(self, context: Context, action: str, given: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """Yield the items of *action*, which is a generator, as they arrive."""
        ...

    async def upload(self, source: str, path: Path) -> str:
        """Send the file at *path* for *source* to the other installation; return the id of the upload there."""
        ...

    async def changed(self) -> None:
        """Wait until something may have changed in the other installation."""
        ...

    async def foresee(self, context: Context, work: Callable[[Context], Awaitable[Any]]) -> list[Any]:
        """Return the consequences of *work* without doing it."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What an action works with. If *elsewhere* is set, there is no database here, and actions run in that installation."""

    pool: Pool
    actor: Actor
    vault: Vault
    gallery: Templates
    open_source: OpenSource
    opener: TargetOpener | None = None
    inspect_file: InspectFile = lambda *_: FileShape()
    configurations: CompiledConfigurations = field(default_factory=CompiledConfigurations)
    http: Callable[[], HttpClient] | None = None  # for what is no application, by the same outbound rules
    providers: DiscoveredProviders = field(default_factory=DiscoveredProviders)
    after_commit: AfterCommit = nothing_to_defer
    now: Callable[[], datetime] = _now
    say: Callable[[str], None] = field(default=lambda _: None)
    on_progress: Callable[[Progress], None] = field(default=lambda _: None)
    purge_after: timedelta = PURGE_AFTER
    within: Connection | None = None  # the transaction that several actions share
    rehearsal: Rehearsal | None = None
    elsewhere: Elsewhere | None = None

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for reading, in one transaction."""
        return self._transaction()

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Edit]:
        """A transaction that changes the directory; affected jobs are woken after its commit."""
        self._require_database()
        async with editing(self.within or self.pool, actor=self.actor.name) as edit:
            yield edit
        if edit.touched:
            await self.after_commit(edit.touched)

    def recording(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction that does not change the directory, so it does not wait for imports."""
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        self._require_database()
        if self.within is not None:
            yield self.within
            return
        async with transaction(self.pool) as connection:
            yield connection

    def refuse_rehearsal(self) -> None:
        """Raise LockstepError within a rehearsal, because the action has effects outside the transaction that cannot be rolled back."""
        if self.rehearsal is not None:
            raise conflict(
                "This action has no dry run",
                why="It sends requests to the application, or changes something outside the transaction that a dry run rolls back",
                next_step="Run it without --dry-run. To see what a push would send: lockstep push APP USER --dry-run",
            )

    @asynccontextmanager
    async def together(self) -> AsyncIterator[Context]:
        """A context whose actions share one transaction: all take effect, or none. Jobs are woken after its commit."""
        self._require_database()
        if self.within is not None:
            yield self
            return
        woken: set[str] = set()

        async def later(touched: Iterable[str]) -> None:
            woken.update(touched)

        async with transaction(self.pool) as connection:
            await instance.lock_directory(connection)
            yield replace(self, within=connection, after_commit=later)
        if woken:
            await self.after_commit(frozenset(woken))

    def _require_database(self) -> None:
        if self.elsewhere is not None:
            raise conflict(
                "This works only on the machine of the server",
                next_step="Run the command there, or choose the data folder with --data FOLDER",
            )


async def audit(
    edit: Edit,
    activity: str,
    target: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write the audit entry, as the last step of every action that changed something. It must not contain a secret."""
    await audit_log.append(
        edit.connection, actor=edit.actor, activity=activity, target=target, before=before, after=after
    )
