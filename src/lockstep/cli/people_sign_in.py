"""`lockstep people sign-in`: how people of the directory sign in to My Apps; also their sign-in links, sessions and second factors."""

from __future__ import annotations

import click

from lockstep.actions.context import Context
from lockstep.actions.person_sign_in import passwords, person_passkeys, person_totp, sessions, setting
from lockstep.actions.person_sign_in.setting import SignInSetting
from lockstep.actions.rows.sign_ins import (
    person_factors_json,
    person_session_json,
    sign_in_link_json,
    sign_in_setting_json,
)
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, hint, output_option
from lockstep.cli.page_address import PERSON
from lockstep.cli.people_ldap import ldap as ldap_
from lockstep.cli.session import run, served_at
from lockstep.cli.times import local_stamp, local_time
from lockstep.wording import counted

_SWITCH = click.Choice(["on", "off"])


@click.group("sign-in", cls=SuggestingGroup)
def sign_in() -> None:
    """Manage how people sign in to My Apps: password links, sessions, second factors.

    \b
    lockstep people sign-in link kim.berg@contoso.test
    lockstep people sign-in set --second-factor on
    """


@sign_in.command("set")
@click.option("--password", type=_SWITCH, help="Allow sign-in with a Lockstep password.")
@click.option(
    "--provider",
    type=_SWITCH,
    help="Allow sign-in through the same provider as for administrators (lockstep admins sso).",
)
@click.option("--ldap", type=_SWITCH, help="Allow sign-in with the password in the LDAP directory.")
@click.option("--second-factor", type=_SWITCH, help="Require a second factor for sign-ins with a password.")
@click.option("--contact", metavar="TEXT", help='Contact for help, for example "the help desk, phone 4711".')
@output_option
def set_(
    password: str | None,
    provider: str | None,
    ldap: str | None,
    second_factor: str | None,
    contact: str | None,
    output: Output,
) -> None:
    """Show or change how people sign in to My Apps.

    \b
    lockstep people sign-in set
    lockstep people sign-in set --second-factor on --contact "the help desk, phone 4711"
    """

    async def work(context: Context) -> SignInSetting:
        if all(one is None for one in (password, provider, ldap, second_factor, contact)):
            return await setting.show_sign_in_setting(context)
        return await setting.change_sign_in_setting(
            context,
            has_password=_is_on(password),
            has_provider=_is_on(provider),
            needs_second_factor=_is_on(second_factor),
            contact=contact,
            has_ldap=_is_on(ldap),
        )

    found = run(work)
    output.one(
        sign_in_setting_json(found),
        text=[
            f"Password       {_word(found.has_password)}",
            f"Provider       {_word(found.has_provider)}",
            f"LDAP           {_word(found.has_ldap)}",
            f"Second factor  {'required with a password' if found.needs_second_factor else 'optional'}",
            f"Contact        {found.contact or 'not set'}",
        ],
    )


sign_in.add_command(ldap_)


@sign_in.command("link")
@click.argument("person", type=PERSON)
@output_option
def link_(person: str, output: Output) -> None:
    """Print a one-time link that lets a person set a password. It replaces an earlier link.

    \b
    lockstep people sign-in link kim.berg@contoso.test
    """
    link = run(lambda context: passwords.new_sign_in_link(context, person))
    output.one(sign_in_link_json(link), text=link.url or served_at() + link.path)
    hint(f"The link works once, until {local_stamp(link.expires_at)}.")
    if not link.url:
        hint(
            "No public address of Lockstep is stored, so the start of the link may be wrong. Store it: lockstep sso address ORIGIN"
        )


@sign_in.command("sessions")
@click.argument("person", type=PERSON)
@output_option
def list_sessions(person: str, output: Output) -> None:
    """List the sessions of a person.

    \b
    lockstep people sign-in sessions kim.berg@contoso.test
    """
    rows = [person_session_json(one) for one in run(lambda context: sessions.list_person_sessions(context, person))]
    columns = [Column("signedInAt", "Signed in", show=local_time), Column("seenAt", "Last seen", show=local_time),
               Column("address", "Address"), Column("methods", "How"), Column("device", "Device", is_wide=True),
               Column("expiresAt", "Expires at the latest", show=local_time, is_wide=True), Column("id", "Id")]  # fmt: skip
    output.many(rows, columns, name="id", empty="Not signed in anywhere.")


@sign_in.command("end")
@click.argument("person", type=PERSON)
@click.option(
    "--session", default="", metavar="ID", help="End only this session. See: lockstep people sign-in sessions PERSON"
)
@output_option
def end(person: str, session: str, output: Output) -> None:
    """End the sessions of a person.

    \b
    lockstep people sign-in end kim.berg@contoso.test
    """
    ended = run(lambda context: sessions.end_person_sessions(context, person, session))
    output.one({"user": person, "sessions": ended}, text=f"{counted(ended, 'session')} of {person} ended.")


@sign_in.command("factors")
@click.argument("person", type=PERSON)
@output_option
def show_factors(person: str, output: Output) -> None:
    """Show the second factors of a person: an authenticator app, and passkeys.

    \b
    lockstep people sign-in factors kim.berg@contoso.test
    """
    found = run(lambda context: person_passkeys.show_person_factors(context, person))
    lines = ["Authenticator app"] if found.has_app else []
    for one in found.passkeys:
        used = local_stamp(one.last_used_at) if one.last_used_at else "never"
        lines.append(f"Passkey {one.name} for {one.host}, added {local_stamp(one.created_at)}, last used {used}")
    output.one(person_factors_json(found), text=lines or [f"{found.user_principal_name} has no second factor."])


@sign_in.command("remove-factor")
@click.argument("person", type=PERSON)
@output_option
def remove_factor(person: str, output: Output) -> None:
    """Remove the authenticator app and the passkeys of a person who lost their device, and end all their sessions.

    \b
    lockstep people sign-in remove-factor kim.berg@contoso.test
    """
    run(lambda context: person_totp.remove_person_factor(context, person))
    output.one({"user": person, "secondFactor": False}, text=f"The second factor of {person} was removed.")


def _is_on(given: str | None) -> bool | None:
    return None if given is None else given == "on"


def _word(is_on: bool) -> str:
    return "on" if is_on else "off"
