"""`lockstep sso certs`: the signing certificates of an application."""

from __future__ import annotations

import sys
from typing import Any

import click

from lockstep.actions.rows.single_sign_on import certificate_json
from lockstep.actions.single_sign_on import certificates as actions
from lockstep.actions.single_sign_on import settings
from lockstep.actions.single_sign_on.certificates import CertificateForm
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.page_address import APPLICATION
from lockstep.cli.session import run

_COLUMNS = (
    Column("thumbprint", "THUMBPRINT"), Column("status", "STATUS"), Column("notBefore", "FROM", is_wide=True),
    Column("notAfter", "EXPIRATION"),
)  # fmt: skip


@click.group("certs", cls=SuggestingGroup)
def certs() -> None:
    """Manage the signing certificates of an application. One is active; others can be prepared.

    \b
    lockstep sso certs list documo
    lockstep sso certs new documo
    """


@certs.command("list")
@app_argument
@output_option
def list_(app: str, output: Output) -> None:
    """List the certificates, the active one first.

    \b
    lockstep sso certs list documo
    """
    _print(run(lambda context: settings.show_sign_on(context, app)), output)


@certs.command("new")
@app_argument
@click.option("--activate", is_flag=True, help="Make the new certificate active at once.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def new(app: str, activate: bool, yes: bool, output: Output) -> None:
    """Create a new key and certificate, valid for 3 years (RSA 3072, SHA-256).

    Give it to the application first, then make it active.

    \b
    lockstep sso certs new documo
    """
    if activate:
        confirm("No one can sign in until the application has the new certificate. Make it active now?", yes=yes)
    view = run(lambda context: actions.add_certificate(context, app, activates=activate))
    _print(view, output)
    if len(view.certificates) == 1:
        hint(
            f"It is the only one, so Lockstep signs with it now. Give it to the application: lockstep sso metadata {app}"
        )
    elif not activate:
        hint(
            f"Give it to the application (lockstep sso metadata {app}), then: lockstep sso certs activate {app} THUMBPRINT"
        )


@certs.command("activate")
@click.argument("app", type=APPLICATION)
@click.argument("thumbprint")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def activate(app: str, thumbprint: str, yes: bool, output: Output) -> None:
    """Sign with this certificate from now on. THUMBPRINT can be abbreviated.

    \b
    lockstep sso certs activate documo 3F2A
    """
    confirm(
        "If the application does not have this certificate, people cannot sign in. Make the certificate active?",
        yes=yes,
    )
    _print(run(lambda context: actions.activate_certificate(context, app, thumbprint)), output)


@certs.command("remove")
@click.argument("app", type=APPLICATION)
@click.argument("thumbprint")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def remove(app: str, thumbprint: str, yes: bool, output: Output) -> None:
    """Delete a certificate that is not active, and its key.

    \b
    lockstep sso certs remove documo 3F2A
    """
    view = run(lambda context: settings.show_sign_on(context, app))
    chosen = actions.certificate_to_remove(view.certificates, thumbprint, view.application.name).thumbprint
    confirm(f"The key of the certificate {chosen} cannot be restored. Delete both?", yes=yes)
    _print(run(lambda context: actions.remove_certificate(context, app, chosen)), output)


@certs.command("download")
@click.argument("app", type=APPLICATION)
@click.argument("thumbprint", default="")
@click.option(
    "--form", type=click.Choice([form.value for form in CertificateForm]), default="base64", help="Format: PEM or DER."
)
def download(app: str, thumbprint: str, form: str) -> None:
    """Write the active certificate, or the given one, to stdout.

    \b
    lockstep sso certs download documo > lockstep.cer
    """
    data = run(
        lambda context: actions.download_certificate(context, app, thumbprint=thumbprint, form=CertificateForm(form))
    )
    sys.stdout.buffer.write(data)


def _print(view: SignOnView, output: Output) -> None:
    rows: list[dict[str, Any]] = [
        {**certificate_json(row), "status": "Active" if row.is_active else "Inactive"} for row in view.certificates
    ]
    output.many(rows, _COLUMNS, name="thumbprint", empty="No certificates. Choosing SAML creates one.")
