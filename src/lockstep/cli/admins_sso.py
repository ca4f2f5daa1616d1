"""`lockstep admins sso`: administrators sign in through an OpenID Connect provider. Their groups at the provider decide their roles."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from lockstep.actions import identity_providers as actions
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import CALLBACK, IdentityProvider, ProviderChange
from lockstep.actions.permissions import ROLE_NAMES, Role
from lockstep.actions.rows.identity_providers import identity_provider_json, provider_metadata_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Output, confirm, hint, output_option
from lockstep.cli.session import run
from lockstep.errors import not_found
from lockstep.vault import Secret


class ClaimRoleText(click.ParamType[tuple[str, Role, str]]):
    """A role for a group, typed as GROUP=ROLE or as GROUP=applicationOwner:APP."""

    name = "mapping"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Role, str]:
        claimed, equals, rest = str(value).rpartition("=")
        role, _, app = rest.partition(":")
        known = {one.value.lower(): one for one in Role}
        if not equals or not claimed or role.lower() not in known:
            self.fail(
                f'"{value}" is not GROUP=ROLE, such as lockstep-operators=operator. See: lockstep admins roles',
                param,
                ctx,
            )
        return claimed, known[role.lower()], app


@click.group("sso", cls=SuggestingGroup)
def sso() -> None:
    """Manage single sign-on of administrators through OpenID Connect.

    \b
    lockstep admins sso set --name Entra --issuer https://login.microsoftonline.com/TENANT/v2.0 --client-id ID
    lockstep admins sso show
    """


@sso.command("set")
@click.option("--name", metavar="TEXT", help='The name in "Sign in with NAME".')
@click.option("--issuer", metavar="URL", help="The provider's issuer, exactly as the provider writes it.")
@click.option("--client-id", metavar="ID", help="Lockstep's client id at the provider.")
@click.option("--client-secret-stdin", is_flag=True, help="Read the client secret from stdin.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="OpenID Connect scope to request; repeatable.")
@click.option(
    "--claim", "roles_claim", metavar="NAME", help=f"The claim that gives roles (default: {actions.ROLES_CLAIM})."
)
@click.option(
    "--map",
    "roles",
    type=ClaimRoleText(),
    multiple=True,
    metavar="GROUP=ROLE",
    help="Role of a group. Give it once for each group: the others lose their role. For owners: GROUP=applicationOwner:APP",
)
@click.option(
    "--trust-email/--no-trust-email",
    "trusts_email",
    default=None,
    help="Also accept e-mail addresses that the provider does not report as verified.",
)
@output_option
def set_(client_secret_stdin: bool, output: Output, **given: Any) -> None:
    """Set up single sign-on, or change the given settings. The secret is stored encrypted and never shown again.

    \b
    lockstep admins sso set --map lockstep-operators=operator --map lockstep-admins=globalAdministrator
    lockstep admins sso set --client-secret-stdin < secret.txt
    """
    secret = _read_secret() if client_secret_stdin else None
    changes = {name: value for name, value in given.items() if value not in (None, ())}

    async def work(context: Context) -> IdentityProvider:
        present = await actions.show_identity_provider(context)
        missing = [f"--{one.replace('_', '-')}" for one in ("name", "issuer", "client_id") if one not in changes]
        if present is None and missing:
            raise click.UsageError(f"Single sign-on is not set up yet. Also give: {', '.join(missing)}")
        start = actions.change_of(present) if present else ProviderChange("", "", "")
        return await actions.set_identity_provider(context, replace(start, secret=secret, **changes))

    view = run(work)
    output.one(identity_provider_json(view), text=_lines(view))
    if not view.has_secret:
        hint(
            "No client secret is stored. Unless Lockstep is a public client, run: lockstep admins sso set --client-secret-stdin"
        )
    if not view.roles:
        hint("No one has access yet. Give a role to a group: lockstep admins sso set --map GROUP=ROLE")


@sso.command("show")
@output_option
def show(output: Output) -> None:
    """Show the single sign-on settings.

    \b
    lockstep admins sso show
    """
    view = run(actions.show_identity_provider)
    if view is None:
        raise not_found("Single sign-on is not set up", next_step="Set it up: lockstep admins sso set --help")
    output.one(identity_provider_json(view), text=_lines(view))


@sso.command("test")
@output_option
def test(output: Output) -> None:
    """Check that the provider responds and that the stored secret can be decrypted. No one is signed in.

    \b
    lockstep admins sso test
    """
    found = run(actions.test_provider)
    row = provider_metadata_json(found)
    output.one(row, text=[f"{found.issuer} answers", *(f"  {name:<22} {value}" for name, value in row.items())])


@sso.command("remove")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def remove(yes: bool, output: Output) -> None:
    """Remove the provider. Administrators who signed in through it are signed out; those with a password are not affected.

    \b
    lockstep admins sso remove
    """
    confirm("Remove single sign-on, and sign out everyone who signed in through it?", yes=yes)
    gone = run(actions.remove_identity_provider)
    output.one(identity_provider_json(gone), text=f"{gone.name} can no longer be used to sign in.")


def _read_secret() -> Secret:
    if sys.stdin.isatty():
        return Secret(click.prompt("Client secret", hide_input=True, err=True).strip())
    return Secret(sys.stdin.readline().strip())


def _lines(view: IdentityProvider) -> list[str]:
    pairs = [
        ("issuer", view.issuer), ("client id", view.client_id), ("client secret", "stored" if view.has_secret else "none"),
        ("redirect URI", f"the admin centre's address followed by {CALLBACK}"), ("scopes", " ".join(view.scopes)),
        ("e-mail", "trusted without proof" if view.trusts_email else "must be verified"), ("claim", view.roles_claim),
    ]  # fmt: skip
    roles = [
        f"    {one.value}: {ROLE_NAMES[Role(one.role)]}" + (f" of {one.app_name}" if one.app_name else "")
        for one in view.roles
    ]
    return [
        view.name,
        *(f"  {label:<14} {text}" for label, text in pairs),
        "  roles",
        *(roles or ["    none: no one has access"]),
    ]
