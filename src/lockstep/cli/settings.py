"""`lockstep settings`: mode, scope, status and interval of an application's provisioning."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from lockstep.actions import settings as actions
from lockstep.actions.rows.configuration import settings_json
from lockstep.actions.rows.plans import EffectJson
from lockstep.actions.settings_view import SettingsView
from lockstep.cli.application_argument import app_argument
from lockstep.cli.consent import run_consented
from lockstep.cli.output import Output, hint, output_option, safe
from lockstep.cli.session import run
from lockstep.cli.times import LENGTH, length_text
from lockstep.configuration.unsent_mail import mail_note
from lockstep.engine.decisions.digest_time import DIGEST_TIME
from lockstep.engine.rules.configuration import NotificationDelivery


class Threshold(click.ParamType[dict[str, int]]):
    """A number of accounts, a percentage of the linked accounts, or both."""

    name = "threshold"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        found: dict[str, int] = {}
        for part in str(value).split(","):
            number = part.strip().removesuffix("%").strip()
            is_percent = part.strip().endswith("%")
            if not number.isascii() or not number.isdigit() or (is_percent and int(number) > 100):
                self.fail(f'"{part}" is not a number or a percentage; write 500, 20% or 500,20%', param, ctx)
            found["deletion_percent" if is_percent else "deletion_threshold"] = int(number)
        return found


@click.command("settings")
@app_argument
@click.option("--mode", metavar="automatic", help="Provisioning mode.")
@click.option("--notification-email", metavar="ADDRESS", help="Address for mail about this application.")
@click.option(
    "--email-on-failure/--no-email-on-failure", default=None, help="Send mail about failures to that address."
)
@click.option("--notification-delivery", metavar="WHEN", help="immediate, or digest: one mail a day.")
@click.option("--scope", metavar="assigned|all", help="Provision assigned people only, or everyone.")
@click.option("--status", metavar="on|off", help="Switch provisioning on or off.")
@click.option("--interval", type=LENGTH, metavar="LENGTH", help="Longest time between cycles, such as 40m.")
@click.option("--nested-groups/--no-nested-groups", default=None, help="Include members of nested groups.")
@click.option(
    "--deletion-threshold",
    type=Threshold(),
    metavar="NUMBER|%",
    help="Limit above which disables and deletes are held: 500, 20% or 500,20% (0 = none).",
)
@click.option(
    "--members-per-patch",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    help="Most group members per PATCH.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def settings(app: str, yes: bool, output: Output, **given: Any) -> None:
    """Show or change the provisioning settings of an application.

    \b
    lockstep settings documo
    lockstep settings documo --mode automatic --scope assigned --status on
    """
    changes = {key: value for key, value in given.items() if value is not None}
    changes |= changes.pop("deletion_threshold", {})
    effects: list[EffectJson] = []
    if changes.keys() & actions.CONCERN_PEOPLE:
        view, effects = run_consented(lambda context: actions.change_settings(context, app, **changes), yes=yes)
    elif changes:
        view = run(lambda context: actions.change_settings(context, app, **changes))
    else:
        view = run(lambda context: actions.show_settings(context, app))
    output.one(
        settings_json(view, interval=length_text(view.interval) or None) | ({"effects": effects} if effects else {}),
        text=_lines(view),
    )
    note = mail_note(email=view.notification_email, on_failure=view.email_on_failure)
    if note and not view.mail_is_sent:
        hint(f"note: {note}")


def _lines(view: SettingsView) -> list[str]:
    interval: timedelta | None = view.interval
    pairs = [
        ("mode", view.mode), ("status", view.status),
        ("scope", "everybody" if view.scope == "all" else "assigned people and groups"),
        *_mail(view),
        ("nested", "members of nested groups are included" if view.nested_groups else "members of nested groups are not included"),
        ("deletions", _deletions(view)), ("guards", _guards(view)),
        ("members", f"up to {view.members_per_patch} group members per request"),
        ("creates", "each account is created with its own request" if view.creates_per_request == 1
            else f"up to {view.creates_per_request} accounts per request, if the application offers bulk requests"),
        ("interval", length_text(interval) or "set by the server; changes are sent immediately"), ("version", view.version),
    ]  # fmt: skip
    return [view.app] + [f"  {label:<11} {safe(text)}" for label, text in pairs]


def _mail(view: SettingsView) -> list[tuple[str, str]]:
    """Return the notification settings that are set."""
    asked = [view.notification_email] if view.notification_email else []
    asked += ["on failure"] if view.email_on_failure else []
    if view.notification_delivery is NotificationDelivery.DIGEST:
        asked.append(f"daily digest at {DIGEST_TIME}")
    stored = "" if view.mail_is_sent else " (stored; no mail server is set up)"
    return [("mail", f"{', '.join(asked)}{stored}")] if asked else []


def _deletions(view: SettingsView) -> str:
    """Return, as text, the number of disables and deletes above which these writes need approval."""
    if view.deletion_threshold is None:
        return "never held"
    percent = f", or {view.deletion_percent}% of the linked accounts" if view.deletion_percent else ""
    return f"held above {view.deletion_threshold:,}{percent}"


def _guards(view: SettingsView) -> str:
    """Return the approval limits as text: above these limits, writes need approval. The limits of disables and deletes are not included.
    The limits are set in a configuration file.
    """
    limits = (
        (view.guards.privilege_grants, "granted privileges"),
        (view.guards.matching_values, "renames"),
        (view.guards.emptied_attributes, "emptied values"),
    )
    parts = [f"{count:,} {what}" for count, what in limits if count is not None]
    parts += [f"{view.guards.percent}%"] if view.guards.percent else []
    return f"held above {', '.join(parts)}" if parts else "off"
