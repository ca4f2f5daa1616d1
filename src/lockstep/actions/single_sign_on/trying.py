"""Try single sign-on for a person without signing anybody in. The result has each condition in the order in which it is checked, the
messages that would be sent, and the results of real attempts.

With OpenID Connect, the messages are the request and the payload of the ID token. No message has a valid signature;
otherwise anybody who gets the message could sign in as the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.outcomes import SignInCode
from lockstep.actions.previews import find_anybody
from lockstep.actions.single_sign_on.address import stored_address
from lockstep.actions.single_sign_on.application_errors import ApplicationError, explain_error
from lockstep.actions.single_sign_on.claims import AssertionClaims
from lockstep.actions.single_sign_on.issuing import read_claims
from lockstep.actions.single_sign_on.openid_trial import openid_answers, openid_parts
from lockstep.actions.single_sign_on.refusals import SignOnRefusal, refusals_of
from lockstep.actions.single_sign_on.settings import SignOnView, read_view
from lockstep.actions.single_sign_on.trial_messages import readable_request, request_of, response_to
from lockstep.actions.single_sign_on.trial_parts import SignInCondition, TrialParts
from lockstep.configuration.single_sign_on import SignOnMode
from lockstep.engine.rules.mappings import Constant, Direct, Expression, MappingSource
from lockstep.postgres.pool import Connection
from lockstep.saml.showing import MessagePart
from lockstep.storage import assignments, sign_in_log
from lockstep.storage.applications import ApplicationRow
from lockstep.storage.sign_in_log import SUCCESS, SignInFilter, SignInRow

_ATTEMPTS, _READ = 5, 50
# Refusals that the application learns about, with the status in the response (SAML core, section 3.2.2.2).
_STATUSES = {
    SignInCode.NO_PASSIVE: "NoPassive",
    SignInCode.NO_AUTHN_CONTEXT: "NoAuthnContext",
    SignInCode.WRONG_NAME_ID_FORMAT: "InvalidNameIDPolicy",
}


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """One claim and the source of its values: an attribute, an expression, a constant, or Lockstep itself. *name* is "" for the Name ID.
    *problem* says why there is no value.
    """

    name: str
    values: Sequence[str]
    source: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AnsweredAttempt:
    """A real attempt. *answer* says how Lockstep responded to the application and, with OpenID Connect, what the application did with the
    response.
    """

    row: SignInRow
    answer: str


@dataclass(frozen=True, slots=True)
class SignOnTrial:
    """The result of trying a sign-in. *issuer*, *audience* and *recipient* are values of the assertion.

    *request* is "" if Lockstep begins the sign-in, or if settings for the request are missing. *response* is empty if no assertion can be
    made. *attempts* contains the newest entries of the sign-in log about the person, and those about requests that were refused before
    anybody signed in. It is empty for a caller who may not read the log.

    With OpenID Connect, *audience* is the client id, and *recipient* is the first redirect URI. *request* is then an address, and
    *response* is the payload of the ID token.
    """

    view: SignOnView
    person: str
    claims: AssertionClaims
    conditions: Sequence[SignInCondition]
    issuer: str
    audience: str
    recipient: str
    claim_lines: Sequence[ClaimLine]
    request: str
    response: Sequence[MessagePart]
    refusals: Sequence[SignOnRefusal]
    attempts: Sequence[AnsweredAttempt]
    error: ApplicationError | None = None

    @property
    def is_openid(self) -> bool:
        return self.view.settings.mode is SignOnMode.OIDC

    @property
    def is_encrypted(self) -> bool:
        return bool(self.view.settings.encryption_certificate)

    @property
    def would_sign_in(self) -> bool:
        return all(one.holds for one in self.conditions)

    @property
    def starts_at(self) -> str:
        """Return the address at which a real test begins: the application's own *Sign on URL*; "" if Lockstep has to begin the sign-in
        (IdP-initiated).
        """
        return self.view.settings.sign_on_url


@needs(Permission.APPLICATIONS_READ, app="app")
async def try_sign_on(
    context: Context, app: str, user: str = "", *, origin: str = "", error: str = ""
) -> SignOnTrial | None:
    """Return the result of trying a sign-in as *user*. Without *user*, an assigned person is chosen; returns None if nobody is assigned.

    *error* is the application's error after a real attempt. Raises LockstepError for an unknown person.
    """
    async with context.reading() as connection:
        found = await find_application(connection, app)
        name = user or await assignments.sample_person(connection, found.id)
        if not name:
            return None
        person = await find_anybody(connection, name)
        view = await read_view(context, connection, found, origin=origin)
        claims = await read_claims(context, connection, found, person.id)
        may_read_log = context.actor.may(Permission.LOGS_READ, found.id)
        attempts = await _attempts(connection, found, person.id, now=context.now()) if may_read_log else []
        issuer = await stored_address(connection) or origin
        is_openid = view.settings.mode is SignOnMode.OIDC
        if is_openid:
            parts = await openid_parts(connection, view, claims, issuer=issuer, now=context.now())
        else:
            parts = await _saml_parts(view, claims, context.now())
    return SignOnTrial(
        view,
        person.user_principal_name,
        claims,
        _conditions(view, claims, parts),
        parts.issuer,
        parts.audience,
        parts.recipient,
        _claim_lines(view, claims),
        parts.request,
        parts.response,
        parts.refusals,
        attempts,
        explain_error(error, view, claims.name_id) if error else None,
    )


async def _saml_parts(view: SignOnView, claims: AssertionClaims, now: datetime) -> TrialParts:
    app, settings = view.application, view.settings
    request = request_of(view, now)
    is_signed = any(one.is_active for one in view.certificates)
    next_step = f"Create one: lockstep sso certs new {app.name} --activate"
    return TrialParts(
        SignInCondition(
            "SAML is the single sign-on method",
            settings.mode is SignOnMode.SAML,
            f"Select it: lockstep sso set {app.name} --mode saml",
        ),
        [SignInCondition("A signing certificate is active", is_signed, next_step)],
        view.endpoints.identifier,
        settings.identifiers[0] if settings.identifiers else "",
        settings.reply_urls[0] if settings.reply_urls else "",
        readable_request(request),
        await response_to(request, view, claims, now),
        refusals_of(view),
    )


async def _attempts(
    connection: Connection, app: ApplicationRow, person: str, *, now: datetime
) -> list[AnsweredAttempt]:
    rows = await sign_in_log.read_log(connection, SignInFilter(app=app.id), limit=_READ)
    shown = [row for row in rows if row.person in (None, person)][:_ATTEMPTS]
    by_openid = await openid_answers(
        connection, app, [row for row in shown if row.protocol == SignOnMode.OIDC], now=now
    )
    return [AnsweredAttempt(row, by_openid.get(row.id) or _answer(row)) for row in shown]


def _answer(row: SignInRow) -> str:
    if row.result == SUCCESS:
        return "Response with the status Success"
    status = next((text for code, text in _STATUSES.items() if row.code == code), "")
    return f"Response with the status {status}" if status else "No response: the person saw a page of Lockstep"


def _claim_lines(view: SignOnView, claims: AssertionClaims) -> list[ClaimLine]:
    settings = view.settings
    is_generated = claims.name_id_format.is_generated  # always with OpenID Connect
    name_id_source = "generated by Lockstep" if is_generated else source_text(settings.name_id)
    lines = [ClaimLine("", (claims.name_id,) if claims.name_id else (), name_id_source, claims.problems.get("", ""))]
    for claim in settings.sent_claims:
        values, problem = claims.attributes.get(claim.name, ()), claims.problems.get(claim.name, "")
        lines.append(ClaimLine(claim.name, values, source_text(claim.source), problem))
    return lines


def source_text(source: MappingSource) -> str:
    """Return the source of a claim as a string: [mail], an expression, or "a constant"."""
    match source:
        case Direct(attribute):
            return f"[{attribute}]"
        case Expression(compiled):
            return compiled.text
        case Constant(value):
            return f'"{value}"'
    return ""


def _conditions(view: SignOnView, claims: AssertionClaims, parts: TrialParts) -> list[SignInCondition]:
    app, settings = view.application, view.settings
    found = [
        parts.method,
        SignInCondition(
            f"{app.display_name} is enabled for users to sign in",
            settings.is_enabled,
            f"Enable it: lockstep sso set {app.name} --enabled",
        ),
        *parts.ready,
        SignInCondition(
            f"{claims.display} is active in the directory", claims.is_active, "First enable or restore the person"
        ),
    ]
    if settings.assignment_required:
        found.append(
            SignInCondition(
                f"{claims.display} is assigned to {app.display_name}",
                claims.is_assigned,
                f"Assign: lockstep assign {app.name} --user {claims.display}",
            )
        )
    for name, problem in claims.problems.items():
        what = f'The claim "{name}"' if name else "The Name ID"
        found.append(
            SignInCondition(f"{what} has a value: {problem}", holds=False, next_step="Correct its source or expression")
        )
    return found
