"""`lockstep people sign-in ldap`: the LDAP directory that checks people's passwords."""

from __future__ import annotations

import sys

import click

from lockstep.actions.person_sign_in import ldap_setup
from lockstep.actions.person_sign_in.ldap_setup import USUAL_ATTRIBUTE, LdapChange, LdapDirectory
from lockstep.actions.rows.ldap import ldap_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.config_files import text_of_file
from lockstep.cli.output import Output, hint, output_option
from lockstep.cli.page_address import PERSON
from lockstep.cli.session import run
from lockstep.errors import not_found
from lockstep.vault import Secret


@click.group(cls=SuggestingGroup)
def ldap() -> None:
    """Manage the LDAP directory, such as Active Directory, that checks people's passwords.

    \b
    lockstep people sign-in ldap show
    lockstep people sign-in ldap test kim.berg@contoso.test
    """


@ldap.command("show")
@output_option
def show(output: Output) -> None:
    """Show the settings of the LDAP directory.

    \b
    lockstep people sign-in ldap show
    """
    found = run(ldap_setup.show_ldap)
    if found is None:
        raise not_found("No LDAP directory is set up", next_step="Set it up: lockstep people sign-in ldap set --help")
    _print(found, output)


@ldap.command("set")
@click.option("--url", required=True, metavar="URL", help="Address, such as ldaps://dc1.contoso.com")
@click.option("--base-dn", required=True, metavar="DN", help="Base DN: where the search for people starts.")
@click.option("--bind-dn", required=True, metavar="DN", help="DN of the account that Lockstep searches with.")
@click.option("--attribute", default=USUAL_ATTRIBUTE, metavar="NAME", help="Attribute with the user principal name.")
@click.option("--ca-file", default="", metavar="FILE", help="PEM file of the certificate authority to trust.")
@click.option("--start-tls", is_flag=True, help="With ldap://: encrypt with StartTLS.")
@click.option(
    "--login-attribute",
    default="",
    metavar="NAME",
    help="LDAP attribute whose value people may enter instead of their user principal name.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password of the bind DN from stdin.")
@output_option
def set_(
    url: str,
    base_dn: str,
    bind_dn: str,
    attribute: str,
    ca_file: str,
    start_tls: bool,
    login_attribute: str,
    password_stdin: bool,
    output: Output,
) -> None:
    """Set up the LDAP directory and test it. Then: lockstep people sign-in set --ldap on

    \b
    lockstep people sign-in ldap set --url ldaps://dc1.contoso.com \\
      --base-dn dc=contoso,dc=com --bind-dn cn=lockstep,dc=contoso,dc=com \\
      --password-stdin < password.txt
    """
    password = Secret(sys.stdin.readline().rstrip("\r\n")) if password_stdin else None
    ca = text_of_file(ca_file) if ca_file else ""
    change = LdapChange(url, base_dn, bind_dn, attribute, ca, password, start_tls, login_attribute)
    _print(run(lambda context: ldap_setup.set_ldap(context, change)), output)
    hint("The LDAP directory responds. To let people sign in with it: lockstep people sign-in set --ldap on")


@ldap.command("test")
@click.argument("person", type=PERSON)
@output_option
def test(person: str, output: Output) -> None:
    """Search for the entry of a person.

    \b
    lockstep people sign-in ldap test kim.berg@contoso.test
    """
    name = run(lambda context: ldap_setup.find_in_ldap(context, person))
    output.one({"user": person, "dn": name}, text=name)


@ldap.command("remove")
@output_option
def remove(output: Output) -> None:
    """Remove the LDAP directory. People can no longer sign in with its passwords.

    \b
    lockstep people sign-in ldap remove
    """
    run(ldap_setup.remove_ldap)
    output.one({"removed": True}, text="The LDAP directory and its password were removed.")


def _print(found: LdapDirectory, output: Output) -> None:
    row = ldap_json(found)
    output.one(
        row,
        text=[
            f"Address    {row['url']}", f"Base DN    {row['baseDn']}", f"Attribute  {row['attribute']}",
            f"Login name {row['loginAttribute'] or 'the user principal name alone'}", f"Bind DN    {row['bindDn']}",
            f"Encryption {'StartTLS' if row['startTls'] else 'TLS' if row['url'].startswith('ldaps:') else 'none: this machine'}",
            f"CA         {'given' if row['ca'] else 'the authorities that this machine trusts'}",
        ],
    )  # fmt: skip
