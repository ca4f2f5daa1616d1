"""`lockstep sso test`: the outcome of a sign-in, and the results of real attempts."""

from __future__ import annotations

import click

from lockstep.actions.rows.single_sign_on import trial_json
from lockstep.actions.single_sign_on import trying
from lockstep.actions.single_sign_on.trying import ClaimLine, SignOnTrial
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Output, output_option
from lockstep.cli.page_address import PERSON
from lockstep.cli.session import run
from lockstep.errors import not_found


@click.command("test")
@app_argument
@click.option("--user", default="", type=PERSON, metavar="USER", help="The person (default: someone who is assigned).")
@click.option(
    "--error", default="", metavar="TEXT", help="Explain an error of the application, or a code of the sign-in log."
)
@click.option("--messages", is_flag=True, help="Also print the request and the response.")
@output_option
def test(app: str, user: str, error: str, messages: bool, output: Output) -> None:
    """Show whether a person could sign in, and the assertion or ID token they would get.

    No one is signed in and nothing is sent. The response has no valid signature.

    \b
    lockstep sso test documo --user kim.berg@contoso.com
    lockstep sso test documo --error "Invalid audience"
    lockstep sso test wiki --error PkceMissing
    """
    found = run(lambda context: trying.try_sign_on(context, app, user, error=error))
    if found is None:
        raise not_found("There are no people to test with", next_step="See: lockstep sources add --help")
    lines = [
        *_verdict(found), *_assertion(found), *_refused(found), *_attempts(found),
        *(_messages(found) if messages else ()), *(_explained(found) if error else ()),
    ]  # fmt: skip
    output.one(trial_json(found), text=lines)


def _verdict(found: SignOnTrial) -> list[str]:
    lines = [f"{found.person}: {'can sign in' if found.would_sign_in else 'cannot sign in'}"]
    for one in found.conditions:
        lines.append(f"  {'+' if one.holds else '!'} {one.sentence}" + ("" if one.holds else f". {one.next_step}"))
    return lines


def _assertion(found: SignOnTrial) -> list[str]:
    subject = "sub" if found.is_openid else "Name ID"
    claims = ["  claims", *(f"    {_claim(one, subject)}" for one in found.claim_lines)]
    if found.is_openid:
        return [
            f"  client ID     {found.audience}",
            f"  redirect URI  {found.recipient}",
            f"  starts at     {found.starts_at or 'the application: no tile in My Apps without a Sign on URL'}",
            *claims,
        ]
    return [
        f"  audience   {found.audience}",
        f"  recipient  {found.recipient}",
        f"  starts at  {found.starts_at or 'My Apps: sign-in starts at Lockstep'}",
        *claims,
    ]


def _claim(one: ClaimLine, subject: str) -> str:
    return f"{one.name or subject}: {', '.join(one.values) or one.problem or 'empty, so not sent'}  <- {one.source}"


def _refused(found: SignOnTrial) -> list[str]:
    return ["  refused", *(f"    {one.code}: {one.what}" for one in found.refusals)]


def _attempts(found: SignOnTrial) -> list[str]:
    rows = [
        f"    {one.row.at:%Y-%m-%d %H:%M:%S} {one.row.result} {one.row.code} {one.answer}".replace("  ", " ")
        for one in found.attempts
    ]
    return ["  real attempts", *(rows or ["    none"])]


def _messages(found: SignOnTrial) -> list[str]:
    response = "".join(part.text for part in found.response)
    return [
        "request",
        found.request or "none: sign-in starts at Lockstep",
        "ID token" if found.is_openid else "response",
        response or ("none: no ID token is issued" if found.is_openid else "none: no assertion is issued"),
    ]


def _explained(found: SignOnTrial) -> list[str]:
    if found.error is None:
        return ["Lockstep does not know this error. Look in the application's own log."]
    value = f" In Lockstep: {found.error.value}." if found.error.value else ""
    return [f"{found.error.cause}.{value} {found.error.next_step}"]
