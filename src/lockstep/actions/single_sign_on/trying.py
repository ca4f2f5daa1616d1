"""Try single sign-on for a person without signing anybody in. The result has each condition in the order of its check, and what the
assertion would say.

The result has the values of the assertion but never a signed assertion: with that, anybody could sign in as the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import find_anybody
from lockstep.actions.single_sign_on.claims import Claims
from lockstep.actions.single_sign_on.issuing import read_claims
from lockstep.actions.single_sign_on.settings import SignOnView, read_view
from lockstep.configuration.single_sign_on import SignOnMode
from lockstep.storage import assignments


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that must hold for the sign-in. *next_step* says what to do if it does not hold."""

    sentence: str
    holds: bool
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class SignOnTrial:
    """What a sign-in would do. *issuer*, *audience* and *recipient* are those of the assertion. *starts_at* is the address at which a real
    test begins.
    """

    view: SignOnView
    person: str
    claims: Claims
    conditions: Sequence[Condition]
    audience: str
    recipient: str

    @property
    def would_sign_in(self) -> bool:
        return all(one.holds for one in self.conditions)

    @property
    def starts_at(self) -> str:
        """Return the application's own *Sign on URL*; "" if Lockstep has to begin the sign-in (IdP-initiated)."""
        return self.view.settings.sign_on_url


@needs(Permission.APPLICATIONS_READ, app="app")
async def try_sign_on(context: Context, app: str, user: str = "", *, origin: str = "") -> SignOnTrial | None:
    """Return what a sign-in as *user* would do. Without *user*, somebody who is assigned is chosen; returns None if nobody is assigned.

    Raises LockstepError for an unknown person.
    """
    async with context.reading() as connection:
        found = await find_application(connection, app)
        name = user or await assignments.sample_person(connection, found.id)
        if not name:
            return None
        person = await find_anybody(connection, name)
        view = await read_view(context, connection, found, origin=origin)
        claims = await read_claims(context, connection, found, person.id)
    settings = view.settings
    return SignOnTrial(
        view,
        person.user_principal_name,
        claims,
        _conditions(view, claims),
        settings.identifiers[0] if settings.identifiers else "",
        settings.reply_urls[0] if settings.reply_urls else "",
    )


def _conditions(view: SignOnView, claims: Claims) -> list[Condition]:
    app, settings = view.application, view.settings
    active = next((one for one in view.certificates if one.is_active), None)
    found = [
        Condition(
            "SAML is the single sign-on method",
            settings.mode is SignOnMode.SAML,
            f"Select it: lockstep sso set {app.name} --mode saml",
        ),
        Condition(
            f"{app.display_name} is enabled for users to sign in",
            settings.is_enabled,
            f"Enable it: lockstep sso set {app.name} --enabled",
        ),
        Condition(
            "A signing certificate is active", active is not None,
            f"Make one: lockstep sso certs new {app.name} --activate",
        ),
        Condition(
            f"{claims.display} is active in the directory", claims.is_active, "Enable or restore the person first"
        ),
    ]  # fmt: skip
    if settings.assignment_required:
        found.append(
            Condition(
                f"{claims.display} is assigned to {app.display_name}",
                claims.is_assigned,
                f"Assign: lockstep assign {app.name} --user {claims.display}",
            )
        )
    for name, problem in claims.problems.items():
        what = f'The claim "{name}"' if name else "The Name ID"
        found.append(
            Condition(f"{what} has a value: {problem}", holds=False, next_step="Correct its source or expression")
        )
    return found
