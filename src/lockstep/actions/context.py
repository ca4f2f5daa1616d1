"""The caller of an action, and the resources that an action uses.

The permission of an action is checked before the action begins (`lockstep.actions.access`). The action writes its audit entry in the same
transaction as its change. The action wakes the drain, which processes the changed objects, only after the commit.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lockstep.actions.forecasts import Forecasts
from lockstep.actions.permissions import EVERYTHING, NEEDS_STEP_UP, NotPermitted, StepUpRequired
from lockstep.actions.undone import note_commit
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
from lockstep.storage import audit_log
from lockstep.storage.locks import lock_directory
from lockstep.sync.compiled import CompiledConfigurations
from lockstep.vault import Vault

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

OpenSource = Callable[[str, Mapping[str, Any], Mapping[str, str]], Sequence[SourcePass]]
InspectFile = Callable[[Path, Mapping[str, Any], Mapping[str, str]], FileShape]


class Templates(Protocol):
    """The gallery, with the one method that actions use."""

    def names(self) -> Sequence[str]: ...

    def template(self, name: str) -> Template:
        """Return the template *name*. Raises LockstepError, with suggestions, if it is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of an action. *permissions* apply to everything in Lockstep.

    An application owner also has *own_permissions*, which apply only to the applications whose ids are in *own_applications*.
    *administrator* is the id of a signed-in administrator, and "" for the command line and the system. *is_stepped_up* is true if the
    administrator has recently entered the password. *is_operator* is true for a person who runs commands on the server's machine, and who
    may therefore name any file on that machine.
    """

    name: str
    permissions: frozenset[str] = EVERYTHING
    own_permissions: frozenset[str] = frozenset()
    own_applications: frozenset[str] = frozenset()
    administrator: str = ""
    is_stepped_up: bool = True
    is_operator: bool = False

    def may(self, permission: str, app: str = "") -> bool:
        """Whether the caller has the permission for everything, or for the application with the id *app*."""
        return permission in self.permissions or (permission in self.own_permissions and app in self.own_applications)

    def everywhere(self, permission: str) -> bool:
        """Whether the caller has the permission for every application."""
        return permission in self.permissions

    def require(self, permission: str, app: str = "") -> None:
        """Raise LockstepError unless the caller has the permission. Raise StepUpRequired if the caller has it but must enter the password
        again first.
        """
        if not self.may(permission, app):
            raise NotPermitted(self.name, permission, app)
        if permission in NEEDS_STEP_UP and not self.is_stepped_up:
            raise StepUpRequired(self.name)


NOT_SIGNED_IN = Actor("Someone who is not signed in", frozenset())


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deletion:
    """The people and groups of *source*, or the group with the id *group*, that an action would move to the recycle bin."""

    source: str = ""
    group: str | None = None


@dataclass(slots=True)
class Rehearsal:
    """A change that is made only to see its effects and is then rolled back. *whole_jobs* are the jobs whose configuration the change
    touches. *deletions* lists the deletions, which are only noted and not carried out. If *deletions* is None, deletions are carried out
    like other changes.
    """

    whole_jobs: set[str] = field(default_factory=set)
    deletions: list[Deletion] | None = None


class Elsewhere(Protocol):
    """Another installation of Lockstep. An action that is called with the context of that installation runs there. That installation
    decides who the caller is.
    """

    async def call(self, context: Context, action: str, given: Mapping[str, Any]) -> Any:
        """Run *action* in the other installation with the arguments *given*, and return the result. Raises the errors of the action."""
        ...

    def stream(self, context: Context, action: str, given: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """Yield the items of *action*, which is a generator, as they arrive."""
        ...

    async def upload(self, source: str, path: Path) -> str:
        """Send the file at *path* to the other installation, for the source *source* there. Returns the id of the upload."""
        ...

    async def changed(self) -> None:
        """Wait until something in the other installation may have changed."""
        ...

    async def foresee(self, context: Context, work: Callable[[Context], Awaitable[Any]]) -> list[Any]:
        """Return the consequences of *work* without making its changes."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The resources that an action uses. If *elsewhere* is set, this process has no database, and actions run in the other installation."""

    pool: Pool
    actor: Actor
    vault: Vault
    gallery: Templates
    open_source: OpenSource
    opener: TargetOpener | None = None
    inspect_file: InspectFile = lambda *_: FileShape()
    configurations: CompiledConfigurations = field(default_factory=CompiledConfigurations)
    http: Callable[[], HttpClient] | None = None  # for requests that do not go to applications; same outbound rules
    providers: DiscoveredProviders = field(default_factory=DiscoveredProviders)
    forecasts: Forecasts = field(default_factory=Forecasts)
    after_commit: AfterCommit = nothing_to_defer
    now: Callable[[], datetime] = _now
    say: Callable[[str], None] = field(default=lambda _: None)
    on_progress: Callable[[Progress], None] = field(default=lambda _: None)
    purge_after: timedelta = PURGE_AFTER
    sources_folder: Path = Path("lockstep-data", "sources")
    comment: str = ""  # of the caller, on the versions of configurations that the action creates
    within: Connection | None = None  # a transaction that several actions share
    rehearsal: Rehearsal | None = None
    elsewhere: Elsewhere | None = None

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """Return a connection for reading. Everything that is read through this connection is read in one transaction."""
        return self._transaction()

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Edit]:
        """Return a transaction that changes the directory. The affected jobs are woken after its commit."""
        self._require_database()
        async with editing(self.within or self.pool, actor=self.actor.name) as edit:
            yield edit
        if self.within is None:
            note_commit()
        if edit.touched:
            await self.after_commit(edit.touched)

    def recording(self) -> AbstractAsyncContextManager[Connection]:
        """Return a transaction for writes outside the directory. Because it does not change the directory, it does not wait for running
        imports.
        """
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        self._require_database()
        if self.within is not None:
            yield self.within
            return
        async with transaction(self.pool) as connection:
            yield connection
        note_commit()

    def only_notes(self, deletion: Deletion) -> bool:
        """If this is a rehearsal that only notes deletions, note *deletion* and return True. Otherwise return False: the caller must then
        make the deletion.
        """
        if self.rehearsal is None or self.rehearsal.deletions is None:
            return False
        self.rehearsal.deletions.append(deletion)
        return True

    def refuse_rehearsal(self) -> None:
        """Raise LockstepError if called within a rehearsal. Used by actions whose effects outside the database cannot be rolled back."""
        if self.rehearsal is not None:
            raise conflict(
                "This action has no dry run",
                why="It sends requests to the application, or changes something that a dry run cannot roll back",
                next_step="Run it without --dry-run. To see what a push would send: lockstep push APP USER --dry-run",
            )

    @asynccontextmanager
    async def together(self) -> AsyncIterator[Context]:
        """Return a context whose actions share one transaction: all of them take effect, or none. The affected jobs are woken after its
        commit.
        """
        self._require_database()
        if self.within is not None:
            yield self
            return
        woken: set[str] = set()

        async def later(touched: Iterable[str]) -> None:
            woken.update(touched)

        async with transaction(self.pool) as connection:
            await lock_directory(connection)
            yield replace(self, within=connection, after_commit=later)
        note_commit()
        if woken:
            await self.after_commit(frozenset(woken))

    def _require_database(self) -> None:
        if self.elsewhere is not None:
            raise conflict(
                "This works only on the server's machine",
                next_step="Run the command there, or name a data folder with --data FOLDER",
            )


async def audit(
    edit: Edit,
    activity: str,
    target: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write the audit entry of a change. Every action that changed something calls this as its last step. The entry must not contain a
    secret.
    """
    await audit_log.append(
        edit.connection, actor=edit.actor, activity=activity, target=target, before=before, after=after
    )


ContextOf = Callable[[Actor], Context]
