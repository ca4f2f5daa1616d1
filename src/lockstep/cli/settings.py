"""`lockstep settings`: mode, notification, scope, status and interval of an application's provisioning."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from lockstep.actions import settings as actions
from lockstep.actions.settings import SettingsView
from lockstep.cli.output import Output, output_option, safe
from lockstep.cli.session import run
from lockstep.cli.times import LENGTH, length_text


@click.command("settings")
@click.argument("app")
@click.option("--mode", metavar="automatic", help="How it is provisioned.")
@click.option("--notification-email", metavar="ADDRESS", help='Who is told of failures; "" for nobody.')
@click.option("--email-on-failure/--no-email-on-failure", default=None, help="Whether mail is sent on failures.")
@click.option("--scope", metavar="assigned|all", help="Only who is assigned, or everybody.")
@click.option("--status", metavar="on|off", help="Switch provisioning on or off.")
@click.option("--interval", type=LENGTH, metavar="LENGTH", help="Between two cycles at most: 40m.")
@click.option("--nested-groups/--no-nested-groups", default=None, help="Count people of nested groups.")
@click.option(
    "--deletion-threshold",
    type=click.IntRange(0),
    metavar="NUMBER",
    help="Hold more at once; 0: no limit.",
)
@click.option(
    "--members-per-patch",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    help="Maximum group members per PATCH request.",
)
@output_option
def settings(app: str, output: Output, **given: Any) -> None:
    """Show the settings of an application's provisioning, or change what is given.

    \b
    lockstep settings documo
    lockstep settings documo --mode automatic --scope assigned --status on
    """
    changes = {key: value for key, value in given.items() if value is not None}
    view = run(
        lambda context: (
            actions.change_settings(context, app, **changes) if changes else actions.show_settings(context, app)
        )
    )
    output.one(_row(view), text=_lines(view))


def _row(view: SettingsView) -> dict[str, Any]:
    return {
        "application": view.app,
        "mode": view.mode,
        "status": view.status,
        "scope": view.scope,
        "notificationEmail": view.notification_email,
        "emailOnFailure": view.email_on_failure,
        "interval": length_text(view.interval) or None,
        "nestedGroups": view.nested_groups,
        "deletionThreshold": view.deletion_threshold,
        "membersPerPatch": view.members_per_patch,
        "version": view.version,
    }


def _lines(view: SettingsView) -> list[str]:
    interval: timedelta | None = view.interval
    pairs = [
        ("mode", view.mode), ("status", view.status),
        ("scope", "everybody" if view.scope == "all" else "assigned people and groups"),
        ("notify", view.notification_email or "nobody"), ("on failure", "e-mail" if view.email_on_failure else "no e-mail"),
        ("nested", "people of groups in a group are its members" if view.nested_groups else "groups in groups are ignored"),
        ("deletions", f"held above {view.deletion_threshold}" if view.deletion_threshold else "never held"),
        ("members", f"up to {view.members_per_patch} of a group in one request"),
        ("interval", length_text(interval) or "as the server says; changes are sent at once"), ("version", view.version),
    ]  # fmt: skip
    return [view.app] + [f"  {label:<11} {safe(text)}" for label, text in pairs]
