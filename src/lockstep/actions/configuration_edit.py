"""Edit a configuration as text. Lockstep plans the changes first, and applies only a plan that the administrator has seen."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lockstep.actions.access import needs
from lockstep.actions.configuration import ConfigurationPlan, plan_configuration
from lockstep.actions.configuration_apply import MOST_REMOVALS, apply_configuration
from lockstep.actions.configuration_export import export_application, export_everything
from lockstep.actions.configuration_state import provisioning_spec
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.change import Sign
from lockstep.configuration.files.file import ConfigDocument, DocumentKind, read_documents
from lockstep.configuration.files.write import write_documents
from lockstep.engine.decisions.effects import Effect
from lockstep.errors import LockstepError, conflict, invalid, not_found
from lockstep.storage import config_versions

FILE = "configuration.yaml"
_PLACE = re.compile(rf"{re.escape(FILE)}:(\d+):(\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EditedText:
    """A configuration as text. *base* identifies the configuration that was in force when the text was read. *app* is "" for the whole
    organisation.
    """

    text: str
    base: str
    app: str = ""
    prune: bool = False


@dataclass(frozen=True, slots=True)
class TextPlan:
    """The changes that applying an edited text would make. *lines* are sentences about the effects on people. *mark* is a digest of this
    plan: `apply_text` applies only the plan with this mark.

    *confirm* is the number that the administrator must type before the plan is applied: the number of people who lose an account, or the
    number of items that are removed. 0 means that nothing has to be typed.
    """

    plan: ConfigurationPlan
    lines: Sequence[str]
    confirm: int
    mark: str


@dataclass(frozen=True, slots=True)
class TextError:
    """A mistake in an edited text, with the lines around it. *line* is 0 if the mistake does not concern a single line."""

    line: int
    column: int
    detail: str
    next_step: str
    around: Sequence[tuple[int, str]] = ()


@needs(Permission.APPLICATIONS_READ, app="app")
async def read_text(context: Context, app: str = "") -> EditedText:
    """Return the configuration in force of the application *app*. If *app* is "", return the configuration of the whole organisation."""
    text = await export_application(context, app) if app else await export_everything(context)
    return EditedText(text, _digest(text), app)


@needs(Permission.APPLICATIONS_READ, app="app")
async def text_of_version(context: Context, app: str, version: int) -> EditedText:
    """Return an earlier version of the provisioning configuration as text, ready to be planned. Applying the text does not switch
    provisioning on or off.
    """
    now = await read_text(context, app)
    async with context.reading() as connection:
        found = await find_application(connection, app)
        job = await job_row(connection, app)
        config = await config_versions.read_version(connection, job.id, version) if 0 < version < 2**31 else None
        if config is None:
            raise not_found(f"{app} has no version {version}", next_step=f"See: lockstep config history {app}")
        spec = {"template": found.template, "provisioning": provisioning_spec(config, status=job.status)}
    text = write_documents([ConfigDocument(DocumentKind.APPLICATION, found.name, spec)])
    return replace(now, text=text, prune=True)


@needs(Permission.CONFIGURATION_WRITE, filters=True)
async def plan_text(context: Context, edited: EditedText) -> TextPlan:
    """Return the changes that applying the text would make. Writes nothing. Raises LockstepError if the text has an error; `error_in`
    locates it. Raises a conflict if the configuration has changed since the text was read, because applying the text would revert that
    change.
    """
    documents = await asyncio.to_thread(_documents, edited)
    if (await read_text(context, edited.app)).base != edited.base:
        raise conflict(
            "Someone changed the configuration after you opened it",
            next_step="Reload it and make your change again; to keep your text, open the configuration in another window",
            code="StaleText",
        )
    plan = await plan_configuration(context, documents, prune=edited.prune)
    removals = sum(change.sign is Sign.REMOVE for change in plan.effective)

    async def work(inner: Context) -> ConfigurationPlan:
        return await apply_configuration(inner, documents, prune=edited.prune, most_removals=removals)

    found = await foresee(context, work) if plan.effective else []
    lost = sum(one.count(effect) for one in found for effect in (Effect.LOSES_ACCESS, Effect.RELEASED))
    confirm = lost if lost and any(one.needs_consent(0) for one in found) else 0
    if removals > MOST_REMOVALS:
        confirm = max(confirm, removals)
    return TextPlan(plan, tuple(consequence_lines(found)), confirm, _mark(edited, plan))


@needs(Permission.CONFIGURATION_WRITE, filters=True)
async def apply_text(
    context: Context, edited: EditedText, *, mark: str, restores: int | None = None, comment: str = ""
) -> ConfigurationPlan:
    """Apply the text: all changes, or none. *mark* identifies the plan that the administrator has seen and confirmed. If the text is an
    earlier version of the configuration, *restores* is the number of that version. *comment* is stored with each version that is created.

    Raises LockstepError (conflict) if applying the text would make other changes than the plan showed.
    """
    documents = await asyncio.to_thread(_documents, edited)
    async with context.together() as one:
        plan = await plan_configuration(one, documents, prune=edited.prune)
        if _mark(edited, plan) != mark:
            raise conflict(
                "Applying would now make other changes than the plan showed; nothing was changed",
                why="The text or the configuration has changed since",
                next_step="Plan again",
                code="StalePlan",
            )
        removals = sum(change.sign is Sign.REMOVE for change in plan.effective)
        return await apply_configuration(
            one,
            documents,
            prune=edited.prune,
            expected=plan.changes,
            most_removals=removals,
            restores=restores,
            comment=comment,
        )


def error_in(error: LockstepError, text: str) -> TextError:
    """Return *error* with the line of *text* that it concerns, and with the two lines before that line and the two lines after it."""
    found = _PLACE.fullmatch(error.detail)
    if found is None:
        return TextError(0, 0, error.detail, error.next_step or error.why)
    line, lines = int(found[1]), text.splitlines()
    around = [(number, lines[number - 1][:200]) for number in range(max(line - 2, 1), min(line + 2, len(lines)) + 1)]
    return TextError(line, int(found[2]), found[3], error.next_step or error.why, around)


def _documents(edited: EditedText) -> Sequence[ConfigDocument]:
    documents = read_documents(edited.text, FILE)
    if not documents:
        raise invalid("The text contains no configuration document", next_step="Reload the page, or paste a document")
    for one in documents:
        if edited.app and (one.kind, one.name) != (DocumentKind.APPLICATION, edited.app):
            raise one.wrong("metadata.name", invalid(f"This page configures only the application {edited.app}"))
    return documents


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _mark(edited: EditedText, plan: ConfigurationPlan) -> str:
    changes = "\n".join(repr(one) for one in plan.changes)
    return _digest(f"{edited.text}\n{edited.prune}\n{changes}")
