"""`lockstep up`: both products on this machine with demo people, from nothing to the first green cycle."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import orjson
import uvloop

from lockstep import __version__
from lockstep.actions.administrators import first_link
from lockstep.actions.context import Context
from lockstep.actions.provisioning import Cycle
from lockstep.cli.events import log_to_stderr
from lockstep.cli.output import FORMAT_VERSION, hint
from lockstep.cli.session import globals_of, operator
from lockstep.cli.stopping import ends_by_signal, until_stopped
from lockstep.cli.up import stage
from lockstep.cli.up.running import RunningProducts, running
from lockstep.settings import Settings, load_settings
from lockstep.sources import demo
from lockstep.wording import counted

DOCUMO_PORT = 8081


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of `up`."""

    people: int
    seed: int | None
    documo_port: int
    steps: int  # 5, or 2 for --step, or 0 for --no-demo
    is_json: bool = False


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path, file_okay=False), help="The data folder.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of Lockstep; if it is in use, the next free one.")
@click.option(
    "--documo-port", type=click.IntRange(0, 65535), default=DOCUMO_PORT, show_default=True, help="Port of Documo."
)
@click.option(
    "--people", type=click.IntRange(50, 200_000), default=demo.PEOPLE, show_default=True, help="Number of demo people."
)
@click.option("--seed", type=click.IntRange(0), help="Seed, to generate the same organisation again.")
@click.option("--no-demo", is_flag=True, help="Start both products without people.")
@click.option("--step", is_flag=True, help="Stop after step 2, to follow the tutorial by hand.")
@click.option(
    "--check", is_flag=True, help="Run the whole demo in a temporary folder, verify it, and print one line of JSON."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="With --step: json prints one line when ready.",
)
@click.pass_context
def up(
    ctx: click.Context,
    folder: Path | None,
    port: int | None,
    documo_port: int,
    people: int,
    seed: int | None,
    no_demo: bool,
    step: bool,
    check: bool,
    output: str,
) -> int:
    """Start Lockstep and Documo with demo people; Ctrl-C stops.

    \b
    lockstep up
    lockstep up --check --people 200
    """
    if check and (step or no_demo):
        raise click.UsageError("--check runs the whole demo: omit --step and --no-demo")
    if check:
        from lockstep.cli.up.check import run_check

        return run_check(people=people, seed=seed)
    if output == "json" and not step:
        raise click.UsageError("-o json works only with --step")
    settings = load_settings(os.environ, {"data": folder or globals_of(ctx).data, "port": port})
    log_to_stderr(
        level=settings.log_level if settings.origins["log_level"] != "default" else "warning", form=settings.log_format
    )
    wanted = UpOptions(people, seed, documo_port, 0 if no_demo else 2 if step else 5, is_json=output == "json")
    uvloop.run(_up(settings, wanted))
    return 0


async def _up(settings: Settings, wanted: UpOptions) -> None:
    with ends_by_signal():  # only during the start; later, a signal lets work in progress finish
        await _start_and_stay(settings, wanted)


async def _start_and_stay(settings: Settings, wanted: UpOptions) -> None:
    async with running(settings, documo_port=wanted.documo_port, say=hint) as both:
        context = both.house.context(operator(), say=hint)
        people = ""
        if wanted.steps:
            imported = await stage.import_contoso(
                context, settings.sources_folder / "contoso", people=wanted.people, seed=wanted.seed
            )
            people = f"  demo organisation Contoso ({counted(imported.people, 'person')}, {counted(imported.groups, 'group')})"
        link = await first_link(context)
        if wanted.is_json:
            await _step_as_json(context, both, shown(settings.data), link)
            await until_stopped(both.worker)
            return
        _say(f"Lockstep {__version__}{people}   data in {shown(settings.data)}   Ctrl-C stops")
        _say(f"  Lockstep       {both.address}   sign in with your e-mail address and password")
        if link is not None:
            _say(f"  First sign-in  {both.address}{link}   works once")
        _say(f"  Documo (app)   {both.documo.origin}   SCIM tenant URL {both.documo.base_url}")
        if wanted.steps:
            await _steps(context, both, wanted)
        _say("READY")
        await until_stopped(both.worker)
        hint("Stopping: finishing work in progress")


async def _step_as_json(context: Context, both: RunningProducts, data: str, link: str | None) -> None:
    """Print one line of JSON once everything is ready. `signInUrl` is a one-time link if there is no administrator yet, and otherwise the
    address of the sign-in page.
    """
    key = await stage.make_key(both.documo.data)
    password = await stage.make_password(both.documo.data)
    await stage.add_documo(context)
    _say(
        orjson.dumps(
            {
                "formatVersion": FORMAT_VERSION,
                "lockstep": {"url": both.address, "signInUrl": both.address + (link or "/sign-in")},
                "documo": {
                    "url": both.documo.origin,
                    "scimUrl": both.documo.base_url,
                    "apiKey": key.reveal(),
                    "email": stage.ADMIN,
                    "password": password.reveal(),
                },
                "data": data,
            }
        ).decode()
    )


async def _steps(context: Context, both: RunningProducts, wanted: UpOptions) -> None:
    by_hand = wanted.steps < 5
    key = await stage.make_key(both.documo.data) if by_hand else None
    if not by_hand:
        await stage.ensure_account(both.documo.data)
    _say(
        f"  [1/5] Documo started, account {stage.ACCOUNT} with admin {stage.ADMIN}"
        + (", API key created" if key else "")
    )
    was_added = await stage.add_documo(context)
    _say(f"  [2/5] Documo {'added from the gallery' if was_added else 'already exists'}")
    if key is not None:
        _say(f"Continue by hand with this API key (shown only once): {key.reveal()}")
        _say(f"  lockstep creds set documo --tenant-url {both.documo.base_url} --token-stdin")
        return
    was_run = await stage.has_run(context)
    if was_run and await stage.sends_elsewhere(context):
        _say("  [3/5] The tenant URL is the one that an administrator set; not tested")
    else:
        connection = await stage.connect(context, both.documo)
        passed = stage.require_passed(connection.probes)
        made = "API key created, " if connection.made_key else ""
        _say(f"  [3/5] {made}Test connection passed, {passed} of {passed}")
    groups, people = await stage.assign_demo(context)
    _say(f"  [4/5] {_count(groups, 'group')} and {_count(people, 'person', 'people')} assigned")
    began = time.monotonic()
    provision = stage.provision_again if was_run else stage.provision
    cycle = await provision(context, on_progress=_bar())
    if cycle is None:
        _say(f"  [5/5] Provisioning is switched off; switch it on with: lockstep start {stage.APP}")
        return
    _say(f"  [5/5] {summary(cycle)}, {time.monotonic() - began:.1f} s")
    _say(f"Next:  lockstep people disable {demo.KIM}      lockstep status documo      lockstep logs --follow")


def summary(cycle: Cycle) -> str:
    """Describe a cycle and its counts in one line."""
    counts = ", ".join(f"{number:,} {name}" for name, number in cycle.counts.items() if number and name != "unchanged")
    return f"{cycle.kind.capitalize()} cycle {cycle.done:,}/{counted(cycle.total, 'person')}" + (
        f": {counts}" if counts else ""
    )


def _bar() -> Callable[[Cycle], None]:
    """Return a progress bar for a terminal; elsewhere a function that shows nothing."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(cycle: Cycle) -> None:
        full = 24 * cycle.done // cycle.total if cycle.total else 0
        bar = f"{'#' * full}{' ' * (24 - full)}"
        click.echo(f"\r\x1b[K  [5/5] {cycle.phase:<8} [{bar}] {cycle.done:,}/{cycle.total:,}", err=True, nl=False)
        if cycle.ended_at is not None:
            click.echo("\r\x1b[K", err=True, nl=False)

    return show


def shown(folder: Path) -> str:
    """Return a folder in the shortest form that a person could type here."""
    try:
        return f"./{folder.resolve().relative_to(Path.cwd())}"
    except ValueError:
        return str(folder)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
