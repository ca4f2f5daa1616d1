"""`lockstep sso`: how people sign in to an application through Lockstep."""

from __future__ import annotations

from typing import Any

import click

from lockstep.actions.context import Context
from lockstep.actions.rows.single_sign_on import sign_on_json
from lockstep.actions.single_sign_on import address as addresses
from lockstep.actions.single_sign_on import metadata as exchange
from lockstep.actions.single_sign_on import settings
from lockstep.actions.single_sign_on.settings import OFFERED_MODES
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.config_files import text_of_file
from lockstep.cli.output import Column, Output, output_option
from lockstep.cli.page_address import APPLICATION, CLAIM
from lockstep.cli.session import run
from lockstep.cli.sso_certs import certs
from lockstep.cli.sso_openid import keys, oidc, secrets
from lockstep.cli.sso_trial import test
from lockstep.cli.sso_view import NO_ADDRESS, print_sign_on, source_text
from lockstep.configuration.single_sign_on import NameIdKind, SignedPart, SignOnMode
from lockstep.errors import conflict


@click.group(cls=SuggestingGroup)
def sso() -> None:
    """Manage how people sign in to applications through Lockstep (SAML 2.0 or OpenID Connect).

    \b
    lockstep sso set documo --mode saml
    lockstep sso show documo
    lockstep sso test documo --user kim.berg@contoso.com
    """


@sso.command("show")
@app_argument
@output_option
def show(app: str, output: Output) -> None:
    """Show the settings, and the values to enter in the application.

    \b
    lockstep sso show documo
    """
    print_sign_on(run(lambda context: settings.show_sign_on(context, app)), output)


@sso.command("set")
@app_argument
@click.option("--mode", type=click.Choice([mode.value for mode in OFFERED_MODES]), help="The single sign-on method.")
@click.option("--identifier", "identifiers", multiple=True, metavar="URI", help="Entity ID; repeatable.")
@click.option("--reply-url", "replyUrls", multiple=True, metavar="URL", help="Reply URL; repeatable.")
@click.option("--sign-on-url", "signOnUrl", metavar="URL", help="Sign-on URL of the application.")
@click.option("--relay-state", "relayState", metavar="TEXT", help="Relay State of sign-ins begun at Lockstep.")
@click.option("--logout-url", "logoutUrl", metavar="URL", help="Logout URL of the application.")
@click.option(
    "--name-id-format",
    type=click.Choice([form.value for form in NameIdKind]),
    metavar="FORMAT",
    help="Format, such as emailAddress or persistent.",
)
@click.option("--name-id", metavar="TEXT", help="Name ID: an attribute or an expression.")
@click.option(
    "--signing",
    type=click.Choice([part.value for part in SignedPart]),
    metavar="PART",
    help="What to sign: assertion|response|both.",
)
@click.option("--encryption-certificate", metavar="FILE", help="Encrypt assertions with this certificate.")
@click.option(
    "--verify/--no-verify",
    "requireSignedRequests",
    default=None,
    help="Refuse requests without a signature.",
)
@click.option(
    "--assignment-required/--no-assignment-required",
    "assignmentRequired",
    default=None,
    help="Who may sign in: assigned people, or everyone.",
)
@click.option(
    "--enabled/--no-enabled",
    "enabledForSignIn",
    default=None,
    help="Switch sign-in on or off.",
)
@click.option(
    "--notification-email",
    "notificationEmail",
    metavar="ADDRESS",
    help="Address to remind of expiring certificates.",
)
@output_option
def set_(app: str, output: Output, **given: Any) -> None:
    """Change the given settings. "" removes an address or a certificate.

    \b
    lockstep sso set documo --mode saml
    """
    changes = _changes(given)
    if not changes:
        raise click.UsageError("No setting was given. See: lockstep sso set --help")
    print_sign_on(run(lambda context: settings.change_sign_on(context, app, changes)), output)


@sso.group("claims", cls=SuggestingGroup)
def claims() -> None:
    """Manage the claims that an assertion contains besides the Name ID.

    \b
    lockstep sso claims list documo
    lockstep sso claims set documo department --source department
    """


@claims.command("list")
@app_argument
@output_option
def list_claims(app: str, output: Output) -> None:
    """List the claims with their sources.

    \b
    lockstep sso claims list documo
    """
    view = run(lambda context: settings.show_sign_on(context, app))
    section = sign_on_json(view)["singleSignOn"]
    claims = section["openIdConnect"]["claims"] if section["mode"] == SignOnMode.OIDC else section["claims"]
    rows = [{"name": one["name"], "value": source_text(one)} for one in claims]
    output.many(rows, [Column("name", "CLAIM"), Column("value", "VALUE")], empty="No claims: only the Name ID is sent.")


@claims.command("set")
@click.argument("app", type=APPLICATION)
@click.argument("name", type=CLAIM)
@click.option("--source", metavar="ATTRIBUTE", help="Take the value from this attribute of the person.")
@click.option("--expression", metavar="TEXT", help="Compute the value with an expression, as in mappings.")
@click.option("--constant", metavar="TEXT", help="Send the same value for everyone.")
@output_option
def set_claim(app: str, name: str, output: Output, **given: str | None) -> None:
    """Add or change the claim NAME.

    \b
    lockstep sso claims set documo department --source department
    lockstep sso claims set documo role \\
      --expression 'SingleAppRoleAssignment([appRoleAssignments])'
    """
    changes = {key: value for key, value in given.items() if value is not None}
    if len(changes) != 1:
        raise click.UsageError("Give one of --source, --expression and --constant")
    print_sign_on(run(lambda context: settings.set_claim(context, app, name, changes)), output)


@claims.command("remove")
@click.argument("app", type=APPLICATION)
@click.argument("name", type=CLAIM)
@output_option
def remove_claim(app: str, name: str, output: Output) -> None:
    """Remove the claim NAME.

    \b
    lockstep sso claims remove documo department
    """
    print_sign_on(run(lambda context: settings.set_claim(context, app, name, None)), output)


sso.add_command(certs)
for more in (oidc, secrets, keys):
    sso.add_command(more)


@sso.command("metadata")
@app_argument
def metadata(app: str) -> None:
    """Print Lockstep's Federation Metadata XML for the application.

    \b
    lockstep sso metadata documo > lockstep.xml
    """
    click.echo(run(lambda context: _metadata(context, app)))


async def _metadata(context: Context, app: str) -> bytes:
    """Return the metadata. Raises LockstepError if the public address is not set: the addresses in the metadata would be incomplete."""
    xml = await exchange.federation_metadata(context, app)
    if not await addresses.show_address(context):
        raise conflict(
            "The metadata contains the public address of Lockstep, which is not set",
            next_step="Set it: lockstep sso address https://id.contoso.com",
        )
    return xml


@sso.command("import")
@click.argument("app", type=APPLICATION)
@click.argument("place", metavar="FILE|URL")
@output_option
def import_(app: str, place: str, output: Output) -> None:
    """Import the settings from the application's own metadata: a file, - for stdin, or a URL.

    \b
    lockstep sso import documo documo.xml
    lockstep sso import documo https://app.documo.com/saml/metadata
    """
    if place.startswith(("https://", "http://")):
        view = run(lambda context: exchange.fetch_metadata(context, app, place))
    else:
        xml = text_of_file(place).encode()
        view = run(lambda context: exchange.upload_metadata(context, app, xml))
    print_sign_on(view, output)


sso.add_command(test)


@sso.command("address")
@click.argument("origin", required=False)
@output_option
def address(origin: str | None, output: Output) -> None:
    """Show or store the public address of Lockstep for browsers. "" removes it.

    Applications store addresses that contain it, so update them there after a change.

    \b
    lockstep sso address https://id.contoso.com
    """
    found = run(
        lambda context: addresses.show_address(context) if origin is None else addresses.set_address(context, origin)
    )
    output.one({"address": found}, text=found or NO_ADDRESS)


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    certificate, form, name_id = (given.pop(one) for one in ("encryption_certificate", "name_id_format", "name_id"))
    changes = {
        key: [one for one in value if one] if isinstance(value, tuple) else value
        for key, value in given.items()
        if value not in (None, ())
    }
    if certificate is not None:
        changes["encryptionCertificate"] = text_of_file(certificate) if certificate else None
    if form is not None or name_id is not None:
        key = "expression" if name_id and not name_id.isidentifier() else "source"
        changes["nameId"] = ({"format": form} if form else {}) | ({key: name_id} if name_id else {})
    return changes
